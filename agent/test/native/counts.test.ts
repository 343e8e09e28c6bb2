/** The metrics of a running agent's policies: for Prometheus, a collector and clients, and after a restart. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { polytrace } from '../../../test/native/support.js';
import type { AgentConnection, Metric } from '../../../types/index.js';
import { createCollector, toPlainAttributes, type Collector } from '../collector.js';
import { Machine, needsRoot, runCommand } from './support.js';

/** A system call number that no kernel has and no other test uses. */
const CALL = 7274;

/** Counts execs of the program, and the numbers of the call. */
const policy = (program: string): string => `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: counted }
spec:
  tracepoints:
    - subsystem: sched
      event: sched_process_exec
      raw: true
      args: [{ index: 2, type: linux_binprm }]
      selectors:
        - matchArgs: [{ index: 2, operator: Equal, values: [${program}] }]
          matchActions: [{ action: Count, metric: execs, by: [arg0, parentBinary] }]
    - subsystem: raw_syscalls
      event: sys_enter
      raw: true
      args: [{ index: 1, type: int64 }]
      selectors:
        - matchArgs: [{ index: 1, operator: Equal, values: ["${CALL}"] }]
          matchActions:
            - { action: Count, metric: calls, kind: histogram, value: arg0 }
            - { action: Count, metric: numbers, kind: sum, value: arg0, by: [arg0] }
`;

const makeCalls = (count: number): unknown => execFileSync('perl', ['-e', `syscall(${CALL}) for 1..${count}`]);

describe('counts of the agent', function () {
  this.timeout(120_000);
  let machine: Machine;
  let program: string;
  let collector: Collector;
  let client: AgentConnection;

  before(needsRoot);
  beforeEach(async () => {
    machine = new Machine();
    program = join(machine.folder, 'counted');
    copyFileSync('/bin/true', program);
    writeFileSync(join(machine.policies, 'counted.yaml'), policy(program));
    collector = createCollector('http/protobuf');
    await collector.start();
  });
  afterEach(async () => {
    await client?.close();
    await machine?.remove();
    await collector?.kill();
  });

  async function start(...args: readonly string[]): Promise<string> {
    const { stderr } = await machine.start('--metrics-server', '127.0.0.1:0', ...args);
    client = await polytrace.connect(machine.address);
    return /"(http:[^"]+)"/.exec(stderr.text)?.[1] ?? '';
  }

  async function scrape(address: string): Promise<Map<string, number>> {
    const text = await (await fetch(`${address}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(lines.map((line) => [line.replace(/ \S+$/, ''), Number(line.split(' ').at(-1))]));
  }

  async function readMetric(name: string): Promise<Metric> {
    const found = (await client.metrics()).metrics.find((metric) => metric.name === name);
    assert.ok(found);
    return found;
  }

  it('are the same for Prometheus, a collector, the client, and stat', async () => {
    const address = await start('--metrics-otlp-endpoint', collector.url, '--metrics-otlp-interval', '1h');
    for (let i = 0; i < 7; i++) execFileSync(program);
    makeCalls(30);

    const values = await scrape(address);
    const labels = 'policy="counted",policy_namespace=""';
    const execs = `polytrace_count_execs_total{${labels},arg0="${program}",parentBinary="${process.execPath}"}`;
    assert.equal(values.get(execs), 7);
    assert.equal(values.get(`polytrace_count_calls_bucket{${labels},le="8191"}`), 30);
    assert.equal(values.get(`polytrace_count_calls_bucket{${labels},le="4095"}`), 0);
    assert.equal(values.get(`polytrace_count_calls_sum{${labels}}`), 30 * CALL);
    assert.equal(values.get(`polytrace_count_numbers_total{${labels},arg0="${CALL}"}`), 30 * CALL);
    assert.equal(values.get(`polytrace_count_numbers_calls_total{${labels},arg0="${CALL}"}`), 30);
    assert.equal(values.get(`polytrace_counts_others{${labels},metric="execs"}`), 0);

    const metric = await readMetric('execs');
    assert.deepEqual(metric.series, [{ labels: [program, process.execPath], calls: 7n, sum: 0n }]);
    assert.ok(metric.since.getTime() > Date.now() - 120_000 && metric.since.getTime() <= Date.now());

    const at = ['--server', machine.address, '--once', '--interval', '100ms'];
    const { stdout, status } = await runCommand('stat', ...at);
    assert.equal(status, 0);
    assert.match(stdout, /^counted: execs$/m);
    assert.ok(stdout.includes(program));
    const none = await runCommand('stat', ...at, '--policy-name', 'gone');
    assert.equal(none.stdout, 'no metrics\n');

    // a policy that is attached again begins at 0, which Prometheus sees as a reset
    await client.disablePolicy('counted');
    assert.equal((await scrape(address)).get(execs), undefined);
    await client.enablePolicy('counted');
    assert.ok((await readMetric('execs')).since > metric.since);
    execFileSync(program);
    assert.equal((await scrape(address)).get(execs), 1);

    // the last numbers are sent when the agent ends
    assert.equal(await machine.stop(), 0);
    const sent = collector.metrics.find(({ name }) => name === 'polytrace.count.execs')?.sum?.dataPoints[0];
    assert.equal(Number(sent?.asInt), 1);
    const attributes = { 'polytrace.policy.name': 'counted', arg0: program, parentBinary: process.execPath };
    assert.deepEqual(toPlainAttributes(sent?.attributes ?? []), attributes);
  });

  it('are bounded, and the total stays exact', async () => {
    const [other, third] = [`${program}-2`, `${program}-3`];
    const more = policy(program).replace(`values: [${program}]`, `values: [${[program, other, third].join()}]`);
    writeFileSync(join(machine.policies, 'counted.yaml'), more);
    const address = await start('--metrics-count-series-max', '1');
    for (const each of [program, other, third]) {
      copyFileSync('/bin/true', each);
      execFileSync(each);
    }
    const execs = [...(await scrape(address))].filter(([name]) => name.startsWith('polytrace_count_execs_total'));
    assert.equal(execs.length, 2);
    assert.equal(execs.reduce((sum, [, value]) => sum + value, 0), 3);
    assert.ok(execs.some(([name]) => name.includes('arg0="(others)",parentBinary="(others)"')));
    assert.equal((await readMetric('execs')).series.length, 3);
  });

  it('with --persist, begin at 0 with the next agent, and count each call once', async () => {
    const bpf = join(machine.folder, 'bpf');
    mkdirSync(bpf);
    execFileSync('mount', ['-t', 'bpf', 'bpf', bpf]);
    try {
      const flags = ['--persist', join(bpf, 'agent'), '--keep-sensors-on-exit'];
      await start(...flags);
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        makeCalls(10);
        execFileSync(program);
        const before = await readMetric('calls');
        assert.ok(before.total.calls >= 10n);
        await client.close();
        await machine.stop(signal);
        makeCalls(5);
        const address = await start(...flags);
        while (readdirSync(join(bpf, 'agent')).length > 1) await sleep(20);
        const after = await readMetric('calls');
        assert.equal(after.total.calls, 0n);
        assert.ok(after.since > before.since);
        makeCalls(3);
        execFileSync(program);
        assert.equal((await readMetric('calls')).total.calls, 3n);
        // the texts of labels are there
        assert.deepEqual((await readMetric('execs')).series[0]?.labels, [program, process.execPath]);
        assert.equal((await scrape(address)).get('polytrace_count_calls_count{policy="counted",policy_namespace=""}'), 3);
      }
      await machine.stop('SIGTERM');
      assert.ok(existsSync(join(bpf, 'agent')));
    } finally {
      await machine.stop('SIGKILL');
      execFileSync('umount', ['--lazy', bpf]);
    }
  });
});
