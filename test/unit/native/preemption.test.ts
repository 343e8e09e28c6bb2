/** The preemption model of a kernel: from its version, from debugfs. */
import assert from 'node:assert/strict';
import { scratchGuard } from '../../../lib/attach/preemption.js';
import type { AttachContext } from '../../../lib/attach/request.js';
import { parseModelFile, staticModel, suspendsTracepoints } from '../../../lib/native/preemption.js';
import { ScratchGuard } from '../../../lib/wire/layout.gen.js';

describe('the preemption model', () => {
  it('is in the version of a kernel that cannot change it', () => {
    assert.equal(staticModel('#1 SMP Debian 5.10.0-1'), 'voluntary');
    assert.equal(staticModel('#1 SMP PREEMPT Mon'), 'full');
    assert.equal(staticModel('#1 SMP PREEMPT_RT Debian'), 'rt');
    assert.equal(staticModel('#1 SMP PREEMPT_LAZY'), 'lazy');
    assert.equal(staticModel('#1 SMP PREEMPT_DYNAMIC Debian 6.12'), undefined);
  });

  it('is in parentheses in debugfs', () => {
    assert.equal(parseModelFile('none voluntary (full)\n'), 'full');
    assert.equal(parseModelFile('full (lazy)\n'), 'lazy');
    assert.equal(parseModelFile('(undefined)\n'), undefined);
    assert.equal(parseModelFile(''), undefined);
  });

  it('includes tracepoints on new kernels', () => {
    const releases = ['6.12.118+deb13-amd64', '6.13.0', '7.0.1-1-amd64', '5.10.0-9'];
    assert.deepEqual(releases.map(suspendsTracepoints), [false, true, true, false]);
  });

  it('decides how programs protect their memory', () => {
    const guard = (mechanism: string, isPreemptible: boolean, available: boolean): number =>
      scratchGuard(mechanism, {
        features: { preemptDisable: { available }, directRead: { available: true } },
        preemption: { model: 'full', isPreemptible, suspendsTracepoints: isPreemptible },
      } as unknown as AttachContext);
    assert.equal(guard('lsm', false, true), ScratchGuard.GUARD_NONE);
    assert.equal(guard('lsm', true, true), ScratchGuard.GUARD_PREEMPT);
    assert.equal(guard('uprobe', true, false), ScratchGuard.GUARD_LEVELS);
    for (const mechanism of ['tp_btf', 'raw_tracepoint']) {
      assert.equal(guard(mechanism, true, true), ScratchGuard.GUARD_PREEMPT);
      assert.equal(guard(mechanism, true, false), ScratchGuard.GUARD_NONE);
      assert.equal(guard(mechanism, false, true), ScratchGuard.GUARD_NONE);
    }
    assert.equal(guard('kprobe', true, true), ScratchGuard.GUARD_NONE);
    assert.equal(guard('fentry', true, true), ScratchGuard.GUARD_NONE);
  });
});
