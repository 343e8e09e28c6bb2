/** The labels of metrics that need the names of containers, which can come later than the first reading. */
import assert from 'node:assert/strict';
import { MetricReader, type MetricReaderParts } from '../../../lib/tracer/metrics.js';
import type { HookSums } from '../../../lib/wire/decode/counts.js';
import { AbiLimit } from '../../../lib/wire/layout.gen.js';

const SINCE = new Date(1);
const KEY_SIZE = 8 * (1 + 2 * 2);
const SUM_SIZE = 16;

/** The table of a hook that counts by container and pod: a row for each cgroup. */
function createTables(cgroups: readonly (readonly [cgroup: bigint, calls: bigint])[]): HookSums {
  const keys = Buffer.alloc(cgroups.length * (KEY_SIZE + SUM_SIZE));
  cgroups.forEach(([cgroup, calls], i) => {
    const at = i * (KEY_SIZE + SUM_SIZE);
    keys.writeBigUInt64LE(cgroup, at + 8);
    keys.writeBigUInt64LE(cgroup, at + 24);
    keys.writeBigUInt64LE(calls, at + KEY_SIZE);
  });
  const totals = Buffer.alloc(AbiLimit.COUNTS_MAX * SUM_SIZE);
  return { keys, totals, texts: Buffer.alloc(0), keySize: KEY_SIZE, sumSize: SUM_SIZE };
}

const COUNT = {
  metric: 'execs',
  kind: 'counter',
  labels: [
    { name: 'container', of: 'container' },
    { name: 'pod', of: 'pod' },
  ],
} as const;
const HOOK = { id: 1, compiled: { counts: [COUNT], args: [], data: [] } as never };

const CONTAINERS = new Map([
  [2n, { id: 'aaa' }],
  [3n, { id: 'bbb' }],
]);

describe('labels of containers', () => {
  const named = new Map<string, { readonly name: string; readonly pod?: string }>();
  const pending = new Set<string>();
  let rows: readonly (readonly [bigint, bigint])[] = [];
  const parts: MetricReaderParts = {
    session: { readSums: () => Promise.resolve(createTables(rows)) },
    cgroups: { findContainer: (id) => CONTAINERS.get(id), isKnown: (id) => id === 1n },
    names: {
      find: (container) => {
        const found = named.get(container.id);
        if (found === undefined) return undefined;
        const pod = found.pod === undefined ? undefined : { name: found.pod, namespace: 'shop' };
        return { container: { ...container, name: found.name }, pod };
      },
      isPending: ({ id }) => pending.has(id),
    },
  };
  let reader: MetricReader;
  const read = async (): Promise<readonly (readonly [string, bigint])[]> => {
    const [metric] = await reader.read([{ compiled: { name: 'p' }, hooks: [HOOK], since: SINCE }]);
    assert.equal(metric?.since, SINCE);
    return metric.series.map(({ labels, calls }) => [labels.join(), calls] as const);
  };

  beforeEach(() => {
    reader = new MetricReader(parts);
    named.clear();
    pending.clear();
  });

  it('the name of a container and its pod can come later', async () => {
    rows = [
      [1n, 5n],
      [2n, 1n],
      [3n, 2n],
    ];
    pending.add('aaa');
    assert.deepEqual(await read(), [
      [',', 5n],
      ['aaa,(unknown)', 1n],
      ['bbb,', 2n],
    ]);
    pending.clear();
    named.set('aaa', { name: 'web', pod: 'web-1' });
    named.set('bbb', { name: 'db' });
    assert.deepEqual(await read(), [
      [',', 5n],
      ['web,web-1', 1n],
      ['db,', 2n],
    ]);
  });

  it('a container that has ended keeps its names', async () => {
    rows = [[2n, 1n]];
    named.set('aaa', { name: 'web', pod: 'web-1' });
    await read();
    named.clear();
    assert.deepEqual(await read(), [['web,web-1', 1n]]);
  });

  it('a cgroup that nobody knows is unknown, and those of equal names are added up', async () => {
    rows = [
      [2n, 1n],
      [3n, 2n],
      [9n, 4n],
    ];
    named.set('aaa', { name: 'web' });
    named.set('bbb', { name: 'web' });
    assert.deepEqual(await read(), [
      ['web,', 3n],
      ['(unknown),(unknown)', 4n],
    ]);
  });
});
