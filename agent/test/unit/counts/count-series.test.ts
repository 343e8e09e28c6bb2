/** The series of counted metrics: bounded, exact in total, and never decreasing. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Metric } from 'polytrace';
import { CountSeries, OTHERS, type CountedMetric } from '../../../lib/counts/count-series.js';
import { labelNames, nameFamilies } from '../../../lib/counts/count-names.js';
import { SharedReading } from '../../../lib/counts/shared-reading.js';
import { runInSlices } from '../../../lib/counts/slices.js';
import { bucketBound, formatValue } from '../../../lib/counts/sums.js';
import { calls, createMetric, createSample } from './samples.js';

async function add(series: CountSeries, ...metrics: readonly Metric[]): Promise<readonly CountedMetric[]> {
  return (await runInSlices(series.add(createSample(...metrics)))).metrics;
}

/** The calls of each series of the first metric. */
const list = ([first]: readonly CountedMetric[]): Record<string, bigint> =>
  Object.fromEntries((first?.series ?? []).map(({ labels, sum }) => [labels.join(), sum.calls]));

describe('series of counts', () => {
  it('what has no room is (others), and the total is exact', async () => {
    const rows = Array.from({ length: 10 }, (_, i) => [[`/bin/${i}`], calls(i + 1)] as const);
    const series = new CountSeries(6);
    const [counted] = await add(series, createMetric(rows, { other: calls(100) }));
    // a metric leaves as much room as it takes
    assert.deepEqual(list([counted as CountedMetric]), { '/bin/0': 1n, '/bin/1': 2n, '/bin/2': 3n, [OTHERS]: 149n });
    assert.equal(counted?.others, 7);
  });

  it('a policy that comes later has room, and no series gives its place away', async () => {
    const rows = Array.from({ length: 100 }, (_, i) => [[`/bin/${i}`], calls(1)] as const);
    const series = new CountSeries(40);
    const hog = createMetric(rows, { policyName: 'hog' });
    const later = createMetric([[['/bin/a'], calls(7)]], { policyName: 'later' });
    const before = list(await add(series, hog));
    const [first, second] = await add(series, hog, later);
    assert.deepEqual(list([first as CountedMetric]), before);
    assert.deepEqual(list([second as CountedMetric]), { '/bin/a': 7n });
    // it has its room back when it begins again
    const again = await add(series, { ...hog, since: new Date(1) });
    assert.equal(again[0]?.series.length, 21);
  });

  it('a combination that gets a series later begins there', async () => {
    const series = new CountSeries(4);
    const hog = createMetric(
      [
        [['/x'], calls(1)],
        [['/y'], calls(1)],
      ],
      { policyName: 'hog' },
    );
    const sample = (b: number): Metric =>
      createMetric([
        [['/bin/a'], calls(5)],
        [['/bin/b'], calls(b)],
      ]);
    const [, full] = await add(series, hog, sample(6));
    assert.deepEqual(list([full as CountedMetric]), { '/bin/a': 5n, [OTHERS]: 6n });
    assert.deepEqual(list(await add(series, sample(16))), { '/bin/a': 5n, '/bin/b': 10n, [OTHERS]: 6n });
  });

  it('equal labels are added up, also those that differ only in bytes that are not UTF-8', async () => {
    const rows = [
      [['/\udcff'], calls(1)],
      [['/\udcfe'], calls(2)],
      [['/a'], calls(3)],
      [['/a'], calls(4)],
    ] as const;
    assert.deepEqual(list(await add(new CountSeries(100), createMetric(rows))), { '/\ufffd': 3n, '/a': 7n });
  });

  it('calls whose label changes stay where they were shown', async () => {
    const series = new CountSeries(100);
    await add(series, createMetric([[[''], calls(15)]]));
    const named = [
      [[''], calls(10)],
      [['web'], calls(5)],
    ] as const;
    assert.deepEqual(list(await add(series, createMetric(named))), { '': 15n, web: 0n });
    const more = [
      [[''], calls(12)],
      [['web'], calls(9)],
    ] as const;
    assert.deepEqual(list(await add(series, createMetric(more))), { '': 17n, web: 4n });
  });

  it('begins at 0 with its policy', async () => {
    const series = new CountSeries(100);
    await add(series, createMetric([[['/a'], calls(5)]]));
    const replaced = createMetric([[['/b'], calls(2)]], { since: new Date(2) });
    assert.deepEqual(list(await add(series, replaced)), { '/b': 2n });
    await add(series);
    assert.deepEqual(list(await add(series, createMetric([[['/a'], calls(1)]]))), { '/a': 1n });
  });

  it('the calls of a histogram are those of its buckets', async () => {
    const buckets = [
      { from: 0n, to: 0n, calls: 1n },
      { from: 4n, to: 7n, calls: 2n },
      { from: 1n << 46n, calls: 3n },
    ];
    const metric = createMetric([[['/a'], { calls: 5n, sum: 10n, buckets }]], { kind: 'histogram' });
    const [counted] = await add(new CountSeries(100), metric);
    const sum = counted?.series[0]?.sum;
    assert.equal(sum?.calls, 6n);
    assert.deepEqual(
      [0, 3, 47].map((i) => sum?.buckets[i]),
      [1n, 2n, 3n],
    );
    assert.deepEqual([0, 1, 2, 46, 47].map(bucketBound), [0n, 1n, 3n, (1n << 46n) - 1n, undefined]);
  });

  it('whatever changes, nothing decreases, and the sum is exact', async () => {
    const step = fc.record({ key: fc.nat(12), calls: fc.nat(20), moves: fc.boolean(), to: fc.nat(12) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(20), async (steps, max) => {
        const series = new CountSeries(max);
        const real = new Map<number, number>();
        let before: Record<string, bigint> = {};
        for (const { key, calls: count, moves, to } of steps) {
          real.set(key, (real.get(key) ?? 0) + count);
          if (moves && to !== key) {
            real.set(to, (real.get(to) ?? 0) + (real.get(key) ?? 0));
            real.delete(key);
          }
          const now = list(await add(series, createMetric([...real].map(([name, n]) => [[`k${name}`], calls(n)]))));
          for (const [name, value] of Object.entries(before)) assert.ok((now[name] ?? -1n) >= value, name);
          const sum = Object.values(now).reduce((all, each) => all + each, 0n);
          assert.equal(sum, BigInt([...real.values()].reduce((all, each) => all + each, 0)));
          assert.ok(Object.keys(now).length <= max + 1);
          before = now;
        }
      }),
    );
  });
});

describe('names of counts', () => {
  const families = (...metrics: readonly Partial<Metric>[]): string[][] =>
    nameFamilies(metrics.map((more) => ({ metric: createMetric([], more) }))).map(([, { value, calls: ofSum }]) => [
      value,
      ...(ofSum === undefined ? [] : [ofSum]),
    ]);

  it('no two metrics of a policy have the same family, and the end says what a family is', () => {
    assert.deepEqual(
      families(
        { name: 'execs' },
        { name: 'execs_total' },
        { name: 'bytes', kind: 'sum' },
        { name: 'bytes_calls' },
        { name: 'time', kind: 'sum', isDuration: true },
        { name: 'latency', kind: 'histogram', isDuration: true },
        { name: 'sizes_total', kind: 'histogram' },
        { name: 'execs', policyName: 'q' },
      ).flat(),
      [
        'polytrace_count_execs_total',
        'polytrace_count_execs_2_total',
        'polytrace_count_bytes_total',
        'polytrace_count_bytes_calls_total',
        'polytrace_count_bytes_calls_2_total',
        'polytrace_count_time_seconds_total',
        'polytrace_count_time_calls_total',
        'polytrace_count_latency_seconds',
        'polytrace_count_sizes_total_values',
        'polytrace_count_execs_total',
      ],
    );
  });

  it('labels are valid and different', () => {
    assert.deepEqual(labelNames(['arg0.port', 'arg0_port', 'policy', 'le', '0', '__name', 'größe']), [
      'arg0_port',
      'arg0_port_2',
      'policy_2',
      'le_2',
      'label_0',
      'label___name',
      'gr__e',
    ]);
  });

  it('durations are exact seconds', () => {
    assert.deepEqual(
      [0n, 1n, 1_500_000_000n, 18_446_744_073_709_551_615n].map((each) => formatValue(each, true)),
      ['0', '0.000000001', '1.5', '18446744073.709551615'],
    );
  });
});

describe('a shared reading', () => {
  it('begins after it was asked for; one runs, and one waits', async () => {
    const ends: (() => void)[] = [];
    let begun = 0;
    const reading = new SharedReading(async () => {
      const number = ++begun;
      await new Promise<void>((resolve) => ends.push(resolve));
      return number;
    }, 0);
    const first = reading.read();
    while (begun === 0) await new Promise(setImmediate);
    const later = Promise.all([reading.read(), reading.read(), reading.read()]);
    ends.shift()?.();
    assert.equal(await first, 1);
    while (begun === 1) await new Promise(setImmediate);
    ends.shift()?.();
    assert.deepEqual(await later, [2, 2, 2]);
    assert.equal(begun, 2);
  });

  it('an error ends only the reading that has it', async () => {
    let count = 0;
    const reading = new SharedReading(
      () => (++count === 1 ? Promise.reject(new Error('no')) : Promise.resolve(count)),
      1,
    );
    await assert.rejects(reading.read(), /no/);
    assert.equal(await reading.read(), 2);
  });
});
