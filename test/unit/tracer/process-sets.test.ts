/**
 * The bits of process sets: their assignment to sets, the order of updates of the base sensor, and the reuse of bits.
 */
import assert from 'node:assert/strict';
import type { ProcessSet } from '../../../lib/compiled/compiled-policy.js';
import { ProcessSets } from '../../../lib/tracer/process-sets.js';
import { AbiLimit, TrieKey } from '../../../lib/wire/layout.gen.js';

const processSet = (more: Partial<ProcessSet>): ProcessSet => ({
  equal: [],
  prefix: [],
  postfix: [],
  pids: [],
  inNamespace: false,
  follow: false,
  trusted: false,
  ...more,
});

function listBits(sets: Uint8Array): number[] {
  return Array.from({ length: 8 * sets.length }, (_, bit) => bit).filter(
    (bit) => (((sets[bit >> 3] as number) >> (bit & 7)) & 1) === 1,
  );
}

const SETS_BYTES = 32;
const KEYS: Readonly<Record<string, { readonly size: number; readonly format: (key: Buffer) => string }>> = {
  binary_equal: { size: 512, format: (key) => key.toString().replace(/\0+$/, '') },
  binary_prefix: { size: TrieKey.sizeof, format: trieString },
  binary_postfix: { size: TrieKey.sizeof, format: (key) => [...trieString(key)].reverse().join('') },
  argument_prefix: { size: TrieKey.sizeof, format: (key) => `${key[TrieKey.slot]}:${trieString(key)}` },
  argument_postfix: { size: TrieKey.sizeof, format: (key) => `${key[TrieKey.slot]}:${trieString(key)}` },
  argument_unknown: { size: 4, format: (key) => String(key.readUInt32LE(0)) },
  pid_sets: { size: 8, format: (key) => `${key.readUInt32LE(0)}/${key.readUInt32LE(4)}` },
};

function trieString(key: Buffer): string {
  return key.subarray(TrieKey.string, TrieKey.string + key.readUInt32LE(0) / 8 - 1).toString();
}

/** A fake base sensor that records the calls and the entries. */
class FakeSensor {
  readonly calls: string[] = [];
  readonly tables = new Map<string, Map<string, number[]>>();
  selecting: readonly number[] = [];
  failure: Error | undefined;
  deleteFailure: Error | undefined;

  enableProcessSets(): Promise<void> {
    this.calls.push('use');
    return Promise.resolve();
  }

  setProcessSetKinds(followed: Uint8Array, trusted: Uint8Array, prefixed: Uint8Array, selecting: Uint8Array): void {
    this.calls.push(`follow ${listBits(followed).join(' ')}`.trim());
    if (listBits(trusted).length > 0) this.calls.push(`trust ${listBits(trusted).join(' ')}`);
    if (listBits(prefixed).length > 0) this.calls.push(`prefixed ${listBits(prefixed).join(' ')}`);
    this.selecting = listBits(selecting);
  }

  clearSets(sets: Uint8Array): Promise<void> {
    this.calls.push(`clear ${listBits(sets).join(' ')}`);
    return Promise.resolve();
  }

  trackArguments(tracking: number): Promise<void> {
    this.calls.push(`track ${['ignore', 'keep', 'collect'][tracking]}`);
    return Promise.resolve();
  }

  putArguments(pid: number): Promise<void> {
    this.calls.push(`arguments of ${pid}`);
    return Promise.resolve();
  }

  beginScan(sets: Uint8Array): Promise<void> {
    this.calls.push(`begin ${listBits(sets).join(' ')}`);
    return Promise.resolve();
  }

  finishScan(sets: Uint8Array): Promise<void> {
    this.calls.push(`finish ${listBits(sets).join(' ')}`);
    return Promise.resolve();
  }

  putEntries(map: string, entries: Uint8Array): Promise<void> {
    this.calls.push(`put ${map}`);
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const { size, format: read } = KEYS[map] as (typeof KEYS)[string];
    for (let at = 0; at < entries.length; at += size + SETS_BYTES) {
      const key = read(Buffer.from(entries.subarray(at, at + size)));
      this.getTable(map).set(key, listBits(entries.subarray(at + size, at + size + SETS_BYTES)));
    }
    return Promise.resolve();
  }

  deleteEntries(map: string, keys: Uint8Array): Promise<void> {
    this.calls.push(`delete ${map}`);
    if (this.deleteFailure !== undefined) return Promise.reject(this.deleteFailure);
    const { size, format: read } = KEYS[map] as (typeof KEYS)[string];
    for (let at = 0; at < keys.length; at += size)
      this.getTable(map).delete(read(Buffer.from(keys.subarray(at, at + size))));
    return Promise.resolve();
  }

  getTable(map: string): Map<string, number[]> {
    const found = this.tables.get(map) ?? new Map<string, number[]>();
    this.tables.set(map, found);
    return found;
  }

  takeCalls(): string[] {
    return this.calls.splice(0);
  }
}

describe('sets of processes', () => {
  let session: FakeSensor;
  let sets: ProcessSets;
  beforeEach(() => {
    session = new FakeSensor();
    sets = new ProcessSets(session, (given) => given.putArguments(7, Buffer.alloc(0), false));
  });

  it('processes that fork and exec are followed before the values of a set are written', async () => {
    assert.deepEqual(
      await sets.acquire([processSet({ equal: ['/bin/a'], follow: true }), processSet({ pids: [7] })]),
      [0, 1],
    );
    assert.deepEqual(session.takeCalls(), [
      'use',
      'follow 0',
      'begin 0 1',
      'put binary_equal',
      'put pid_sets',
      'finish 0 1',
    ]);
    assert.deepEqual(await sets.acquire([]), []);
    assert.deepEqual(session.takeCalls(), []);
  });

  it('arguments of running processes are passed on when the values are in the tables', async () => {
    const filters = [
      processSet({ argument: 'any', equal: ['-x'] }),
      processSet({ argument: 2, prefix: ['a'], postfix: ['bc'], trusted: true }),
      processSet({ argument: 2, equal: ['ab'] }),
    ];
    assert.deepEqual(await sets.acquire(filters), [0, 1, 2]);
    assert.deepEqual(session.takeCalls(), [
      'use',
      'follow',
      'begin 0 1 2',
      'put argument_prefix',
      'put argument_postfix',
      'put argument_unknown',
      'track collect',
      'arguments of 7',
      'finish 0 1 2',
      'track keep',
    ]);
    const prefixes = session.tables.get('argument_prefix');
    assert.deepEqual([...(prefixes ?? [])].sort(), [['255:-x\0', [0]], ['2:a', [1]], ['2:ab\0', [1, 2]]].sort()); // prettier-ignore
    assert.deepEqual(session.tables.get('argument_postfix'), new Map([['2:cb', [1]]]));
    const unknown = session.tables.get('argument_unknown');
    assert.deepEqual(['0', '2', '3', '255'].map((known) => unknown?.get(known)), [[0, 2], [0, 2], [0], [0]]); // prettier-ignore
    assert.deepEqual(session.selecting, []);
    await sets.release([0, 1, 2]);
    assert.equal(session.takeCalls().at(-1), 'track ignore');
  });

  it('an unknown executable is in the sets that select by executables, and in no other', async () => {
    const [equal, prefix, postfix] = await sets.acquire([
      processSet({ equal: ['/a'] }),
      processSet({ prefix: ['/a'] }),
      processSet({ postfix: ['/a'] }),
      processSet({ equal: ['/a'], trusted: true }),
      processSet({ pids: [1] }),
    ]);
    assert.deepEqual(session.selecting, [equal, prefix, postfix]);
  });

  it('a set of trusted executables differs from a set of paths, and the sensor knows it before its values', async () => {
    const [seen, trusted] = await sets.acquire([
      processSet({ equal: ['/a'] }),
      processSet({ equal: ['/a'], trusted: true }),
    ]);
    assert.notEqual(seen, trusted);
    assert.ok(session.calls.indexOf(`trust ${trusted}`) < session.calls.indexOf('put binary_equal'));
    assert.deepEqual(session.getTable('binary_equal').get('/a'), [seen, trusted]);
  });

  it('equal sets share a bit, and processes are not scanned again for it', async () => {
    const set = processSet({ equal: ['/bin/a'], pids: [1] });
    assert.deepEqual(await sets.acquire([set]), [0]);
    session.takeCalls();
    assert.deepEqual(await sets.acquire([{ ...set }]), [0]);
    assert.deepEqual(session.takeCalls(), []);
    const others = [
      { ...set, follow: true },
      { ...set, inNamespace: true },
      { ...set, equal: ['/bin/b'] },
    ];
    assert.deepEqual(await sets.acquire(others), [1, 2, 3]);
    await sets.release([0]);
    assert.deepEqual([...session.getTable('binary_equal').get('/bin/a')!], [0, 1, 2]);
    await sets.release([0]);
    assert.deepEqual([...session.getTable('binary_equal').get('/bin/a')!], [1, 2]);
  });

  it('the sensor knows which sets have prefixes', async () => {
    const [, prefixes] = await sets.acquire([processSet({ equal: ['/a'] }), processSet({ prefix: ['/b'] })]);
    assert.ok(session.calls.includes(`prefixed ${prefixes}`));
  });

  it('an entry has the sets of every value that is a prefix or postfix of it', async () => {
    await sets.acquire([
      processSet({ prefix: ['/usr/'], postfix: ['sh'] }),
      processSet({ prefix: ['/usr/bin/'], postfix: ['bash', 'x'] }),
    ]);
    assert.deepEqual(
      [...session.getTable('binary_prefix')],
      [
        ['/usr/', [0]],
        ['/usr/bin/', [0, 1]],
      ],
    );
    assert.deepEqual(
      [...session.getTable('binary_postfix')],
      [
        ['sh', [0]],
        ['bash', [0, 1]],
        ['x', [1]],
      ],
    );
    await sets.release([0]);
    assert.deepEqual([...session.getTable('binary_prefix')], [['/usr/bin/', [1]]]);
    assert.deepEqual(
      [...session.getTable('binary_postfix')],
      [
        ['bash', [1]],
        ['x', [1]],
      ],
    );
  });

  it('process ids of the host and of a pid namespace are different values', async () => {
    await sets.acquire([processSet({ pids: [1, 2] }), processSet({ pids: [1], inNamespace: true })]);
    assert.deepEqual(
      [...session.getTable('pid_sets')],
      [
        ['1/0', [0]],
        ['2/0', [0]],
        ['1/1', [1]],
      ],
    );
    await sets.release([0]);
    assert.deepEqual([...session.getTable('pid_sets')], [['1/1', [1]]]);
  });

  it('a removed set is no longer followed, and no table has its values', async () => {
    await sets.acquire([
      processSet({ equal: ['/bin/a'], follow: true }),
      processSet({ equal: ['/bin/b'], follow: true }),
    ]);
    session.takeCalls();
    await sets.release([0]);
    assert.deepEqual(session.takeCalls(), ['delete binary_equal', 'follow 1']);
  });

  it('reuses bits that no process can have first, and clears other bits in every process before reuse', async () => {
    const numberedSets = (from: number, count: number): ProcessSet[] =>
      Array.from({ length: count }, (_, i) => processSet({ equal: [`/bin/${from + i}`] }));
    assert.deepEqual(await sets.acquire(numberedSets(0, 2)), [0, 1]);
    await sets.release([0, 1]);
    const rest = await sets.acquire(numberedSets(2, AbiLimit.PROCESS_SETS_MAX - 2));
    assert.deepEqual([rest[0], rest.at(-1)], [2, AbiLimit.PROCESS_SETS_MAX - 1]);
    assert.ok(!session.takeCalls().some((call) => call.startsWith('clear')));
    assert.deepEqual(await sets.acquire(numberedSets(1000, 1)), [0]);
    assert.deepEqual(session.takeCalls(), ['use', 'clear 0', 'follow', 'begin 0', 'put binary_equal', 'finish 0']);
    // The bit was cleared, and removed before any process had it, so only another set can have it.
    await sets.release([0]);
    assert.deepEqual(await sets.acquire(numberedSets(2000, 2)), [0, 1]);
    assert.ok(session.takeCalls().includes('clear 0 1'));
    await assert.rejects(sets.acquire(numberedSets(3000, 1)), { code: 'LIMIT_PROCESS_SETS' });
  });

  it('if the values do not fit, the set is removed completely, and the scan ends', async () => {
    session.failure = Object.assign(new Error('no room'), { code: 'MAP_UPDATE', errno: 'E2BIG' });
    await assert.rejects(sets.acquire([processSet({ equal: ['/bin/a'], follow: true })]), {
      code: 'LIMIT_PROCESS_VALUES',
    });
    assert.deepEqual(session.takeCalls(), [
      'use',
      'follow 0',
      'begin 0',
      'put binary_equal',
      'finish 0',
      'delete binary_equal',
      'follow',
    ]);
    session.failure = Object.assign(new Error('not allowed'), { code: 'MAP_UPDATE', errno: 'EPERM' });
    await assert.rejects(sets.acquire([processSet({ equal: ['/bin/a'] })]), /not allowed/);
    session.failure = undefined;
    assert.deepEqual(await sets.acquire([processSet({ equal: ['/bin/a'] })]), [2]);
  });

  it('values that could not be deleted are deleted before the next set, and the first error is reported', async () => {
    const [bit] = await sets.acquire([processSet({ equal: ['/bin/a'], follow: true })]);
    session.deleteFailure = new Error('no memory');
    await assert.rejects(sets.release([bit as number]), /no memory/);
    await assert.rejects(sets.acquire([processSet({ equal: ['/bin/b'] })]), /no memory/);
    assert.deepEqual([...session.getTable('binary_equal').keys()], ['/bin/a']);
    session.deleteFailure = undefined;
    session.takeCalls();
    assert.deepEqual(await sets.acquire([processSet({ equal: ['/bin/b'] })]), [1]);
    assert.deepEqual(session.takeCalls(), [
      'delete binary_equal',
      'follow',
      'use',
      'follow',
      'begin 1',
      'put binary_equal',
      'finish 1',
    ]);
    assert.deepEqual([...session.getTable('binary_equal').keys()], ['/bin/b']);
    session.failure = new Error('no room');
    session.deleteFailure = new Error('no memory');
    await assert.rejects(sets.acquire([processSet({ equal: ['/bin/c'] })]), /no room/);
  });
});
