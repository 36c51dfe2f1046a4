import { isJsonObject } from '../../domain/json.js';
import { type ServiceModel, type Shape, shapeOf } from './model.js';

/**
 * Checks a value against a shape of AWS's model, and says what is wrong in the words AWS uses. Unknown
 * members are tolerated, as AWS does. Works alike for requests and for our own responses.
 */
export function findProblems(model: ServiceModel, shapeName: string, value: unknown): string[] {
  const problems: string[] = [];
  check({ model, problems }, shapeOf(model, shapeName), value, '');
  return problems;
}

/** AWS's sentence for a list of problems. */
export function describeProblems(problems: readonly string[]): string {
  const count = problems.length;
  return `${count} validation error${count === 1 ? '' : 's'} detected: ${problems.join('; ')}`;
}

interface Checking {
  readonly model: ServiceModel;
  readonly problems: string[];
}

function check(checking: Checking, shape: Shape, value: unknown, path: string): void {
  switch (shape.type) {
    case 'structure':
      checkStructure(checking, shape, value, path);
      return;
    case 'list':
      checkList(checking, shape, value, path);
      return;
    case 'map':
      checkMap(checking, shape, value, path);
      return;
    case 'string':
      checkString(checking, shape, value, path);
      return;
    case 'blob':
      checkBlob(checking, shape, value, path);
      return;
    case 'timestamp':
      checkTimestamp(checking, value, path);
      return;
    case 'boolean':
      if (typeof value !== 'boolean') report(checking, value, path, 'Member must be a boolean');
      return;
    default:
      checkNumber(checking, shape, value, path);
      return;
  }
}

/** ISO 8601 in REST, seconds since 1970 in JSON 1.1. */
function checkTimestamp(checking: Checking, value: unknown, path: string): void {
  const isJson = checking.model.metadata.protocol === 'json';
  if (isJson && typeof value === 'number' && Number.isFinite(value)) return;
  if (!isJson && typeof value === 'string' && timestamp.test(value) && !Number.isNaN(Date.parse(value)))
    return;
  const expected = isJson ? 'a number of seconds since 1970' : 'an ISO 8601 timestamp';
  report(checking, value, path, `Member must be ${expected}`);
}

const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

function checkStructure(checking: Checking, shape: Shape, value: unknown, path: string): void {
  if (shape.document) return;
  if (!isJsonObject(value)) {
    report(checking, value, path, 'Member must be a structure');
    return;
  }
  for (const name of shape.required ?? []) {
    if (value[name] === undefined || value[name] === null) {
      report(checking, null, join(path, name), 'Member must not be null');
    }
  }
  const members = Object.entries(shape.members ?? {});
  if (shape.union) {
    const present = members.filter(([name]) => value[name] !== undefined && value[name] !== null);
    if (present.length !== 1) {
      report(
        checking,
        value,
        path,
        `Member must have exactly one of: ${members.map(([name]) => name).join(', ')}`,
      );
    }
  }
  for (const [name, member] of members) {
    const part: unknown = value[name];
    if (part === undefined || part === null) continue;
    check(checking, shapeOf(checking.model, member.shape), part, join(path, name));
  }
}

function checkList(checking: Checking, shape: Shape, value: unknown, path: string): void {
  if (!Array.isArray(value)) {
    report(checking, value, path, 'Member must be a list');
    return;
  }
  checkLength(checking, shape, value.length, value, path);
  const member = shapeOf(checking.model, shape.member?.shape ?? '');
  value.forEach((item, index) => {
    check(checking, member, item, join(path, `${index + 1}.member`));
  });
}

function checkMap(checking: Checking, shape: Shape, value: unknown, path: string): void {
  if (!isJsonObject(value)) {
    report(checking, value, path, 'Member must be a map');
    return;
  }
  const entries = Object.entries(value);
  checkLength(checking, shape, entries.length, value, path);
  const keyShape = shapeOf(checking.model, shape.key?.shape ?? '');
  const valueShape = shapeOf(checking.model, shape.value?.shape ?? '');
  for (const [key, item] of entries) {
    check(checking, keyShape, key, join(path, `${key}.key`));
    check(checking, valueShape, item, join(path, `${key}.value`));
  }
}

function checkString(checking: Checking, shape: Shape, value: unknown, path: string): void {
  if (typeof value !== 'string') {
    report(checking, value, path, 'Member must be a string');
    return;
  }
  if (shape.enum && !shape.enum.includes(value)) {
    report(checking, value, path, `Member must satisfy enum value set: [${shape.enum.join(', ')}]`);
  }
  const lengthFits = checkLength(checking, shape, value.length, value, path);
  // A value that is too long is not matched: patterns are written for bounded input.
  if (shape.pattern && lengthFits && !compiled(shape.pattern).test(value)) {
    report(checking, value, path, `Member must satisfy regular expression pattern: ${shape.pattern}`);
  }
}

function checkBlob(checking: Checking, shape: Shape, value: unknown, path: string): void {
  const length =
    value instanceof Uint8Array
      ? value.length
      : typeof value === 'string'
        ? Buffer.from(value, 'base64').length
        : null;
  if (length === null) {
    report(checking, value, path, 'Member must be a blob');
    return;
  }
  checkLength(checking, shape, length, '(bytes)', path);
}

function checkNumber(checking: Checking, shape: Shape, value: unknown, path: string): void {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    report(checking, value, path, 'Member must be a number');
    return;
  }
  if ((shape.type === 'integer' || shape.type === 'long') && !Number.isInteger(value)) {
    report(checking, value, path, 'Member must be a whole number');
  }
  if (shape.min !== undefined && value < shape.min) {
    report(checking, value, path, `Member must have value greater than or equal to ${shape.min}`);
  }
  if (shape.max !== undefined && value > shape.max) {
    report(checking, value, path, `Member must have value less than or equal to ${shape.max}`);
  }
}

function checkLength(
  checking: Checking,
  shape: Shape,
  length: number,
  value: unknown,
  path: string,
): boolean {
  if (shape.min !== undefined && length < shape.min) {
    report(checking, value, path, `Member must have length greater than or equal to ${shape.min}`);
    return false;
  }
  if (shape.max !== undefined && length > shape.max) {
    report(checking, value, path, `Member must have length less than or equal to ${shape.max}`);
    return false;
  }
  return true;
}

const patterns = new Map<string, RegExp>();

function compiled(pattern: string): RegExp {
  let expression = patterns.get(pattern);
  if (!expression) {
    const translated = pattern
      .replaceAll('\\p{Alnum}', 'A-Za-z0-9')
      // The hyphen is in the class already; without the `-*` the same names match, in linear time.
      .replaceAll('(-*[a-zA-Z0-9\\+\\-\\.])*', '[a-zA-Z0-9\\+\\-\\.]*');
    expression = new RegExp(`^(?:${translated})$`, translated.includes('\\p{') ? 'u' : '');
    patterns.set(pattern, expression);
  }
  return expression;
}

function report(checking: Checking, value: unknown, path: string, constraint: string): void {
  const shown = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'null');
  const short = shown.length > 200 ? `${shown.slice(0, 200)}…` : shown;
  checking.problems.push(
    `Value '${short}' at '${path || '(body)'}' failed to satisfy constraint: ${constraint}`,
  );
}

function join(path: string, name: string): string {
  return path ? `${path}.${name}` : name;
}
