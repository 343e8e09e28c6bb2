/** The command stat: its table and JSON, what changed most, and that it fits its terminal. */
import assert from 'node:assert/strict';
import { StatTable } from '../../../lib/cli/stat-table.js';
import { metricsJson } from '../../../lib/cli/stat-json.js';
import type { Metric, MetricsSample } from '../../../types/index.js';
import { runCommand } from '../../../lib/cli/program.js';
import { FakeCommand } from './fake.js';

const sum = (calls: number, total = 0): { calls: bigint; sum: bigint } => ({
  calls: BigInt(calls),
  sum: BigInt(total),
});

function sample(seconds: number, ...metrics: readonly Partial<Metric>[]): MetricsSample {
  const all = metrics.map((metric): Metric => ({
    policyName: 'p',
    name: 'calls',
    kind: 'counter',
    isDuration: false,
    since: new Date(0),
    labelNames: ['binary'],
    series: [],
    total: sum(0),
    ...metric,
  }));
  return { time: new Date(seconds * 1000), metrics: all };
}

const series = (...rows: readonly (readonly [label: string, calls: number, total?: number])[]): Metric['series'] =>
  rows.map(([label, calls, total]) => ({ labels: [label], ...sum(calls, total) }));

describe('the table of stat', () => {
  it('what changed most comes first, and other is a row', () => {
    const table = new StatTable();
    table.update(sample(1, { series: series(['/bin/a', 100], ['/bin/b', 1]) }));
    const text = table.format(
      sample(3, { series: series(['/bin/a', 104], ['/bin/b', 11], ['/bin/c', 2]), other: sum(1), total: sum(118) }),
      20,
    );
    assert.equal(
      text,
      `p: calls
CALLS/S  CALLS  BINARY
5        11     /bin/b
2        104    /bin/a
1        2      /bin/c
0.50     1      other

`,
    );
  });

  it('a sum of bytes, and one of durations', () => {
    const table = new StatTable();
    const text = table.format(
      sample(
        1,
        { name: 'bytes', kind: 'sum', series: series(['/bin/a', 3, 2_500_000]) },
        { name: 'time', kind: 'sum', isDuration: true, series: series(['/bin/a', 3, 1_500_000_000]) },
      ),
      20,
    );
    assert.match(text, /^2\.50M +2\.50M +3 +\/bin\/a$/m);
    assert.match(text, /^1\.50 s +1\.50 s +3 +\/bin\/a$/m);
  });

  it('a histogram is drawn without gaps, with the mean', () => {
    const buckets = [
      { from: 1024n, to: 2047n, calls: 4n },
      { from: 4096n, to: 8191n, calls: 1n },
      { from: 1n << 46n, calls: 0n },
    ].filter(({ calls }) => calls > 0n);
    const total = { ...sum(5, 10_000), buckets };
    const metric: Partial<Metric> = {
      kind: 'histogram',
      isDuration: true,
      labelNames: [],
      series: [{ labels: [], ...total }],
      total,
    };
    const lines = new StatTable().format(sample(1, metric), 20).split('\n');
    assert.equal(lines[2]?.trim(), '5        5      2 us');
    assert.deepEqual(
      lines.slice(3, 6).map((line) => line.trim().replace(/█+/, (bar) => String(bar.length))),
      ['1.02 us  to 2.05 us  4  40', '2.05 us  to 4.10 us  0', '4.10 us  to 8.19 us  1  10'],
    );
  });

  it('metrics share the lines, and say what is left out', () => {
    const many = series(...Array.from({ length: 30 }, (_, i) => [`/bin/${i}`, i] as const));
    const text = new StatTable().format(sample(1, { series: many }, { name: 'others', series: many }), 24);
    const lines = text.trimEnd().split('\n');
    assert.ok(text.split('\n').length - 1 <= 24, text);
    assert.equal(lines.filter((line) => line.includes('/bin/')).length, 18);
    assert.match(text, /p: calls \(21 more\)/);
    assert.match(text, /p: others \(21 more\)/);
  });

  it('control characters are escaped', () => {
    const text = new StatTable().format(sample(1, { series: series(['/bin/\u001b[2J', 1]) }), 20);
    assert.ok(!text.includes('\u001b'), text);
  });

  it('without metrics, it says so', () => assert.equal(new StatTable().format(sample(1), 20), 'no metrics\n'));
});

describe('the command stat', () => {
  it('JSON has exact numbers', () => {
    const json = metricsJson(
      sample(0, {
        series: series(['/bin/a', 2]),
        total: { calls: 2n, sum: 2n ** 60n, buckets: [{ from: 0n, to: 0n, calls: 2n }] },
      }),
    );
    const [metric] = (JSON.parse(json) as { metrics: { series: unknown; total: unknown }[] }).metrics;
    assert.deepEqual(metric?.series, [{ labels: { binary: '/bin/a' }, calls: 2, sum: 0 }]);
    assert.deepEqual(metric.total, { calls: 2, sum: '1152921504606846976', buckets: [{ from: 0, to: 0, calls: 2 }] });
  });

  const first = sample(0, { series: series(['/bin/a', 1]) });
  const second = sample(2, { series: series(['/bin/a', 7]) });

  it('the first sample is only compared with, and --once ends after one table', async () => {
    const command = new FakeCommand();
    command.tracer.samples = [first, second, second];
    assert.equal(await command.run('stat', '--policy', __filename, '--once'), 0);
    assert.equal(command.stdout.text, 'p: calls\nCALLS/S  CALLS  BINARY\n3        7      /bin/a\n\n');
    assert.deepEqual(command.openOptions, { policies: [__filename], containers: true });
    assert.equal(command.tracer.closes, 1);
  });

  it('a line of JSON for each interval', async () => {
    const command = new FakeCommand();
    command.tracer.samples = [first, second, second];
    assert.equal(await command.run('stat', '--policy', __filename, '-o', 'json'), 0);
    assert.equal(command.stdout.text.trimEnd().split('\n').length, 2);
  });

  it('fits a terminal, which is cleared before each table', async () => {
    const command = new FakeCommand();
    const long = Array.from({ length: 50 }, (_, i) => [`/bin/${'x'.repeat(100)}${i}`, i] as const);
    command.tracer.samples = [first, sample(2, { series: series(...long) })];
    const stdout = Object.assign(command.stdout, { isTTY: true, columns: 40, rows: 10 });
    assert.equal(await runCommand(['stat', '--policy', __filename], command.context(stdout)), 0);
    const [clear = '', ...rest] = stdout.text.split('p: calls');
    assert.equal(clear, '\u001b[H\u001b[2J');
    const lines = `p: calls${rest.join('')}`.split('\n');
    assert.ok(lines.length <= 10, stdout.text);
    assert.ok(
      lines.every((line) => line.length <= 40),
      stdout.text,
    );
  });

  it('policies that count nothing are noted, and a signal ends the command', async () => {
    const command = new FakeCommand();
    command.tracer.samples = [sample(0), sample(1)];
    command.onOpen = () => command.signals.emit('SIGINT', 'SIGINT');
    assert.equal(await command.run('stat', '--policy', __filename), 0);
    assert.equal(command.stdout.text, '');
    const other = new FakeCommand();
    other.tracer.samples = [sample(0), sample(1)];
    assert.equal(await other.run('stat', '--policy', __filename), 0);
    assert.match(other.stderr.text, /note: the policies count nothing/);
  });

  for (const [args, message] of [
    [['stat'], /--policy/],
    [['stat', '--policy', '/nowhere.yaml'], /no such file or folder: \/nowhere\.yaml/],
    [['stat', '--policy', 'a.yaml', '--interval', '1h'], /from 100ms to 60m/],
    [['stat', '--policy', 'a.yaml', '--interval', '50ms'], /from 100ms to 60m/],
  ] as const) {
    it(`${args.join(' ')} is wrong usage`, async () => {
      const command = new FakeCommand();
      assert.equal(await command.run(...args), 2);
      assert.match(command.stderr.text, message);
    });
  }
});
