/** The text of counts for Prometheus. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import type { MetricsSample } from 'polytrace';
import { PolicyCounts } from '../../../lib/counts/policy-counts.js';
import { openLog } from '../../../lib/log/log.js';
import { CountLines } from '../../../lib/metrics/count-lines.js';
import { calls, createMetric, createSample } from './samples.js';

const log = openLog({ level: 'fatal', format: 'json' }, new PassThrough());

const open = (metrics: () => Promise<MetricsSample>, waitMs?: number): CountLines =>
  new CountLines(new PolicyCounts({ metrics }, 1000, 0), log, waitMs);
const readText = async (lines: CountLines): Promise<string> => Buffer.concat(await lines.read()).toString();

describe('counts for Prometheus', () => {
  it('a counter, a sum, a histogram and others', async () => {
    const buckets = [
      { from: 0n, to: 0n, calls: 1n },
      { from: 1024n, to: 2047n, calls: 2n },
      { from: 1n << 46n, calls: 1n },
    ];
    const sample = createSample(
      createMetric([[['/bin/a"\n'], calls(5)]], { other: calls(3) }),
      createMetric([[['/a', '9'], calls(2, 2n ** 63n)]], {
        policyName: 'bytes',
        policyNamespace: 'shop',
        name: 'bytes',
        kind: 'sum',
        labelNames: ['binary', 'arg0.port'],
      }),
      createMetric([[[], { calls: 4n, sum: 1_500_000_000n, buckets }]], {
        name: 'latency',
        kind: 'histogram',
        isDuration: true,
        labelNames: [],
      }),
      createMetric([[[], calls(1)]], { policyName: 'other', labelNames: [] }),
    );
    const lines = (await readText(open(() => Promise.resolve(sample)))).split('\n');
    const latency = 'polytrace_count_latency_seconds';
    const labels = 'policy="p",policy_namespace=""';
    for (const line of [
      '# TYPE polytrace_count_execs_total counter',
      String.raw`polytrace_count_execs_total{policy="p",policy_namespace="",binary="/bin/a\"\n"} 5`,
      'polytrace_count_execs_total{policy="p",policy_namespace="",binary="(others)"} 3',
      'polytrace_count_execs_total{policy="other",policy_namespace=""} 1',
      'polytrace_count_bytes_total{policy="bytes",policy_namespace="shop",binary="/a",arg0_port="9"} 9223372036854775808',
      'polytrace_count_bytes_calls_total{policy="bytes",policy_namespace="shop",binary="/a",arg0_port="9"} 2',
      `# TYPE ${latency} histogram`,
      `${latency}_bucket{${labels},le="0"} 1`,
      `${latency}_bucket{${labels},le="0.000001023"} 1`,
      `${latency}_bucket{${labels},le="0.000002047"} 3`,
      `${latency}_bucket{${labels},le="70368.744177663"} 3`,
      `${latency}_bucket{${labels},le="+Inf"} 4`,
      `${latency}_sum{${labels}} 1.5`,
      `${latency}_count{${labels}} 4`,
      // 2 counters and 1 without labels, 2 of a sum, 48 buckets with sum and count
      'polytrace_counts_series 55',
      'polytrace_counts_others{policy="p",policy_namespace="",metric="execs"} 0',
      `polytrace_counts_read_time_seconds ${sample.time.getTime() / 1000}`,
    ]) {
      assert.ok(lines.includes(line), `${line}\nin\n${lines.join('\n')}`);
    }
    assert.equal(lines.filter((line) => line === '# TYPE polytrace_count_execs_total counter').length, 1);
    const series = lines
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.replace(/ \S+$/, ''));
    assert.equal(new Set(series).size, series.length, 'each series is in the text once');
  });

  it('a scrape does not wait for long: it has the numbers of the last reading', async () => {
    let end = (): void => undefined;
    let count = 0;
    const lines = open(async () => {
      if (++count === 2) await new Promise<void>((resolve) => (end = resolve));
      return createSample(createMetric([[[], calls(count)]], { labelNames: [] }));
    }, 20);
    assert.match(await readText(lines), /_execs_total\{.*\} 1\n/);
    assert.match(await readText(lines), /_execs_total\{.*\} 1\n/);
    end();
    let text = '';
    while (!/ 2\n/.test(text)) text = await readText(lines);
    assert.ok(count >= 2);
  });

  it('an error leaves the numbers of the last reading', async () => {
    let count = 0;
    const lines = open(() => {
      const sample = createSample(createMetric([[[], calls(4)]], { labelNames: [] }));
      return ++count === 1 ? Promise.resolve(sample) : Promise.reject(new Error('the tracer is closed'));
    });
    const first = await readText(lines);
    assert.equal(await readText(lines), first);
    assert.equal(count, 2);
  });

  it('65,536 combinations do not hold up the event loop', async () => {
    const rows = Array.from({ length: 65_536 }, (_, i) => [[`/bin/${i}`, 'x'.repeat(100)], calls(i)] as const);
    const sample = createSample(createMetric(rows, { labelNames: ['binary', 'arg0'] }));
    const counts = new PolicyCounts({ metrics: () => Promise.resolve(sample) }, 1_000_000, 0);
    let turns = 0;
    let isDone = false;
    const turn = (): void => {
      turns += 1;
      if (!isDone) setImmediate(turn);
    };
    turn();
    const text = await readText(new CountLines(counts, log, 60_000));
    isDone = true;
    assert.equal(text.match(/^polytrace_count_execs_total\{/gm)?.length, 65_536);
    assert.ok(turns > 10, String(turns));
  });
});
