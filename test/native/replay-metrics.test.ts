/** Metrics over a recording are those of the kernel for the same calls; `polytrace test` expects them from commands. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Metric } from '../../types/index.js';
import { needsRoot, openTracer, polytrace, ROOT } from './support.js';

const { compilePolicy, recorder, recordingReader, replayer } = polytrace;

const folder = mkdtempSync(join(tmpdir(), 'polytrace-metrics-'));
const program = join(folder, 'counted');
const COMMAND = join(ROOT, 'dist/cli/main.js');

const hook = (...selectors: readonly string[]): string => `
    - path: ${program}
      symbols: [touch]
      args: [{ index: 0, type: uint32 }, { index: 1, type: string }]
      return: true
      returnArg: { index: 0, type: int64 }
      data: [{ index: 0, type: uint64, source: duration, label: duration }]
      selectors: [${selectors.join(', ')}]`;
const selector = (filter: string, ...counts: readonly string[]): string =>
  `{ ${filter}matchActions: [${counts.map((count) => `{ action: Count, ${count} }`).join(', ')}, { action: Post }] }`;

const POLICY = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: counted }
spec:
  uprobes:${hook(
    selector(
      'matchArgs: [{ index: 1, operator: Prefix, values: [/srv/] }], ',
      'metric: calls, by: [binary, parentBinary, container]',
      'metric: returned, kind: sum, value: return, by: [arg0]',
      'metric: numbers, kind: histogram, value: arg0',
      'metric: names, by: [arg1, errno], folders: 2',
    ),
    selector('', 'metric: names, by: [arg1, errno], folders: 2'),
  )}${hook(
    selector(
      'matchDuration: { operator: LT, values: [10s] }, ',
      'metric: few, kind: sum, value: arg0, by: [arg0], maxKeys: 3',
      'metric: times, kind: histogram, value: duration',
    ),
  )}
`;

const sortSeries = ({ series, ...rest }: Omit<Metric, 'since'>): object => ({
  ...rest,
  series: [...series].sort((a, b) => (a.labels.join() < b.labels.join() ? -1 : 1)),
});

describe('metrics over recordings', function () {
  this.timeout(120_000);
  before(needsRoot);
  before(() => {
    execFileSync('cc', ['-O1', '-o', program, join(__dirname, 'programs', 'counted.c')]);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('are those of the kernel', async () => {
    const tracer = await openTracer({ policies: [{ yaml: POLICY }] });
    const { header, lines } = recorder();
    let text = header;
    const reading = (async () => {
      for await (const event of tracer) text += lines(event);
    })();
    for (const args of [['40', '4'], ['1', '4', 'short'], ['30', '10', `/srv/${'x'.repeat(600)}`]]) {
      execFileSync(program, args);
    }
    const { metrics } = await tracer.metrics();
    await tracer.close();
    await reading;

    const reader = recordingReader();
    const recorded = text.trimEnd().split('\n').flatMap((line) => reader.read(line) ?? []); // prettier-ignore
    const replayed = replayer(compilePolicy(POLICY), reader.hooks);
    for (const item of recorded) replayed.replay(item);
    const found = replayed.metrics();
    // the recorded hook has filters, and nothing else is uncertain
    assert.deepEqual(new Set(found.flatMap(({ doubts }) => doubts.map(({ code }) => code))), new Set(['CALLS_NOT_RECORDED'])); // prettier-ignore
    assert.deepEqual(found.map(({ doubts: _, ...metric }) => sortSeries(metric)), metrics.map(({ since: _, ...metric }) => sortSeries(metric))); // prettier-ignore
    assert.deepEqual(metrics.map(({ name, total }) => [name, total.calls]), [
      ['calls', 70n],
      ['returned', 70n],
      ['numbers', 70n],
      ['names', 71n],
      ['few', 71n],
      ['times', 71n],
    ]); // prettier-ignore
    assert.equal(metrics.find(({ name }) => name === 'few')?.other?.calls, 31n);
  });

  it('polytrace test: what the commands of a scenario count', () => {
    mkdirSync(join(folder, 'tests'));
    writeFileSync(join(folder, 'p.yaml'), POLICY);
    const metrics = (...list: readonly string[]): string => list.map((each) => `  - ${each}\n`).join('');
    const scenarios = `- name: exact
  run: ${program} 8 4
  metrics:
${metrics(
  '{ metric: returned, labels: { arg0: 2 }, calls: 2, sum: 4 }',
  '{ metric: returned, calls: 8, sum: 4 }',
  `{ metric: calls, labels: { binary: ${program} }, calls: 8 }`,
  '{ metric: names, labels: { errno: EPERM, arg1: /srv/a }, calls: 2 }',
  '{ metric: few, other: true, calls: 2, sum: 6 }',
)}- name: other numbers
  run: ${program} 4 4
  metrics:
${metrics('{ metric: returned, labels: { arg0: 2 }, calls: 2 }', '{ metric: missing, calls: 2 }')}`;
    writeFileSync(join(folder, 'tests/p.yaml'), `apiVersion: polytrace/v1\nkind: PolicyTest\npolicies: [../p.yaml]\nscenarios:\n${scenarios}`); // prettier-ignore
    const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, 'test', join(folder, 'p.yaml')], { encoding: 'utf8' }); // prettier-ignore
    assert.equal(status, 1, stderr);
    assert.match(stdout, /^ok {2}.*: exact /m);
    assert.match(stdout, /p\.yaml:\d+:15: METRIC_DIFFERS: returned, arg0 "2": calls 1 instead of 2; counted: arg0 "\d" 1 calls, sum \d; /); // prettier-ignore
    assert.match(stdout, /p\.yaml:\d+:15: METRIC_UNKNOWN: the policies do not count "missing": they count calls, returned, /); // prettier-ignore
    assert.match(stdout, /^2 scenarios: 1 passed, 1 failed, 0 skipped$/m);
  });
});
