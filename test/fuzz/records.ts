/** Records of the ring buffer with any content: decoded to events, plain data, JSON lines and compact lines. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { newTally, type LoadedHook } from '../../lib/events/hook.js';
import type { CompiledHook, SelectorActions, CompiledValue } from '../../lib/compiled/compiled-policy.js';
import { ARG_TYPE_NAMES } from '../../lib/names/arg-types.js';
import { formatCompact, toJson } from '../../lib/output/index.js';
import { ProcessCache } from '../../lib/process/cache.js';
import { Clock } from '../../lib/process/clock.js';
import { RecordReader } from '../../lib/stream/reader.js';
import {
  EventExec,
  EventExit,
  EventFork,
  EventHeader,
  EventHook,
  EventType,
  Value,
} from '../../lib/wire/layout.gen.js';
import { applyChanges, changes, oddLong, oddNumber } from './mutations.js';
import type { Target } from './target.js';

/** The kinds of hooks that have events. */
type Kind = Exclude<CompiledHook['kind'], 'enforcer'>;
const KINDS = Object.keys({
  kprobe: true,
  fentry: true,
  tracepoint: true,
  raw_tracepoint: true,
  lsm: true,
  uprobe: true,
  usdt: true,
  loader: true,
} satisfies Record<Kind, true>) as Kind[];
const ACTIONS: readonly (readonly SelectorActions[] | undefined)[] = [
  undefined,
  [
    { order: ['sigkill', 'post'], signal: 9 },
    { order: ['override'], override: -1 },
  ],
  [{ order: ['post', 'notifyEnforcer'], notify: { signal: 9, override: -1 } }],
];
const FIRST_HOOK = 16;
const TYPES_OF_A_HOOK = 5;

const compiledValue = (type: CompiledValue['type'], index: number): CompiledValue => ({
  index,
  type,
  ints: [],
  texts: {},
  net: {},
  position: { line: 1, column: 1 },
});

/** Hooks of every kind. Their values together have every type. */
const HOOKS: readonly LoadedHook[] = Array.from(
  { length: Math.ceil(ARG_TYPE_NAMES.length / TYPES_OF_A_HOOK) },
  (_, i) => {
    const kind = KINDS[i % KINDS.length] ?? 'kprobe';
    const [first = 'int', ...others] = ARG_TYPE_NAMES.slice(i * TYPES_OF_A_HOOK, (i + 1) * TYPES_OF_A_HOOK);
    const actions = ACTIONS[i % ACTIONS.length];
    const values = kind === 'loader' ? [compiledValue('file', 0)] : others.map(compiledValue);
    const image = {
      kind,
      call: 'f',
      tags: [],
      args: values,
      data: kind === 'kprobe' ? [compiledValue(first, 0)] : [],
      returnArg: compiledValue(first, 0),
      tracepoint: { subsystem: 's', event: 'e' },
      program: { path: '/a', symbol: 'f' },
      usdt: { path: '/a', provider: 'p', name: 'n' },
      ...(actions === undefined ? {} : { actions, ...(i % 2 === 0 ? { returnActions: actions } : {}) }),
    };
    const functionName = ['f', 'sys_openat', 'tcp_connect', 'security_file_permission'][i % 4] ?? 'f';
    return {
      id: FIRST_HOOK + i,
      policyName: 'p',
      functionName,
      compiled: image as unknown as CompiledHook,
      tally: newTally(),
    };
  },
);
const BY_ID = new Map(HOOKS.map((hook) => [hook.id, hook]));

/** No process of this machine has such an id, so nothing is read from its /proc. */
const NO_PID = 0x4000_0000;
const FIELDS_OF_PIDS: Readonly<Record<number, number>> = {
  [EventType.EVENT_EXEC]: EventExec.parentTgid,
  [EventType.EVENT_FORK]: EventFork.parentTgid,
};

/** The records of an input, with other process ids. */
function replacePids(input: Buffer): Buffer {
  const bytes = Buffer.from(input);
  for (let at = 0; at + EventExit.sizeof <= bytes.length;) {
    const size = bytes.readUInt32LE(at + EventHeader.size);
    const parent = FIELDS_OF_PIDS[bytes.readUInt16LE(at + EventHeader.type)];
    for (const field of [EventExec.keyTgid, ...(parent === undefined ? [] : [parent])]) {
      if (at + field + 4 <= bytes.length)
        bytes.writeUInt32LE((bytes.readUInt32LE(at + field) | NO_PID) >>> 0, at + field);
    }
    if (size < EventHeader.sizeof || at + size > bytes.length) break;
    at += (size + 7) & ~7;
  }
  return bytes;
}

/** Formats the events in each way. The memory around the records has the bytes `around`. */
function formatEvents(records: Buffer, around: number): string[] {
  const cache = new ProcessCache({ nodeName: 'n', clock: new Clock(() => 5n) });
  let left: Buffer | undefined = records;
  const drain = (buffer: Uint8Array, offset: number): number => {
    buffer.fill(around);
    if (left === undefined) return offset;
    buffer.set(left, offset);
    offset += left.length;
    left = undefined;
    return offset;
  };
  const reader = new RecordReader({ drain, track: () => [], takeTracked: () => [] }, cache, BY_ID);
  const events = reader.readEvents() ?? [];
  return events.map((event) => {
    const line = toJson(event.toObject());
    JSON.parse(line);
    const compact = formatCompact(event, { timestamps: true, capabilities: true });
    assert.doesNotMatch(compact, /[\0-\u0009\u000b-\u001f\u007f-\u009f]/, 'it has no control characters');
    return [line, compact, JSON.stringify(event.toJSON())].join('\n');
  });
}

function check(input: Buffer): void {
  const records = replacePids(input);
  assert.deepEqual(
    formatEvents(records, 0x21),
    formatEvents(records, 0),
    'what events show does not depend on the bytes around the records',
  );
}

const text = fc.oneof(
  fc.constantFrom('', 'a', '/etc/passwd', '\u001b[31m', 'x\ny', '\0', 'a\0b\0', '../..', 'ü'),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
);
/** The same process, its parent, another. */
const pid = fc.constantFrom(1, 2, 3);
const start = fc.constantFrom(1n, 2n, 10_000_000n, 2n ** 64n - 1n);

interface Head {
  readonly pid: number;
  readonly start: bigint;
  readonly count: bigint;
  readonly time: bigint;
  readonly flags: number;
}
const head: fc.Arbitrary<Head> = fc.record({
  pid,
  start,
  count: fc.constantFrom(0n, 1n, 2n),
  time: oddLong,
  flags: oddNumber.map((n) => n & 0xffff),
});

function encodeRecord(
  type: number,
  sizeof: number,
  { pid: id, start: at, count, time, flags }: Head,
  rest: Buffer,
): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(sizeof), rest]);
  bytes.writeUInt32LE(bytes.length, EventHeader.size);
  bytes.writeUInt16LE(type, EventHeader.type);
  bytes.writeUInt16LE(flags, EventHeader.flags);
  bytes.writeBigUInt64LE(time, EventHeader.time);
  bytes.writeUInt32LE(id, EventExit.keyTgid);
  bytes.writeUInt32LE(id, EventExit.keyTid);
  bytes.writeBigUInt64LE(at, EventExit.keyStartTime);
  bytes.writeBigUInt64LE(count, EventExit.keyExecCount);
  return bytes;
}

const exit = fc.tuple(head, oddNumber).map(([own, status]) => {
  const bytes = encodeRecord(EventType.EVENT_EXIT, EventExit.sizeof, own, Buffer.alloc(0));
  bytes.writeUInt32LE(status, EventExit.status);
  return bytes;
});

const fork = fc.tuple(head, pid, start).map(([own, parent, parentStart]) => {
  const bytes = encodeRecord(EventType.EVENT_FORK, EventFork.sizeof, own, Buffer.alloc(0));
  bytes.writeUInt32LE(parent, EventFork.parentTgid);
  bytes.writeBigUInt64LE(parentStart, EventFork.parentStartTime);
  return bytes;
});

const exec = fc
  .tuple(head, pid, start, text, text, text, fc.array(text, { maxLength: 5 }))
  .map(([own, parent, parentStart, filename, executable, cwd, argv]) => {
    const texts = [filename, executable, cwd, argv.map((arg) => `${arg}\0`).join('')].map((each) => Buffer.from(each, 'latin1'));
    const bytes = encodeRecord(EventType.EVENT_EXEC, EventExec.sizeof, own, Buffer.concat(texts));
    bytes.writeUInt32LE(parent, EventExec.parentTgid);
    bytes.writeBigUInt64LE(parentStart, EventExec.parentStartTime);
    let at = EventExec.sizeof as number;
    [EventExec.filename, EventExec.executable, EventExec.cwd, EventExec.argvOffset].forEach((ref, i) => {
      const { length } = texts[i] as Buffer;
      bytes.writeUInt32LE(at, ref);
      if (ref === EventExec.argvOffset) bytes.writeUInt32LE(length, EventExec.argvLength);
      else bytes.writeUInt16LE(length, ref + 4);
      at += length;
    });
    return bytes;
  }); // prettier-ignore

const value = fc.record({
  number: oddLong,
  text,
  flags: fc.oneof(fc.constant(0), oddNumber),
  words: fc.array(oddNumber, { minLength: 6, maxLength: 6 }),
});

const hook = fc
  .tuple(head, fc.nat(HOOKS.length - 1), fc.array(value, { maxLength: 7 }), oddLong, oddNumber, fc.nat(3))
  .map(([own, index, values, matched, number, frames]) => {
    const texts = values.map((each) => Buffer.from(each.text, 'latin1'));
    const stack = Buffer.alloc(8 * frames, 0x81);
    const rest = Buffer.concat([Buffer.alloc(Value.sizeof * values.length), ...texts, stack]);
    const bytes = encodeRecord(EventType.EVENT_HOOK, EventHook.sizeof, own, rest);
    bytes.writeUInt32LE(FIRST_HOOK + index, EventHook.hook);
    bytes.writeUInt16LE(values.length, EventHook.valuesCount);
    bytes.writeUInt16LE(number & 0xffff, EventHook.attachPoint);
    bytes.writeBigUInt64LE(matched, EventHook.matched);
    bytes.writeUInt32LE(number, EventHook.entrySelector);
    for (const ref of [EventHook.kernelStack, EventHook.userStack]) {
      bytes.writeUInt32LE(bytes.length - stack.length, ref);
      bytes.writeUInt16LE(stack.length, ref + 4);
    }
    let textAt = EventHook.sizeof + Value.sizeof * values.length;
    values.forEach((each, i) => {
      const at = EventHook.sizeof + Value.sizeof * i;
      bytes.writeBigUInt64LE(each.number, at + Value.value);
      each.words.forEach((word, w) => bytes.writeUInt32LE(word, at + Value.mode + 4 * w));
      bytes.writeUInt32LE(textAt, at + Value.stringOffset);
      bytes.writeUInt16LE((texts[i] as Buffer).length, at + Value.stringLength);
      bytes.writeUInt16LE(each.flags & 0xffff, at + Value.stringFlags);
      textAt += (texts[i] as Buffer).length;
    });
    return bytes;
  }); // prettier-ignore

const padTo8 = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 7)]);

const inputs = fc
  .tuple(
    fc.array(fc.tuple(fc.oneof({ weight: 3, arbitrary: hook }, exec, exit, fork), changes), {
      minLength: 1,
      maxLength: 12,
    }),
    changes,
  )
  .map(([list, last]) =>
    applyChanges(Buffer.concat(list.map(([bytes, own]) => padTo8(applyChanges(bytes, own)))), last).subarray(0, 60_000),
  );

export const records: Target = { name: 'records', extension: 'bin', inputs, check };
