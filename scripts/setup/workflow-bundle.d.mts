/** The prebuilt bundle of exactly the present workflow code, or null. */
export function currentWorkflowBundle(root: string): string | null;
