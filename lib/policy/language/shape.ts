/** The shapes that language/policy.ts uses to describe the policy format: which values a field may have. */

/** A hint at what to write in place of a wrong text; undefined if it is not known what was meant. */
export type Instead = (written: string) => string | undefined;

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
  readonly mayBeEmpty?: boolean;
  /** If true, a number or boolean without quotes is accepted as text, with a warning. */
  readonly mayBeBare?: boolean;
  readonly instead?: Instead;
}

export interface IntegerShape {
  readonly kind: 'integer';
  readonly minimum: bigint;
  readonly maximum: bigint;
  readonly instead?: Instead;
}

export interface BooleanShape {
  readonly kind: 'boolean';
}

/** A field that cluster tools add to a resource. It has no meaning for a policy. */
export interface AnyShape {
  readonly kind: 'any';
}

export interface Field {
  readonly shape: Shape;
  readonly required?: boolean;
  readonly default?: string | boolean | number;
  /** One sentence for the JSON Schema, which editors show. */
  readonly doc: string;
}

export const object = (fields: Record<string, Field>): ObjectShape => ({ kind: 'object', fields });
export const map = (of: Shape): MapShape => ({ kind: 'map', of });
export const list = (of: Shape, limits: { minItems?: number; maxItems?: number } = {}): ListShape => ({
  kind: 'list',
  of,
  minItems: limits.minItems ?? 0,
  ...(limits.maxItems === undefined ? {} : { maxItems: limits.maxItems }),
});
export const text: TextShape = { kind: 'text' };
export const textOrEmpty: TextShape = { kind: 'text', mayBeEmpty: true };
/** A value of a filter. People often write numbers without quotes here. */
export const valueText: TextShape = { kind: 'text', mayBeEmpty: true, mayBeBare: true };
export const oneOf = (values: readonly string[], instead?: Instead): TextShape => ({
  kind: 'text',
  enum: values,
  ...(instead === undefined ? {} : { instead }),
});
export const boolean: BooleanShape = { kind: 'boolean' };
export const any: AnyShape = { kind: 'any' };
const integer = (minimum: bigint, maximum: bigint): IntegerShape => ({ kind: 'integer', minimum, maximum });
export const int32 = integer(-(2n ** 31n), 2n ** 31n - 1n);
export const index32 = integer(0n, 2n ** 31n - 1n);
export const int64 = integer(-(2n ** 63n), 2n ** 63n - 1n);
export const uint64 = integer(0n, 2n ** 64n - 1n);

export const required = (shape: Shape, doc: string): Field => ({ shape, doc, required: true });
export const optional = (shape: Shape, doc: string, byDefault?: string | boolean | number): Field => ({
  shape,
  doc,
  ...(byDefault === undefined ? {} : { default: byDefault }),
});
