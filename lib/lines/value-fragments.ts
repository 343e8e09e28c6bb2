/**
 * Writes the values of a hook straight from its record. The text around a value comes from argumentJson(), which is
 * asked once for a sample and then for each mode of a file; so the format has one source.
 */
import type { HookArgument } from '../../types/events.js';
import type { CompiledValue } from '../compiled/compiled-policy.js';
import { argumentJson } from '../output/arguments-json.js';
import { decodeArgument } from '../wire/decode/arguments.js';
import { EventHeader, EventHook, Value } from '../wire/layout.gen.js';
import type { RecordChunk } from '../wire/record-chunk.js';
import type { LineBuffer } from './line-buffer.js';

/**
 * Writes the value in a slot of the record at `at`, with `before` and `after` around it. Returns false if the event has
 * to be formatted in another way.
 */
export type ValueWriter = (to: LineBuffer, chunk: RecordChunk, at: number) => boolean;

/** Bytes that a number needs. */
const NUMBER_BYTES = 24;

type ReadNumber = (chunk: RecordChunk, at: number) => number;

const readI32: ReadNumber = (chunk, at) => chunk.i32(at);
const readI64: ReadNumber = (chunk, at) => joinHalves(chunk.u32(at), chunk.i32(at + 4));
const readU64: ReadNumber = (chunk, at) => joinHalves(chunk.u32(at), chunk.u32(at + 4));

const NUMBERS: Partial<Record<CompiledValue['type'], ReadNumber>> = {
  int: readI32,
  int32: readI32,
  sint32: readI32,
  uint32: (chunk, at) => chunk.u32(at),
  int64: readI64,
  sint64: readI64,
  long: readI64,
  uint64: readU64,
  ulong: readU64,
  size_t: readU64,
};
const STRINGS: ReadonlySet<CompiledValue['type']> = new Set(['string', 'data_loc', 'filename']);
const FILES: ReadonlySet<CompiledValue['type']> = new Set(['file', 'path', 'fd', 'kiocb', 'dentry', 'linux_binprm']);

export function createValueWriter(value: CompiledValue, slot: number, before: string, after: string): ValueWriter {
  const read = NUMBERS[value.type];
  if (read !== undefined) return numberWriter(value, slot, before, after, read);
  if (STRINGS.has(value.type)) return stringWriter(value, slot, before, after);
  return FILES.has(value.type) ? fileWriter(value, slot, before, after) : decodingWriter(value, slot, before, after);
}

const slotOffset = (slot: number): number => EventHook.sizeof + slot * Value.sizeof;

/** Returns NaN for a number that a double does not have exactly. */
function joinHalves(low: number, high: number): number {
  const value = high * 2 ** 32 + low;
  return Number.isSafeInteger(value) ? value : NaN;
}

/** A string that does not stand in the names of members. */
const SAMPLE = '#';

/** Splits a text at the sample value that it contains. The names of members do not contain the samples below. */
function splitAtSample(argument: object, sample: string, before: string, after: string): readonly [Buffer, Buffer] {
  const text = argumentJson(argument as HookArgument);
  const at = text.indexOf(sample);
  return [Buffer.from(before + text.slice(0, at)), Buffer.from(text.slice(at + sample.length) + after)];
}

/** Numbers often repeat: the mode of an access, a descriptor. The whole text of the last one is kept. */
function numberWriter(
  value: CompiledValue,
  slot: number,
  before: string,
  after: string,
  read: ReadNumber,
): ValueWriter {
  const offset = slotOffset(slot) + Value.value;
  const [start, end] = splitAtSample({ ...describe(value), value: 7 }, '7', before, after);
  let last = NaN;
  let lastText: Uint8Array = start;
  let isRepeated = false;
  return (to, chunk, at) => {
    const number = read(chunk, at + offset);
    if (Number.isNaN(number)) return false;
    to.reserve(start.length + end.length + NUMBER_BYTES);
    if (number === last && isRepeated) {
      to.fragment(lastText);
      return true;
    }
    const from = to.end;
    to.fragment(start);
    to.integer(number);
    to.fragment(end);
    isRepeated = number === last;
    if (isRepeated) lastText = Uint8Array.prototype.slice.call(to.bytes, from, to.end);
    last = number;
    return true;
  };
}

function stringWriter(value: CompiledValue, slot: number, before: string, after: string): ValueWriter {
  const offset = slotOffset(slot);
  const [start, end] = splitAtSample({ ...describe(value), value: SAMPLE, truncated: false }, SAMPLE, before, after);
  return (to, chunk, at) => {
    if (chunk.u16(at + offset + Value.stringFlags) !== 0) return false;
    to.reserve(start.length + end.length + chunk.u16(at + offset + Value.stringLength));
    to.fragment(start);
    if (!copyString(to, chunk, at, offset)) return false;
    to.fragment(end);
    return true;
  };
}

/** Copies a string of the record. Returns false if a character has to be escaped. */
function copyString(to: LineBuffer, chunk: RecordChunk, at: number, offset: number): boolean {
  const start = chunk.u32(at + offset + Value.stringOffset);
  const length = chunk.u16(at + offset + Value.stringLength);
  if (start + length > chunk.u32(at + EventHeader.size)) return false;
  if (chunk.copyPlain(at + start, length, to.bytes, to.end) !== length) return false;
  to.end += length;
  return true;
}

/** Modes of which the text is cached. A mode has 16 bits, so their number is limited. */
const MODES_MAX = 2 ** 16;

/** The text after the path depends on the mode of the file. */
function fileWriter(value: CompiledValue, slot: number, before: string, after: string): ValueWriter {
  const offset = slotOffset(slot);
  const ends = new Map<number, Uint8Array>();
  let start: Uint8Array = Buffer.alloc(0);
  let lastMode = -1;
  let lastEnd: Uint8Array = start;
  const addMode = (chunk: RecordChunk, at: number, mode: number): Uint8Array | undefined => {
    const argument = decodeArgument(chunk, at, chunk.u32(at + EventHeader.size), slot, value);
    if (argument === undefined || mode >= MODES_MAX) return undefined;
    const [first, end] = splitAtSample({ ...argument, path: SAMPLE }, SAMPLE, before, after);
    start = first;
    ends.set(mode, end);
    return end;
  };
  return (to, chunk, at) => {
    const length = chunk.u16(at + offset + Value.stringLength);
    if (length === 0 || chunk.u16(at + offset + Value.stringFlags) !== 0) return false;
    const mode = chunk.u32(at + offset + Value.mode);
    if (mode !== lastMode) {
      const end = ends.get(mode) ?? addMode(chunk, at, mode);
      if (end === undefined) return false;
      lastEnd = end;
      lastMode = mode;
    }
    to.reserve(start.length + length + lastEnd.length);
    to.fragment(start);
    if (!copyString(to, chunk, at, offset)) return false;
    to.fragment(lastEnd);
    return true;
  };
}

/** For types that few events have: decodes the value and formats it as a string. */
function decodingWriter(value: CompiledValue, slot: number, before: string, after: string): ValueWriter {
  return (to, chunk, at) => {
    const argument = decodeArgument(chunk, at, chunk.u32(at + EventHeader.size), slot, value);
    if (argument === undefined) return false;
    to.text(before + argumentJson(argument) + after);
    return true;
  };
}

function describe({ type, index, label }: CompiledValue): object {
  return label === undefined ? { type, index } : { type, index, label };
}
