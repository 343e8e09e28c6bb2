/** The names of the kernel's functions for system calls. */
import assert from 'node:assert/strict';
import { isIa32Function, isNamedCall, syscallFunctionNames } from '../../../lib/names/syscall-functions.js';

describe('functions of system calls', () => {
  it('the function of a 32-bit call is its own, if there is one, and otherwise that of all programs', () => {
    assert.deepEqual(syscallFunctionNames('i386/sys_ptrace'), ['__ia32_compat_sys_ptrace', '__ia32_sys_ptrace']);
  });

  it('a function that the kernel has in vain is left out', () => {
    for (const name of ['getsockopt', 'process_vm_readv', 'process_vm_writev', 'setsockopt']) {
      assert.deepEqual(syscallFunctionNames(`i386/sys_${name}`), [`__ia32_sys_${name}`]);
    }
    assert.deepEqual(syscallFunctionNames('x64/sys_setsockopt'), ['__x64_sys_setsockopt']);
  });

  it('only the name of a function says that the kernel does not have a call', () => {
    const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
    for (const call of ['sys_read', `${arch}/sys_lookup_dcookie`, `__${arch}_sys_lookup_dcookie`])
      assert.ok(isNamedCall(call), call);
    // no name of a function, a function with another name, another call, a 32-bit call
    for (const call of [
      'read',
      `${arch}/read`,
      'sys_umount2',
      'sys_fadvise64',
      'sys_newuname',
      'sys_raed',
      'i386/sys_read',
    ])
      assert.ok(!isNamedCall(call), call);
  });

  it('a complete name stays as it is', () => {
    const name = '__ia32_compat_sys_process_vm_writev';
    assert.deepEqual(syscallFunctionNames(name), [name]);
    assert.ok(isIa32Function(name));
  });
});
