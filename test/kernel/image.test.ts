/** The container image under podman on a full kernel: the agent with a policy of kernel functions, and its client. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IMAGE, podmanEngine, podmanOptions, removePodman, stopContainer } from '../image/image.js';
import { RunningCommand } from '../image/running-command.js';
import { NIGHTLY } from '../nightly.js';
import { checkout, kernel } from './support.js';

// The image does not depend on the kernel, so one is enough. test/vm/run-suite.mjs builds the image for this kernel. By
// day, the native tests run it, on the kernel of the machine.
if (NIGHTLY && kernel === '6.12') {
  describe('the container image', () => {
    let folder: string;
    const start = (...args: readonly string[]): RunningCommand =>
      new RunningCommand(
        spawn('podman', [...podmanOptions(folder, 'crun'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] }),
      );

    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'polytrace-podman-'));
      podmanEngine(folder, 'crun')('load', '--input', '/run/vm/image.tar');
    });
    after(() => removePodman(folder, 'crun'));

    it('runs the agent with the mounted policies, and podman exec shows its events', async () => {
      const policy = `${join(checkout, 'policies/file-monitoring.yaml')}:/etc/polytrace/policies.d/policy.yaml`;
      const host = ['--pid=host', '--cgroupns=host', '--uts=host', '--network=none'];
      const agent = start(
        'run',
        '--name',
        'polytrace',
        ...host,
        '--privileged',
        '--read-only',
        '--volume',
        policy,
        IMAGE,
      );
      await agent.line(/ready/);
      const events = start('exec', 'polytrace', 'polytrace', 'getevents', '-o', 'compact');
      await events.line(/^ready: events of the agent/);

      execFileSync('cat', ['/etc/shadow']);
      await events.line(/^🚀 process guest \S*cat \/etc\/shadow$/);
      await events.line(/^📚 read +guest \S*cat \/etc\/shadow$/);
      await events.line(/^💥 exit +guest \S*cat \/etc\/shadow 0$/);
      // detaching takes long on the emulated machine
      await stopContainer(podmanEngine(folder, 'crun'), 'polytrace');
      assert.equal(await agent.status(), 0, agent.output);
      await events.ended;
    });
  });
}
