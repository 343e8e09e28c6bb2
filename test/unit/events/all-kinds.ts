/** One event of each kind, as the tracer makes them from records. */
import assert from 'node:assert/strict';
import { createHookEvent } from '../../../lib/events/events.js';
import { newTally, type LoadedHook } from '../../../lib/events/hook.js';
import type { CompiledHook, CompiledValue } from '../../../lib/compiled/compiled-policy.js';
import { ProcessCache } from '../../../lib/process/cache.js';
import { Clock } from '../../../lib/process/clock.js';
import { RecordReader } from '../../../lib/stream/reader.js';
import type { TracerEvent } from '../../../types/events.js';
import { exec, exit, fork, hook, type Who } from '../wire/records.js';
import { UNWATCHED } from '../stream/fake-session.js';
import { recordOf, slabOf } from '../wire/decode/values.js';

const who = (n: number): Who => ({ pid: 20_000_000 + n, start: BigInt(n) * 1_000_000n, count: 1 });
const child: Who = { ...who(3), count: 0 };

const value = (type: CompiledValue['type'], index: number): CompiledValue => {
  return { index, type, ints: [], texts: {}, net: {}, position: { line: 1, column: 1 } };
};
const image = (kind: CompiledHook['kind']): CompiledHook =>
  ({
    kind,
    call: 'f',
    syscall: false,
    position: { file: 'p.yaml', line: 1, column: 1 },
    process: [],
    sets: [],
    scopes: [],
    changes: [],
    cel: { entry: [], returned: [] },
    args: [value('string', 0), value('uint64', 1), value('char_buf', 2), value('file', 3)],
    data: [],
    returnArg: value('int64', 0),
    message: 'seen',
    tags: Object.freeze(['a']),
    tracepoint: { subsystem: 's', event: 'e' },
    program: { path: '/a', symbol: 'f', symbolOffset: 8n },
    usdt: { path: '/a', provider: 'p', name: 'n' },
  }) as unknown as CompiledHook;
const loaded = (kind: CompiledHook['kind']): LoadedHook =>
  ({ id: 9, policyName: 'p', functionName: 'f', compiled: image(kind), tally: newTally() }) as LoadedHook;

/** One event of each kind, of a process with a parent and an ancestor. */
export function eventsOfAllKinds(): TracerEvent[] {
  const cache = new ProcessCache({ nodeName: 'n', clock: new Clock(() => 5n) });
  const read = (...records: Buffer[]): TracerEvent[] => {
    const drain = (slab: Uint8Array, offset: number): number => {
      for (const record of records.splice(0)) {
        slab.set(record, offset);
        offset += record.length;
      }
      return offset;
    };
    return new RecordReader({ drain, ...UNWATCHED }, cache, new Map()).readEvents() ?? [];
  };
  const records = [exec(who(1), who(0)), exec(who(2), who(1)), fork(child, who(2)), exit(child, 0x100)];
  const [, second, exited] = read(...records);
  const process = cache.findForHook(slabOf(hook(child, 9)).slab, 0).view;
  const made = (['kprobe', 'raw_tracepoint', 'lsm', 'uprobe', 'usdt', 'loader'] as const).map((kind) => {
    const values = [
      { text: 'x' },
      { value: 2n ** 60n },
      { text: '\0\x01' },
      { text: '/etc/x', value: 5n },
      { value: -1n },
    ];
    const { slab, at } = slabOf(recordOf(kind === 'loader' ? [values[3] ?? {}] : values));
    const of = kind === 'loader' ? { ...image(kind), args: [value('file', 0)] } : image(kind);
    return createHookEvent(slab, at, process, { ...loaded(kind), compiled: of });
  });
  const all = [second, exited, ...made].filter((event) => event !== undefined);
  assert.equal(all.length, 8);
  return all;
}
