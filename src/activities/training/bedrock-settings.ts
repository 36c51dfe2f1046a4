import { z } from 'zod';
import { type InputProblem, parseInput } from '../../domain/parse-input.js';

const settingsSchema = z.strictObject({
  roleArn: z
    .string()
    .regex(/^arn:aws(-[^:]+)?:iam::\d{12}:role\/.+$/, 'an ARN such as arn:aws:iam::123456789012:role/Name')
    .optional(),
  vpcConfig: z
    .strictObject({
      subnetIds: z
        .array(z.string().regex(/^subnet-[-0-9a-zA-Z]+$/, 'IDs such as subnet-0abc'))
        .min(1)
        .max(16),
      securityGroupIds: z
        .array(z.string().regex(/^sg-[-0-9a-zA-Z]+$/, 'IDs such as sg-0abc'))
        .min(1)
        .max(5),
    })
    .optional(),
  /** Encrypts the trained model: an ARN, a key ID or an alias. */
  kmsKeyId: z.string().min(1).max(2048).optional(),
});

export type BedrockTrainingSettings = z.infer<typeof settingsSchema>;

/** Checks `training.settings` and fills in the configured role; without any role there is a problem. */
export function parseTrainingSettings(
  given: Readonly<Record<string, unknown>>,
  defaults: { readonly roleArn: string | null },
): { readonly value: BedrockTrainingSettings; readonly problems: readonly InputProblem[] } {
  const parsed = parseInput(settingsSchema, given);
  if ('problems' in parsed) {
    const problems = parsed.problems.map((problem) => ({
      ...problem,
      path: problem.path === '(input)' ? 'training.settings' : `training.settings.${problem.path}`,
    }));
    return { value: {}, problems };
  }
  const roleArn = parsed.value.roleArn ?? defaults.roleArn;
  if (roleArn !== null) return { value: { ...parsed.value, roleArn }, problems: [] };
  const missing = {
    path: 'training.settings.roleArn',
    found: 'nothing',
    allowed:
      'the ARN of the role that Bedrock assumes to read the training data; name it here or in ANNEAL_BEDROCK_ROLE_ARN',
    hint: null,
  };
  return { value: parsed.value, problems: [missing] };
}
