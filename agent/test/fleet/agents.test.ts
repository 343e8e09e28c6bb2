/**
 * Three agents that trace this kernel, as nodes of a fleet over a real server: a rollout stops at its first node when the
 * kernel cannot load the policy, and when it floods; the others keep the version before.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Machine, needsRoot, plainEnvironment, runCommandWith } from '../native/support.js';
import { makeKey } from './fleet-nodes.js';
import { NatsCluster, missingServer } from './nats-cluster.js';
import { fleetVariables } from './support.js';

/** A number of a system call that nothing makes. */
const CALL = 7291;

const HEAD = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: calls }
spec:
`;
const QUIET = `${HEAD}  tracepoints:
    - { subsystem: raw_syscalls, event: sys_enter, raw: true, args: [{ index: 1, type: int64 }],
        selectors: [{ matchArgs: [{ index: 1, operator: Equal, values: ["${CALL}"] }] }] }
`;
const MISSING_HOOK = `${HEAD}  kprobes:
    - { call: a_function_that_no_kernel_has, syscall: false }
`;
const FLOOD = `${HEAD}  tracepoints:
    - { subsystem: raw_syscalls, event: sys_enter, raw: true, args: [{ index: 1, type: int64 }] }
`;

interface Policy {
  readonly wanted: number;
  readonly loaded: number;
  readonly error?: string;
}

describe('agents of a fleet', function () {
  this.timeout(120_000);
  const operator = makeKey();
  const controller = makeKey();
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-fleet-agents-'));
  const machines: Machine[] = [];
  let cluster: NatsCluster;
  let variables: NodeJS.ProcessEnv;

  before(needsRoot);
  before(async function () {
    if (missingServer() !== undefined) return this.skip();
    cluster = await NatsCluster.start();
    variables = fleetVariables(cluster.urls(), operator, controller);
    await fleet('init', '--events-max-mb', '256');
    for (let i = 0; i < 3; i++) {
      const machine = new Machine();
      machines.push(machine);
      await startAgent(i);
    }
  });
  after(async () => {
    for (const machine of machines) {
      await machine.stop('SIGKILL');
      await machine.remove();
    }
    await cluster?.stop();
  });

  async function startAgent(i: number): Promise<void> {
    const machine = machines[i];
    assert.ok(machine !== undefined);
    const flags = ['--node-name', `node-${i}`, '--fleet-labels', `role=${i === 2 ? 'db' : 'web'}`];
    const folders = [
      '--fleet-policy-dir',
      join(machine.folder, 'fleet'),
      '--fleet-spool-dir',
      join(machine.folder, 'spool'),
    ];
    // what is exported is another test's
    const quiet = ['--export-denylist', '{}'];
    await machine.startWith(
      variables,
      ...flags,
      ...folders,
      ...quiet,
      ...(i === 0 ? ['--fleet-controller', controller.file] : []),
    );
  }

  async function fleet(...args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await runCommandWith({ ...plainEnvironment(), ...variables }, 'fleet', ...args);
    assert.ok(status === 0 || args.includes('--follow'), stderr);
    return stdout;
  }

  function apply(text: string, ...more: readonly string[]): Promise<string> {
    const file = join(folder, 'calls.yaml');
    writeFileSync(file, text);
    return fleet('apply', file, '--key', operator.file, ...more);
  }

  async function policies(): Promise<Policy[]> {
    const { nodes } = JSON.parse(await fleet('status', '-o', 'json')) as {
      nodes: { policies: Record<string, Policy> }[];
    };
    return nodes.flatMap(({ policies: { calls } }) => calls ?? []);
  }

  /** The reports come by themselves. */
  async function untilReported(isWanted: (list: Policy[]) => boolean): Promise<Policy[]> {
    for (;;) {
      const list = await policies();
      if (isWanted(list)) return list;
    }
  }

  const allLoaded =
    (version: number) =>
    (list: Policy[]): boolean =>
      list.length === 3 && list.every(({ loaded, error }) => loaded === version && error === undefined);

  it('stop at the first node, and go back with one command', async () => {
    await apply(QUIET);
    await untilReported(allLoaded(1));
    const canary = ['--canary', '30%,100%', '--wait', '20s', '--follow'];
    const failed = await apply(MISSING_HOOK, ...canary);
    assert.match(
      failed,
      /stopped at 30%: 1 node cannot load the version: node-\d: calls\.yaml@2:\d+:\d+: |stopped at 30%/,
    );
    const list = await untilReported((each) => each.some(({ error }) => error !== undefined));
    assert.deepEqual(
      list.map(({ loaded }) => loaded),
      [1, 1, 1],
    );
    assert.deepEqual(list.filter(({ wanted }) => wanted === 2).length, 1);
    console.log(`      ${list.find(({ error }) => error !== undefined)?.error}`);
    await fleet('rollback', 'calls', '--key', operator.file);
    await untilReported(allLoaded(3));

    const flooded = await apply(FLOOD, ...canary, '--max-lost', '1000000');
    assert.match(flooded, /stopped at 30%: node-\d reports \d+ events a second: the budget is 1000/);
    assert.deepEqual((await policies()).filter(({ loaded }) => loaded === 3).length, 2);
    await fleet('rollback', 'calls', '--key', operator.file);
    await untilReported(allLoaded(5));
  });

  it('work without a server after a restart, and are listed by their labels', async () => {
    const nodes = await fleet('nodes', '--nodes', 'role=web');
    assert.match(nodes, /^node-0 .*role=web$/m);
    assert.doesNotMatch(nodes, /node-2/);
    await cluster.kill(0);
    await machines[1]?.stop();
    await startAgent(1);
    const log = machines[1]?.agent.stderr.lines() ?? [];
    const loaded = log.findIndex((line) => line.includes('"policy":"calls"') && line.includes('a policy was loaded'));
    assert.ok(loaded >= 0, log.join('\n'));
    await cluster.restart(0);
    await untilReported(allLoaded(5));
  });
});
