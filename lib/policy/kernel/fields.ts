/** Decides how an argument of each type is read from a field of a tracepoint, and which types do not fit. Pure. */
import type { TracepointField } from '../../../types/kernel.js';
import { argTypeForStruct } from '../../names/arg-types.js';
import { argType, readFacts, type ArgTypeName } from '../language/vocabulary.js';
import { argTypeForInteger } from './value-types.js';

/** How the value of a field is stored in the trace record. */
export interface FieldAccess {
  /** `location`: the field is the offset and size of a string in the record. `pointer`: it is the address of the value. */
  readonly at: 'value' | 'pointer' | 'location';
  /** Size of a number in bytes; 0 for anything else. */
  readonly width: number;
}

const LOCATION = /^__(data|rel)_loc\b/;
const STRING_LOCATION = /^__data_loc (const )?(unsigned )?char ?\[\]$/;
const CHARACTERS = /^(const )?((un)?signed )?char ?\[/;
const NUMBER_WIDTHS: readonly number[] = [1, 2, 4, 8];

/** Returns undefined if the field cannot be read as this type. */
export function findFieldAccess(field: TracepointField, type: ArgTypeName): FieldAccess | undefined {
  switch (readFacts(type).form) {
    case 'nothing':
      return { at: 'value', width: 0 };
    case 'location':
      return STRING_LOCATION.test(field.type) ? { at: 'location', width: 0 } : undefined;
    case 'characters':
      if (STRING_LOCATION.test(field.type)) return { at: 'location', width: 0 };
      if (CHARACTERS.test(field.type)) return { at: 'value', width: 0 };
      return isPointer(field) && /\bchar ?\*$/.test(field.type) ? { at: 'pointer', width: 0 } : undefined;
    case 'number':
      if (argType(type).pointed === true) return isPointer(field) ? { at: 'pointer', width: 0 } : undefined;
      return numberAccess(field);
    case 'bytes':
    case 'iovecs':
      return isPointer(field) ? { at: 'pointer', width: 0 } : undefined;
    case 'struct':
      return isPointer(field) && pointsToStruct(field, type) ? { at: 'pointer', width: 0 } : undefined;
  }
}

/** If the field is an array of numbers, such as the parameters of raw_syscalls/sys_enter, its first number is read. */
function numberAccess(field: TracepointField): FieldAccess | undefined {
  const [, count] =
    /^(?:const )?(?:(?:un)?signed )?(?:long|int|short|[us](?:8|16|32|64)) ?\[(\d+)\]$/.exec(field.type) ?? [];
  const width = count === undefined ? field.size : field.size / Number(count);
  const isNumber = count === undefined ? isNumberField(field) : NUMBER_WIDTHS.includes(width);
  return isNumber ? { at: 'value', width } : undefined;
}

/** True for a pointer too, because its address can be read as a number. */
function isNumberField({ type, size }: TracepointField): boolean {
  return !type.endsWith(']') && !LOCATION.test(type) && NUMBER_WIDTHS.includes(size);
}

function isPointer({ type, size }: TracepointField): boolean {
  return type.endsWith('*') && size === 8;
}

function pointsToStruct(field: TracepointField, type: ArgTypeName): boolean {
  const { structs = [] } = argType(type);
  return /^(const )?void \*$/.test(field.type) || structs.includes(pointedStruct(field) ?? '');
}

/** The name of the struct that the field points to; undefined if its declaration does not say. */
export function pointedStruct({ type }: TracepointField): string | undefined {
  return /^(?:const )?struct (\w+) ?\*$/.exec(type)?.[1];
}

/** The argument type that can read the field; undefined if there is none. `isBuffer`: another field is its size. */
export function argTypeForField(field: TracepointField, isBuffer = false): ArgTypeName | undefined {
  if (isBuffer && isPointer(field) && /\b(char|void) ?\*$/.test(field.type)) return 'char_buf';
  if (STRING_LOCATION.test(field.type) || CHARACTERS.test(field.type) || /\bchar ?\*$/.test(field.type))
    return 'string';
  if (isPointer(field)) return argTypeForStruct(pointedStruct(field) ?? '');
  const number = numberAccess(field);
  return number === undefined ? undefined : argTypeForInteger(number.width, field.signed === true);
}

/** The hint which type to use instead. */
export function fieldHint(field: TracepointField): string {
  const known = argTypeForField(field);
  if (known !== undefined) return `use ${known}`;
  return isNumberField(field)
    ? `use a number, such as uint${8 * field.size}`
    : 'arrays of numbers cannot be read; `raw: true` reads the parameters of the tracepoint instead';
}
