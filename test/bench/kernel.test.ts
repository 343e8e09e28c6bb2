/** Counts the instructions that polytrace adds to operations of the kernel, in a virtual machine, and checks their limits. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { ROOT } from '../project.js';

const runNode = (...args: readonly string[]): ReturnType<typeof spawnSync> & { stdout: string; stderr: string } =>
  spawnSync(process.execPath, ['--import', 'tsx', ...args], { cwd: ROOT, encoding: 'utf8' });

describe('instructions in the kernel', function () {
  // It takes three minutes on an idle machine.
  this.timeout(1_200_000);

  it('each operation with a limit stays below it', async function () {
    const { corpus, vmObstacle } = await import('../vm/vm.mjs');
    const noPolicy = existsSync(corpus) ? undefined : `the limits are those of a policy in ${corpus}, which is missing`;
    const obstacle = vmObstacle() ?? noPolicy;
    if (obstacle !== undefined) {
      console.log(`      ${obstacle}`);
      return this.skip();
    }
    const { status, stdout, stderr } = runNode('bench/run.mts', '--limits');
    console.log(stdout.replaceAll(/^/gm, '      '));
    assert.equal(status, 0, stderr);
  });

  it('names an operation above its limit, and one that was not counted', () => {
    const base = {
      name: 'nothing',
      counts: {
        'pread-2': 1000,
        'pread-7': 1000,
        'pread-overlay': 1000,
        'pread-match': 1000,
        'open-close': 1000,
        'pread-first': 1000,
        'pread-renames': 1000,
        'pread-100': 1000,
        'pread-in-turn': 1000,
        'pread-busy': 1000,
        'pread-proc': 1000,
        'pread-proc-pid': 1000,
        'pread-memfd': 1000,
        pipe: 1000,
        sockets: 1000,
      },
    };
    const near = { 'pread-first': 2000, 'pread-renames': 2000 };
    const policy = {
      counts: {
        'pread-2': 1001,
        'pread-7': 9000,
        'pread-overlay': 1001,
        'open-close': 1001,
        'pread-first': 2149,
        'pread-renames': 2151,
        'pread-100': 1499,
        'pread-in-turn': 1483,
        'pread-busy': 1001,
        'pread-proc': 1001,
        'pread-proc-pid': 1001,
        'pread-memfd': 1001,
        pipe: 1001,
        sockets: 1001,
      },
    };
    const counted = [
      base,
      { name: 'base sensor', counts: {}, programs: { handle_fork: 1, handle_exec: 4000 } },
      // Only one of the next two has limits, depending on the files of this machine.
      { name: 'upstream policy', ...policy },
      { name: 'our example', ...policy },
      { name: 'no cache', counts: near },
    ];
    const script = `
      import { checkLimits } from './bench/kernel.mts';
      console.log(checkLimits(${JSON.stringify(counted)}).tooMany.join('\\n'));`;
    const { stdout, stderr } = runNode('--input-type=module', '-e', script);
    assert.equal(stderr, '');
    assert.deepEqual(
      stdout
        .replaceAll(/upstream policy|our example/g, 'policy')
        .replaceAll(/more than [\d,]+$/gm, 'too many')
        .trim()
        .split('\n'),
      [
        "'pread, no match, depth 7': policy adds 8,000 instructions, too many",
        "'pread, match': policy adds NaN instructions, too many",
        "'pread, among renames': policy adds 1,151 instructions, too many",
        "'pread, 300 files in turn': policy adds 483 instructions, too many",
        "'vfork + exec + exit + wait': base sensor adds 4,001 instructions, too many",
      ],
    );
  });
});
