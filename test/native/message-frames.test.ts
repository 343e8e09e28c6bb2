/**
 * messageFrames() must write the bytes of the encoder for each event, whatever a traced program has chosen: the addon
 * writes them from the records.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EventEncoder } from '../../lib/encode/events.js';
import type { EncodeOptions } from '../../lib/encode/options.js';
import { leaveLines } from '../../lib/lines/line-batch.js';
import { messageFrames } from '../../lib/lines/message-frames.js';
import { loadBinding } from '../../lib/native/binding.js';
import { ProcessCache } from '../../lib/process/cache.js';
import { Clock } from '../../lib/process/clock.js';
import type { TrackedProcess } from '../../lib/process/process.js';
import type { TracerEvent } from '../../types/events.js';
import type { LineFormatter } from '../../types/output.js';
import { compiledValue } from '../unit/compiled-hooks.js';
import { createEventsOfAllKinds } from '../unit/events/all-kinds.js';
import { execRecord, exitRecord, testProcess } from '../unit/wire/records.js';
import {
  args,
  createEvent,
  createProcess,
  FILE,
  fileHook,
  hookOf,
  kinds,
  MARKED,
  RARE_EDITS,
  readRecords,
  values,
} from './line-cases.js';

const OPTIONS: readonly EncodeOptions[] = [
  {},
  { clusterName: 'c' },
  { processCred: true, processNs: true },
  { ancestors: true },
  { ancestors: ['process_exec'] },
  { redact: (text) => (text.length > 1 ? [[1, 2]] : []) },
];

const frames = (options: EncodeOptions = {}): LineFormatter => messageFrames(new EventEncoder(options));

function encodeFrames(events: readonly TracerEvent[], options: EncodeOptions = {}): Buffer {
  const encoder = new EventEncoder(options);
  return Buffer.concat(
    events.flatMap((event) => {
      const message = encoder.encode(event).take();
      const header = Buffer.alloc(5);
      header.writeUInt32BE(message.length, 1);
      return [header, message];
    }),
  );
}

function assertSame(events: readonly TracerEvent[], options: EncodeOptions = {}, format = frames(options)): void {
  const expected = encodeFrames(events, options);
  assert.ok(Buffer.from(format(events)).equals(expected), JSON.stringify(options));
  for (const event of events)
    assert.equal(Buffer.from(format([event])).toString('hex'), encodeFrames([event], options).toString('hex'));
}

/** Counts the messages that the addon could not write. */
function countingFrames(): { readonly format: LineFormatter; readonly written: () => number; readonly left: () => number } {
  let [written, left] = [0, 0];
  const find = (): ReturnType<typeof loadBinding>['writeLines'] => (progress, ...rest) => {
    loadBinding().writeLines(progress, ...rest);
    left += progress[3] as number;
    written += (progress[1] as number) - (progress[3] as number);
  };
  return { format: messageFrames(new EventEncoder(), find), written: () => written, left: () => left };
}

describe('messageFrames', () => {
  it('1. writes events of all kinds like the encoder', () => {
    for (const options of OPTIONS) assertSame(createEventsOfAllKinds(), options);
  });

  it('2. writes values of each type with any content', () => {
    const process = createProcess();
    fc.assert(
      fc.property(kinds, fc.array(fc.tuple(args, values), { maxLength: 5 }), fc.boolean(), (kind, list, returns) => {
        const compiled = list.map(([value]) => value);
        const hook = hookOf(kind, compiled, returns);
        const format = frames();
        const content = list.map(([, value]) => value);
        // the second event uses the pattern of the first
        for (const each of [content, content.map((value) => ({ ...value, text: 'x', flags: 0 })), content])
          assertSame([createEvent(hook, each, process)], {}, format);
      }),
      { numRuns: 1000 },
    );
  });

  it('3. writes times and thread ids of any size', () => {
    const hook = fileHook();
    const times = fc.oneof(
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.bigInt({ min: 0n, max: 10n ** 17n }),
      fc.nat({ max: 1000 }).map((seconds) => BigInt(seconds) * 1_000_000_000n),
    );
    const offsets = fc.oneof(
      fc.bigInt({ min: 0n, max: 2n ** 61n }),
      fc.bigInt({ min: -(10n ** 18n), max: 0n }),
      fc.constant(0n),
    );
    fc.assert(
      fc.property(offsets, times, fc.nat({ max: 2 ** 32 - 1 }), (offset, time, tid) => {
        // the encoder has no times before 1970
        fc.pre((time + offset) / 1_000_000_000n < 8_640_000_000_000n && time + offset >= 0n);
        assertSame([createEvent(hook, FILE, createProcess(offset), { time, tid })]);
      }),
      { numRuns: 400 },
    );
  });

  it('4. writes members that few events have', () => {
    const process = createProcess();
    for (const [name, edit] of Object.entries(RARE_EDITS)) {
      const hook = fileHook();
      const format = frames();
      for (const change of [{ edit }, {}, { edit }, {}])
        assert.doesNotThrow(() => assertSame([createEvent(hook, FILE, process, change)], {}, format), name);
    }
  });

  it('5. writes the marks of an event whose hook had an event without marks', () => {
    const { list, edit } = MARKED;
    const hook = MARKED.createHook();
    const process = createProcess();
    const format = frames();
    for (const change of [{}, { edit }, {}]) assertSame([createEvent(hook, list, process, change)], {}, format);
  });

  it('6. has the names of the function that was called', () => {
    const hook = { ...fileHook(), functions: ['one', 'two'] };
    const process = createProcess();
    assertSame([0, 1, 2, 1, 0].map((point) => createEvent(hook, FILE, process, { point })));
  });

  it('7. encodes a process again when its container, its pod or its parent changes', () => {
    const process = createProcess();
    const parent = process.parentProcess as TrackedProcess;
    const formats = OPTIONS.map((options) => ({ options, format: frames(options) }));
    const hooks = [fileHook(), fileHook({ kind: 'lsm' })];
    const events = [...hooks, ...hooks].map((hook) => createEvent(hook, FILE, process));
    const check = (): void => {
      for (const { options, format } of [...formats, ...formats]) assertSame(events, options, format);
    };
    check();
    for (const tracked of [process, parent]) {
      for (const [name, value] of [
        ['container', { id: 'c'.repeat(64), name: 'web' }],
        ['pod', { namespace: 'default', name: 'web' }],
        ['inInitTree', true],
      ] as const) {
        Object.defineProperty(tracked, name, { value, configurable: true });
        check();
      }
    }
    process.parentProcess = undefined;
    check();
  });

  it('8. writes execs and exits of any status, with and without the environment, and after a second exec', () => {
    for (const environment of [undefined, new Set<string>()]) {
      const cache = new ProcessCache({
        nodeName: 'n"ö',
        clock: new Clock(() => 5n),
        ...(environment && { environment }),
      });
      const records = [0, 1, 0x100, 9, 0x86, 0x100].flatMap((status, n) => [
        execRecord(testProcess(n + 1), testProcess(n), `/bin/"é${n}`),
        execRecord({ ...testProcess(n + 1), execCount: 7 } as ReturnType<typeof testProcess>, testProcess(n), '/bin/b'),
        exitRecord(testProcess(n + 1), status),
      ]);
      const events = readRecords(cache, records);
      assert.equal(events.length, records.length);
      for (const options of OPTIONS) assertSame(events, options);
    }
  });

  it('9. encodes plain events, and all events without the addon', () => {
    const events = createEventsOfAllKinds();
    const expected = encodeFrames(events);
    assert.ok(Buffer.from(frames()(events.map((event) => event.toObject()))).equals(expected));
    assert.ok(Buffer.from(messageFrames(new EventEncoder(), () => leaveLines)(events)).equals(expected));
  });

  it('10. lets the addon write every message with texts in ASCII', () => {
    const hook = fileHook();
    const process = createProcess();
    const paths = ['/a', '/"', '/b', '/\xff', '', '/c', '/\u202e', '/d\x7f', '/12345678\\', '/1234567\x1f9abcdef', '/e'];
    const events = paths.map((text) => createEvent(hook, [{ text, mode: 0o100644 }, { value: 1n }], process));
    const { format, left } = countingFrames();
    // the first event of a hook makes its pattern
    for (const event of [...events, ...events]) assertSame([event], {}, format);
    // each message is written twice
    assert.equal(left(), 4 * paths.filter((text) => text === '' || /[\u0080-\uffff]/.test(text)).length);
  });

  it('11. lets the addon write every kind of hook, and execs and exits', () => {
    const process = createProcess();
    for (const kind of ['kprobe', 'fentry', 'lsm', 'raw_tracepoint', 'uprobe', 'usdt'] as const) {
      const types = ['file', 'int', 'uint32', 'int64', 'size_t', 'string', 'path', 'fd', 'sock'] as const;
      const hook = fileHook({
        kind,
        args: types.map((type, index) => compiledValue(type, { index: index + 1, label: `l${index}` })),
        tracepoint: { subsystem: 's', event: 'e' },
        program: { path: '/a', symbol: 'f' },
        usdt: { path: '/a', provider: 'p', name: 'n' },
      });
      const { format, left, written } = countingFrames();
      const event = createEvent(
        hook,
        types.map((_, i) => ({ text: '/x', value: BigInt(-i), mode: 0o100644 })),
        process,
      );
      assertSame([event], {}, format);
      assert.deepEqual([kind, written(), left()], [kind, 2, 0]);
    }
    const cache = new ProcessCache({ nodeName: 'n', clock: new Clock(() => 5n) });
    const records = [execRecord(testProcess(1), testProcess(0)), exitRecord(testProcess(1), 9)];
    const { format, left, written } = countingFrames();
    assertSame(readRecords(cache, records), {}, format);
    assert.deepEqual([written(), left()], [4, 0]);
  });

  it('12. encodes a message that is too long for the addon', () => {
    const hook = fileHook();
    const process = createProcess(5n, `/bin/${'x'.repeat(40_000)}`);
    const parent = createProcess(5n, '/bin/é');
    assertSame([parent, process, parent].map((each) => createEvent(hook, FILE, each)));
  });

  it('13. writes more messages than its buffer holds, and events of two tracers', () => {
    const hook = fileHook();
    const process = createProcess();
    const format = frames();
    const many = Array.from({ length: 9000 }, (_, i) => createEvent(hook, FILE, process, { time: BigInt(i) }));
    for (const events of [many, many.slice(0, 1), many])
      assert.ok(Buffer.from(format(events)).equals(encodeFrames(events)));
    const other = createProcess(5_000_000_005n, '/bin/other', 'other');
    const otherHook = fileHook();
    assertSame(
      [process, process, other, process, other].map((each) =>
        createEvent(each === process ? hook : otherHook, FILE, each),
      ),
      {},
      format,
    );
  });
});
