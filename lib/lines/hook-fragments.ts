/**
 * The parts of the JSON line of a hook's events that are the same in all of them, as bytes. They are cut out of the line
 * that toJson() formats for the first event, so the format has one source.
 */
import type { HookArgument, TracerEvent } from '../../types/events.js';
import type { JsonOptions } from '../../types/output.js';
import type { LoadedHook } from '../events/hook.js';
import { argumentJson } from '../output/arguments-json.js';
import { processPart, toJson } from '../output/json.js';
import { EventFlag, EventHeader, EventHook, StringRef } from '../wire/layout.gen.js';
import type { RecordChunk } from '../wire/record-chunk.js';
import { createValueWriter, type ValueWriter } from './value-fragments.js';

type HookEvent = Extract<TracerEvent, { readonly args: unknown }>;

export interface HookFragments {
  /** From the start of the line to the process. Equal for all hooks of a kind. */
  readonly head: string;
  /** From the process to the time, if there are no values. */
  readonly middle: Uint8Array;
  /** They write everything between the process and the time. */
  readonly values: readonly ValueWriter[];
}

/** Header flags of events with members that other events do not have. */
const RARE_FLAGS = EventFlag.EVENT_SOCKET_OWNER | EventFlag.EVENT_IMA_HASH;

/** True if the record has only values: no stack trace, no hash, no number of suppressed events. */
export function isOrdinary(chunk: RecordChunk, at: number): boolean {
  return (
    (chunk.u16(at + EventHeader.flags) & RARE_FLAGS) === 0 &&
    chunk.u32(at + EventHook.suppressed) === 0 &&
    chunk.u16(at + EventHook.kernelStack + StringRef.length) === 0 &&
    chunk.u16(at + EventHook.userStack + StringRef.length) === 0
  );
}

/**
 * Returns undefined if the lines of the hook have to be formatted in another way. `event` is an ordinary event of the
 * hook. The fragments are the same for all events with the same attach point.
 */
export function createHookFragments(
  event: TracerEvent,
  { compiled }: LoadedHook,
  options: JsonOptions,
): HookFragments | undefined {
  if (!('args' in event) || compiled.actions !== undefined || compiled.data.length > 0) return undefined;
  const returned = 'return' in event ? event.return : undefined;
  const values = [...event.args, ...(returned === undefined ? [] : [returned])];
  const expected = [...compiled.args, ...(compiled.returnArg === undefined ? [] : [compiled.returnArg])];
  // the return value of a function in a program is also the last argument
  if (values.length !== expected.length || (returned !== undefined && event.type === 'process_uprobe'))
    return undefined;
  const parts = cutLine(event, values, returned, options);
  if (parts === undefined) return undefined;
  const [head, ...texts] = parts;
  const writers = expected.map((value, i) => {
    const isLast = i === expected.length - 1;
    return createValueWriter(value, i, texts[i] as string, isLast ? (texts[i + 1] as string) : '');
  });
  return { head, middle: Buffer.from(texts.join('')), values: writers };
}

/**
 * Returns the text before the process, the text before each value, and the text after the last one, up to the time.
 * Quotes inside of strings are escaped, so no name can look like the beginning of the values.
 */
function cutLine(
  event: HookEvent,
  values: readonly HookArgument[],
  returned: HookArgument | undefined,
  options: JsonOptions,
): [string, ...string[]] | undefined {
  const line = toJson(event, options);
  const process = processPart(event, options);
  const head = line.slice(0, line.indexOf(process));
  const end = line.lastIndexOf(event.time);
  const texts: string[] = [];
  let at = head.length + process.length;
  for (const [i, value] of values.entries()) {
    const opening = value === returned ? ',"return":' : i === 0 ? ',"args":[' : ',';
    const text = argumentJson(value);
    const start = line.indexOf(opening + text, at) + opening.length;
    if (start < opening.length) return undefined;
    texts.push(line.slice(at, start));
    at = start + text.length;
  }
  texts.push(line.slice(at, end));
  return [head, ...texts];
}
