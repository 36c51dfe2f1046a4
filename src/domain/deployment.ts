export const deploymentStatuses = ['creating', 'ready', 'updating', 'failed'] as const;
export type DeploymentStatus = (typeof deploymentStatuses)[number];

export interface DeploymentRequest {
  readonly target: string;
  readonly name: string;
  readonly idempotencyToken: string;
  /** The provider's identifier of the trained model. */
  readonly modelId: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Target-specific, for instance `modelUnits` and `commitment`. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface DeploymentReference {
  readonly target: string;
  readonly name: string;
  /** The target's own identifier, for instance an ARN; what inference clients are given. */
  readonly deploymentId: string;
}

export interface DeploymentDescription {
  readonly status: DeploymentStatus;
  readonly rawStatus: string;
  readonly failureMessage: string | null;
  /** The model that answers now, in the provider's terms. */
  readonly modelId: string | null;
  readonly createdAt: string | null;
  /** The provider's clock when this was observed, ISO-8601: what billed hours are counted by. */
  readonly observedAt: string;
}

/** A resource that costs money for as long as it exists. */
export interface BillingResource {
  readonly resource: string;
  readonly usdPerHour: number;
  readonly owner: string;
}
