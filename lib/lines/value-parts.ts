/**
 * The parts of a pattern for the values of a hook. The text around a value comes from argumentJson(), which is asked once
 * for a sample; so the format has one source.
 */
import type { HookArgument } from '../../types/events.js';
import type { CompiledValue } from '../compiled/compiled-policy.js';
import { argumentJson } from '../output/arguments-json.js';
import { decodeArgument } from '../wire/decode/arguments.js';
import { EventHeader } from '../wire/layout.gen.js';
import { LineOp } from './line-arena.js';
import type { LinePattern } from './line-pattern.js';

const NUMBERS: Partial<Record<CompiledValue['type'], LineOp>> = {
  int: LineOp.i32,
  int8: LineOp.i8,
  sint8: LineOp.i8,
  uint8: LineOp.u8,
  int16: LineOp.i16,
  sint16: LineOp.i16,
  uint16: LineOp.u16,
  int32: LineOp.i32,
  sint32: LineOp.i32,
  uint32: LineOp.u32,
  int64: LineOp.i64,
  sint64: LineOp.i64,
  long: LineOp.i64,
  uint64: LineOp.u64,
  ulong: LineOp.u64,
  size_t: LineOp.u64,
};
const STRINGS: ReadonlySet<CompiledValue['type']> = new Set(['string', 'data_loc', 'filename']);
const FILES: ReadonlySet<CompiledValue['type']> = new Set(['file', 'path', 'fd', 'kiocb', 'dentry', 'linux_binprm']);

/** The operation for a number of this type; undefined for other types. */
export function numberOp({ type }: CompiledValue): LineOp | undefined {
  return NUMBERS[type];
}

export function isString({ type }: CompiledValue): boolean {
  return STRINGS.has(type);
}

export function isFile({ type }: CompiledValue): boolean {
  return FILES.has(type);
}

/** Samples that do not stand in the names of members. A label follows the value. */
const NUMBER = 7;
const STRING = '#';
const PERMISSION = '-rw-r--r--';

/** Adds the JSON of the value in a slot. */
export function addValue(pattern: LinePattern, value: CompiledValue, slot: number): void {
  const number = numberOp(value);
  if (number !== undefined) {
    const [before, after] = split(value, { value: NUMBER }, String(NUMBER));
    pattern.fixed(before).add(number, slot).fixed(after);
  } else if (isString(value)) {
    const [before, after] = split(value, { value: STRING, truncated: false }, STRING);
    pattern.fixed(before).add(LineOp.string, slot).fixed(after);
  } else if (isFile(value)) {
    const sample = { path: STRING, flags: [], permission: PERMISSION };
    const [before, rest] = split(value, sample, STRING);
    const [between, after] = splitAt(rest, PERMISSION);
    pattern.fixed(before).add(LineOp.path, slot).fixed(between).permission(slot).fixed(after);
  } else {
    pattern.text((chunk, at) => {
      const argument = decodeArgument(chunk, at, chunk.u32(at + EventHeader.size), slot, value);
      return argument && argumentJson(argument);
    });
  }
}

/** Returns what stands before and after the sample in the JSON of the value. */
function split(value: CompiledValue, members: object, sample: string): readonly [before: string, after: string] {
  const { type, index, label } = value;
  const argument = { type, index, ...(label === undefined ? {} : { label }), ...members };
  return splitAt(argumentJson(argument as HookArgument), sample);
}

function splitAt(text: string, sample: string): readonly [before: string, after: string] {
  const at = text.indexOf(sample);
  return [text.slice(0, at), text.slice(at + sample.length)];
}
