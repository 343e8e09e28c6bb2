/** Types that a policy leaves to the kernel: from prototypes, members, tracepoint formats and registers. */
import assert from 'node:assert/strict';
import { hostFiles } from '../../../lib/elf-files/host-files.js';
import { PolicyError } from '../../../lib/errors.js';
import {
  checkPolicy,
  compilePolicy,
  explainPolicy,
  formatExplanation,
  parsePolicy,
  validatePolicy,
} from '../../../lib/policy/index.js';
import type { CompiledHook } from '../../../lib/compiled/compiled-policy.js';
import { fakeKernel } from './fake-kernel.js';
import { kprobeYaml, parseMarks, policyYaml } from './marked-policies.js';

const kernel = fakeKernel;
const hookYaml = (call: string, values: string): string => kprobeYaml(`call: ${call}\nsyscall: false\n${values}`);
const argYaml = (call: string, fields: string): string => hookYaml(call, `args: [{${fields}}]`);
const fieldYaml = (index: number, more = ''): string =>
  policyYaml(`tracepoints: [{subsystem: a, event: kinds, args: [{index: ${index}${more}}]}]`);

/** A policy with one value, and the type that the value gets from the fake kernel. */
const rows: readonly (readonly [subject: string, yaml: string, type: string])[] = [
  ['a file', argYaml('security_file_permission', 'index: 0'), 'file'],
  ['auto, written out', argYaml('security_file_permission', 'index: 0, type: auto'), 'file'],
  ['an int', argYaml('security_file_permission', 'index: 1'), 'int'],
  ['a path', argYaml('security_path_truncate', 'index: 0'), 'path'],
  ['a string', argYaml('takes_text', 'index: 0'), 'string'],
  ['a 16-bit number', argYaml('takes_text', 'index: 2'), 'uint16'],
  ['a 64-bit number', argYaml('reads', 'index: 2'), 'uint64'],
  ['a string that is filled during the call', argYaml('reads', 'index: 1, returnCopy: true'), 'char_buf'],
  [
    'a buffer with a size',
    hookYaml('reads', 'args: [{index: 1, sizeArgIndex: 3}, {index: 2, type: size_t}]'),
    'char_buf',
  ],
  ['memory that is filled during the call', argYaml('vfs_void', 'index: 0, returnCopy: true'), 'char_buf'],
  ['a set of capabilities', argYaml('capset', 'index: 0'), 'kernel_cap_t'],
  ['a member', argYaml('security_file_permission', 'index: 0, resolve: f_flags'), 'uint32'],
  [
    'a member that is a string',
    argYaml('security_file_permission', 'index: 0, resolve: f_path.dentry.d_iname'),
    'string',
  ],
  ['a member that is a struct', argYaml('security_file_permission', 'index: 0, resolve: f_path'), 'path'],
  ['the type that btfType names', argYaml('vfs_void', 'index: 0, btfType: linux_binprm'), 'linux_binprm'],
  ['a member of the task', argYaml('f', 'index: 0, source: current_task, resolve: real_parent.pid'), 'int'],
  ['a register', hookYaml('f', 'data: [{index: 0, source: pt_regs, resolve: rdi}]'), 'uint64'],
  ['a part of a register', hookYaml('f', 'data: [{index: 0, source: pt_regs, resolve: al}]'), 'uint8'],
  ['a parameter of a system call', kprobeYaml('call: sys_openat\nargs: [{index: 1}]'), 'string'],
  ['an address of a system call', kprobeYaml('call: sys_connect\nargs: [{index: 1}]'), 'sockaddr'],
  [
    'an argument of an LSM hook',
    policyYaml('lsmhooks: [{hook: bprm_check_security, args: [{index: 0}]}]'),
    'linux_binprm',
  ],
  [
    'a function of a list',
    policyYaml(
      'lists: [{name: a, values: [security_file_permission]}]\nkprobes: [{call: "list:a", syscall: false, args: [{index: 0}]}]',
    ),
    'file',
  ],
  [
    'a parameter of a raw tracepoint',
    policyYaml('tracepoints: [{subsystem: sched, event: sched_process_exec, raw: true, args: [{index: 2}]}]'),
    'linux_binprm',
  ],
  ['a __data_loc field', fieldYaml(0), 'string'],
  ['a field with characters', fieldYaml(3), 'string'],
  ['a field that points to a string', fieldYaml(4), 'string'],
  ['a field that points to a struct', fieldYaml(5), 'file'],
  ['a member behind a field', fieldYaml(5, ', resolve: f_flags'), 'uint32'],
  ['a number in a field', fieldYaml(7), 'int'],
  ['a socket address in a field', fieldYaml(9), 'sockaddr'],
];

/** Policies whose types cannot be inferred, with the mistakes marked. */
const mistakes: readonly (readonly [subject: string, yaml: string])[] = [
  ['a pointer to anything', argYaml('vfs_void', '⟦TYPE_NOT_INFERRED⟧index: 0').replace('{⟦TYPE_NOT_INFERRED⟧', '⟦TYPE_NOT_INFERRED⟧{')], // prettier-ignore
  ['a struct that no type reads', argYaml('makes_inode', 'index: 0, btfType: inode, type: ⟦TYPE_NOT_INFERRED⟧auto')],
  ['an object of the kernel in a system call', kprobeYaml('call: sys_connect\nargs: [{index: 2, type: ⟦TYPE_NOT_INFERRED⟧auto}]')], // prettier-ignore
  ['an array in a field', fieldYaml(8, ', type: ⟦TYPE_NOT_INFERRED⟧auto')],
  [
    'a tracepoint that cannot be read',
    policyYaml(
      'tracepoints: [{subsystem: unreadable, event: b, args: [{index: 0, type: ⟦TYPE_NOT_INFERRED⟧auto}]}]',
    ).replace('event: b', 'event: ⟦NOT_CHECKED⟧b'),
  ],
  [
    'a program',
    policyYaml('uprobes: [{path: /bin/sh, symbols: [main], args: [{index: 0, type: ⟦TYPE_NOT_INFERRED⟧auto}]}]'),
  ],
  [
    'a parameter that does not exist',
    argYaml('security_file_permission', 'type: auto, index: ⟦ARG_BEYOND_PROTOTYPE⟧5'),
  ],
  ['a function that does not exist', kprobeYaml('call: ⟦FUNCTION_UNKNOWN⟧zzzzzzz\nsyscall: false\nargs: [{index: 0}]')],
  ['a member that does not exist', argYaml('security_file_permission', 'index: 0, resolve: ⟦RESOLVE_NO_MEMBER⟧zzzz')],
  [
    'a value that does not fit the inferred type',
    hookYaml(
      'security_file_permission',
      'args: [{index: 1}]\nselectors: [{matchArgs: [{index: 1, operator: Equal, values: [⟦VALUE_NOT_A_NUMBER⟧"/etc"]}]}]',
    ),
  ],
  [
    'an operator that does not fit the inferred type',
    hookYaml(
      'security_file_permission',
      'args: [{index: 0}]\nselectors: [{matchArgs: [{index: 0, operator: ⟦OPERATOR_NOT_FOR_TYPE⟧GT, values: ["1"]}]}]',
    ),
  ],
];

const FILTERED = hookYaml(
  'security_file_permission',
  'args: [{index: 0}, {index: 1, type: auto}]\nreturn: true\nreturnArg: {index: 0, type: auto}\nselectors: [{matchArgs: [{index: 0, operator: Prefix, values: [/etc/]}, {index: 1, operator: Mask, values: ["2"]}]}]',
);

describe('policy: types from the kernel', () => {
  for (const [subject, yaml, type] of rows) {
    it(`${subject}: ${type}`, () => {
      const [hook] = compilePolicy(yaml, { kernel }).hooks;
      assert.deepEqual([...(hook?.args ?? []), ...(hook?.data ?? [])][0]?.type, type);
    });
  }

  for (const [subject, text] of mistakes) {
    it(`refuses ${subject}`, () => {
      const { yaml, expected } = parseMarks(text);
      const found = validatePolicy(yaml, { kernel });
      assert.deepEqual(found.map(({ code, line, column }) => ({ code, line, column })), expected); // prettier-ignore
      if (expected.some(({ code }) => code !== 'FUNCTION_UNKNOWN' && code !== 'ARG_BEYOND_PROTOTYPE')) {
        assert.throws(() => compilePolicy(yaml, { kernel }), PolicyError);
      }
    });
  }

  it('filters the values as if the types were written', () => {
    const [hook] = compilePolicy(FILTERED, { kernel }).hooks as [CompiledHook];
    assert.deepEqual(hook.args.map(({ type }) => type), ['file', 'int']); // prettier-ignore
    assert.equal(hook.returnArg?.type, 'int');
    const written = compilePolicy(FILTERED.replace('{index: 0}', '{index: 0, type: file}').replaceAll('auto', 'int'))
      .hooks[0] as CompiledHook;
    const listFilters = ({ args }: CompiledHook): unknown => args.map(({ ints, texts }) => ({ ints, texts }));
    assert.deepEqual(listFilters(hook), listFilters(written));
  });

  it('accepts the policy without a kernel, and compiles it only with one', () => {
    assert.deepEqual(validatePolicy(FILTERED), []);
    const parsed = parsePolicy(FILTERED);
    assert.deepEqual(checkPolicy(parsed, kernel), []);
    assert.equal(compilePolicy(parsed, { kernel }).hooks.length, 1);
    assert.throws(
      () => compilePolicy(parsed),
      ({ diagnostics }: PolicyError) => {
        assert.deepEqual(diagnostics.map(({ code }) => code), ['TYPE_NOT_INFERRED', 'TYPE_NOT_INFERRED', 'TYPE_NOT_INFERRED']); // prettier-ignore
        return true;
      },
    );
  });

  it('explain shows the inferred types', () => {
    const explainYaml = (yaml: string): string => formatExplanation(explainPolicy(yaml, { kernel }));
    assert.match(
      explainYaml(FILTERED),
      /argument 0 \(file, as the kernel says\).*return value \(int, as the kernel says\)/,
    );
    assert.match(formatExplanation(explainPolicy(FILTERED)), /argument 0 \(a type that the kernel says\)/);
    assert.doesNotMatch(explainYaml(argYaml('security_file_permission', 'index: 0, type: file')), /as the kernel says/);
  });

  it('reports what was not checked, if it is asked', () => {
    const listCodes = (yaml: string, options: object): string[] =>
      validatePolicy(yaml, { reportUnchecked: true, ...options }).map(({ code, severity }) => `${severity} ${code}`);
    const program = policyYaml('uprobes: [{path: /no/such, symbols: [main]}]');
    assert.deepEqual(listCodes(kprobeYaml('call: sys_openat'), {}), ['note NOT_CHECKED']);
    assert.deepEqual(listCodes(kprobeYaml('call: sys_openat'), { kernel }), []);
    assert.deepEqual(listCodes(program, { kernel }), ['note NOT_CHECKED']);
    assert.deepEqual(listCodes(program, { files: hostFiles }), ['warning PROGRAM_NOT_FOUND']);
    assert.deepEqual(validatePolicy(program), []);
  });

  it('a hook that may be missing needs no types', () => {
    const filter = 'selectors: [{matchArgs: [{index: 0, operator: Equal, values: [/etc]}]}]';
    for (const [kind, target] of [
      ['kprobes', 'call: zzzzzzz, syscall: false'],
      ['lsmhooks', 'hook: zzzzzzz'],
      ['tracepoints', 'subsystem: sched, event: zzzzzzz'],
      ['tracepoints', 'subsystem: sched, event: zzzzzzz, raw: true'],
    ] as const) {
      const yaml = policyYaml(`${kind}: [{${target}, optional: true, args: [{index: 0}], ${filter}}]`);
      assert.deepEqual(compilePolicy(yaml, { kernel }).hooks[0]?.args, []);
    }
  });
});
