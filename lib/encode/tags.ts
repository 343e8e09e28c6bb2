/** Computes the tags of message fields (field number and wire type) from the generated descriptors. */
import { ScalarType, type DescField, type DescMessage, type MessageShape } from '@bufbuild/protobuf';

type Names<T> = Exclude<keyof T, '$typeName' | '$unknown'>;
/** Tags by the names of the members in TypeScript. A oneof has one tag for each case. */
export type Tags<D extends DescMessage> = { readonly [K in Names<MessageShape<D>>]: number };
type Cases<T> = T extends { readonly case: infer C } ? Exclude<C, undefined> & string : never;

export function fieldTags<D extends DescMessage>(schema: D): Tags<D> {
  return Object.fromEntries(schema.fields.map((field) => [field.localName, fieldTag(field)])) as Tags<D>;
}

/** Returns the tags of the members of a oneof. */
export function oneofTags<D extends DescMessage, N extends Names<MessageShape<D>>>(
  schema: D,
  name: N,
): Readonly<Record<Cases<MessageShape<D>[N]>, number>> {
  const fields = schema.oneofs.find(({ localName }) => localName === name)?.fields ?? [];
  return Object.fromEntries(fields.map((field) => [field.localName, fieldTag(field)])) as Readonly<
    Record<Cases<MessageShape<D>[N]>, number>
  >;
}

function fieldTag(field: DescField): number {
  return field.number * 8 + wireType(field);
}

function wireType(field: DescField): number {
  if (field.fieldKind === 'map' || field.fieldKind === 'message') return 2;
  if (field.fieldKind === 'list')
    return field.listKind === 'message' || field.packed ? 2 : scalarWireType(field.scalar);
  return field.fieldKind === 'enum' ? 0 : scalarWireType(field.scalar);
}

function scalarWireType(scalar: ScalarType | undefined): number {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return 2;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return 1;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return 5;
    case ScalarType.BOOL:
    case ScalarType.INT32:
    case ScalarType.INT64:
    case ScalarType.UINT32:
    case ScalarType.UINT64:
    case ScalarType.SINT32:
    case ScalarType.SINT64:
    case undefined:
      return 0;
  }
}
