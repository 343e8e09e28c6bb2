/** Hooks of system calls share one program, which finds the hook of a call by its number. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { preflight } from '../../lib/index.js';
import { isTracepoint, needsRoot, openTracer } from './support.js';

const GETPGID = 121;
const GETSID = 124;

const policy = (name: string, ...calls: readonly number[]): { yaml: string } => ({
  yaml: JSON.stringify({
    apiVersion: 'cilium.io/v1alpha1',
    kind: 'TracingPolicy',
    metadata: { name },
    spec: {
      tracepoints: [
        {
          subsystem: 'raw_syscalls',
          event: 'sys_exit',
          raw: true,
          args: [{ index: 0, source: 'pt_regs', resolve: 'orig_rax', type: 'syscall64' }],
          selectors: [
            {
              matchPIDs: [{ operator: 'In', followForks: true, values: [process.pid] }],
              matchArgs: [{ args: [0], operator: 'InMap', values: calls.map(String) }],
            },
          ],
        },
      ],
    },
  }),
});

/** Names of the programs that this process has attached to the tracepoint. */
function attached(): string[] {
  const infos = readdirSync('/proc/self/fdinfo').flatMap((fd) => {
    try {
      return [readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')];
    } catch {
      return []; // the descriptor that reads the folder
    }
  });
  return infos.flatMap((text) => {
    const id = /^tp_name:\s*sys_exit$/m.test(text) ? /^prog_id:\s*(\d+)$/m.exec(text)?.[1] : undefined;
    if (id === undefined) return [];
    const shown = execFileSync('bpftool', ['-j', 'prog', 'show', 'id', id], { encoding: 'utf8' });
    return [(JSON.parse(shown) as { readonly name: string }).name];
  });
}

/** On a kernel that can suspend programs at tracepoints, or whose model is not known, each hook has a program at the tracepoint. */
let isShared: boolean;

describe('system calls of several hooks', function () {
  this.timeout(60_000);
  before(needsRoot);
  before(function () {
    if (process.arch !== 'x64') this.skip();
    const [major = 0, minor = 0] = release().split('.').map(Number);
    const suspendsTracepoints = major > 6 || (major === 6 && minor >= 13);
    isShared = !suspendsTracepoints || ['none', 'voluntary'].includes(preflight().preemption);
  });

  it('each hook has its calls; a call that two hooks select is reported by both; what is removed is not missed', async () => {
    await using tracer = await openTracer({ policies: [policy('one', GETSID), policy('two', GETSID, GETPGID)], includeSelf: true });
    const events = tracer.events();
    const call = 'os.getsid(0); os.getpgid(0)';
    /** The policies and numbers of the calls of a program, until it ends. */
    const trace = async (): Promise<string[]> => {
      const ended = execFileSync('python3', ['-c', `import os; print(os.getpid()); ${call}`], { encoding: 'utf8' });
      const seen: string[] = [];
      for (;;) {
        const { value: event } = await events.next();
        if (event === undefined || !('process' in event) || event.process.pid !== Number(ended)) continue;
        if (event.type === 'process_exit') return seen.sort();
        if (!isTracepoint(event)) continue;
        const [number] = event.args;
        if (number?.type === 'syscall64') seen.push(`${event.policyName} ${'value' in number ? String(number.value) : ''}`);
      }
    };
    assert.deepEqual(await trace(), [`one ${GETSID}`, `two ${GETPGID}`, `two ${GETSID}`]);
    assert.deepEqual(attached().sort(), isShared ? ['find_call', 'hook_entry'] : ['hook_entry', 'hook_entry']);
    // one has its call alone, two is the first that runs for all calls, and a group begins with the next one
    await tracer.addPolicy(policy('more', GETSID));
    const grouped = tracer.policies().map(({ hooks: [hook] }) => hook?.grouped);
    assert.deepEqual(grouped, [undefined, isShared ? undefined : true, true]);
    assert.deepEqual(await trace(), [`more ${GETSID}`, `one ${GETSID}`, `two ${GETPGID}`, `two ${GETSID}`]);
    await tracer.removePolicy('more');
    await tracer.removePolicy('one');
    assert.deepEqual(await trace(), [`two ${GETPGID}`, `two ${GETSID}`]);
    await tracer.removePolicy('two');
    assert.deepEqual(attached(), []);
    await tracer.addPolicy(policy('three', GETPGID));
    assert.deepEqual(await trace(), [`three ${GETPGID}`]);
    assert.deepEqual(attached(), [isShared ? 'find_call' : 'hook_entry']);
  });

  it('the upper half of the register, which the kernel ignores, hides no call', async () => {
    // with countHits, each hook has a program of its own at the tracepoint
    for (const countHits of [false, true]) {
      await using tracer = await openTracer({ policies: [policy('halves', GETPGID)], includeSelf: true, countHits });
      const calls = [1, 2 ** 31 - 1, -1].map((half) => `call((${half} << 32) + ${GETPGID}, 0)`);
      // the others are no calls
      const others = `call(-1); call(512); call(600); call(${2 ** 31 + GETPGID})`;
      const script = `import ctypes, os
libc = ctypes.CDLL(None)
call = lambda number, *args: libc.syscall(ctypes.c_long(number), *args)
print(os.getpid(), [one == os.getpgid(0) for one in [${calls.join(', ')}]].count(True)); ${others}`;
      const [pid, done] = execFileSync('python3', ['-c', script], { encoding: 'utf8' }).split(' ').map(Number);
      assert.equal(done, calls.length, 'the kernel does not ignore the upper half');
      let seen = 0;
      for await (const event of tracer) {
        if (!('process' in event) || event.process.pid !== pid) continue;
        if (event.type === 'process_exit') break;
        seen += Number(isTracepoint(event));
      }
      assert.equal(seen, 2 * calls.length, 'each of the calls, and as many of os.getpgid');
    }
  });
});
