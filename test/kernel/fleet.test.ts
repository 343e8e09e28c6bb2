/** A fleet whose new version of a policy kills too much: the counters are those of real kills. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeKey } from '../../agent/test/fleet/fleet-nodes.js';
import { missingServer, NatsCluster } from '../../agent/test/fleet/nats-cluster.js';
import { fleetVariables } from '../../agent/test/fleet/support.js';
import { Machine, runCommandWith } from '../../agent/test/native/support.js';
import { NIGHTLY } from '../nightly.js';
import { onOneKernel } from './support.js';

/** A number of a system call that only the programs of this test make. */
const CALL = 7291;
const policy = (actions: string): string => `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: calls }
spec:
  tracepoints:
    - { subsystem: raw_syscalls, event: sys_enter, raw: true, args: [{ index: 1, type: int64 }],
        selectors: [{ matchArgs: [{ index: 1, operator: Equal, values: ["${CALL}"] }]${actions} }] }
`;

// One kernel is enough: the fleet does not depend on it. It takes two minutes.
if (NIGHTLY && onOneKernel('6.12'))
  describe('a fleet with a policy that kills too much', function () {
    const [operator, controller] = [makeKey(), makeKey()];
    const machines = [new Machine(), new Machine()];
    let cluster: NatsCluster;
    let variables: NodeJS.ProcessEnv;

    before(async function () {
      if (missingServer() !== undefined) return this.skip();
      cluster = await NatsCluster.start();
      variables = fleetVariables(cluster.urls(), operator, controller);
      await fleet('init', '--events-max-mb', '64');
    });
    // an agent takes its time to start in an emulated machine
    for (const [i, machine] of machines.entries()) before(() => startAgent(machine, i));
    after(async () => {
      for (const machine of machines) await machine.remove();
      await cluster?.stop();
    });

    async function startAgent(machine: Machine, i: number): Promise<void> {
      const folders = ['--fleet-policy-dir', 'fleet', '--fleet-spool-dir', 'spool'].map((each) =>
        each.startsWith('--') ? each : join(machine.folder, each),
      );
      const controls = i === 0 ? ['--fleet-controller', controller.file] : [];
      await machine.startWith(variables, '--node-name', `node-${i}`, '--enforcement', ...folders, ...controls);
    }

    async function fleet(...args: readonly string[]): Promise<string> {
      const { status, stdout, stderr } = await runCommandWith(variables, 'fleet', ...args);
      assert.ok(status === 0 || args.includes('--follow'), stderr);
      return stdout;
    }

    function apply(actions: string, ...more: readonly string[]): Promise<string> {
      const file = join(machines[0]?.folder ?? '', 'calls.yaml');
      writeFileSync(file, policy(actions));
      return fleet('apply', file, '--key', operator.file, ...more);
    }

    async function loadedVersions(): Promise<number[]> {
      const { nodes } = JSON.parse(await fleet('status', '-o', 'json')) as {
        nodes: { policies: Record<string, { loaded: number }> }[];
      };
      return nodes.map(({ policies: { calls } }) => calls?.loaded ?? 0).sort();
    }

    /** The reports come by themselves. */
    async function untilLoaded(version: number): Promise<void> {
      for (;;) if ((await loadedVersions()).join() === `${version},${version}`) return;
    }

    const makeCall = ['-e', `syscall(${CALL}); exit 7`];

    it('the rollout stops at the first node, and one command ends the kills', async () => {
      await apply('');
      await untilLoaded(1);
      const rollout = apply(
        ', matchActions: [{ action: Sigkill }]',
        ...['--canary', '50%,100%', '--wait', '120s', '--max-enforced', '3', '--follow'],
      );
      let isOver = false;
      void rollout.finally(() => (isOver = true));
      let kills = 0;
      while (!isOver) {
        const [, signal] = (await once(spawn('perl', makeCall), 'exit')) as [number | null, string | null];
        if (signal === 'SIGKILL') kills += 1;
      }
      const [, enforced = ''] =
        /stopped at 50%: node-\d enforced (\d+) times: the budget is 3/.exec(await rollout) ?? [];
      assert.ok(Number(enforced) > 3 && Number(enforced) <= kills, `${enforced} of ${kills} kills: ${await rollout}`);
      assert.deepEqual(await loadedVersions(), [1, 2]);
      await fleet('rollback', 'calls', '--key', operator.file);
      await untilLoaded(3);
      assert.equal(spawnSync('perl', makeCall).status, 7);
    });
  });
