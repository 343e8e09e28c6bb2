/** The error for a function that the kernel does not have suggests a similar name. */
import assert from 'node:assert/strict';
import { attachKernelFunction } from '../../../lib/attach/kernel-function.js';
import type { AttachRequest } from '../../../lib/attach/request.js';
import { findTargets } from '../../../lib/attach/targets.js';
import { compilePolicy } from '../../../lib/policy/index.js';
import { fakeKernel } from '../policy/fake-kernel.js';
import { policyYaml } from '../policy/marked-policies.js';

const preemption = { isPreemptible: false };
const context = { attach: 'auto', preemption, features: { fentry: { available: true }, kprobe: { available: false } } };

/** The request to attach the first hook of a policy. It is refused before the kernel gets it. */
function attachRequest(spec: string): AttachRequest {
  const [hook] = compilePolicy(policyYaml(spec)).hooks;
  return { hook, context, kernel: fakeKernel } as unknown as AttachRequest;
}

const cases: readonly (readonly [string, string])[] = [
  ['call: security_file_permision, syscall: false', 'did you mean security_file_permission?'],
  ['call: openat', 'did you mean sys_openat?'],
  ['call: vfs_void', 'vfs_void is a function: add `syscall: false`'],
];

describe('attach: functions that do not exist', () => {
  for (const [hook, hint] of cases) {
    it(hook, async () => {
      await assert.rejects(attachKernelFunction(attachRequest(`kprobes: [{${hook}}]`)), {
        code: 'HOOK_NOT_FOUND',
        hint,
      });
    });
  }

  it('suggests for a function in a list', () => {
    const {
      hook,
      context: own,
      kernel,
    } = attachRequest('lists: [{name: a, values: [vfs_void, vfs_vod]}]\nkprobes: [{call: "list:a", syscall: false}]');
    assert.throws(() => findTargets(hook, own, kernel), { code: 'HOOK_NOT_FOUND', hint: 'did you mean vfs_void?' });
  });

  it('keeps its own hint if no name is similar', async () => {
    await assert.rejects(attachKernelFunction(attachRequest('kprobes: [{call: nothing_like_it, syscall: false}]')), {
      code: 'HOOK_NOT_FOUND',
      hint: /check the name/,
    });
  });
});
