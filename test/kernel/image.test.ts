/** The container image under podman on a full kernel: a policy of kernel functions, and a second tracer through exec. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IMAGE, podmanEngine, podmanOptions, removePodman, stopContainer } from '../image/image.js';
import { RunningCommand } from '../image/running-command.js';
import { checkout, kernel } from './support.js';

// The image does not depend on the kernel, so one is enough. test/vm/run-suite.mjs builds the image for this kernel.
if (kernel === '6.12') {
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

    it('watches files of the machine, also through podman exec', async () => {
      const policies = '/etc/polytrace/policies.d';
      const policy = `${join(checkout, 'examples/file-monitoring.yaml')}:${policies}/policy.yaml`;
      const host = ['--pid=host', '--cgroupns=host', '--uts=host', '--network=none'];
      const first = start('run', '--name', 'polytrace', ...host, '--privileged', '--volume', policy, IMAGE);
      await first.line(/^ready: .*file-monitoring: security_file_permission/);
      assert.doesNotMatch(first.output, /^warning/m);
      const words = ['getevents', '-o', 'compact', '--policy-dir', policies];
      const second = start('exec', 'polytrace', 'polytrace', ...words);
      await second.line(/^ready: .*file-monitoring: security_file_permission/);

      execFileSync('cat', ['/etc/shadow']);
      const read = /^📚 read +guest \S*cat \/etc\/shadow$/;
      await Promise.all([first.line(read), second.line(read)]);
      // detaching takes long on the emulated machine
      await stopContainer(podmanEngine(folder, 'crun'), 'polytrace');
      assert.equal(await first.status(), 0, first.output);
      await second.ended;
    });
  });
}
