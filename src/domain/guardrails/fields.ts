import { isJsonObject, type Json, type JsonObject } from '../json.js';

/** A value of a document and the path it stands at, for instance `pinch[2].text`. */
export interface ValueAt {
  readonly path: string;
  readonly value: Json;
}

export interface TextAt {
  readonly path: string;
  readonly text: string;
}

const pathSyntax = /^(\*|[A-Za-z_][\w-]*(\[\])*(\.[A-Za-z_][\w-]*(\[\])*)*)$/;

/** Whether a text is a path such as `headline`, `pinch[].text` or `*`. */
export function isFieldPath(path: string): boolean {
  return pathSyntax.test(path);
}

/** The values that a path reaches; `name[]` reaches each item of a list. Absent members reach nothing. */
export function valuesAt(document: JsonObject, path: string): ValueAt[] {
  let reached: ValueAt[] = [{ path: '', value: document }];
  for (const step of path.replaceAll('[]', '.[]').split('.')) {
    reached = reached.flatMap((each) => (step === '[]' ? itemsOf(each) : memberOf(each, step)));
  }
  return reached;
}

/** Every text at or below a path, in document order: a list where a text was expected is read all the same. */
export function textsAt(document: JsonObject, path: string): TextAt[] {
  return (path === '*' ? [{ path: '', value: document as Json }] : valuesAt(document, path)).flatMap(
    textsBelow,
  );
}

function textsBelow({ path, value }: ValueAt): TextAt[] {
  if (typeof value === 'string') return [{ path, text: value }];
  if (Array.isArray(value)) return itemsOf({ path, value }).flatMap(textsBelow);
  if (!isJsonObject(value)) return [];
  return Object.keys(value).flatMap((member) => memberOf({ path, value }, member).flatMap(textsBelow));
}

function itemsOf({ path, value }: ValueAt): ValueAt[] {
  return Array.isArray(value) ? value.map((item, index) => ({ path: `${path}[${index}]`, value: item })) : [];
}

function memberOf({ path, value }: ValueAt, member: string): ValueAt[] {
  if (!isJsonObject(value) || !Object.hasOwn(value, member)) return [];
  return [{ path: path === '' ? member : `${path}.${member}`, value: value[member] as Json }];
}
