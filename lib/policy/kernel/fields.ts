/** Fields of tracepoints: how each type of argument is read from one, and which types do not fit. Pure. */
import type { TracepointField } from '../../../types/kernel.js';
import { ARG_TYPES, type ArgTypeName, type TypeFacts } from '../language/vocabulary.js';
import { POINTED } from './parameters.js';

/** What stands at the field's place in the record. */
export interface FieldRead {
  /** `location`: the number that says where in the record the text is; `pointer`: the value is where it leads. */
  readonly at: 'value' | 'pointer' | 'location';
  /** Bytes of a number. */
  readonly width: number;
}

const LOCATION = /^__(data|rel)_loc\b/;
const TEXT_LOCATION = /^__data_loc (const )?(unsigned )?char ?\[\]$/;
const CHARACTERS = /^(const )?((un)?signed )?char ?\[/;
const NUMBER_WIDTHS: readonly number[] = [1, 2, 4, 8];

/** Undefined where the type does not fit the field. */
export function readField(field: TracepointField, type: ArgTypeName): FieldRead | undefined {
  const { size } = field;
  if (type === 'nop') return { at: 'value', width: 0 };
  if (LOCATION.test(field.type)) {
    const fits = TEXT_LOCATION.test(field.type) && (type === 'string' || type === 'data_loc');
    return fits ? { at: 'location', width: 0 } : undefined;
  }
  if (type === 'string' && CHARACTERS.test(field.type)) return { at: 'value', width: 0 };
  if (isNumberType(type)) return isNumber(field) ? { at: 'value', width: size } : undefined;
  return isPointer(field) && pointsTo(field, type) ? { at: 'pointer', width: 0 } : undefined;
}

function isNumberType(type: ArgTypeName): boolean {
  const facts: TypeFacts = ARG_TYPES[type];
  return ['signed', 'unsigned', 'capability', 'syscall'].includes(facts.class);
}

/** Also a pointer: its address is one. */
function isNumber({ type, size }: TracepointField): boolean {
  return !type.endsWith(']') && !LOCATION.test(type) && NUMBER_WIDTHS.includes(size);
}

function isPointer({ type, size }: TracepointField): boolean {
  return type.endsWith('*') && size === 8;
}

function pointsTo(field: TracepointField, type: ArgTypeName): boolean {
  if (type === 'string') return /\bchar ?\*$/.test(field.type);
  if (type === 'fd' || type === 'data_loc') return false;
  const wanted = POINTED[type];
  return wanted === undefined || /^(const )?void \*$/.test(field.type) || wanted.includes(pointedStruct(field) ?? '');
}

/** The name of the struct that the field points to, as far as its declaration tells. */
export function pointedStruct({ type }: TracepointField): string | undefined {
  return /^(?:const )?struct (\w+) ?\*$/.exec(type)?.[1];
}

/** What to use instead. */
export function fieldHint(field: TracepointField): string {
  if (TEXT_LOCATION.test(field.type) || CHARACTERS.test(field.type) || /\bchar ?\*$/.test(field.type))
    return 'use string';
  const pointed = pointedStruct(field);
  const known = Object.entries(POINTED).find(([, names]) => pointed !== undefined && names.includes(pointed));
  if (known !== undefined) return `use ${known[0]}`;
  return isNumber(field)
    ? `use a number, such as uint${8 * field.size}`
    : 'arrays of numbers cannot be read: see `raw: true`';
}
