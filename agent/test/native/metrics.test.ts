/** The metrics of a running agent match the events that a client receives. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProtocolClient, eventFields, Machine, needsRoot, needsTracefs, openatPolicy, processFields } from './support.js';

describe('the metrics of the agent', function () {
  this.timeout(60_000);
  let machine: Machine;

  before(needsRoot);
  before(needsTracefs);
  before(() => (machine = new Machine()));
  after(() => machine?.remove());

  it('agree with the events of a client, and with the policies', async () => {
    const program = join(machine.folder, 'counted');
    copyFileSync('/bin/cat', program);
    const opened = join(machine.folder, 'opened');
    writeFileSync(opened, '');
    writeFileSync(join(machine.policies, 'opens.yaml'), openatPolicy('opens', opened));
    writeFileSync(join(machine.policies, 'broken.yaml'), 'a: [');
    const agent = await machine.start('--metrics-server', '127.0.0.1:0');
    const [, address] = /"(http:[^"]+)"/.exec(agent.stderr.text) ?? [];
    const client = new ProtocolClient(machine.address);
    const binary_regex = [`^${program}$`];
    const events = client.events({ allow_list: [{ binary_regex }] });
    await events.open;
    for (let i = 0; i < 15; i++) execFileSync(program, [opened]);
    execFileSync(program, ['/dev/null', opened]);
    await events.waitFor((message) => String(processFields(message)['arguments']).startsWith('/dev/null') && message['event'] === 'process_exit');

    const text = await (await fetch(`${address}/metrics`)).text();
    const metricValue = (series: string): number | undefined => {
      const line = text.split('\n').find((each) => each.startsWith(`${series} `));
      return line === undefined ? undefined : Number(line.split(' ').at(-1));
    };
    const of = `namespace="",workload="",pod="",binary="${program}"`;
    const countSeen = (name: string): number => events.seen.filter(({ event }) => event === name).length;
    assert.equal(countSeen('process_exec'), 16);
    assert.equal(metricValue(`tetragon_events_total{type="PROCESS_EXEC",${of}}`), 16);
    assert.equal(metricValue(`tetragon_events_total{type="PROCESS_EXIT",${of}}`), countSeen('process_exit'));
    const hooks = events.seen.filter((message) => eventFields(message)['policy_name'] === 'opens').length;
    assert.equal(hooks, 16);
    const hook = 'hook="tracepoint:syscalls/sys_enter_openat"';
    assert.equal(metricValue(`tetragon_policy_events_total{policy="opens",${hook},${of}}`), hooks);
    const named = 'policy="opens",policy_namespace="",hook="syscalls/sys_enter_openat"';
    assert.equal(metricValue(`polytrace_hook_matched_total{${named}}`), hooks);
    assert.equal(metricValue(`polytrace_hook_posted_total{${named}}`), hooks);
    assert.equal(metricValue('tetragon_tracingpolicy_loaded{state="enabled"}'), 1);
    assert.equal(metricValue('polytrace_policy_errors'), 1);
    assert.equal(metricValue('polytrace_degraded'), 1);
    assert.equal(metricValue('polytrace_clients'), 1);
    assert.ok((metricValue('process_resident_memory_bytes') ?? 0) > 0 && text.includes('nodejs_eventloop_lag_p99_seconds'));
    const health = await fetch(`${address}/healthz`);
    assert.deepEqual([health.status, await health.json()], [200, { status: 'degraded', failedPolicies: 1, unreadablePaths: 0, isExportFailing: false, failingReceivers: 0 }]);
    events.cancel();
    client.close();
    assert.equal(await machine.stop(), 0);
  });
});
