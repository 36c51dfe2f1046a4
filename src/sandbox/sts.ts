import { randomUUID } from 'node:crypto';
import type { Reply, SandboxRequest } from './http/message.js';
import { readBody } from './http/message.js';
import { element, Xml, xmlReply } from './storage/xml.js';
import type { World } from './world.js';

const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/';

/** The one operation of STS that the sandbox has: who is calling. */
export async function performStsCall(world: World, request: SandboxRequest): Promise<Reply> {
  const form = new URLSearchParams((await readBody(request.body, 100_000)).toString('utf8'));
  const action = form.get('Action') ?? request.query.get('Action');
  const metadata = element('ResponseMetadata', [element('RequestId', randomUUID())]);
  if (action !== 'GetCallerIdentity') {
    const error = element('Error', [
      element('Type', 'Sender'),
      element('Code', 'InvalidAction'),
      element('Message', `Could not find operation ${action}; the sandbox has GetCallerIdentity alone.`),
    ]);
    return xmlReply(400, withNamespace('ErrorResponse', [error, metadata]));
  }
  const { accountId } = world.settings;
  const result = element('GetCallerIdentityResult', [
    element('Arn', `arn:aws:iam::${accountId}:user/anneal-sandbox`),
    element('UserId', 'ANNEALSANDBOX'),
    element('Account', accountId),
  ]);
  return xmlReply(200, withNamespace('GetCallerIdentityResponse', [result, metadata]));
}

function withNamespace(name: string, content: readonly Xml[]): Xml {
  const inner = content.map((each) => each.text).join('');
  return new Xml(`<${name} xmlns="${namespace}">${inner}</${name}>`);
}
