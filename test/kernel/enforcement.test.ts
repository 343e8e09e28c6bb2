/**
 * Actions of selectors besides reporting: signals, other return values, fewer events; and that they are safe to use.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openTracer } from '../../lib/index.js';
import type { ProcessKprobeEvent } from '../../types/index.js';
import {
  checkout,
  fileArgument,
  kprobeEvents,
  MECHANISMS,
  kprobePolicy,
  Recording,
  type Mechanism,
} from './support.js';

/** Programs that only these tests start, so that actions cannot affect other processes. */
const CAT = '/tmp/acted-on';
const BYSTANDER = '/tmp/bystander';
const TARGET = '/tmp/acted-on.txt';

const SELECTOR = `- matchArgs:
  - {index: 0, operator: Equal, values: [${TARGET}]}
  matchBinaries:
  - {operator: In, values: [${CAT}]}
  matchActions:
`;

function openHook(...actions: readonly string[]): string {
  const list = actions.map((action) => `  - {${action}}`).join('\n');
  return `call: security_file_open
syscall: false
args:
- {index: 0, type: file}
selectors:
${SELECTOR}${list}`;
}

/** Reads the file in a separate program, and returns its result as a shell would report it. */
function runCat(program = CAT): { status: number | null; signal: string | null; text: string; error: string } {
  const { status, signal, stdout, stderr } = spawnSync(program, [TARGET], { encoding: 'utf8' });
  return { status, signal, text: stdout, error: stderr };
}

const untouched = { status: 0, signal: null, text: 'read\n', error: '' };

async function recordHooks(
  yaml: string,
  options: Parameters<typeof openTracer>[0],
  run: (recording: Recording) => void | Promise<void>,
): Promise<ProcessKprobeEvent[]> {
  const recording = await Recording.open(yaml, options);
  try {
    return await recording.hooksDuring(() => run(recording));
  } finally {
    await recording.close();
  }
}

describe('enforcement', function () {
  before(() => {
    copyFileSync('/bin/cat', CAT);
    copyFileSync('/bin/cat', BYSTANDER);
    writeFileSync(TARGET, 'read\n');
  });

  for (const attach of MECHANISMS) describe(attach, () => testActions(attach));

  it('Override of an LSM function: the call returns the value, and the event says so', async () => {
    const options = { attach: 'fentry', enforcement: true } as const;
    const events = await recordHooks(kprobePolicy('o', openHook('action: Override, argError: -13')), options, () => {
      const { status, error } = runCat();
      assert.equal(status, 1);
      assert.match(error, /Permission denied/);
      assert.deepEqual(runCat(BYSTANDER), untouched);
    });
    assert.equal(events.length, 1);
    const [event] = events as [ProcessKprobeEvent];
    assert.equal(event.action, 'override');
    assert.deepEqual(event.actions, [{ action: 'override', value: -13, outcome: 'done' }, { action: 'post' }]);
    assert.equal(fileArgument(event).path, TARGET);
  });

  it('Override with a return value: entry and return are one event', async () => {
    const hook = openHook('action: Override, argError: -1').replace(
      'args:',
      'return: true\nreturnArg: {index: 0, type: int}\nargs:',
    );
    const recording = await Recording.open(kprobePolicy('or', hook), { attach: 'fentry', enforcement: true });
    assert.deepEqual(
      recording.tracer.policies()[0]?.hooks.map(({ attach }) => attach),
      ['fmod_ret+fexit'],
    );
    const events = await recording.hooksDuring(() => assert.match(runCat().error, /Operation not permitted/));
    await recording.close();
    assert.deepEqual(
      events.map((event) => [event.action, event.return]),
      [['override', { type: 'int', index: 0, value: -1 }]],
    );
  });

  it('a function that cannot be overridden is refused with a code', async () => {
    const hook = `call: vfs_read\nsyscall: false\nargs:\n- {index: 0, type: file}\nselectors:\n${SELECTOR}  - {action: Override, argError: -1}`;
    await assert.rejects(
      openTracer({ policies: [{ yaml: kprobePolicy('r', hook) }], enforcement: true }),
      (error: Error) => /vfs_read cannot be overridden/.test(error.message),
    );
    const zero = openHook('action: Override, argError: 0');
    await assert.rejects(
      openTracer({ policies: [{ yaml: kprobePolicy('z', zero) }], enforcement: true, attach: 'fentry' }),
      (error: Error & { code?: string }) => error.code === 'OVERRIDE_ZERO',
    );
  });

  it('a tracer that was not opened for it refuses', async () => {
    const yaml = kprobePolicy('s', openHook('action: Sigkill'));
    const isNotAllowed = (error: Error & { code?: string }): boolean => error.code === 'ENFORCEMENT_NOT_ALLOWED';
    await assert.rejects(openTracer({ policies: [{ yaml }] }), isNotAllowed);
    const tracer = await openTracer({ policies: [{ yaml }], mode: 'monitor' });
    await assert.rejects(tracer.setPolicyMode('s', 'enforce'), isNotAllowed);
    assert.deepEqual(runCat(), untouched);
    await tracer.close();
  });

  it('actions do not affect the tracer and its ancestors, and the event says so', async () => {
    // The hook acts on every process that opens a file from here on, also on the tracer if it were not protected.
    const hook = `call: security_file_open
syscall: false
args:
- {index: 0, type: file}
selectors:
- matchArgs:
  - {index: 0, operator: Equal, values: [/tmp/spared.txt]}
  matchActions:
  - {action: Sigkill}`;
    writeFileSync('/tmp/spared.txt', 'x');
    const events = await recordHooks(kprobePolicy('p', hook), { enforcement: true, includeSelf: true }, () => {
      writeFileSync('/tmp/spared.txt', 'y');
    });
    assert.deepEqual(
      events.map((event) => event.actions[0]),
      [{ action: 'sigkill', signal: 9, outcome: 'protected' }],
    );
    assert.equal(events[0]?.action, 'post');
  });

  it('matches do not end a shell that started the tracer', () => {
    const script = `
      const { openTracer } = require(${JSON.stringify(join(checkout, 'dist/index.js'))});
      (async () => {
        const yaml = ${JSON.stringify(
          kprobePolicy(
            'parent',
            `call: security_file_open\nsyscall: false\nargs:\n- {index: 0, type: file}\nselectors:\n- matchArgs:\n  - {index: 0, operator: Equal, values: [/tmp/spared.txt]}\n  matchActions:\n  - {action: Sigkill}`,
          ),
        )};
        const tracer = await openTracer({ policies: [{ yaml }], enforcement: true });
        require('node:fs').writeFileSync('/tmp/go', 'go\\n');
        await require('node:fs/promises').readFile('/tmp/gone');
        const [{ enforced, matched }] = tracer.policies();
        await tracer.close();
        console.log(JSON.stringify({ enforced, matched }));
      })();`;
    writeFileSync('/tmp/child.cjs', script);
    writeFileSync('/tmp/spared.txt', 'y');
    const shell = `rm -f /tmp/go /tmp/gone; mkfifo /tmp/go /tmp/gone
      ${process.execPath} /tmp/child.cjs &
      read line < /tmp/go
      read line < /tmp/spared.txt
      echo gone > /tmp/gone
      wait`;
    const { status, signal, stdout, stderr } = spawnSync('/bin/sh', ['-c', shell], { encoding: 'utf8' });
    assert.deepEqual({ status, signal, stderr }, { status: 0, signal: null, stderr: '' });
    assert.deepEqual(JSON.parse(stdout), { enforced: 0, matched: 1 });
  });

  it('replaced, disabled and enabled while it runs', async () => {
    const first = kprobePolicy('life', openHook('action: Sigkill'));
    const recording = await Recording.open(first, { enforcement: true });
    const { tracer } = recording;
    assert.equal(runCat().signal, 'SIGKILL');
    await tracer.disablePolicy('life');
    assert.deepEqual(runCat(), untouched);
    assert.deepEqual(
      tracer.policies().map(({ state, hooks }) => [state, hooks.length]),
      [['disabled', 0]],
    );
    await tracer.enablePolicy('life');
    assert.equal(runCat().signal, 'SIGKILL');
    await tracer.replacePolicy({ yaml: kprobePolicy('life', openHook('action: Signal, argSig: 15')) });
    assert.equal(runCat().signal, 'SIGTERM');
    await assert.rejects(
      tracer.replacePolicy({
        yaml: kprobePolicy('life', openHook('action: Sigkill').replace('security_file_open', 'no_such_function')),
      }),
    );
    assert.equal(runCat().signal, 'SIGTERM');
    await tracer.removePolicy('life');
    assert.deepEqual(runCat(), untouched);
    await recording.close();
  });

  it('an optional hook is skipped if the kernel does not have its target', async () => {
    const gone = 'call: no_such_function\nsyscall: false\noptional: true';
    const tracer = await openTracer({ policies: [{ yaml: kprobePolicy('opt', gone, openHook('action: Post')) }] });
    const [status] = tracer.policies();
    assert.deepEqual(status?.skipped, ['no_such_function']);
    assert.equal(status?.hooks.length, 1);
    await tracer.close();
  });
});

function testActions(attach: Mechanism): void {
  const options = { attach, enforcement: true } as const;

  it('Sigkill ends the process', async () => {
    const events = await recordHooks(kprobePolicy('k', openHook('action: Sigkill')), options, () => {
      assert.equal(runCat().signal, 'SIGKILL');
      assert.deepEqual(runCat(BYSTANDER), untouched);
    });
    assert.deepEqual(
      events.map(({ action, actions, policyMode, process }) => ({
        action,
        actions,
        policyMode,
        binary: process.binary,
      })),
      [
        {
          action: 'sigkill',
          actions: [{ action: 'sigkill', signal: 9, outcome: 'done' }, { action: 'post' }],
          policyMode: 'enforce',
          binary: CAT,
        },
      ],
    );
  });

  it('Signal sends its own', async () => {
    const events = await recordHooks(kprobePolicy('s', openHook('action: Signal, argSig: 10')), options, () => {
      assert.equal(runCat().signal, 'SIGUSR1');
    });
    assert.deepEqual(
      events.map(({ action }) => action),
      ['signal'],
    );
  });

  it('Override of a system call, with a signal', async () => {
    const hook = `call: sys_openat
args:
- {index: 1, type: string}
selectors:
${SELECTOR.replace('index: 0', 'index: 1')}  - {action: Override, argError: -13}
  - {action: Signal, argSig: 28}`;
    const events = await recordHooks(kprobePolicy('os', hook), options, () => {
      const { status, error } = runCat();
      assert.equal(status, 1);
      assert.match(error, /Permission denied/);
    }).catch((error: Error & { code?: string }) => {
      // A kernel without CONFIG_FUNCTION_ERROR_INJECTION does not support Override of system calls.
      assert.ok(!existsSync('/sys/kernel/debug/error_injection/list'));
      assert.equal(error.code, 'OVERRIDE_NOT_POSSIBLE', error.message);
      return undefined;
    });
    if (events === undefined) return;
    assert.deepEqual(
      events.map(({ actions }) => actions),
      [
        [
          { action: 'override', value: -13, outcome: 'done' },
          { action: 'signal', signal: 28, outcome: 'done' },
          { action: 'post' },
        ],
      ],
    );
  });

  it('NoPost: the action is performed, and no event is reported', async () => {
    const recording = await Recording.open(kprobePolicy('n', openHook('action: Sigkill', 'action: NoPost')), options);
    const events = await recording.hooksDuring(() => assert.equal(runCat().signal, 'SIGKILL'));
    const [status] = recording.tracer.policies();
    await recording.close();
    assert.deepEqual(events, []);
    assert.deepEqual([status?.matched, status?.enforced], [1, 1]);
  });

  it('monitor mode reports the actions without performing them; the mode changes while the policy runs', async () => {
    const yaml = kprobePolicy('m', openHook('action: Sigkill'));
    const events = await recordHooks(yaml, { ...options, mode: 'monitor' }, async ({ tracer }) => {
      assert.deepEqual(runCat(), untouched);
      await tracer.setPolicyMode('m', 'enforce');
      assert.equal(runCat().signal, 'SIGKILL');
      await tracer.setPolicyMode('m', 'monitor');
      assert.deepEqual(runCat(), untouched);
    });
    assert.deepEqual(
      events.map(({ policyMode, action, actions }) => [
        policyMode,
        action,
        'outcome' in (actions[0] ?? {}) && actions[0],
      ]),
      ['monitor', 'enforce', 'monitor'].map((mode) => [
        mode,
        'sigkill',
        { action: 'sigkill', signal: 9, outcome: mode === 'enforce' ? 'done' : 'monitored' },
      ]),
    );
  });

  it('a rate limit reports one of many events, and the number of suppressed events', async () => {
    const yaml = kprobePolicy('r', openHook('action: Post, rateLimit: "8s", rateLimitScope: global'));
    const recording = await Recording.open(yaml, { attach });
    const events = await recording.hooksDuring(async () => {
      for (let i = 0; i < 4; i++) assert.deepEqual(runCat(), untouched);
      await new Promise((resolve) => setTimeout(resolve, 8500));
      runCat();
    });
    const [status] = recording.tracer.policies();
    await recording.close();
    assert.deepEqual(
      events.map(({ suppressed }) => suppressed),
      [0, 3],
    );
    assert.deepEqual([status?.matched, status?.suppressed], [5, 3]);
  });

  it('a rate limit of threads suppresses no events of other threads', async () => {
    const events = await recordHooks(kprobePolicy('rt', openHook('action: Post, rateLimit: 1m')), { attach }, () => {
      for (let i = 0; i < 3; i++) runCat();
    });
    assert.equal(events.length, 3);
  });

  it('stack traces name functions and modules, and no addresses', async () => {
    const yaml = kprobePolicy('st', openHook('action: Post, kernelStackTrace: true, userStackTrace: true'));
    const events = await recordHooks(yaml, { attach }, () => void runCat());
    const [event] = kprobeEvents(events);
    assert.ok(
      (event?.kernelStack ?? []).some(({ symbol }) => /open/.test(symbol ?? '')),
      JSON.stringify(event?.kernelStack?.map((f) => f.symbol)),
    );
    assert.ok((event?.kernelStack ?? []).every((frame) => frame.address === undefined));
    assert.ok((event?.userStack ?? []).length > 0);
  });
}
