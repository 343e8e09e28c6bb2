/**
 * compactLines() must write the bytes of formatCompact() for each event, whatever a traced program has chosen: the addon
 * writes them from the records.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { CompiledHook } from '../../lib/compiled/compiled-policy.js';
import { compactLines } from '../../lib/lines/compact-lines.js';
import { loadBinding } from '../../lib/native/binding.js';
import { formatCompact } from '../../lib/output/compact.js';
import { ProcessCache } from '../../lib/process/cache.js';
import { Clock } from '../../lib/process/clock.js';
import type { TrackedProcess } from '../../lib/process/process.js';
import { EventFlag, EventHeader, EventHook } from '../../lib/wire/layout.gen.js';
import type { TracerEvent } from '../../types/events.js';
import type { CompactOptions } from '../../types/output.js';
import { compiledValue } from '../unit/compiled-hooks.js';
import { createEventsOfAllKinds } from '../unit/events/all-kinds.js';
import { execRecord, exitRecord, testProcess } from '../unit/wire/records.js';
import { args, createEvent, createProcess, FILE, fileHook, kinds, readRecords, values } from './line-cases.js';

const OPTIONS: readonly CompactOptions[] = [
  {},
  { color: true, timestamps: true, who: true },
  { style: 'tetragon', who: true },
  { capabilities: true },
  { redact: (text) => (text.length > 1 ? [[1, 2]] : []) },
];

/** Functions with a line of their own, and others. */
const FUNCTIONS = [
  'security_file_permission', 'security_mmap_file', 'security_file_mprotect', '__x64_sys_setns', '__x64_sys_write',
  'fd_install', '__arm64_sys_setuid', 'security_path_rename', 'security_path_link', 'security_sb_mount', 'tcp_sendmsg',
  'do_exit', '__x64_sys_dup',
]; // prettier-ignore

function assertSame(events: readonly TracerEvent[], options: CompactOptions = {}, format = compactLines(options)): void {
  const expected = events.map((event) => `${formatCompact(event, options)}\n`);
  assert.equal(Buffer.from(format(events)).toString(), expected.join(''));
  for (const [i, event] of events.entries()) assert.equal(Buffer.from(format([event])).toString(), expected[i]);
}

/** Returns a function that counts the lines that the addon has left to JavaScript. */
function countGaps(events: readonly TracerEvent[], options: CompactOptions = {}): number {
  let count = 0;
  const format = compactLines(options, () => (progress, ...rest) => {
    loadBinding().writeLines(progress, ...rest);
    count += progress[3] as number;
  });
  assertSame(events, options, format);
  return count;
}

describe('compactLines', () => {
  it('1. writes events of all kinds like formatCompact()', () => {
    const events = createEventsOfAllKinds();
    for (const options of OPTIONS) assertSame([...events, ...events].reverse(), options);
    const plain = events.map((event) => event.toObject());
    assert.equal(
      Buffer.from(compactLines()(plain)).toString(),
      plain.map((event) => `${formatCompact(event)}\n`).join(''),
    );
  });

  it('2. writes values of each type with any content, of functions with and without lines of their own', () => {
    const process = createProcess();
    const names = fc.constantFrom(...FUNCTIONS);
    const options = fc.constantFrom(...OPTIONS);
    const returns = fc.boolean();
    const list = fc.array(fc.tuple(args, values), { maxLength: 7 });
    fc.assert(
      fc.property(kinds, names, list, returns, options, (kind, functionName, pairs, hasReturn, each) => {
        const compiled = pairs.map(([value], index) => ({ ...value, index }));
        const returnArg = hasReturn ? compiled.pop() : undefined;
        const more: Partial<CompiledHook> = {
          kind,
          args: compiled,
          message: 'M"\u202e',
          tracepoint: { subsystem: 's', event: '"' },
          program: { path: '/ä', symbol: 'f' },
          usdt: { path: '/a', provider: 'p', name: 'n' },
          ...(returnArg && { returnArg }),
        };
        const hook = { ...fileHook(more), functionName };
        const format = compactLines(each);
        const content = pairs.map(([, value]) => value);
        const plain = content.map((value) => ({ ...value, text: '/x/y', flags: 0 }));
        const others = plain.map((value, i) => ({ ...value, text: `/other/${i}`, value: (value.value ?? 0n) + 1n }));
        // the later events use what was found out with the first
        for (const of of [content, plain, others, content]) assertSame([createEvent(hook, of, process)], each, format);
      }),
      { numRuns: 1500 },
    );
  });

  it('3. leaves no ordinary line to JavaScript', () => {
    const process = createProcess(5n, '/bin/cat', 'node');
    const number = (type: 'int' | 'size_t', index: number) => compiledValue(type, { index });
    const events = FUNCTIONS.filter((name) => !/mmap|rename|link/.test(name)).flatMap((functionName) => {
      const hooks = [
        fileHook({ args: [compiledValue('file'), number('int', 1)] }),
        fileHook({ args: [number('int', 1), compiledValue('string', { label: 'l' })], returnArg: number('int', 0) }),
      ];
      return hooks.flatMap((hook) =>
        [1n, 2n, 4n, 99n].map((value) =>
          createEvent({ ...hook, functionName }, Array(3).fill({ text: '/x\\', value, mode: 0o100644 }), process),
        ),
      );
    });
    for (const options of OPTIONS.filter(({ capabilities }) => capabilities !== true))
      assert.equal(countGaps(events, options), 0);
  });

  it('4. leaves lines to JavaScript that need quotes or have rare members', () => {
    const process = createProcess();
    const hook = { ...fileHook(), functionName: 'security_file_permission' };
    const paths = ['/a', '/"', '/b c', '/\xff', '', '/\u202e', '/d\x7f', '/12345678 ', '/1234567\x1f9abcdef', '/~\\!'];
    const events = paths.map((text) => createEvent(hook, [{ text, mode: 0o100644 }, { value: 4n }], process));
    assert.equal(countGaps(events), 2 * (paths.length - 2));
    const edits: readonly ((record: Buffer) => void)[] = [
      (record) => record.writeUInt32LE(3, EventHook.suppressed),
      (record) => record.writeUInt16LE(EventFlag.EVENT_MARKED, EventHeader.flags),
      (record) => record.writeUInt16LE(1, EventHook.valuesCount),
    ];
    const format = compactLines();
    for (const edit of edits)
      for (const change of [{}, { edit }, {}]) assertSame([createEvent(hook, FILE, process, change)], {}, format);
  });

  it('5. follows a number that decides about the line, also when it has many values', () => {
    const process = createProcess();
    const hook = { ...fileHook(), functionName: 'security_file_permission' };
    const numbers = [4, 2, 4, 0, ...Array.from({ length: 100 }, (_, i) => i * 7), 2, 4, -1];
    const events = numbers.map((number) =>
      createEvent(hook, [{ text: '/x', mode: 0o100644 }, { value: BigInt(number) }], process),
    );
    assertSame(events);
    assertSame(events.reverse());
  });

  it('6. formats a process again when its container becomes known, or its parent is forgotten', () => {
    const process = createProcess(5n, '/bin/cat', 'node');
    const formats = OPTIONS.map((options) => ({ options, format: compactLines(options) }));
    const events = [fileHook(), fileHook({ kind: 'lsm' })].map((hook) => createEvent(hook, FILE, process));
    const check = (): void => {
      for (const { options, format } of [...formats, ...formats]) assertSame(events, options, format);
    };
    check();
    for (const tracked of [process, process.parentProcess as TrackedProcess]) {
      Object.defineProperty(tracked, 'container', { value: { id: 'c'.repeat(64), name: 'web' }, configurable: true });
      check();
    }
    process.parentProcess = undefined;
    check();
    // after a second exec, the lines have the parent, not the process before
    Object.defineProperty(process, 'formerExecId', { value: 'before' });
    check();
    process.parentProcess = createProcess(5n, '/bin/other');
    check();
  });

  it('7. writes execs and exits', () => {
    const cache = new ProcessCache({ nodeName: 'n"ö', clock: new Clock(() => 5n) });
    const records = [0, 1, 9].flatMap((status, n) => [
      execRecord(testProcess(n + 1), testProcess(n), `/bin/"é${n}`),
      exitRecord(testProcess(n + 1), status),
    ]);
    const events = readRecords(cache, records);
    assert.equal(events.length, records.length);
    for (const options of OPTIONS) assertSame(events, options);
  });
});
