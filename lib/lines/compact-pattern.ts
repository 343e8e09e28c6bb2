/**
 * The pattern of the compact lines of a hook. formatCompact() formats an event with samples instead of values, and the
 * line is cut where the samples are. A second event with other samples shows that nothing else depends on the values.
 */
import type { HookArgument, PlainEvent, PlainProcess } from '../../types/events.js';
import type { CompactOptions } from '../../types/output.js';
import type { CompiledValue } from '../compiled/compiled-policy.js';
import type { LoadedHook } from '../events/hook.js';
import { compactProcessTexts, formatCompact } from '../output/compact.js';
import { variesWithNumber } from '../output/known-functions.js';
import { LineOp } from './line-arena.js';
import { LinePattern } from './line-pattern.js';
import type { VaryingPattern } from './line-writer.js';
import { isFile, isString, numberOp } from './value-parts.js';

type HookEvent = Extract<PlainEvent, { readonly args: unknown }>;

/** A line does not show more values, but whether there are more. */
const VALUES_MAX = 5;

/** A part of the line of a sample: its text, and what the addon writes instead. */
interface Hole {
  readonly text: string;
  readonly addTo: (pattern: LinePattern) => LinePattern;
}

/** An event with samples, and what they look like in its line. */
interface Sample {
  readonly line: string;
  readonly holes: readonly Hole[];
}

/** See LineFormat. */
export function createCompactPattern(
  event: PlainEvent,
  { compiled }: LoadedHook,
  options: CompactOptions,
): LinePattern | VaryingPattern | undefined {
  if (!('args' in event) || compiled.actions !== undefined || compiled.data.length > 0) return undefined;
  const { args, returnArg } = compiled;
  const returned = 'return' in event ? event.return : undefined;
  const values = [...args, ...(returnArg === undefined ? [] : [returnArg])];
  if (event.args.length !== args.length || (returned === undefined) !== (returnArg === undefined)) return undefined;
  if (args.length > VALUES_MAX || !values.every((value) => isSampled(value))) return undefined;

  const varying = 'functionName' in event && variesWithNumber(event.functionName);
  const numbers = varying ? [...args.keys()].filter((slot) => numberOp(args[slot] as CompiledValue)) : [];
  const slot = numbers[0];
  if (numbers.length > 1 || (slot !== undefined && isLarge(numberOp(args[slot] as CompiledValue)))) return undefined;
  const [one, other] = [1, 2].map((number) => formatSample(event, values, number, slot, options)) as [Sample, Sample];
  const pattern = cutLine(one, other, values.length);
  return pattern === undefined || slot === undefined ? pattern : { slot, pattern };
}

function isSampled(value: CompiledValue): boolean {
  return numberOp(value) !== undefined || isString(value) || isFile(value);
}

function isLarge(op: LineOp | undefined): boolean {
  return op === LineOp.i64 || op === LineOp.u64;
}

/** The value in the slot `kept` remains as it is. */
function formatSample(
  event: HookEvent,
  values: readonly CompiledValue[],
  number: number,
  kept: number | undefined,
  options: CompactOptions,
): Sample {
  const { args } = event;
  const plain = 'toObject' in event ? (event.toObject as () => HookEvent)() : event;
  const samples = values.map((value, slot) => (slot === kept ? undefined : sampleValue(value, slot, number)));
  const sampled = samples.map((sample, slot) => sample?.argument ?? (args[slot] as HookArgument));
  const { container: _, pod: _pod, ...rest } = plain.process;
  const process: PlainProcess = { ...rest, binary: `/~binary${number}~` };
  const time = `~time${number}~`;
  const changed = {
    ...plain,
    time,
    nodeName: `~node${number}~`,
    process,
    args: sampled.slice(0, args.length),
    ...(sampled.length > args.length ? { return: sampled[args.length] } : {}),
  } as HookEvent;
  const [before, end] = compactProcessTexts(changed, options);
  return {
    line: formatCompact(changed, options),
    holes: [
      { text: time, addTo: (pattern) => pattern.add(LineOp.time) },
      { text: before, addTo: (pattern) => pattern.add(LineOp.process, 0) },
      ...samples.filter((sample) => sample !== undefined),
      { text: end, addTo: (pattern) => pattern.add(LineOp.process, 1) },
    ],
  };
}

/** Samples stand nowhere else in a line, and none is a part of another. */
function sampleValue(value: CompiledValue, slot: number, number: number): Hole & { readonly argument: HookArgument } {
  const { type, index, label } = value;
  const base = { type, index, ...(label === undefined ? {} : { label }) };
  const op = numberOp(value);
  if (op !== undefined) {
    // a large one shows whether it is rounded
    const sample = isLarge(op)
      ? 4_200_000_000_000_000_001n + BigInt(number) * 10n ** 17n + BigInt(slot) * 10n
      : 731_024_500 + number * 10 + slot;
    const argument = { ...base, value: sample } as HookArgument;
    return { text: String(sample), addTo: (pattern) => pattern.add(op, slot), argument };
  }
  // with a folder and a name, because a part of a path can be shown
  const text = `/~folder${slot}-${number}~/~name${slot}-${number}~`;
  const members = isFile(value) ? { path: text, flags: [], permission: '' } : { value: text, truncated: false };
  const argument = { ...base, ...members } as unknown as HookArgument;
  return { text, addTo: (pattern) => pattern.add(LineOp.word, slot), argument };
}

/** Returns undefined if the line of the second sample is another than that of the first with its values. */
function cutLine(one: Sample, other: Sample, values: number): LinePattern | undefined {
  const places = one.holes
    .map(({ text }, i) => ({ i, text, at: text === '' ? -1 : one.line.indexOf(text) }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at);
  const pattern = new LinePattern().add(LineOp.plain, values);
  let filled = '';
  let end = 0;
  for (const { i, text, at } of places) {
    if (at < end || one.line.includes(text, at + 1)) return undefined;
    const before = one.line.slice(end, at);
    const hole = one.holes[i] as Hole;
    hole.addTo(pattern.fixed(before));
    filled += before + (other.holes[i] as Hole).text;
    end = at + text.length;
  }
  const rest = one.line.slice(end);
  return filled + rest === other.line ? pattern.fixed(`${rest}\n`) : undefined;
}
