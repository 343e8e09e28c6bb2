/** The shapes that describe the policy format in language/policy.ts: the values that a field may have. */

/** Returns a hint for a wrong value, or undefined if it has no suggestion. */
export type Suggester = (written: string) => string | undefined;

export type Shape = ObjectShape | MapShape | ListShape | TextShape | IntegerShape | BooleanShape | AnyShape;

export interface ObjectShape {
  readonly kind: 'object';
  readonly fields: Readonly<Record<string, Field>>;
}

/** A map with any keys, whose values all have one shape. */
export interface MapShape {
  readonly kind: 'map';
  readonly of: Shape;
}

export interface ListShape {
  readonly kind: 'list';
  readonly of: Shape;
  readonly minItems: number;
  readonly maxItems?: number;
}

export interface TextShape {
  readonly kind: 'text';
  readonly enum?: readonly string[];
  readonly canBeEmpty?: boolean;
  /** If true, a number without quotes is accepted, with a warning. */
  readonly canBeUnquoted?: boolean;
  readonly suggest?: Suggester;
}

export interface IntegerShape {
  readonly kind: 'integer';
  readonly minimum: bigint;
  readonly maximum: bigint;
  /** True if an optional field counts as absent with 0. */
  readonly zeroIsAbsent?: true;
  readonly suggest?: Suggester;
}

export interface BooleanShape {
  readonly kind: 'boolean';
}

/** The shape of a field that cluster tools add to a resource. It has no meaning for a policy. */
export interface AnyShape {
  readonly kind: 'any';
}

export interface Field {
  readonly shape: Shape;
  readonly required?: boolean;
  /**
   * True if an empty value differs from an absent one: '', 0 or []. Programs in Go write a struct with all its empty
   * members, so that for all other fields they are the same.
   */
  readonly keepsEmpty?: true;
  readonly default?: string | boolean | number;
  /** A sentence for the JSON Schema. Editors show it. */
  readonly doc: string;
}

export const objectShape = (fields: Record<string, Field>): ObjectShape => ({ kind: 'object', fields });
export const mapShape = (of: Shape): MapShape => ({ kind: 'map', of });
export const listShape = (of: Shape, limits: { minItems?: number; maxItems?: number } = {}): ListShape => ({
  kind: 'list',
  of,
  minItems: limits.minItems ?? 0,
  ...(limits.maxItems === undefined ? {} : { maxItems: limits.maxItems }),
});
export const textShape: TextShape = { kind: 'text' };
export const textOrEmptyShape: TextShape = { kind: 'text', canBeEmpty: true };
/** A value of a filter. Numbers are often written without quotes here. */
export const filterValueShape: TextShape = { kind: 'text', canBeEmpty: true, canBeUnquoted: true };
export const enumShape = (values: readonly string[], suggest?: Suggester): TextShape => ({
  kind: 'text',
  enum: values,
  ...(suggest === undefined ? {} : { suggest }),
});
export const booleanShape: BooleanShape = { kind: 'boolean' };
export const anyShape: AnyShape = { kind: 'any' };
const integerShape = (minimum: bigint, maximum: bigint): IntegerShape => ({ kind: 'integer', minimum, maximum });
export const int32Shape = integerShape(-(2n ** 31n), 2n ** 31n - 1n);
export const index32Shape = integerShape(0n, 2n ** 31n - 1n);
export const int64Shape = integerShape(-(2n ** 63n), 2n ** 63n - 1n);
export const uint64Shape = integerShape(0n, 2n ** 64n - 1n);

/** True if a field with '', 0 or [] counts as absent. Most numbers differ: 0 is an index, for example. */
export function emptyIsAbsent({ shape, required, keepsEmpty }: Field): boolean {
  if (required === true || keepsEmpty === true) return false;
  return shape.kind === 'text' || shape.kind === 'list' || (shape.kind === 'integer' && shape.zeroIsAbsent === true);
}

export const requiredField = (shape: Shape, doc: string): Field => ({ shape, doc, required: true });
export const optionalField = (shape: Shape, doc: string, byDefault?: string | boolean | number): Field => ({
  shape,
  doc,
  ...(byDefault === undefined ? {} : { default: byDefault }),
});
