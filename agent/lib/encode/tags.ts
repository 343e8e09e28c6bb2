/** The tags of the fields of a message: field number and wire type, from the generated descriptors. */
import { ScalarType, type DescField, type DescMessage, type MessageShape } from '@bufbuild/protobuf';

type Names<T> = Exclude<keyof T, '$typeName' | '$unknown'>;
/** The tags by the names in TypeScript. Those of a oneof have its cases. */
export type Tags<D extends DescMessage> = { readonly [K in Names<MessageShape<D>>]: number };
type Cases<T> = T extends { readonly case: infer C } ? Exclude<C, undefined> & string : never;

export function tagsOf<D extends DescMessage>(schema: D): Tags<D> {
  return Object.fromEntries(schema.fields.map((field) => [field.localName, tagOf(field)])) as Tags<D>;
}

/** The tags of the members of a oneof. */
export function casesOf<D extends DescMessage, N extends Names<MessageShape<D>>>(
  schema: D,
  name: N,
): Readonly<Record<Cases<MessageShape<D>[N]>, number>> {
  const fields = schema.oneofs.find(({ localName }) => localName === name)?.fields ?? [];
  return Object.fromEntries(fields.map((field) => [field.localName, tagOf(field)])) as Readonly<
    Record<Cases<MessageShape<D>[N]>, number>
  >;
}

function tagOf(field: DescField): number {
  return field.number * 8 + wireType(field);
}

function wireType(field: DescField): number {
  if (field.fieldKind === 'map' || field.fieldKind === 'message') return 2;
  if (field.fieldKind === 'list') return field.listKind === 'message' || field.packed ? 2 : wireOf(field.scalar);
  return field.fieldKind === 'enum' ? 0 : wireOf(field.scalar);
}

function wireOf(scalar: ScalarType | undefined): number {
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
    default:
      return 0;
  }
}
