/**
 * The pattern of the messages of events in protobuf. An encoder encodes an event with samples instead of values, and the
 * message is cut where the samples are. So the encoder is the only one that knows the format. A second event with other
 * samples shows that nothing else depends on the values.
 */
import type { HookArgument, PlainEvent, PlainProcess } from '../../types/events.js';
import type { MessageEncoder } from '../../types/output.js';
import type { CompiledValue } from '../compiled/compiled-policy.js';
import type { LoadedHook } from '../events/hook.js';
import { decodeArgument } from '../wire/decode/arguments.js';
import { EventHeader } from '../wire/layout.gen.js';
import { LineOp } from './line-arena.js';
import { LinePattern } from './line-pattern.js';
import { LENGTH_DELIMITED, readFields, varint, type Field } from './message-fields.js';
import { isFile, isString, numberOp } from './value-parts.js';

type SampledEvent = Extract<PlainEvent, { readonly type: 'process_exec' | 'process_exit' | 'process_kprobe' }>;

/** Adds the operations that replace a sample. A pattern of a message begins with its last bytes. */
type AddTo = (pattern: LinePattern) => LinePattern;

/** A part of a message that a value decides about. */
interface Hole {
  /** The content of the field, without its tag, and without its length if it has one. */
  readonly content: Uint8Array;
  readonly addTo: AddTo;
}

interface Sample {
  readonly argument: HookArgument;
  /** Undefined: JavaScript encodes the whole value. */
  readonly holes: readonly Hole[] | undefined;
}

/** A value of the event, and the field of its message. */
interface SampledValue extends Sample {
  readonly encoded: Uint8Array;
  readonly addAll: AddTo;
}

/** `event` has a plain record of the hook. See LineFormat. */
export function createMessagePattern(
  event: PlainEvent,
  { compiled }: LoadedHook,
  encoder: MessageEncoder,
): LinePattern | undefined {
  if (!('args' in event) || compiled.actions !== undefined || compiled.data.length > 0) return undefined;
  const returned = 'return' in event ? event.return : undefined;
  const given = [...event.args, ...(returned === undefined ? [] : [returned])];
  const values = [...compiled.args, ...(compiled.returnArg === undefined ? [] : [compiled.returnArg])];
  // the return value of a function in a program is also the last argument
  if (given.length !== values.length || (returned !== undefined && event.type === 'process_uprobe')) return undefined;
  const cut = (number: number): LinePattern | undefined => {
    const sampled: SampledValue[] = [];
    for (const [slot, value] of values.entries()) {
      const position = slot < event.args.length ? slot : 0;
      const sample = sampleValue(value, slot, number, given[slot] as HookArgument);
      const encoded = encoder.encodeArgument(sample.argument, position);
      if (encoded === undefined) return undefined;
      sampled.push({ ...sample, encoded: Buffer.from(encoded), addAll: addEncoded(value, slot, position, encoder) });
    }
    const args = sampled.slice(0, event.args.length).map(({ argument }) => argument);
    const more = returned === undefined ? {} : { return: sampled.at(-1)?.argument };
    return cutMessage({ ...toPlain(event), args, ...more } as unknown as SampledEvent, sampled, number, encoder);
  };
  return cutTwice(cut);
}

/** The pattern of events of the base sensor with the status and the node of this one. */
export function createProcessPattern(event: PlainEvent, encoder: MessageEncoder): LinePattern | undefined {
  return cutTwice((number) => cutMessage(toPlain(event) as SampledEvent, [], number, encoder));
}

function cutTwice(cut: (number: number) => LinePattern | undefined): LinePattern | undefined {
  const [one, other] = [cut(1), cut(2)];
  return one !== undefined && other?.equals(one) === true ? one : undefined;
}

function toPlain(event: PlainEvent): PlainEvent {
  return 'toObject' in event ? (event.toObject as () => PlainEvent)() : event;
}

/** Samples stand nowhere else in a value. */
function sampleValue(value: CompiledValue, slot: number, number: number, given: HookArgument): Sample {
  const { type, index, label } = value;
  const base = { type, index, ...(label === undefined ? {} : { label }) };
  const op = numberOp(value);
  if (op !== undefined) {
    const sample = 731_024_500 + 10 * slot + number;
    const isLarge = op === LineOp.i64 || op === LineOp.u64;
    return {
      argument: { ...base, value: isLarge ? BigInt(sample) : sample } as HookArgument,
      holes: [{ content: varint(sample), addTo: (pattern) => pattern.add(LineOp.varint, slot, op) }],
    };
  }
  const text = `/~value${slot}-${number}~`;
  const content = Buffer.from(text);
  if (isString(value)) {
    const argument = { ...base, value: text, truncated: false } as HookArgument;
    return { argument, holes: [{ content, addTo: (pattern) => pattern.add(LineOp.ascii, slot) }] };
  }
  if (!isFile(value)) return { argument: given, holes: undefined };
  const permission = `~mode${slot}-${number}~`;
  return {
    argument: { ...base, path: text, flags: [], permission } as unknown as HookArgument,
    holes: [
      { content, addTo: (pattern) => pattern.add(LineOp.ascii, slot, 1) },
      {
        content: Buffer.from(permission),
        addTo: (pattern) => pattern.permission(slot).before(varint(PERMISSION_LENGTH)),
      },
    ],
  };
}

/** Adds a value for which the addon has no operation. */
function addEncoded(value: CompiledValue, slot: number, position: number, encoder: MessageEncoder): AddTo {
  return (pattern) =>
    pattern.text((chunk, at) => {
      const argument = decodeArgument(chunk, at, chunk.u32(at + EventHeader.size), slot, value);
      return argument && encoder.encodeArgument(argument, position);
    });
}

/** Every text of permissions has ten characters. */
const PERMISSION_LENGTH = 10;

const SAMPLE_NS = 1_234_567_890_123_456_789n;

function sampleProcess(process: PlainProcess, name: string, number: number): PlainProcess {
  const { formerExecId: _, container: _container, pod: _pod, ...rest } = process;
  return { ...rest, binary: `/~${name}${number}~` };
}

/** Returns undefined if the message is not as expected. */
function cutMessage(
  event: SampledEvent,
  values: readonly SampledValue[],
  number: number,
  encoder: MessageEncoder,
): LinePattern | undefined {
  const process = sampleProcess(event.process, 'process', number);
  const related = sampleProcess(event.process, 'parent', number);
  const changed = {
    ...event,
    process,
    parent: related,
    former: undefined,
    ancestors: [],
    tid: 4_200_000 + number,
    timeNs: SAMPLE_NS + BigInt(number),
  };
  const [own, others] = encoder.encodeProcesses(process, related, event.nodeName).map((part) => Buffer.from(part));
  if (own === undefined || others === undefined) return undefined;
  const bytes = Buffer.from(encoder.encodeMessage(changed as unknown as PlainEvent));
  const fields = readFields(bytes);
  const [message, time] = [fields[0], fields.at(-1)];
  if (message === undefined || time === undefined || time === message) return undefined;
  const pattern = new LinePattern().add(LineOp.message);
  if (values.length > 0) pattern.add(LineOp.plain, values.length);
  pattern.add(LineOp.timestamp).before(time.tag).before(bytes.subarray(message.end, time.start)).add(LineOp.end);
  const timeHole: Hole = { content: time.content, addTo: (to) => to.add(LineOp.timestamp) };
  if (!addEvent(pattern, message.content, { own, others, values, timeHole, thread: varint(changed.tid) }))
    return undefined;
  return pattern.add(LineOp.length).before(message.tag);
}

interface EventParts {
  readonly own: Uint8Array;
  readonly others: Uint8Array;
  readonly values: readonly SampledValue[];
  /** An exit has its time a second time. */
  readonly timeHole: Hole;
  readonly thread: Uint8Array;
}

/** Adds the fields of an event, the last one first. */
function addEvent(
  pattern: LinePattern,
  bytes: Uint8Array,
  { own, others, values, timeHole, thread }: EventParts,
): boolean {
  const [process, parent, ...rest] = readFields(bytes);
  if (process === undefined || parent === undefined) return false;
  const adding = matchValues(rest, values);
  if (adding === undefined) return false;
  for (const [i, field] of [...rest.entries()].reverse()) {
    const value = adding.get(i);
    if (value === undefined) {
      if (isSame(field.content, timeHole.content)) timeHole.addTo(pattern).before(field.tag);
      else pattern.before(field.bytes);
    } else if (!addValue(pattern, field, value)) {
      return false;
    }
  }
  if (!isSame(parent.bytes, others)) return false;
  pattern.add(LineOp.process, 1);

  const [tid, ...more] = readFields(process.content.subarray(own.length));
  const [id] = tid === undefined ? [] : readFields(tid.content);
  const isExpected = isSame(process.content.subarray(0, own.length), own) && more.length === 0;
  if (!isExpected || tid === undefined || id === undefined || !isSame(id.content, thread)) return false;
  pattern.add(LineOp.end).add(LineOp.thread).before(tid.tag).add(LineOp.process, 0);
  pattern.add(LineOp.length).before(process.tag);
  return true;
}

/** Finds the fields of the values, which follow each other in the order of their slots. */
function matchValues(
  fields: readonly Field[],
  values: readonly SampledValue[],
): ReadonlyMap<number, SampledValue> | undefined {
  const found = new Map<number, SampledValue>();
  let next = 0;
  for (const value of values) {
    const at = fields.findIndex(({ content }, i) => i >= next && isSame(content, value.encoded));
    if (at < 0) return undefined;
    found.set(at, value);
    next = at + 1;
  }
  return found;
}

function addValue(pattern: LinePattern, { tag, content }: Field, { holes, addAll }: SampledValue): boolean {
  pattern.add(LineOp.end);
  const isWhole =
    holes === undefined ? addAll(pattern) !== undefined : addHoles(pattern, content, holes) === holes.length;
  pattern.add(LineOp.length).before(tag);
  return isWhole;
}

/** Adds the fields of a message with the holes in it. Returns the number of holes that it has found. */
function addHoles(pattern: LinePattern, bytes: Uint8Array, holes: readonly Hole[]): number {
  let found = 0;
  for (const field of readFields(bytes).reverse()) {
    const hole = holes.find(({ content }) => isSame(content, field.content));
    if (hole !== undefined) {
      hole.addTo(pattern).before(field.tag);
      found += 1;
    } else if (field.wireType === LENGTH_DELIMITED && holes.some(({ content }) => contains(field.content, content))) {
      pattern.add(LineOp.end);
      found += addHoles(pattern, field.content, holes);
      pattern.add(LineOp.length).before(field.tag);
    } else {
      pattern.before(field.bytes);
    }
  }
  return found;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

function contains(bytes: Uint8Array, part: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(Buffer.from(part));
}
