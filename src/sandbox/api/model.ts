import { readFileSync } from 'node:fs';

/** One shape of AWS's own API model, as botocore spells it. */
export interface Shape {
  readonly type:
    | 'structure'
    | 'list'
    | 'map'
    | 'string'
    | 'integer'
    | 'long'
    | 'float'
    | 'double'
    | 'boolean'
    | 'blob'
    | 'timestamp';
  readonly members?: Readonly<Record<string, MemberReference>>;
  readonly required?: readonly string[];
  readonly member?: { readonly shape: string };
  readonly key?: { readonly shape: string };
  readonly value?: { readonly shape: string };
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly enum?: readonly string[];
  readonly union?: boolean;
  readonly document?: boolean;
  readonly payload?: string;
  readonly error?: { readonly httpStatusCode: number };
}

export interface MemberReference {
  readonly shape: string;
  readonly location?: 'uri' | 'querystring' | 'header';
  readonly locationName?: string;
}

export interface Operation {
  readonly name: string;
  readonly http: { readonly method: string; readonly requestUri: string; readonly responseCode?: number };
  readonly input: { readonly shape: string };
  readonly output?: { readonly shape: string };
  readonly errors?: readonly { readonly shape: string }[];
}

export interface ServiceModel {
  readonly metadata: { readonly protocol: string };
  readonly operations: Readonly<Record<string, Operation>>;
  readonly shapes: Readonly<Record<string, Shape>>;
}

/** Reads one of AWS's models that lie in `aws-api/`. */
export function loadServiceModel(name: 'bedrock' | 'bedrock-runtime' | 'sagemaker'): ServiceModel {
  const file = new URL(`../aws-api/${name}.slim.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as ServiceModel;
}

export function shapeOf(model: ServiceModel, name: string): Shape {
  const shape = model.shapes[name];
  if (!shape) throw new Error(`AWS's API model has no shape ${name}; the file in aws-api/ is incomplete.`);
  return shape;
}

/** The HTTP status of a declared error; null when the operation does not declare it. */
export function declaredErrorStatus(
  model: ServiceModel,
  operation: Operation,
  errorName: string,
): number | null {
  if (!operation.errors?.some((error) => error.shape === errorName)) return null;
  return shapeOf(model, errorName).error?.httpStatusCode ?? null;
}
