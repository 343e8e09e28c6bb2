/** Other kinds of hooks that need a full kernel: LSM hooks, and functions that are attached by trampoline only. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { openTracer } from '../../lib/index.js';
import type { ProcessLsmEvent, TracerEvent } from '../../types/index.js';
import { batchInput } from './matrix-policy.js';
import {
  assertRefused,
  prepareWorkload,
  fileArgument,
  kprobeEvents,
  kernel,
  kprobePolicy,
  Recording,
  WORKLOAD,
} from './support.js';

const isLsm = (event: TracerEvent): event is ProcessLsmEvent => event.type === 'process_lsm';

/** The same as `policy`, with its hooks under another kind. */
function kindPolicy(kind: string, ...hooks: readonly string[]): string {
  return kprobePolicy('kinds', ...hooks).replace('  kprobes:', `  ${kind}:`);
}

async function recordEvents(yaml: string, run: () => void): Promise<TracerEvent[]> {
  const recording = await Recording.open(yaml);
  try {
    return await recording.eventsDuring(run);
  } finally {
    await recording.close();
  }
}

describe('LSM hooks', () => {
  before(prepareWorkload);
  before(() => ['/tmp/wanted', '/tmp/unwanted'].forEach((path) => writeFileSync(path, 'x')));

  it('the machine has BPF among its LSMs', () => {
    assert.match(readFileSync('/sys/kernel/security/lsm', 'utf8'), /\bbpf\b/);
  });

  it('file_open: the path, filtered; other opened files are not reported', async () => {
    const hook = `hook: file_open
message: opened
tags: [a]
args:
- index: 0
  type: file
selectors:
- matchArgs:
  - index: 0
    operator: Equal
    values: [/tmp/wanted]`;
    const events = await recordEvents(kindPolicy('lsmhooks', hook), () => {
      for (const path of ['/tmp/wanted', '/tmp/unwanted']) spawnSync('cat', [path]);
    });
    assert.deepEqual(
      events
        .filter(isLsm)
        .map((e) => [
          e.policyName,
          e.functionName,
          e.message,
          e.tags,
          e.selector,
          e.process.argv,
          fileArgument(e).path,
        ]),
      [['kinds', 'file_open', 'opened', ['a'], 0, ['/tmp/wanted'], '/tmp/wanted']],
    );
  });

  it('bprm_check_security: a member of the struct that the parameter points to', async () => {
    const hook = `hook: bprm_check_security
args:
- index: 0
  type: linux_binprm
- index: 0
  type: string
  resolve: mm.owner.real_parent.comm
selectors:
- matchArgs:
  - args: [0]
    operator: Equal
    values: ["${WORKLOAD}"]`;
    const events = await recordEvents(kindPolicy('lsmhooks', hook), () =>
      spawnSync(WORKLOAD, ['openat', '/no/such/file']),
    );
    const reported = events
      .filter(isLsm)
      .map((e) => e.args.map((arg) => ('path' in arg ? arg.path : 'value' in arg && arg.value)));
    assert.deepEqual(reported, [[WORKLOAD, reported[0]?.[1]]]);
    // The main thread of Node.js can have either name.
    assert.match(String(reported[0]?.[1]), /^(node|MainThread)/);
  });

  it('inode_setxattr: a buffer behind a pointer to const void', async () => {
    // before Linux 5.12, the hook has no user namespace as its first parameter
    const value = kernel === '5.10' ? 2 : 3;
    const hook = `hook: inode_setxattr
args:
- index: ${value}
  type: const_buf
  sizeArgIndex: ${value + 2}
selectors:
- matchArgs:
  - index: ${value}
    operator: Prefix
    values: [want]`;
    const events = await recordEvents(kindPolicy('lsmhooks', hook), () => {
      const actions = ['wanted', 'other'].map((text) => ({ name: text, action: ['xattr', '/tmp/wanted', text] }));
      const { status, stderr } = spawnSync(WORKLOAD, ['batch'], { input: batchInput(actions), encoding: 'utf8' });
      assert.equal(status, 0, stderr);
    });
    const reported = events.filter(isLsm).flatMap((e) => e.args.map((arg) => arg.type === 'const_buf' && arg.value));
    assert.deepEqual(
      reported.map((bytes) => bytes && Buffer.from(bytes).toString()),
      ['wanted'],
    );
  });

  it('an unknown hook is refused, and so is a parameter that the hook does not have', async () => {
    const assertHookRefused = (hook: string, code: string, message: RegExp): Promise<void> =>
      assertRefused(openTracer({ policies: [{ yaml: kindPolicy('lsmhooks', hook) }] }), code, message);
    await assertHookRefused('hook: file_opened', 'LSM_HOOK_UNKNOWN', /file_opened/);
    await assertHookRefused('hook: file_open\nargs:\n- index: 1\n  type: int', 'ARG_BEYOND_PROTOTYPE', /parameter 1/);
  });

  it('the status reports the mechanism', async () => {
    const tracer = await openTracer({ policies: [{ yaml: kindPolicy('lsmhooks', 'hook: file_open') }] });
    const [status] = tracer.policies();
    await tracer.close();
    assert.deepEqual(
      status?.hooks.map(({ call, functionName, attach }) => [call, functionName, attach]),
      [['file_open', 'file_open', 'lsm']],
    );
  });
});

describe('fentries', () => {
  const HOOK = `call: security_file_permission
syscall: false
return: true
args:
- index: 0
  type: file
- index: 1
  type: int
returnArg:
  index: 0
  type: int
selectors:
- matchArgs:
  - index: 0
    operator: Equal
    values: [/tmp/wanted]
  - index: 1
    operator: Equal
    values: ["4"]`;

  before(() => writeFileSync('/tmp/wanted', 'x'));

  it('are reported in the same way as kprobes', async () => {
    const events = await recordEvents(kindPolicy('fentries', HOOK), () => spawnSync('cat', ['/tmp/wanted']));
    const reported = kprobeEvents(events).map((e) => [e.functionName, fileArgument(e).path, e.return]);
    assert.ok(reported.length > 0);
    for (const each of reported) {
      assert.deepEqual(each, ['security_file_permission', '/tmp/wanted', { type: 'int', index: 0, value: 0 }]);
    }
  });

  it('use trampolines, whatever mechanism the tracer was opened with', async () => {
    for (const attach of ['auto', 'kprobe'] as const) {
      const tracer = await openTracer({ attach, policies: [{ yaml: kindPolicy('fentries', HOOK) }] });
      const [status] = tracer.policies();
      await tracer.close();
      assert.deepEqual(
        status?.hooks.map((hook) => hook.attach),
        ['fexit'],
      );
    }
  });
});
