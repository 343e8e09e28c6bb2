/**
 * jsonLines() must write the bytes of toJson() for each event, whatever a traced program has chosen: the addon writes
 * them from the records.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createHookEvent } from '../../lib/events/events.js';
import { jsonLines } from '../../lib/lines/json-lines.js';
import { LineOp } from '../../lib/lines/line-arena.js';
import { loadBinding } from '../../lib/native/binding.js';
import { fieldFilter } from '../../lib/output/field-filter.js';
import { toJson } from '../../lib/output/json.js';
import { ProcessCache } from '../../lib/process/cache.js';
import { Clock } from '../../lib/process/clock.js';
import type { TrackedProcess } from '../../lib/process/process.js';
import { RecordBuffer, RecordChunk } from '../../lib/wire/record-chunk.js';
import type { TracerEvent } from '../../types/events.js';
import type { JsonOptions } from '../../types/output.js';
import { compiledValue } from '../unit/compiled-hooks.js';
import { createEventsOfAllKinds } from '../unit/events/all-kinds.js';
import { valuesRecord } from '../unit/wire/decode/values.js';
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

const OPTIONS: readonly JsonOptions[] = [
  {},
  { processCred: true, processNs: true },
  { ancestors: true },
  { ancestors: ['process_exec'] },
  { fields: fieldFilter({ exclude: ['process.cwd'] }) },
  { redact: (text) => (text.length > 1 ? [[1, 2]] : []) },
];

function assertSame(events: readonly TracerEvent[], options: JsonOptions = {}, format = jsonLines(options)): void {
  const expected = events.map((event) => `${toJson(event, options)}\n`).join('');
  // in one piece, and event by event
  assert.equal(Buffer.from(format(events)).toString(), expected);
  for (const event of events)
    assert.deepEqual(Buffer.from(format([event])), Buffer.from(`${toJson(event, options)}\n`));
}

describe('jsonLines', () => {
  it('1. writes events of all kinds like toJson()', () => {
    for (const options of OPTIONS) assertSame(createEventsOfAllKinds(), options);
  });

  it('2. writes values of each type with any content', () => {
    const process = createProcess();
    fc.assert(
      fc.property(kinds, fc.array(fc.tuple(args, values), { maxLength: 5 }), fc.boolean(), (kind, list, returns) => {
        const compiled = list.map(([value]) => value);
        const hook = hookOf(kind, compiled, returns);
        const format = jsonLines();
        const content = list.map(([, value]) => value);
        // the second event uses the fragments of the first
        for (const each of [content, content.map((value) => ({ ...value, text: 'x', flags: 0 })), content])
          assertSame([createEvent(hook, each, process)], {}, format);
      }),
      { numRuns: 1000 },
    );
  });

  it('3. writes times and thread ids of any size', () => {
    const hook = fileHook();
    const times = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt({ min: 0n, max: 10n ** 17n }));
    const offsets = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 61n }), fc.bigInt({ min: -(10n ** 18n), max: 0n }));
    fc.assert(
      fc.property(offsets, times, fc.nat({ max: 2 ** 32 - 1 }), (offset, time, tid) => {
        fc.pre((time + offset) / 1_000_000_000n < 8_640_000_000_000n && time + offset > -(10n ** 18n));
        assertSame([createEvent(hook, FILE, createProcess(offset), { time, tid })]);
      }),
      { numRuns: 200 },
    );
  });

  it('4. writes members that few events have', () => {
    const process = createProcess();
    for (const [name, edit] of Object.entries(RARE_EDITS)) {
      const hook = fileHook();
      const format = jsonLines();
      for (const change of [{ edit }, {}, { edit }, {}])
        assert.doesNotThrow(() => assertSame([createEvent(hook, FILE, process, change)], {}, format), name);
    }
  });

  it('4a. writes the marks of an event whose hook had an event without marks', () => {
    const { list, edit } = MARKED;
    const hook = MARKED.createHook();
    const process = createProcess();
    const format = jsonLines();
    for (const change of [{}, { edit }, {}]) assertSame([createEvent(hook, list, process, change)], {}, format);
    assert.match(toJson(createEvent(hook, list, process, { edit })), /"marks":\[\]/);
  });

  it('5. has the names of the function that was called', () => {
    const hook = { ...fileHook(), functions: ['one', 'two'] };
    const process = createProcess();
    const events = [0, 1, 2, 1, 0].map((point) => createEvent(hook, FILE, process, { point }));
    assertSame(events);
  });

  it('6. formats a process again when its container becomes known, and with other options', () => {
    const process = createProcess();
    const parent = process.parentProcess as TrackedProcess;
    const formats = OPTIONS.map((options) => ({ options, format: jsonLines(options) }));
    const hooks = [fileHook(), fileHook({ kind: 'lsm' })];
    const events = [...hooks, ...hooks].map((hook) => createEvent(hook, FILE, process));
    const check = (): void => {
      for (const { options, format } of [...formats, ...formats]) assertSame(events, options, format);
    };
    check();
    for (const tracked of [process, parent]) {
      Object.defineProperty(tracked, 'container', { value: { id: 'c'.repeat(64), name: 'web' }, configurable: true });
      check();
      Object.defineProperty(tracked, 'pod', { value: { namespace: 'default', name: 'web' }, configurable: true });
      check();
    }
    process.parentProcess = undefined;
    check();
  });

  it('7. writes more lines than its buffer holds, and then few ones', () => {
    const hook = fileHook();
    const process = createProcess();
    const format = jsonLines();
    const many = Array.from({ length: 9000 }, (_, i) => createEvent(hook, FILE, process, { time: BigInt(i) }));
    for (const events of [many, many.slice(0, 1), many])
      assert.equal(Buffer.from(format(events)).toString(), events.map((event) => `${toJson(event)}\n`).join(''));
  });

  it('8. reads ordinary events from their records: no member is decoded', () => {
    const types = ['file', 'int', 'uint32', 'int64', 'size_t', 'string', 'path', 'fd'] as const;
    const hook = fileHook({ args: types.map((type, index) => compiledValue(type, { index })) });
    const process = createProcess();
    const list = types.map(() => ({ text: '/x', value: 7n, mode: 0o100644 }));
    const format = jsonLines();
    const [first, second] = [createEvent(hook, list, process), createEvent(hook, list, process)];
    const expected = Buffer.from(format([first])).toString();
    for (const name of ['args', 'time', 'parent', 'actions'])
      Object.defineProperty(second, name, { get: () => assert.fail(`${name} was read`) });
    assert.equal(Buffer.from(format([second])).toString(), expected);
  });

  it('9. writes execs and exits of any status, with and without the environment', () => {
    for (const environment of [undefined, new Set<string>()]) {
      const cache = new ProcessCache({
        nodeName: 'n"ö',
        clock: new Clock(() => 5n),
        ...(environment && { environment }),
      });
      const records = [0, 1, 0x100, 9, 0x86].flatMap((status, n) => [
        execRecord(testProcess(n + 1), testProcess(n), `/bin/"é${n}`),
        exitRecord(testProcess(n + 1), status),
      ]);
      const events = readRecords(cache, records);
      assert.equal(events.length, records.length);
      for (const options of OPTIONS) assertSame(events, options);
    }
  });

  it('10. formats plain events', () => {
    const events = createEventsOfAllKinds();
    const plain = events.map((event) => event.toObject());
    assert.equal(Buffer.from(jsonLines()(plain)).toString(), events.map((event) => `${toJson(event)}\n`).join(''));
  });

  it('11. formats only the lines that the addon cannot write', () => {
    const hook = fileHook();
    const process = createProcess();
    const paths = ['/a', '/"', '/b', '/\xff', '', '/c', '/\u202e', '/d\x7f', '/12345678\\', '/1234567\x1f9abcdef', '/e'];
    const events = paths.map((text) => createEvent(hook, [{ text, mode: 0o100644 }, { value: 1n }], process));
    assertSame(events);
    const lost = createEventsOfAllKinds();
    assertSame([...events, ...lost, ...events, ...lost.reverse()]);
    let count = 0;
    const format = jsonLines({}, () => (progress, ...rest) => {
      loadBinding().writeLines(progress, ...rest);
      count += progress[3] as number;
    });
    assertSame(events, {}, format);
    // each line is written twice
    assert.equal(count, 2 * paths.filter((text) => !/^\/[a-z]$/.test(text)).length);
  });

  it('12. writes the permissions of every mode', () => {
    const hook = fileHook({ args: [compiledValue('file')] });
    const process = createProcess();
    // all bits, and all types
    const modes = Array.from({ length: 2 ** 12 }, (_, bits) => 0o100000 | bits);
    const types = Array.from({ length: 16 }, (_, type) => (type << 12) | 0o644);
    const format = jsonLines();
    const events = [...modes, ...types, 0, 1, 2 ** 16, 2 ** 32 - 1].map((mode) => createEvent(hook, [{ text: '/x', mode }], process));
    const expected = events.map((event) => `${toJson(event)}\n`).join('');
    assert.ok(Buffer.from(format(events)).equals(Buffer.from(expected)));
  });

  it('13. forgets the texts of processes when there are too many', () => {
    const hook = fileHook();
    const format = jsonLines();
    const binary = `/bin/${'x'.repeat(4000)}`;
    const processes = Array.from({ length: 1500 }, () => createProcess(5n, binary));
    const events = processes.map((process) => createEvent(hook, FILE, process));
    const all = [...events, ...events];
    const expected = Buffer.from(all.map((event) => `${toJson(event)}\n`).join(''));
    assert.ok(Buffer.from(format(all)).equals(expected));
  });

  it('14. writes events of two tracers, and of records that were copied', () => {
    const [hook, otherHook] = [fileHook(), fileHook()];
    const [one, other] = [createProcess(5n), createProcess(5_000_000_005n, '/bin/other', 'other')];
    const events = [one, one, other, one, other, other].map((process) =>
      createEvent(process === one ? hook : otherHook, FILE, process),
    );
    assertSame(events);
    const record = Buffer.concat([valuesRecord(FILE), valuesRecord([{ text: '/later', mode: 0o100600 }, { value: 2n }])]);
    const second = valuesRecord(FILE).length;
    const chunk = new RecordChunk(new RecordBuffer(record), second, record.length);
    const event = createHookEvent(chunk, second, one.view, hook) as TracerEvent;
    assertSame([event]);
    chunk.detach();
    assertSame([event]);
    assert.match(Buffer.from(jsonLines()([event])).toString(), /"\/later"/);
  });

  it('14a. forgets the lines of a batch whose formatting has thrown', () => {
    const cache = new ProcessCache({ nodeName: 'n', clock: new Clock(() => 5n) });
    // records of one buffer, so that their lines are written together
    const [one, other] = readRecords(cache, [1, 2].map((n) => execRecord(testProcess(n), testProcess(0)))) as [TracerEvent, TracerEvent]; // prettier-ignore
    let isBroken = false;
    const redact = (): [number, number][] => {
      if (isBroken) throw new Error('broken');
      return [];
    };
    const format = jsonLines({ redact });
    // the process of the first line is not formatted again
    format([one]);
    isBroken = true;
    assert.throws(() => format([one, other]), /broken/);
    isBroken = false;
    assertSame([other], { redact }, format);
  });

  it('15. takes nothing for granted in what it is given', () => {
    const { writeLines } = loadBinding();
    const words = fc.oneof(fc.nat({ max: 80 }), fc.constantFrom(2 ** 32 - 1, 2 ** 31, 2 ** 16), fc.nat({ max: 2 ** 32 - 1 }));
    const bytes = fc.array(words, { maxLength: 60 }).map((list) => new Uint8Array(Uint32Array.from(list).buffer));
    const parts = fc.array(fc.tuple(fc.nat({ max: 26 }), words, words), { maxLength: 8 });
    // lines, and messages
    const patterns = fc.oneof(
      parts,
      parts.map((list): typeof list => [[LineOp.message, 0, 0], ...list]),
    );
    const size = fc.nat({ max: 300 });
    fc.assert(
      fc.property(patterns, bytes, bytes, bytes, fc.array(words, { maxLength: 16 }), size, words, (parts, ...rest) => {
        const [tail, randomRecords, texts, lines, length, count] = rest;
        const arena = Buffer.concat([Buffer.from(Uint32Array.from([parts.length, ...parts.flat()]).buffer), tail]);
        const record = valuesRecord([{ text: 'abc', mode: 0o100644 }, { value: 3n }]);
        const records = count % 2 === 0 ? randomRecords : record;
        const list = Uint32Array.from([0, 0, 0, 0, ...lines]);
        const output = new Uint8Array(length + 8).fill(0xee);
        const progress = Uint32Array.from([0, count, 0, 0]);
        // eight bytes behind the output must stay as they are
        writeLines(progress, list, arena, records, texts, output.subarray(0, length), 1, 999_999_999);
        assert.deepEqual([...output.subarray(length)], Array.from({ length: 8 }, () => 0xee));
        assert.ok((progress[2] as number) <= length);
        assert.ok((progress[0] as number) <= Math.min(count, list.length >> 2));
      }),
      { numRuns: 5000 },
    );
  });

  it('16. resists arguments of other types', () => {
    const writeLines = loadBinding().writeLines as unknown as (...all: unknown[]) => void;
    const empty = new Uint8Array();
    for (const wrong of [undefined, null, 1, {}, [], new Float64Array(4), new Uint32Array(1), new ArrayBuffer(8)]) {
      const all = [new Uint32Array(4), new Uint32Array(4), empty, empty, empty, empty, 0, 0];
      for (const i of all.keys()) {
        try {
          writeLines(...all.map((argument, n) => (n === i ? wrong : argument)));
        } catch (error) {
          assert.match(String(error), /number/);
        }
      }
    }
  });
});
