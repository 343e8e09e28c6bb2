/** Decides how an argument of each type is read from a field of a tracepoint, and which types do not fit. Pure. */
import type { TracepointField } from '../../../types/kernel.js';
import { typeOfStruct } from '../../names/arg-types.js';
import { ARG_TYPES, argType, type ArgTypeName, type TypeFacts } from '../language/vocabulary.js';
import { numberOf } from './value-types.js';

/** Describes the content of the field in the record. */
export interface FieldRead {
  /** `location`: a number gives the place of the text in the record. `pointer`: an address leads to the value. */
  readonly at: 'value' | 'pointer' | 'location';
  /** Size of a number in bytes; 0 for anything else. */
  readonly width: number;
}

const LOCATION = /^__(data|rel)_loc\b/;
const TEXT_LOCATION = /^__data_loc (const )?(unsigned )?char ?\[\]$/;
const CHARACTERS = /^(const )?((un)?signed )?char ?\[/;
const NUMBER_WIDTHS: readonly number[] = [1, 2, 4, 8];

/** Returns undefined if the field cannot be read as this type. */
export function readField(field: TracepointField, type: ArgTypeName): FieldRead | undefined {
  const { size } = field;
  if (type === 'nop') return { at: 'value', width: 0 };
  if (LOCATION.test(field.type)) {
    const fits = TEXT_LOCATION.test(field.type) && (type === 'string' || type === 'data_loc');
    return fits ? { at: 'location', width: 0 } : undefined;
  }
  if (type === 'string' && CHARACTERS.test(field.type)) return { at: 'value', width: 0 };
  if (isNumberType(type) || type === 'fd') return isNumber(field) ? { at: 'value', width: size } : undefined;
  return isPointer(field) && pointsTo(field, type) ? { at: 'pointer', width: 0 } : undefined;
}

function isNumberType(type: ArgTypeName): boolean {
  const facts: TypeFacts = ARG_TYPES[type];
  return ['signed', 'unsigned', 'capability', 'syscall'].includes(facts.class);
}

/** True for a pointer too: its address can be read as a number. */
function isNumber({ type, size }: TracepointField): boolean {
  return !type.endsWith(']') && !LOCATION.test(type) && NUMBER_WIDTHS.includes(size);
}

function isPointer({ type, size }: TracepointField): boolean {
  return type.endsWith('*') && size === 8;
}

function pointsTo(field: TracepointField, type: ArgTypeName): boolean {
  if (type === 'string') return /\bchar ?\*$/.test(field.type);
  if (type === 'data_loc') return false;
  const wanted = argType(type).structs;
  return wanted === undefined || /^(const )?void \*$/.test(field.type) || wanted.includes(pointedStruct(field) ?? '');
}

/** The name of the struct that the field points to; undefined if its declaration does not say. */
export function pointedStruct({ type }: TracepointField): string | undefined {
  return /^(?:const )?struct (\w+) ?\*$/.exec(type)?.[1];
}

/** The type that fits the field; undefined if no type can read it. `isBuffer`: another field has its size. */
export function fieldType(field: TracepointField, isBuffer = false): ArgTypeName | undefined {
  if (isBuffer && isPointer(field) && /\b(char|void) ?\*$/.test(field.type)) return 'char_buf';
  if (TEXT_LOCATION.test(field.type) || CHARACTERS.test(field.type) || /\bchar ?\*$/.test(field.type)) return 'string';
  if (isPointer(field)) return typeOfStruct(pointedStruct(field) ?? '');
  return isNumber(field) ? numberOf(field.size, field.signed === true) : undefined;
}

/** Says which type to use instead. */
export function fieldHint(field: TracepointField): string {
  const known = fieldType(field);
  if (known !== undefined) return `use ${known}`;
  return isNumber(field)
    ? `use a number, such as uint${8 * field.size}`
    : 'arrays of numbers cannot be read; `raw: true` reads the parameters of the tracepoint instead';
}
