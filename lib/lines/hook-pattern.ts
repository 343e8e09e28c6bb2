/**
 * The pattern of the JSON lines of a hook. What is the same in all lines is cut out of the line that toJson() formats for
 * the first event, so the format has one source.
 */
import type { HookArgument, PlainEvent } from '../../types/events.js';
import type { JsonOptions } from '../../types/output.js';
import type { CompiledValue } from '../compiled/compiled-policy.js';
import type { LoadedHook } from '../events/hook.js';
import { argumentJson } from '../output/arguments-json.js';
import { processPart, toJson } from '../output/json.js';
import { EventFlag, EventHeader, EventHook, StringRef, Value } from '../wire/layout.gen.js';
import type { RecordChunk } from '../wire/record-chunk.js';
import { LineOp } from './line-arena.js';
import { LinePattern } from './line-pattern.js';
import { addValue } from './value-parts.js';

type HookEvent = Extract<PlainEvent, { readonly args: unknown }>;

/** Header flags of events with members that other events do not have. */
const RARE_FLAGS = EventFlag.EVENT_SOCKET_OWNER | EventFlag.EVENT_IMA_HASH | EventFlag.EVENT_MARKED;

/** True if the record has only values: no stack trace, no hash, no number of suppressed events. */
export function isPlainRecord(chunk: RecordChunk, at: number, { args, returnArg }: LoadedHook['compiled']): boolean {
  const count = chunk.u16(at + EventHook.valuesCount);
  return (
    count >= args.length + (returnArg === undefined ? 0 : 1) &&
    chunk.u32(at + EventHeader.size) >= EventHook.sizeof + count * Value.sizeof &&
    (chunk.u16(at + EventHeader.flags) & RARE_FLAGS) === 0 &&
    chunk.u32(at + EventHook.suppressed) === 0 &&
    chunk.u16(at + EventHook.kernelStack + StringRef.length) === 0 &&
    chunk.u16(at + EventHook.userStack + StringRef.length) === 0
  );
}

/** See LineFormat. */
export function createHookPattern(
  event: PlainEvent,
  { compiled }: LoadedHook,
  options: JsonOptions,
): LinePattern | undefined {
  if (!('args' in event) || compiled.actions !== undefined || compiled.data.length > 0) return undefined;
  const returned = 'return' in event ? event.return : undefined;
  const values = [...event.args, ...(returned === undefined ? [] : [returned])];
  const expected = [...compiled.args, ...(compiled.returnArg === undefined ? [] : [compiled.returnArg])];
  // the return value of a function in a program is also the last argument
  if (values.length !== expected.length || (returned !== undefined && event.type === 'process_uprobe'))
    return undefined;
  const texts = cutLine(event, values, returned, options);
  return texts && joinParts(texts, expected);
}

/** The texts of a line between the parts that are different in each line. */
interface LineTexts {
  readonly beforeProcess: string;
  readonly beforeValues: readonly string[];
  readonly beforeTime: string;
  readonly afterTime: string;
}

function joinParts(texts: LineTexts, values: readonly CompiledValue[]): LinePattern {
  const pattern = new LinePattern().add(LineOp.plain, values.length).fixed(texts.beforeProcess);
  pattern.add(LineOp.process, 0).add(LineOp.tid).add(LineOp.process, 1);
  for (const [slot, value] of values.entries()) {
    pattern.fixed(texts.beforeValues[slot] as string);
    addValue(pattern, value, slot);
  }
  return pattern.fixed(texts.beforeTime).add(LineOp.time).fixed(`${texts.afterTime}\n`);
}

/** Quotes inside of strings are escaped, so no name can look like the beginning of the values. */
function cutLine(
  event: HookEvent,
  values: readonly HookArgument[],
  returned: HookArgument | undefined,
  options: JsonOptions,
): LineTexts | undefined {
  const line = toJson(event, options);
  const process = processPart(event, options);
  const processAt = line.indexOf(process);
  const timeAt = line.lastIndexOf(event.time);
  const beforeValues: string[] = [];
  let at = processAt + process.length;
  for (const [i, value] of values.entries()) {
    const opening = value === returned ? ',"return":' : i === 0 ? ',"args":[' : ',';
    const text = argumentJson(value);
    const start = line.indexOf(opening + text, at) + opening.length;
    if (start < opening.length) return undefined;
    beforeValues.push(line.slice(at, start));
    at = start + text.length;
  }
  return {
    beforeProcess: line.slice(0, processAt),
    beforeValues,
    beforeTime: line.slice(at, timeAt),
    afterTime: line.slice(timeAt + event.time.length),
  };
}
