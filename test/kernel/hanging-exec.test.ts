/**
 * An exec that waits for a file system that never answers: policies still come and go, and hold for the process when
 * its program runs at last.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { SilentFuse } from '../silent-fuse.js';
import { prepareWorkload, fileHook, kprobePolicy, onPath, Recording, WORKLOAD } from './support.js';

const FILE = '/srv/hanging-file';
const SHELL = '/tmp/hanging-shell';
const FOLDER = '/tmp/hanging';

const policy = (name: string, filter: string): string =>
  kprobePolicy(name, fileHook(`${onPath('Equal', FILE)}\n  matchBinaries:\n  - ${filter}`));

describe('an exec that hangs in a page fault', () => {
  let fuse: SilentFuse;
  let child: ChildProcess;
  let recording: Recording;

  before(async () => {
    prepareWorkload();
    if (!existsSync(SHELL)) copyFileSync('/bin/sh', SHELL);
    writeFileSync(FILE, 'x');
    fuse = await SilentFuse.mount(FOLDER, WORKLOAD);
    // the shell is in a set, so its process has an entry before the exec
    recording = await Recording.open(policy('shell', `{operator: In, values: ["${SHELL}"]}`));
    fuse.hold();
    child = spawn(SHELL, ['-c', `exec ${fuse.program} read ${FILE} 1`], { stdio: ['ignore', 'inherit', 'inherit'] });
    await fuse.held();
  });
  after(async () => {
    await fuse?.unmount();
    await recording?.close();
  });

  it('policies are added, replaced and removed', async () => {
    const { tracer } = recording;
    await tracer.addPolicy({ yaml: policy('one', '{operator: In, values: [/none]}') });
    await tracer.replacePolicy({ yaml: policy('one', '{operator: In, values: [/none, /nor-this]}') });
    // the bits of the first policies are cleared in all processes
    await tracer.removePolicy('one');
    for (const [i, operator] of ['In', 'NotIn'].entries()) {
      const name = `p${i}`;
      await tracer.addPolicy({ yaml: policy(name, `{operator: ${operator}, values: ["${fuse.program}"]}`) });
    }
    assert.deepEqual(
      tracer.policies().map(({ name, state }) => `${name} ${state}`),
      ['shell enabled', 'p0 enabled', 'p1 enabled'],
    );
  });

  it('when it continues, the process is compared by its new program', async () => {
    const events = await recording.hooksDuring(async () => {
      const ended = once(child, 'exit');
      fuse.go();
      assert.deepEqual(await ended, [0, null]);
    });
    assert.deepEqual(
      events.map(({ policyName, process }) => `${policyName} ${process.executable}`),
      [`p0 ${fuse.program}`],
    );
  });
});
