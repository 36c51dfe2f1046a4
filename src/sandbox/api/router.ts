import { isJsonObject } from '../../domain/json.js';
import type { Reply, SandboxRequest } from '../http/message.js';
import { AwsError } from './error.js';
import { type Operation, type ServiceModel, type Shape, shapeOf } from './model.js';
import { describeProblems, findProblems } from './validation.js';

/** An operation that a request names, with the values of its path's labels. */
export interface Route {
  readonly model: ServiceModel;
  readonly operation: Operation;
  readonly labels: Readonly<Record<string, string>>;
}

/** Finds the operation by method and path; null when no model has one. */
export function findRoute(
  models: readonly ServiceModel[],
  method: string,
  rawPath: string,
  query: URLSearchParams,
): Route | null {
  const segments = rawPath.split('/');
  for (const model of models) {
    for (const operation of Object.values(model.operations)) {
      if (operation.http.method !== method) continue;
      const labels = matchPath(operation.http.requestUri, segments, query);
      if (labels) return { model, operation, labels };
    }
  }
  return null;
}

function matchPath(
  template: string,
  segments: readonly string[],
  query: URLSearchParams,
): Record<string, string> | null {
  const [path = '', literalQuery] = template.split('?');
  if (literalQuery && !query.has(literalQuery)) return null;
  const parts = path.split('/');
  if (parts.length !== segments.length) return null;
  const labels: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const segment = segments[index] ?? '';
    if (part.startsWith('{')) labels[part.replace(/[{}+]/g, '')] = decodeLabel(segment);
    else if (part !== segment) return null;
  }
  return labels;
}

function decodeLabel(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new AwsError('ValidationException', `The path segment ${segment} is not percent-encoded UTF-8.`);
  }
}

/** Gathers an operation's input from path, query, headers and body, and checks it against AWS's model. */
export function parseInput(route: Route, request: SandboxRequest, body: Buffer): Record<string, unknown> {
  const { model, operation } = route;
  const shape = shapeOf(model, operation.input.shape);
  const input: Record<string, unknown> = shape.payload
    ? { [shape.payload]: body }
    : { ...parseJsonBody(body) };
  for (const [name, member] of Object.entries(shape.members ?? {})) {
    const key = member.locationName ?? name;
    if (!member.location) continue;
    delete input[name];
    const text =
      member.location === 'uri'
        ? route.labels[key]
        : member.location === 'header'
          ? request.headers[key.toLowerCase()]
          : (request.query.get(key) ?? undefined);
    if (text !== undefined) input[name] = fromText(shapeOf(model, member.shape), text);
  }
  const problems = findProblems(model, operation.input.shape, input);
  if (problems.length > 0) throw new AwsError('ValidationException', describeProblems(problems));
  return input;
}

function parseJsonBody(body: Buffer): Record<string, unknown> {
  if (body.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new AwsError('ValidationException', `The request's body is not JSON: ${(error as Error).message}`);
  }
  if (!isJsonObject(value))
    throw new AwsError('ValidationException', "The request's body is no JSON object.");
  return value;
}

function fromText(shape: Shape, text: string): unknown {
  if (shape.type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  if (['integer', 'long', 'float', 'double'].includes(shape.type)) return text === '' ? text : Number(text);
  return text;
}

/** Turns an operation's output into HTTP, after checking it against AWS's model. */
export function renderOutput(route: Route, output: Record<string, unknown>): Reply {
  const { model, operation } = route;
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (!operation.output)
    return { status: operation.http.responseCode ?? 200, headers, body: Buffer.from('{}') };
  const problems = findProblems(model, operation.output.shape, output);
  if (problems.length > 0) {
    throw new InvalidResponse(
      `The sandbox's own answer to ${operation.name} breaks AWS's model. ${describeProblems(problems)}`,
    );
  }
  const shape = shapeOf(model, operation.output.shape);
  const rest: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(output)) {
    const member = shape.members?.[name];
    if (value === undefined) continue;
    if (member?.location === 'header') headers[(member.locationName ?? name).toLowerCase()] = String(value);
    else rest[name] = value;
  }
  const body = shape.payload
    ? Buffer.from(rest[shape.payload] as Uint8Array)
    : Buffer.from(JSON.stringify(rest));
  return { status: operation.http.responseCode ?? 200, headers, body };
}

/** The sandbox answered something that AWS never would: a mistake of ours, never the caller's. */
export class InvalidResponse extends Error {}
