/** Checks of policies against a fake kernel: each mistake with its code and position. */
import assert from 'node:assert/strict';
import { validatePolicy } from '../../../lib/policy/index.js';
import { SEARCHES_MAX } from '../../../lib/policy/language/limits.js';
import { fakeKernel } from './fake-kernel.js';
import { yamlItem, kprobeYaml, parseMarks, policyYaml } from './marked-policies.js';

/** Checks only the diagnostics that need the kernel. */
function checkWithKernel(text: string): void {
  const { yaml, expected } = parseMarks(text);
  const without = new Set(validatePolicy(yaml).map((d) => JSON.stringify(d)));
  const found = validatePolicy(yaml, { kernel: fakeKernel }).filter((d) => !without.has(JSON.stringify(d)));
  assert.deepEqual(
    found.map(({ code, line, column }) => ({ code, line, column })),
    expected,
    JSON.stringify(found, null, 1),
  );
}

function findHint(text: string): string {
  const { yaml, expected } = parseMarks(text);
  return validatePolicy(yaml, { kernel: fakeKernel }).find((d) => d.code === expected[0]?.code)?.hint ?? '';
}

const functionYaml = (call: string, args: string, more = ''): string =>
  kprobeYaml(`call: ${call}\nsyscall: false\nargs: [${args}]${more}`);
const lsmYaml = (hook: string, args: string): string =>
  policyYaml(`lsmhooks:\n${yamlItem(`hook: ${hook}\nargs: [${args}]`)}`);
const tracepointYaml = (subsystem: string, event: string, args = ''): string =>
  policyYaml(`tracepoints:\n${yamlItem(`subsystem: ${subsystem}\nevent: ${event}\nargs: [${args}]`)}`);
const resolveYaml = (path: string, type = 'string'): string =>
  lsmYaml('bprm_check_security', `{index: 0, type: ${type}, resolve: ${path.replace(/[^⟧]+$/, '"$&"')}}`);

/** Arguments that fit, at most eight per hook. */
const FITTING: readonly string[] = [
  'index: 0, type: data_loc',
  'index: 3, type: string',
  'index: 4, type: string',
  'index: 5, type: file',
  'index: 6, type: sock',
  'index: 7, type: int32',
  'index: 9, type: sockaddr',
];
const MISFITS: readonly (readonly [number, string])[] = [
  [0, 'int'],
  [1, 'string'],
  [2, 'string'],
  [3, 'uint64'],
  [4, 'data_loc'],
  [5, 'sock'],
  [6, 'string'],
  [7, 'string'],
  [7, 'file'],
  [8, 'uint32'],
  [9, 'file'],
];

const cases: readonly (readonly [string, string])[] = [
  [
    'no mistake',
    functionYaml(
      'security_file_permission',
      '{index: 0, type: file}, {index: 1, type: int}',
      '\nreturn: true\nreturnArg: {index: 0, type: int}',
    ),
  ],
  ['a system call', kprobeYaml('call: sys_openat\nargs: [{index: 1, type: string}, {index: 3, type: uint16}]')],
  ['a system call by its kernel name', kprobeYaml('call: __x64_sys_openat\nargs: [{index: 0, type: int}]')],
  ['a system call with unknown parameters', kprobeYaml('call: ⟦NOT_CHECKED⟧sys_mount\nargs: [{index: 5, type: int}]')],
  ['no such function', functionYaml('⟦FUNCTION_UNKNOWN⟧nothing_like_it', '{index: 0, type: int}')],
  ['a misspelt function', functionYaml('⟦FUNCTION_UNKNOWN⟧security_file_permision', '{index: 0, type: int}')],
  ['no such system call', kprobeYaml('call: ⟦FUNCTION_UNKNOWN⟧sys_opnat')],
  ['a function taken for a system call', kprobeYaml('call: ⟦FUNCTION_UNKNOWN⟧vfs_void')],
  ['a function of older kernels', functionYaml('⟦FUNCTION_UNKNOWN⟧security_bpf_map_alloc', '{index: 0, type: nop}')],
  [
    'a missing function that is optional',
    kprobeYaml('call: ⟦FUNCTION_MISSING_IGNORED⟧security_bpf_map_alloc\nsyscall: false\nignore: {callNotFound: true}'),
  ],
  [
    'a list with a system call that the kernel does not have',
    policyYaml(
      'lists: [{name: calls, type: syscalls, values: [sys_openat, sys_create_module]}]\nkprobes:\n- call: ⟦FUNCTION_MISSING_IGNORED⟧list:calls',
    ),
  ],
  [
    'a list with a system call by its short name',
    policyYaml(
      'lists: [{name: calls, type: syscalls, values: [sys_openat, read]}]\nkprobes:\n- call: ⟦FUNCTION_UNKNOWN⟧list:calls',
    ),
  ],
  [
    'a list with no system call',
    policyYaml(
      'lists: [{name: calls, type: syscalls, values: [sys_openat, sys_opnat]}]\nkprobes:\n- call: ⟦FUNCTION_UNKNOWN⟧list:calls',
    ),
  ],
  [
    'a function with a broader alternative',
    functionYaml('⟦FUNCTION_SEES_LESS⟧security_path_truncate', '{index: 0, type: path}'),
  ],
  [
    'both of the two functions',
    policyYaml(
      'kprobes:\n- {call: security_path_truncate, syscall: false}\n- {call: security_file_truncate, syscall: false}',
    ),
  ],
  ['a function that cannot be probed', functionYaml('⟦FUNCTION_NOT_ATTACHABLE⟧not_probed', '{index: 0, type: int}')],
  [
    'a parameter index that is too large',
    functionYaml('security_file_permission', '{index: ⟦ARG_BEYOND_PROTOTYPE⟧2, type: int}'),
  ],
  [
    'a parameter index of a system call that is too large',
    kprobeYaml('call: sys_openat\nargs: [{index: ⟦ARG_BEYOND_PROTOTYPE⟧4, type: int}]'),
  ],
  ['a number for a pointer', functionYaml('security_file_permission', '{index: 1, type: ⟦ARG_TYPE_MISMATCH⟧file}')],
  ['another pointer', functionYaml('security_file_permission', '{index: 0, type: ⟦ARG_TYPE_MISMATCH⟧path}')],
  [
    'a string that is a number',
    functionYaml('security_file_permission', '{index: 1, type: ⟦ARG_TYPE_MISMATCH⟧string}'),
  ],
  [
    'a string that is a structure',
    functionYaml('security_file_permission', '{index: 0, type: ⟦ARG_TYPE_MISMATCH⟧string}'),
  ],
  [
    'a string that is a structure, with positive filters only',
    functionYaml(
      'security_file_permission',
      '{index: 0, type: ⟦ARG_TEXT_OF_STRUCT⟧string}',
      '\nselectors: [{matchArgs: [{index: 0, operator: Equal, values: [a]}]}, {matchArgs: [{index: 0, operator: Postfix, values: [b]}]}]',
    ),
  ],
  [
    'a string that is a structure, with a negated filter',
    functionYaml(
      'security_file_permission',
      '{index: 0, type: ⟦ARG_TYPE_MISMATCH⟧string}',
      '\nselectors: [{matchArgs: [{index: 0, operator: Equal, values: [a]}]}, {matchArgs: [{index: 0, operator: NotEqual, values: [b]}]}]',
    ),
  ],
  [
    'a string that is a number, with positive filters only',
    functionYaml(
      'security_file_permission',
      '{index: 1, type: ⟦ARG_TYPE_MISMATCH⟧string}',
      '\nselectors: [{matchArgs: [{index: 1, operator: Equal, values: [a]}]}]',
    ),
  ],
  ['a string that is a list of strings', functionYaml('capset', '{index: 1, type: ⟦ARG_TYPE_MISMATCH⟧string}')],
  ['a string of unknown memory', functionYaml('vfs_void', '{index: 0, type: string}')],
  [
    'a char_iovec that is a string',
    functionYaml(
      'takes_text',
      '{index: 0, type: ⟦ARG_TYPE_MISMATCH⟧char_iovec, sizeArgIndex: 3}, {index: 2, type: uint16}',
    ),
  ],
  ['capabilities', functionYaml('capset', '{index: 0, type: cap_effective}')],
  [
    'capabilities that are a file',
    functionYaml('security_file_permission', '{index: 0, type: ⟦ARG_TYPE_MISMATCH⟧kernel_cap_t}'),
  ],
  ['a capability that is a structure', functionYaml('takes_text', '{index: 1, type: ⟦ARG_TYPE_MISMATCH⟧capability}')],
  ['a number that is a structure', functionYaml('takes_text', '{index: 1, type: ⟦ARG_TYPE_MISMATCH⟧int}')],
  ['a structure in place of a pointer to it', functionYaml('takes_text', '{index: 1, type: path}')],
  ['a void pointer can be anything', functionYaml('vfs_void', '{index: 0, type: file}')],
  ['a pointer as a number', functionYaml('vfs_void', '{index: 0, type: size_t}')],
  [
    'more bits than there are',
    functionYaml('security_file_permission', '{index: 1, type: ⟦ARG_WIDER_THAN_PARAMETER⟧size_t}'),
  ],
  [
    'a return value of void',
    kprobeYaml('call: vfs_void\nsyscall: false\n⟦RETURN_OF_VOID⟧return: true\nreturnArg: {index: 0, type: int}'),
  ],
  [
    'another return value',
    kprobeYaml(
      'call: security_path_truncate\nsyscall: false\nreturn: true\nreturnArg: {index: 0, type: ⟦ARG_TYPE_MISMATCH⟧sock}',
    ).replace('call: sec', 'call: ⟦FUNCTION_SEES_LESS⟧sec'),
  ],
  [
    'a list with one that is missing',
    policyYaml(
      'lists: [{name: a, values: [vfs_void, gone]}]\nkprobes:\n- {call: ⟦FUNCTION_UNKNOWN⟧"list:a", syscall: false}',
    ),
  ],
  [
    'a list that no function matches',
    policyYaml(
      'lists: [{name: a, type: generated_ftrace, pattern: ⟦LIST_NOT_FILLED⟧"^none_"}]\nkprobes:\n- {call: "list:a"}',
    ),
  ],
  [
    'a generated list with functions of other parameters: reported for the first',
    policyYaml(
      'lists: [{name: a, type: generated_ftrace, pattern: "^(security|vfs)_"}]\nkprobes:\n- {call: "list:a", args: [{index: 0, type: ⟦ARG_TYPE_MISMATCH⟧sock}]}',
    ).replace('call: "list', 'call: ⟦FUNCTION_SEES_LESS⟧"list'),
  ],
  [
    'an override that is not possible',
    kprobeYaml(
      'call: vfs_void\nsyscall: false\nselectors: [{matchActions: [{action: ⟦OVERRIDE_NOT_POSSIBLE⟧Override, argError: -1}, {action: Post}]}]',
    ),
  ],
  [
    'enforcers: functions that do not exist',
    policyYaml('enforcers: [{calls: [⟦FUNCTION_UNKNOWN⟧gone, vfs_void]}]\nkprobes: [{call: vfs_void, syscall: false}]'),
  ],
  [
    'enforcers that cannot override',
    policyYaml(
      'enforcers: [{calls: [⟦OVERRIDE_NOT_POSSIBLE⟧vfs_void]}]\nkprobes: [{call: vfs_void, syscall: false, selectors: [{matchActions: [{action: NotifyEnforcer, argError: -1}]}]}]',
    ),
  ],
  [
    'enforcers that need not',
    policyYaml(
      'enforcers: [{calls: [vfs_void]}]\nkprobes: [{call: vfs_void, syscall: false, selectors: [{matchActions: [{action: NotifyEnforcer, argSig: 9}]}]}]',
    ),
  ],
  // Members
  ['members through pointers', resolveYaml('mm.owner.real_parent.comm')],
  ['an element of an array', resolveYaml('mm.owner.files.fd[3].f_path.dentry.d_iname')],
  ['a member that does not exist', resolveYaml('⟦RESOLVE_NO_MEMBER⟧mm.ownr.comm')],
  ['a member of a number', resolveYaml('⟦RESOLVE_NOT_A_STRUCT⟧mm.owner.pid.x')],
  ['an element of a number', resolveYaml('⟦RESOLVE_NOT_A_STRUCT⟧mm.owner.pid[1]')],
  [
    'a member of another type',
    lsmYaml('bprm_check_security', '{index: 0, type: ⟦ARG_TYPE_MISMATCH⟧file, resolve: mm.owner.pid}'),
  ],
  [
    'a type that does not exist',
    functionYaml('vfs_void', '{index: 0, type: int, btfType: ⟦BTF_TYPE_UNKNOWN⟧task_strct, resolve: pid}'),
  ],
  [
    'a type of a module',
    functionYaml(
      'vfs_void',
      '{index: 0, type: int, btfType: xfs_inode, btfTypeModule: ⟦NOT_CHECKED⟧xfs, resolve: pid}',
    ),
  ],
  [
    'data of a parameter',
    kprobeYaml('call: vfs_void\nsyscall: false\ndata: [{index: ⟦ARG_BEYOND_PROTOTYPE⟧3, type: int}]'),
  ],
  [
    'a member of the task of another type',
    kprobeYaml(
      'call: vfs_void\nsyscall: false\ndata: [{index: 0, type: ⟦ARG_TYPE_MISMATCH⟧file, source: current_task, resolve: comm}]',
    ),
  ],
  [
    'members of a return value',
    functionYaml(
      'makes_inode',
      '',
      '\nreturn: true\nreturnArg: {index: 0, type: ⟦ARG_WIDER_THAN_PARAMETER⟧uint64, resolve: i_mode}',
    ),
  ],
  [
    'a return value of a type that does not exist',
    functionYaml(
      'makes_inode',
      '',
      '\nreturn: true\nreturnArg: {index: 0, type: uint64, btfType: ⟦BTF_TYPE_UNKNOWN⟧inod, resolve: i_ino}',
    ),
  ],
  ['a type for a void pointer', functionYaml('vfs_void', '{index: 0, type: int, btfType: task_struct, resolve: pid}')],
  [
    'the running process',
    kprobeYaml(
      'call: vfs_void\nsyscall: false\ndata: [{index: 0, type: string, source: current_task, resolve: ⟦RESOLVE_NO_MEMBER⟧real_parent.com}]',
    ),
  ],
  // Other kinds
  ['an LSM hook', lsmYaml('file_open', '{index: 0, type: file}')],
  ['an LSM hook by the name of its caller', lsmYaml('⟦LSM_HOOK_UNKNOWN⟧security_file_open', '{index: 0, type: file}')],
  ['an LSM hook that does not exist', lsmYaml('⟦LSM_HOOK_UNKNOWN⟧wholly_unknown', '')],
  [
    'a parameter index of an LSM hook that is too large',
    lsmYaml('file_open', '{index: ⟦ARG_BEYOND_PROTOTYPE⟧1, type: int}'),
  ],
  ['a tracepoint', tracepointYaml('raw_syscalls', 'sys_enter', '{index: 4, type: int64}')],
  [
    'the first of the parameters of a system call',
    tracepointYaml('raw_syscalls', 'sys_enter', '{index: 5, type: uint64}'),
  ],
  [
    'a parameter of a system call is no text',
    tracepointYaml('raw_syscalls', 'sys_enter', '{index: 5, type: ⟦ARG_TYPE_MISMATCH⟧string}'),
  ],
  [
    'a user id',
    kprobeYaml(
      'call: security_path_chown\nsyscall: false\nargs: [{index: 1, type: uint32}, {index: 2, type: uint32, resolve: uid}]',
    ),
  ],
  [
    'a user id is no text',
    kprobeYaml('call: security_path_chown\nsyscall: false\nargs: [{index: 1, type: ⟦ARG_TYPE_MISMATCH⟧string}]'),
  ],
  ['a misspelt tracepoint', tracepointYaml('raw_syscalls', '⟦TRACEPOINT_UNKNOWN⟧sys_entr')],
  ['a misspelt group', tracepointYaml('⟦TRACEPOINT_UNKNOWN⟧raw_syscall', 'sys_enter')],
  [
    'a field index that is too large',
    tracepointYaml('raw_syscalls', 'sys_enter', '{index: ⟦TRACEPOINT_FIELD_UNKNOWN⟧6, type: int64}'),
  ],
  ['a tracepoint with an unknown format', tracepointYaml('unreadable', '⟦NOT_CHECKED⟧x', '{index: 99, type: int64}')],
  ['an optional LSM hook', policyYaml('lsmhooks: [{hook: ⟦FUNCTION_MISSING_IGNORED⟧file_opened, optional: true}]')],
  [
    'an optional tracepoint',
    policyYaml('tracepoints: [{subsystem: sched, event: ⟦FUNCTION_MISSING_IGNORED⟧none, optional: true}]'),
  ],
  [
    'an optional raw tracepoint',
    policyYaml('tracepoints: [{subsystem: sched, event: ⟦FUNCTION_MISSING_IGNORED⟧none, raw: true, optional: true}]'),
  ],
  ['fields of each kind', tracepointYaml('any', 'kinds', FITTING.map((arg) => `{${arg}}`).join(', '))],
  [
    'types that cannot be read from a field',
    tracepointYaml('any', 'kinds', '{index: 99, type: nop, source: current_task, resolve: comm}'),
  ],
  ...MISFITS.map(([index, type]): [string, string] => [
    `field ${index} as ${type}`,
    tracepointYaml('any', 'kinds', `{index: ${index}, type: ⟦ARG_TYPE_MISMATCH⟧${type}}`),
  ]),
  [
    'a member of the struct that a field points to',
    tracepointYaml('any', 'kinds', '{index: 5, type: dentry, resolve: f_path.dentry}'),
  ],
  [
    'a member that does not exist',
    tracepointYaml('any', 'kinds', '{index: 5, type: dentry, resolve: ⟦RESOLVE_NO_MEMBER⟧f_pth}'),
  ],
  [
    'a member of a struct that the policy names for a field',
    tracepointYaml('any', 'kinds', '{index: 6, type: string, btfType: task_struct, resolve: comm}'),
  ],
  ['a member of a number', tracepointYaml('any', 'kinds', '{index: 7, type: int, resolve: ⟦ARG_TYPE_MISMATCH⟧comm}')],
  ['a member of anything', tracepointYaml('any', 'kinds', '{index: 6, type: int, resolve: ⟦ARG_TYPE_MISMATCH⟧comm}')],
  ['a raw tracepoint', tracepointYaml('sched', 'sched_process_exec\nraw: true', '{index: 2, type: linux_binprm}')],
  ['a raw tracepoint that does not exist', tracepointYaml('sched', '⟦TRACEPOINT_UNKNOWN⟧sched_proces_exec\nraw: true')],
  [
    'a parameter index of a raw tracepoint that is too large',
    tracepointYaml('sched', 'sched_process_exec\nraw: true', '{index: ⟦ARG_BEYOND_PROTOTYPE⟧3, type: int}'),
  ],
];

describe('policy: against a kernel', () => {
  for (const [name, text] of cases) it(name, () => checkWithKernel(text));

  const hints: readonly (readonly [string, string, RegExp])[] = [
    [
      'a misspelt function',
      functionYaml('⟦FUNCTION_UNKNOWN⟧security_file_permision', ''),
      /did you mean security_file_permission\?/,
    ],
    ['a misspelt system call', kprobeYaml('call: ⟦FUNCTION_UNKNOWN⟧sys_opnat'), /sys_openat/],
    [
      'a function under another name',
      functionYaml('⟦FUNCTION_UNKNOWN⟧security_bpf_map_alloc', ''),
      /security_bpf_map_create/,
    ],
    ['a function that is not a system call', kprobeYaml('call: ⟦FUNCTION_UNKNOWN⟧vfs_void'), /syscall: false/],
    [
      'the prototype',
      functionYaml('security_file_permission', '{index: ⟦ARG_BEYOND_PROTOTYPE⟧2, type: int}'),
      /0 file: struct file \*, 1 mask: int/,
    ],
    [
      'the type to use',
      functionYaml('security_file_permission', '{index: 0, type: ⟦ARG_TYPE_MISMATCH⟧path}'),
      /use file/,
    ],
    [
      'the number to use',
      functionYaml('security_file_permission', '{index: 1, type: ⟦ARG_WIDER_THAN_PARAMETER⟧size_t}'),
      /use int$/,
    ],
    ['the string to use', functionYaml('takes_text', '{index: 0, type: ⟦ARG_TYPE_MISMATCH⟧file}'), /use string/],
    ['the nearest member', resolveYaml('⟦RESOLVE_NO_MEMBER⟧mm.ownr'), /"owner"/],
    ['the nearest LSM hook', lsmYaml('⟦LSM_HOOK_UNKNOWN⟧security_file_open', ''), /"file_open"/],
    [
      'the fields of a tracepoint',
      tracepointYaml('raw_syscalls', 'sys_enter', '{index: ⟦TRACEPOINT_FIELD_UNKNOWN⟧6, type: int64}'),
      /4 id, 5 args/,
    ],
    ['the string of a field', tracepointYaml('any', 'kinds', '{index: 0, type: ⟦ARG_TYPE_MISMATCH⟧int}'), /use string/],
    ['the number of a field', tracepointYaml('any', 'kinds', '{index: 7, type: ⟦ARG_TYPE_MISMATCH⟧string}'), /use int/],
    ['the object of a field', tracepointYaml('any', 'kinds', '{index: 5, type: ⟦ARG_TYPE_MISMATCH⟧sock}'), /use file/],
    [
      'values that cannot be read',
      tracepointYaml('any', 'kinds', '{index: 8, type: ⟦ARG_TYPE_MISMATCH⟧uint32}'),
      /raw: true/,
    ],
    [
      'how to start',
      tracepointYaml('any', 'kinds', '{index: 7, type: int, resolve: ⟦ARG_TYPE_MISMATCH⟧comm}'),
      /btfType/,
    ],
    ['members if no name is similar', resolveYaml('⟦RESOLVE_NO_MEMBER⟧mm.qqqqqqqq'), /it has owner/],
    [
      'the nearest struct',
      functionYaml('vfs_void', '{index: 0, type: int, btfType: ⟦BTF_TYPE_UNKNOWN⟧task_strct}'),
      /"task_struct"/,
    ],
  ];
  for (const [name, text, pattern] of hints) it(`suggests ${name}`, () => assert.match(findHint(text), pattern));

  it('suggests names for the first unknown functions only, because each search takes milliseconds', () => {
    const hooks = '- {call: security_file_permision, syscall: false}\n'.repeat(40);
    const found = validatePolicy(policyYaml(`kprobes:\n${hooks}`), { kernel: fakeKernel });
    const unknown = found.filter(({ code }) => code === 'FUNCTION_UNKNOWN');
    assert.equal(unknown.length, 40);
    const suggested = unknown.filter(({ hint: text }) => text === 'did you mean security_file_permission?');
    assert.deepEqual(suggested, unknown.slice(0, SEARCHES_MAX));
  });
});
