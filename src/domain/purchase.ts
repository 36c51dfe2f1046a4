/** What came of asking a provider for something paid: it, or what stands in the way. */
export type Purchase<T> = { readonly bought: T } | { readonly obstacle: string };
