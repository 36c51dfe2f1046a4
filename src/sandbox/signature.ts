import type { SandboxRequest } from './http/message.js';

export type Service = 'bedrock' | 's3' | 'sagemaker' | 'sts';

/**
 * Which service a request is for: by the credential scope of its signature, in the header or, presigned, in
 * the query; unsigned requests by what they ask for. Signatures themselves are not checked.
 */
export function identifyService(
  request: SandboxRequest,
  hasBedrockRoute: boolean,
  hasBucket: (name: string) => boolean,
): Service {
  const scope = credentialScope(request);
  if (scope) {
    const service = scope[3] ?? '';
    if (service === 's3' || service === 'sts' || service === 'sagemaker') return service;
    if (service === 'bedrock') return service;
  }
  const { authorization } = request.headers;
  if (authorization?.startsWith('Bearer ')) return 'bedrock';
  if (request.headers['x-amz-target']?.startsWith('SageMaker.')) return 'sagemaker';
  if (request.rawPath === '/' && request.method === 'POST') return 'sts';
  const bucket = request.rawPath.split('/')[1] ?? '';
  return hasBedrockRoute && !hasBucket(bucket) ? 'bedrock' : 's3';
}

export function regionOf(request: SandboxRequest): string {
  const region = credentialScope(request)?.[2] ?? '';
  return /^[a-z0-9-]{1,20}$/.test(region) ? region : 'us-east-1';
}

/** `[access key, date, region, service, "aws4_request"]` */
function credentialScope(request: SandboxRequest): string[] | null {
  const credential =
    request.headers.authorization?.match(/Credential=([^,\s]+)/)?.[1] ??
    request.query.get('X-Amz-Credential');
  return credential ? credential.split('/').slice(-5) : null;
}
