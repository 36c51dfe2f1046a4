import { z } from 'zod';

/** Twitter's own limits are shorter; these keep a damaged row from becoming a prompt. */
const shortText = z.string().max(200);

/** What the model is told of an account. Attributes that nobody knows are empty in the prompt. */
export const profileSchema = z.strictObject({
  handle: z
    .string()
    .regex(/^@?[A-Za-z0-9_]{1,50}$/, 'letters, digits and underscores, at most 50')
    .transform((handle) => handle.replace(/^@/, '')),
  display_name: shortText.nullable().default(null),
  bio: z.string().max(2000).nullable().default(null),
  created_at: shortText.nullable().default(null),
  follower_count: z.union([z.number().int().nonnegative(), shortText]).nullable().default(null),
  location: shortText.nullable().default(null),
});

export type Profile = z.output<typeof profileSchema>;

const placeholder = /\{\{(\w+)\}\}/g;

/** Fills the instruction template; each attribute stays on its line. */
export function writePrompt(instruction: string, profile: Profile): string {
  const attributes: Readonly<Record<string, string | number | null>> = profile;
  return instruction.replace(placeholder, (_, name: string) =>
    String(attributes[name] ?? '')
      .replace(/\s+/g, ' ')
      .trim(),
  );
}

/** Throws where the template names what no profile has, or leaves the profile out. */
export function checkInstruction(instruction: string): void {
  const known = Object.keys(profileSchema.shape);
  const named = Array.from(instruction.matchAll(placeholder), ([, name = '']) => name);
  const unknown = named.filter((name) => !known.includes(name));
  const missing = ['handle', 'bio'].filter((name) => !named.includes(name));
  if (unknown.length > 0 || missing.length > 0) {
    const found = [
      ...unknown.map((name) => `unknown {{${name}}}`),
      ...missing.map((name) => `no {{${name}}}`),
    ];
    throw new Error(
      `prompt/instruction.txt: found ${found.join(', ')}; allowed: ${known.map((name) => `{{${name}}}`).join(', ')}`,
    );
  }
}

/** The handle that a prompt asks about; null where the prompt is not of this recipe's template. */
export function handleIn(prompt: string): string | null {
  return /^handle: (\S+)$/m.exec(prompt)?.[1] ?? null;
}
