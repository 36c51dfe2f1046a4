import { randomUUID } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import type { Call } from '../call.js';
import { jsonReply, type Reply } from '../http/message.js';
import { sageMakerErrorReply } from '../sagemaker/service.js';
import { element, Xml, xmlReply } from '../storage/xml.js';
import { declaredStatus } from './operations.js';
import type { FaultOf } from './script.js';

export type ErrorFault = FaultOf<
  'throttle' | 'error' | 'accessDenied' | 'expiredToken' | 'conflict' | 'capacity'
>;

/** The error that an operation of a service answers for a fault, in that service's own words. */
export function errorReply(call: Call, fault: ErrorFault, accountId: string): Reply {
  if (call.service === 's3') return s3Reply(call, fault);
  if (call.service === 'sts') return stsReply(fault);
  if (call.service === 'sagemaker') return sageMakerReply(call, fault, accountId);
  const [name, message] = bedrockError(call, fault, accountId);
  return bedrockReply(call, name, fault.message ?? message);
}

/** An error of Bedrock; one that the operation does not declare comes from AWS's front door. */
export function bedrockReply(call: Call, name: string, message: string): Reply {
  const status = declaredStatus(call.service, call.operation, name);
  if (status !== null) return jsonReply(status, { message }, { 'x-amzn-errortype': name });
  if (name === 'ExpiredTokenException') {
    return jsonReply(403, { message }, { 'x-amzn-errortype': name });
  }
  if (name === 'ServiceUnavailableException') {
    const html = '<html><body><b>Http/1.1 Service Unavailable</b></body></html>';
    return { status: 503, headers: { 'content-type': 'text/html' }, body: Buffer.from(html) };
  }
  throw new Error(`${call.operation} does not declare ${name}.`);
}

function bedrockError(call: Call, fault: ErrorFault, accountId: string): [string, string] {
  switch (fault.kind) {
    case 'throttle':
      return ['ThrottlingException', 'Too many requests, please wait before trying again.'];
    case 'error':
      return fault.status === 500
        ? ['InternalServerException', 'The server encountered an internal error. Try again.']
        : ['ServiceUnavailableException', 'The service is unavailable. Try again.'];
    case 'accessDenied': {
      const user = `arn:aws:iam::${accountId}:user/anneal-sandbox`;
      const action = call.operation === 'Converse' ? 'InvokeModel' : call.operation;
      return ['AccessDeniedException', `User: ${user} is not authorized to perform: bedrock:${action}`];
    }
    case 'expiredToken':
      return ['ExpiredTokenException', 'The security token included in the request is expired'];
    case 'conflict':
      return ['ConflictException', `${call.operation}: another request is changing this resource.`];
    case 'capacity':
      return capacityError(call);
  }
}

function sageMakerReply(call: Call, fault: ErrorFault, accountId: string): Reply {
  const reply = (status: number, name: string, message: string) =>
    sageMakerErrorReply(status, name, fault.message ?? message);
  switch (fault.kind) {
    case 'throttle':
      return reply(400, 'ThrottlingException', 'Rate exceeded');
    case 'error':
      return fault.status === 500
        ? reply(500, 'InternalFailure', 'The request processing has failed because of an unknown error.')
        : reply(
            503,
            'ServiceUnavailable',
            'The request has failed due to a temporary failure of the server.',
          );
    case 'accessDenied': {
      const user = `arn:aws:iam::${accountId}:user/anneal-sandbox`;
      const said = `User: ${user} is not authorized to perform: sagemaker:${call.operation}`;
      return reply(400, 'AccessDeniedException', said);
    }
    case 'expiredToken':
      return reply(400, 'ExpiredTokenException', 'The security token included in the request is expired');
    case 'conflict':
      return reply(400, 'ResourceInUse', `${call.operation}: another request is changing this resource.`);
    case 'capacity':
      return reply(
        400,
        'ResourceLimitExceeded',
        'The account-level service limit for training jobs is reached.',
      );
  }
}

function capacityError({ operation }: Call): [string, string] {
  const quota = 'ServiceQuotaExceededException';
  switch (operation) {
    case 'CreateModelCustomizationJob':
      return [quota, 'The number of scheduled customization jobs has reached the quota of your account.'];
    case 'CreateProvisionedModelThroughput':
      return [
        quota,
        'Your account does not currently have any no commitment model units reserved for this model.',
      ];
    case 'CreateCustomModelDeployment':
      return [quota, 'The number of custom model deployments in progress has reached the quota.'];
    case 'Converse':
      return ['ThrottlingException', 'Too many tokens, please wait before trying again.'];
    default:
      return [quota, 'Your request exceeds a quota of your account.'];
  }
}

function s3Error(call: Call, fault: ErrorFault): [number, string, string] {
  switch (fault.kind) {
    case 'throttle':
      return [503, 'SlowDown', 'Please reduce your request rate.'];
    case 'error':
      return fault.status === 500
        ? [500, 'InternalError', 'We encountered an internal error. Please try again.']
        : [503, 'ServiceUnavailable', 'Service is unable to handle request.'];
    case 'accessDenied':
      return [403, 'AccessDenied', 'Access Denied'];
    case 'expiredToken':
      return [400, 'ExpiredToken', 'The provided token has expired.'];
    default: {
      const isBucket = call.operation.endsWith('Bucket');
      const text = 'A conflicting operation is in progress against this resource. Please try again.';
      return [409, isBucket ? 'OperationAborted' : 'ConditionalRequestConflict', text];
    }
  }
}

function s3Reply(call: Call, fault: ErrorFault): Reply {
  const [status, code, message] = s3Error(call, fault);
  if (call.operation.startsWith('Head')) return { status, headers: {}, body: null };
  return xmlReply(
    status,
    element('Error', [element('Code', code), element('Message', fault.message ?? message)]),
  );
}

const stsErrors: Readonly<Record<string, [number, string, string]>> = {
  throttle: [400, 'Throttling', 'Rate exceeded'],
  500: [500, 'InternalFailure', 'The request processing has failed because of an unknown error.'],
  503: [503, 'ServiceUnavailable', 'The request has failed due to a temporary failure of the server.'],
  accessDenied: [403, 'AccessDenied', 'Access denied'],
  expiredToken: [403, 'ExpiredToken', 'The security token included in the request is expired'],
};

function stsReply(fault: ErrorFault): Reply {
  const found = stsErrors[fault.kind === 'error' ? fault.status : fault.kind];
  if (!found) throw new Error(`STS has no fault of the kind ${fault.kind}.`);
  const [status, code, message] = found;
  const error = element('Error', [
    element('Type', status < 500 ? 'Sender' : 'Receiver'),
    element('Code', code),
    element('Message', fault.message ?? message),
  ]);
  const inner = `${error.text}${element('RequestId', randomUUID()).text}`;
  return xmlReply(
    status,
    new Xml(`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${inner}</ErrorResponse>`),
  );
}

/** A good answer's status and headers with half of its body, or with something that is no answer. */
export function malformed(reply: Reply, style: 'truncated' | 'notJson'): Reply {
  const { body } = reply;
  if (style === 'notJson') {
    discard(reply);
    const { 'content-length': _, ...headers } = reply.headers;
    return { ...reply, headers, body: Buffer.from('<html><body>Bad gateway') };
  }
  if (body instanceof Readable) return { ...reply, body: brokenOff(body) };
  return { ...reply, body: body === null ? null : body.subarray(0, Math.floor(body.length / 2)) };
}

/** Lets go of an answer that nobody will read. */
export function discard(reply: Reply): void {
  if (reply.body instanceof Readable) reply.body.destroy();
}

/** The first chunk's first half, and then a cut connection. */
function brokenOff(body: Readable): Readable {
  const cut = new PassThrough();
  body.once('data', (chunk: Buffer) => {
    body.destroy();
    cut.write(chunk.subarray(0, Math.floor(chunk.length / 2)), () =>
      cut.destroy(new Error('Cut by a fault script.')),
    );
  });
  body.once('error', (error) => cut.destroy(error));
  body.once('end', () => cut.destroy(new Error('Cut by a fault script.')));
  return cut;
}
