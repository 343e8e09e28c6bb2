/** The file descriptors of policies: few for each hook, all returned, and none taken from the rest of the process. */
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { needsTracefs } from './requirements.js';
import { needsRoot, openTracer, runScript, Workshop } from './support.js';

/** Without pipes and sockets: those of commands of earlier tests are closed at any time. */
function countDescriptors(): number {
  const targets = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ''; // the descriptor that reads the folder
    }
  });
  return targets.filter((target) => !/^(pipe|socket):/.test(target)).length;
}

const shop = new Workshop();
const policy = (name: string, spec: string): string =>
  `apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: { name: ${name} }\nspec:\n${spec}\n`;
const uprobe = (more: string): string => `  uprobes: [{ path: ${shop.helper}, symbols: [main]${more} }]`;

/** The most descriptors that a policy with one hook of this kind may cost. */
const HOOKS: Readonly<Record<string, { readonly most: number; readonly spec: string }>> = {
  tracepoint: { most: 3, spec: '  tracepoints: [{ subsystem: raw_syscalls, event: sys_enter, args: [{ index: 4, type: int64 }] }]' },
  'raw tracepoint': { most: 2, spec: '  tracepoints: [{ subsystem: sched, event: sched_process_exit, raw: true }]' },
  uprobe: { most: 2, spec: uprobe('') },
  'uprobe and its return': { most: 4, spec: uprobe(', return: true, returnArg: { index: 0, type: int }') },
}; // prettier-ignore

describe('file descriptors of policies', function () {
  this.timeout(60_000);
  before(needsRoot);
  before(needsTracefs);
  after(() => shop.remove());

  for (const [title, { most, spec }] of Object.entries(HOOKS)) {
    it(`${title}: at most ${most}, which are returned`, async () => {
      const tracer = await openTracer({ bufferSize: 131072 });
      try {
        const before = countDescriptors();
        await tracer.addPolicy({ yaml: policy('one', spec) });
        const taken = countDescriptors() - before;
        assert.ok(taken > 0 && taken <= most, `${taken} descriptors`);
        await tracer.removePolicy('one');
        assert.equal(countDescriptors(), before);
      } finally {
        await tracer.close();
      }
    });
  }

  it('the hook that a limit refuses has a coded error, and the process keeps descriptors for its own work', async () => {
    const yaml = policy('NAME', HOOKS['raw tracepoint']?.spec ?? '');
    const { status, stdout, stderr } = await runScript(
      `const { execFileSync } = require('node:child_process');
       const { openSync, closeSync } = require('node:fs');
       // policies that share a program need no descriptors
       const tracer = await polytrace.openTracer({ bufferSize: 131072, groupPolicies: false });
       execFileSync('prlimit', ['--pid', process.pid, '--nofile=240:4096']);
       let loaded = 0, failure;
       while (failure === undefined) {
         try {
           await tracer.addPolicy({ yaml: ${JSON.stringify(yaml)}.replace('NAME', 'p' + loaded) });
           loaded++;
         } catch (error) {
           failure = [error.name, error.code, error.errno, error.message, error.hint];
         }
       }
       const spare = [];
       try { for (;;) spare.push(openSync('/dev/null')); } catch {}
       for (const fd of spare) closeSync(fd);
       out({ loaded, failure, spare: spare.length, active: tracer.policies().length });
       await tracer.removePolicy('p0');
       await tracer.close();`,
    );
    assert.deepEqual([status, stderr], [0, '']);
    const { loaded, failure, spare, active } = JSON.parse(stdout) as Record<string, number> & { failure: string[] };
    assert.deepEqual(failure.slice(0, 3), ['KernelError', 'LIMIT_DESCRIPTORS', 'EMFILE']);
    assert.match(failure[3] ?? '', /too few file descriptors left \(its limit is 240\)/);
    assert.match(failure[4] ?? '', /RLIMIT_NOFILE/);
    assert.equal(active, loaded);
    assert.ok((loaded ?? 0) >= 30, `${loaded} policies`);
    assert.ok((spare ?? 0) >= 32, `${spare} descriptors`);
  });

  it('Node.js raises the soft limit to the hard one when it starts', async () => {
    const { stdout } = await runScript(
      `out(/^Max open files +(\\d+) +(\\d+)/m.exec(require('node:fs').readFileSync('/proc/self/limits', 'utf8')).slice(1));`,
      { command: [join('/usr/bin', 'prlimit'), '--nofile=256:4096'] },
    );
    assert.deepEqual(JSON.parse(stdout), ['4096', '4096']);
  });
});
