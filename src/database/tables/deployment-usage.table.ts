/** When a deployment was last asked something; to the minute, so that answers cost no write each. */
export interface DeploymentUsageTable {
  /** The target's own identifier; the natural key. */
  deployment_id: string;
  last_used_at: Date;
}
