/** LSM hooks with actions, and the hashes of files that the kernel's IMA computes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import type { ProcessLsmEvent, TracerEvent } from '../../types/index.js';
import { kernel, prepareWorkload, Recording, WORKLOAD } from './support.js';

/** Files that only these tests use, so that actions cannot affect other processes. */
const PROGRAM = '/tmp/lsm-program';
const CAT = '/tmp/lsm-cat';
const TARGET = '/tmp/lsm.txt';

/** Programs of groups read the kernel's memory directly. They disable preemption, so it does not matter here. */
const HAS_GROUPS = kernel !== '6.1';

function runProgram(program: string, ...args: string[]): { code?: string; signal: string | null; stderr: string } {
  const { error, signal, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return { ...(code === undefined ? {} : { code }), signal, stderr };
}

const FINE = { signal: null, stderr: '' };

function lsmPolicy(name: string, hook: string, type: string, path: string, ...actions: string[]): string {
  return `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: ${name}}
spec:
  lsmhooks:
  - hook: ${hook}
    args: [{index: 0, type: ${type}}]
    selectors:
    - matchArgs: [{index: 0, operator: Equal, values: [${path}]}]
      matchActions: [${actions.map((action) => `{${action}}`).join(', ')}]
`;
}

const sha256 = (path: string): string => `sha256:${createHash('sha256').update(readFileSync(path)).digest('hex')}`;

describe('LSM hooks', function () {
  let recording: Recording;

  before(async () => {
    prepareWorkload();
    copyFileSync(WORKLOAD, PROGRAM);
    copyFileSync('/bin/cat', CAT);
    writeFileSync(TARGET, 'text\n');
    recording = await Recording.open(undefined, { enforcement: true });
  });
  after(() => recording.close());

  async function recordLsm(yaml: string, what: () => void | Promise<void>): Promise<ProcessLsmEvent[]> {
    const [status] = await recording.tracer.addPolicy({ yaml });
    const events = await recording.eventsDuring(what);
    await recording.tracer.removePolicy(status?.name ?? '');
    return events.filter((event: TracerEvent): event is ProcessLsmEvent => event.type === 'process_lsm');
  }

  it('Override: the call returns the error, in monitor mode it does not', async () => {
    const yaml = lsmPolicy('deny', 'file_open', 'file', TARGET, 'action: Override, argError: -13');
    const events = await recordLsm(yaml, async () => {
      assert.match(runProgram(CAT, TARGET).stderr, /Permission denied/);
      await recording.tracer.setPolicyMode('deny', 'monitor');
      assert.deepEqual(runProgram(CAT, TARGET), FINE);
    });
    assert.deepEqual(
      events.map(({ functionName, action, actions, policyMode }) => [functionName, action, actions, policyMode]),
      [
        ['file_open', 'override', [{ action: 'override', value: -13, outcome: 'done' }, { action: 'post' }], 'enforce'],
        [
          'file_open',
          'override',
          [{ action: 'override', value: -13, outcome: 'monitored' }, { action: 'post' }],
          'monitor',
        ],
      ],
    );
  });

  it('Sigkill and Signal', async () => {
    for (const [action, signal] of [
      ['action: Sigkill', 'SIGKILL'],
      ['action: Signal, argSig: 15', 'SIGTERM'],
    ] as const) {
      const events = await recordLsm(lsmPolicy('kill', 'file_open', 'file', TARGET, action), () => {
        assert.equal(runProgram(CAT, TARGET).signal, signal);
      });
      assert.deepEqual(
        events.map((event) => 'outcome' in (event.actions[0] ?? {}) && event.actions[0]),
        [
          signal === 'SIGKILL'
            ? { action: 'sigkill', signal: 9, outcome: 'done' }
            : { action: 'signal', signal: 15, outcome: 'done' },
        ],
      );
    }
  });

  it('of many policies share a program: each reports the call that one refuses, and the newest decides', async () => {
    // a function has at most 38 programs of LSM hooks
    const [count, message] = HAS_GROUPS ? [60, 'Device not a stream'] : [30, 'Read-only file system'];
    const names = Array.from({ length: count }, (_, i) => `many-${i}`);
    const { tracer } = recording;
    for (const [i, name] of names.entries()) {
      await tracer.addPolicy({
        yaml: lsmPolicy(name, 'file_open', 'file', TARGET, `action: Override, argError: -${i + 1}`),
      });
    }
    const statuses = tracer.policies().flatMap(({ hooks }) => hooks);
    assert.ok(statuses.every(({ grouped }) => (grouped === true) === HAS_GROUPS));
    const refused = await recording.eventsDuring(() => {
      assert.ok(runProgram(CAT, TARGET).stderr.includes(message));
    });
    const reported = refused.filter((event): event is ProcessLsmEvent => event.type === 'process_lsm');
    const newestFirst = [...names].reverse();
    assert.deepEqual(
      reported.map(({ policyName }) => policyName),
      HAS_GROUPS ? newestFirst : newestFirst.slice(0, 1),
    );
    for (const name of newestFirst.slice(0, -1)) await tracer.removePolicy(name);
    assert.match(runProgram(CAT, TARGET).stderr, /Operation not permitted/);
    await tracer.removePolicy('many-0');
    assert.deepEqual(runProgram(CAT, TARGET), FINE);
  });

  it('of policies that only report: the first one has a program of its own, and each reports the call once', async () => {
    const names = ['first', 'second', 'third'];
    const { tracer } = recording;
    for (const name of names)
      await tracer.addPolicy({ yaml: lsmPolicy(name, 'file_open', 'file', TARGET, 'action: Post') });
    const opened = await recording.eventsDuring(() => {
      assert.deepEqual(runProgram(CAT, TARGET), FINE);
    });
    assert.deepEqual(
      opened.flatMap((event) => (event.type === 'process_lsm' ? [event.policyName] : [])).sort(),
      [...names].sort(),
    );
    assert.deepEqual(
      tracer.policies().map(({ name, hooks: [hook] }) => [name, hook?.grouped ?? false]),
      names.map((name) => [name, HAS_GROUPS && name !== 'first']),
    );
    for (const name of names) await tracer.removePolicy(name);
  });

  it('imaHash: of an executed program, and of a mapped file', async () => {
    const executed = await recordLsm(
      lsmPolicy('exec', 'bprm_check_security', 'linux_binprm', PROGRAM, 'action: Post, imaHash: true'),
      () => {
        assert.deepEqual(runProgram(PROGRAM), FINE);
        assert.deepEqual(runProgram(WORKLOAD), FINE);
      },
    );
    assert.deepEqual(
      executed.map(({ imaHash, args }) => [imaHash, 'path' in (args[0] ?? {}) && args[0]?.type]),
      [[sha256(PROGRAM), 'linux_binprm']],
    );
    const mapped = await recordLsm(
      lsmPolicy('map', 'mmap_file', 'file', TARGET, 'action: Post, imaHash: true, kernelStackTrace: true'),
      () => {
        assert.deepEqual(runProgram(WORKLOAD, 'mmap', TARGET, '1', '1'), FINE);
      },
    );
    assert.deepEqual(
      mapped.map(({ imaHash, kernelStack }) => [imaHash, (kernelStack ?? []).length > 0]),
      [[sha256(TARGET), true]],
    );
  });

  it('imaHash with Override: the call is refused, and the event contains the hash', async () => {
    const actions = ['action: Override, argError: -1', 'action: Post, imaHash: true'];
    const yaml = lsmPolicy('both', 'bprm_check_security', 'linux_binprm', PROGRAM, ...actions);
    const events = await recordLsm(yaml, () => assert.equal(runProgram(PROGRAM).code, 'EPERM'));
    assert.deepEqual(
      events.map(({ imaHash, action }) => [imaHash, action]),
      [[sha256(PROGRAM), 'override']],
    );
    assert.deepEqual(runProgram(PROGRAM), FINE);
  });

  it('imaHash is refused on hooks where BPF programs may not sleep', async () => {
    const yaml = lsmPolicy('no', 'file_permission', 'file', TARGET, 'action: Post, imaHash: true');
    await assert.rejects(recording.tracer.addPolicy({ yaml }), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'IMA_HASH_NOT_POSSIBLE', error.message);
      assert.match(error.message, /^<policy>:6:11: no hash on file_permission/);
      return true;
    });
    assert.deepEqual(recording.tracer.policies(), []);
  });
});
