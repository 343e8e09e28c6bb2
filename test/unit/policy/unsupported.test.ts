/**
 * Features of the format that the BPF programs do not support yet. They are parsed and checked, and refused at load with
 * their positions.
 */
import assert from 'node:assert/strict';
import { compilePolicy, explainPolicy, parsePolicy } from '../../../lib/policy/index.js';
import { PolicyError } from '../../../lib/errors.js';
import { checkMarked, kprobeYaml, parseMarks, policyYaml, selectorsYaml } from './marked-policies.js';

const cases: readonly (readonly [string, string])[] = [
  [
    'objects of the kernel in programs',
    policyYaml('uprobes: [{path: /bin/bash, symbols: [a], args: [{index: 0, ⟦UNSUPPORTED_ARG_TYPE⟧type: file}]}]'),
  ],
  [
    'a __data_loc in the record of a raw tracepoint',
    policyYaml(
      'tracepoints: [{subsystem: a, event: b, raw: true, args: [{index: 5, ⟦UNSUPPORTED_ARG_TYPE⟧type: data_loc}]}]',
    ),
  ],
  [
    'registers of an LSM hook',
    policyYaml(
      'lsmhooks: [{hook: a, args: [{index: 0, type: uint64, ⟦UNSUPPORTED_ARG_TYPE⟧source: pt_regs, resolve: ax}]}]',
    ),
  ],
  [
    'a char_iovec of a 32-bit program',
    kprobeYaml(
      'call: __ia32_sys_writev\nargs: [{index: 1, ⟦UNSUPPORTED_ARG_TYPE⟧type: char_iovec, sizeArgIndex: 3}, {index: 2, type: int}]',
    ),
  ],
  [
    'a field of tracepoints',
    kprobeYaml('call: f\nreturn: true\nreturnArg: {index: 0, ⟦UNSUPPORTED_ARG_TYPE⟧type: data_loc}'),
  ],
  [
    'two arguments that are tracked',
    kprobeYaml(
      'call: f\nsyscall: false\nargs: [{index: 0, type: sock}, {index: 1, type: sock}]\nselectors:\n- matchPIDs: [{operator: In, values: [1]}]\n  matchActions: [{action: TrackSock}]\n- matchActions: [{action: UntrackSock, ⟦UNSUPPORTED_ACTION⟧argSock: 1}]',
    ),
  ],
  [
    'two signals of one selector',
    selectorsYaml(
      'matchActions: [{action: Signal, argSig: 1}, {⟦UNSUPPORTED_ACTION⟧action: ⟦SIGKILL_TOO_LATE⟧⟦SIGNAL_UNFILTERED⟧Sigkill}, {action: NoPost}]',
    ),
  ],
];

describe('policy: not supported yet', () => {
  for (const [name, text] of cases) {
    it(name, () => {
      checkMarked(text);
      const { yaml, expected } = parseMarks(text);
      for (const refuse of [parsePolicy, compilePolicy]) {
        assert.throws(
          () => refuse(yaml),
          (error) => error instanceof PolicyError && error.code === expected[0]?.code,
        );
      }
      assert.ok(explainPolicy(yaml).unsupported.length > 0);
    });
  }

  it('accepts fields without an effect', () => {
    checkMarked(
      policyYaml(`
        options: [{name: disable-kprobe-multi, value: "1"}, {name: policy-mode, value: monitor}]
        kprobes:
        - call: f
          syscall: false
          args: [{index: 0, type: int, resolve: "", maxData: false, returnCopy: false}]
          selectors: [{matchActions: [{action: Post, imaHash: false, userStackTrace: false}], matchNamespaces: []}]`),
    );
  });
});
