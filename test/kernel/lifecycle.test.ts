/** Policies are added and removed while others run. A policy that cannot be loaded leaves nothing behind. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { KernelError, openTracer, PolicyError } from '../../lib/index.js';
import {
  prepareWorkload,
  countPrograms,
  describeOn,
  fileHook,
  kprobePolicy,
  onPath,
  Recording,
  runWorkload,
  waitForPrograms,
} from './support.js';

const GOOD = kprobePolicy('good', fileHook(onPath('Equal', '/srv/life')));

describeOn('6.12', 'life cycle', () => {
  let recording: Recording;
  before(async () => {
    prepareWorkload();
    writeFileSync('/srv/life', 'x');
    writeFileSync('/srv/other', 'x');
    recording = await Recording.open(GOOD);
  });
  after(() => recording?.close());

  const reads = (path: string): Promise<string[]> => recording.pathsDuring(() => runWorkload('read', path, 1));

  it('a policy with three mistakes reports all three with their places, and does not affect other policies', async () => {
    const bad = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata:
  name: bad
spec:
  kprobes:
  - call: security_file_permission
    syscall: false
    argz: []
    args:
    - index: 0
      type: fille
    selectors:
    - matchArgs:
      - index: 0
        operator: Equals
        values: ["/srv/life"]
`;
    const before = countPrograms();
    await assert.rejects(recording.tracer.addPolicy({ yaml: bad, file: 'bad.yaml' }), (error: unknown) => {
      assert.ok(error instanceof PolicyError);
      const errors = error.diagnostics.filter((d) => d.severity === 'error');
      assert.deepEqual(
        errors.map((d) => [d.file, d.line]),
        [
          ['bad.yaml', 9],
          ['bad.yaml', 12],
          ['bad.yaml', 16],
        ],
      );
      return true;
    });
    await waitForPrograms(before);
    assert.deepEqual(await reads('/srv/life'), ['/srv/life']);
  });

  it('a policy whose second hook cannot be attached is not loaded at all', async () => {
    const before = countPrograms();
    const half = kprobePolicy(
      'half',
      fileHook(onPath('Equal', '/srv/other')),
      'call: no_such_function_here\nsyscall: false',
    );
    await assert.rejects(recording.tracer.addPolicy({ yaml: half }), (error: unknown) => {
      assert.ok(error instanceof KernelError);
      assert.equal(error.code, 'HOOK_NOT_FOUND');
      assert.match(error.message, /no_such_function_here/);
      return true;
    });
    await waitForPrograms(before);
    assert.deepEqual(await reads('/srv/other'), []);
    assert.deepEqual(
      recording.tracer.policies().map((p) => p.name),
      ['good'],
    );
  });

  it('ignore.callNotFound skips functions that the kernel does not have', async () => {
    const optional = kprobePolicy(
      'optional',
      fileHook(onPath('Equal', '/srv/other')),
      'call: no_such_function_here\nsyscall: false\nignore:\n  callNotFound: true',
    );
    const [status] = await recording.tracer.addPolicy({ yaml: optional });
    assert.deepEqual(
      status?.hooks.map((hook) => hook.call),
      ['security_file_permission'],
    );
    assert.deepEqual(await reads('/srv/other'), ['/srv/other']);
    await recording.tracer.removePolicy('optional');
    assert.deepEqual(await reads('/srv/other'), []);
  });

  it("an index beyond the parameters, another type than the parameter's, and the return value of a void function are refused with codes", async () => {
    const beyond = kprobePolicy(
      'beyond',
      'call: security_file_permission\nsyscall: false\nargs:\n- index: 5\n  type: int',
    );
    await assert.rejects(recording.tracer.addPolicy({ yaml: beyond }), { code: 'ARG_BEYOND_PROTOTYPE' });
    const mistaken = kprobePolicy(
      'mistaken',
      'call: security_path_truncate\nsyscall: false\nargs:\n- index: 0\n  type: file',
    );
    await assert.rejects(recording.tracer.addPolicy({ yaml: mistaken }), { code: 'ARG_TYPE_MISMATCH' });
    const nothing = kprobePolicy(
      'nothing',
      'call: security_task_to_inode\nsyscall: false\nreturn: true\nreturnArg:\n  index: 0\n  type: int',
    );
    await assert.rejects(recording.tracer.addPolicy({ yaml: nothing }), { code: 'RETURN_OF_VOID' });
  });

  it('adding the same name twice is refused, and so is removing it twice', async () => {
    await assert.rejects(recording.tracer.addPolicy({ yaml: GOOD }), { code: 'POLICY_EXISTS' });
    await assert.rejects(recording.tracer.removePolicy('never'), { code: 'NO_SUCH_POLICY' });
  });

  it('after adding and removing 20 times, no program is left, and the other policy is not affected', async () => {
    const before = countPrograms();
    const yaml = kprobePolicy('again', 'call: security_path_truncate\nsyscall: false\nargs:\n- index: 0\n  type: path');
    for (let i = 0; i < 20; i++) {
      await recording.tracer.addPolicy({ yaml });
      await recording.tracer.removePolicy('again');
    }
    await waitForPrograms(before);
    assert.deepEqual(await reads('/srv/life'), ['/srv/life']);
  });

  it('a tracer that fails to open leaves nothing', async () => {
    const before = countPrograms();
    const missing = kprobePolicy('missing', 'call: no_such_function_here\nsyscall: false');
    await assert.rejects(openTracer({ policies: [{ yaml: GOOD }, { yaml: missing }] }), { code: 'HOOK_NOT_FOUND' });
    await waitForPrograms(before);
  });
});
