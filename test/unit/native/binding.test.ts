/** Error codes for an errno of the kernel: one errno can mean missing privileges or a rejection by the verifier. */
import assert from 'node:assert/strict';
import { isNotPermitted, messageWithReason, type NativeError } from '../../../lib/native/native-error.js';

/** The log of libbpf, with clang 14 and kernel 6.1. */
const REJECTED = `libbpf: prog 'handle_exec': BPF program load failed: Permission denied
libbpf: prog 'handle_exec': -- BEGIN PROG LOAD LOG --
; key->slot = 0;
1134: (73) *(u8 *)(r2 +44) = r1
R2 unbounded memory access, make sure to bounds check any such access
processed 20210 insns (limit 1000000) max_states_per_insn 17 total_states 746 peak_states 275 mark_read 61
-- END PROG LOAD LOG --
libbpf: prog 'handle_exec': failed to load: -13
libbpf: failed to load object 'process_probe'
`;
const DENIED = `libbpf: prog 'handle_exec': BPF program load failed: Permission denied
libbpf: prog 'handle_exec': failed to load: -13
`;
const reason = 'R2 unbounded memory access, make sure to bounds check any such access';

const nativeError = (detail: { errno?: string; log?: string }): NativeError => Object.assign(new Error('refused'), detail);

describe('errors of the kernel', () => {
  const cases = [
    { title: 'no privileges', detail: { errno: 'EPERM', log: '' }, privileges: true, text: 'refused (EPERM)' },
    { title: 'a security module', detail: { errno: 'EACCES', log: DENIED }, privileges: true, text: 'refused (EACCES)' },
    { title: 'the verifier', detail: { errno: 'EACCES', log: REJECTED }, privileges: false, text: `refused (EACCES: ${reason})` },
    { title: 'no memory', detail: { errno: 'ENOMEM', log: '' }, privileges: false, text: 'refused (ENOMEM)' },
    { title: 'no errno', detail: {}, privileges: false, text: 'refused' },
  ];
  for (const { title, detail, privileges, text } of cases) {
    it(title, () => {
      assert.equal(isNotPermitted(nativeError(detail)), privileges);
      assert.equal(messageWithReason(nativeError(detail)), text);
    });
  }
});
