/**
 * Common mistakes beside those of first-mistakes.txt. Each causes exactly one message, at the marked position and with a remedy. The test prints the
 * messages.
 */
import assert from 'node:assert/strict';
import { formatDiagnostic } from '../../../lib/errors.js';
import { validatePolicy } from '../../../lib/policy/index.js';
import type { KernelInfo } from '../../../types/kernel.js';
import { fakeKernel } from './fake-kernel.js';
import { checkAgreement, kprobeYaml, parseMarks, policyYaml, selectorsYaml } from './marked-policies.js';

const OTHERS = ['security_file_open', 'fd_install', 'f', '__x64_sys_setns', '__x64_sys_unlinkat'];
const kernel: KernelInfo = {
  ...fakeKernel,
  function: (name) => fakeKernel.function(OTHERS.includes(name) ? 'makes_inode' : name),
  functionNames: () => [...fakeKernel.functionNames(), ...OTHERS],
  // Only the list of attachable functions has the functions of modules.
  attachableNames: () => [...(fakeKernel.attachableNames() ?? []), ...OTHERS, 'xfs_file_open'],
};

const head = 'apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: test\n';
const argYaml = (type: string): string => kprobeYaml(`call: f\nsyscall: false\nargs: [{index: 0, type: ${type}}]`);
const matchInt = (filter: string): string => selectorsYaml(`matchArgs:\n- {index: 1, ${filter}}`);
const matchPath = (filter: string): string => selectorsYaml(`matchArgs:\n- {index: 0, ${filter}}`);
const matchSock = (filter: string): string =>
  kprobeYaml(
    `call: f\nsyscall: false\nargs: [{index: 0, type: sock}]\nselectors: [{matchArgs: [{index: 0, ${filter}}]}]`,
  );
const actionYaml = (text: string): string => selectorsYaml(`matchActions:\n- {${text}}`);

/** The mistake, the policy, and a pattern for the message with its hint. */
const MISTAKES: readonly (readonly [string, string, RegExp])[] = [
  // Functions
  [
    'a misspelt function of a module',
    kprobeYaml('call: ⟦FUNCTION_UNKNOWN⟧xfs_fil_open\nsyscall: false'),
    /did you mean xfs_file_open\?$/,
  ],
  [
    'a system call that is no system call',
    kprobeYaml('call: ⟦FUNCTION_UNKNOWN⟧sys_openat\nsyscall: false'),
    /\| sys_openat is a system call: remove `syscall: false`$/,
  ],
  [
    'the bare name of a system call as a function',
    kprobeYaml('call: ⟦FUNCTION_UNKNOWN⟧setns\nsyscall: false'),
    /did you mean the system call sys_setns, without `syscall: false`\?$/,
  ],
  ['a misspelt system call', kprobeYaml('call: ⟦FUNCTION_UNKNOWN⟧sys_unlinkta'), /did you mean sys_unlinkat\?$/],
  [
    'a misspelt function that is taken for a system call',
    kprobeYaml('call: ⟦FUNCTION_UNKNOWN⟧fd_instal'),
    /did you mean the function fd_install, with `syscall: false`\?$/,
  ],
  [
    'an LSM hook by the name of a function',
    policyYaml('lsmhooks:\n- hook: ⟦LSM_HOOK_UNKNOWN⟧security_file_open'),
    /did you mean "file_open"\?$/,
  ],
  // Types
  ['a type of the kernel', argYaml('⟦UNKNOWN_VALUE⟧u32'), /\| use uint32$/],
  ['a type of C', argYaml('⟦UNKNOWN_VALUE⟧unsigned long'), /\| use ulong$/],
  ['a type of stdint.h', argYaml('⟦UNKNOWN_VALUE⟧int64_t'), /\| use int64$/],
  ['a string of C', argYaml('⟦UNKNOWN_VALUE⟧const char *'), /\| use string$/],
  ['a pointer to a struct', argYaml('⟦UNKNOWN_VALUE⟧struct file *'), /\| use file$/],
  ['a pointer to anything', argYaml('⟦UNKNOWN_VALUE⟧void *'), /\| use char_buf .* or uint64 for the address$/],
  // Operators and values
  [
    'In on an argument',
    matchInt('operator: ⟦UNKNOWN_VALUE⟧In, values: ["4"]'),
    /\| use Equal, which takes several values$/,
  ],
  [
    'Equal on binaries',
    selectorsYaml('matchBinaries:\n- {operator: ⟦UNKNOWN_VALUE⟧Equal, values: [/bin/cat]}'),
    /\| use In$/,
  ],
  [
    'a pattern for the end of a path',
    matchPath('operator: NotEqual, values: [⟦VALUE_IS_PATTERN⟧"/etc/*.conf"]'),
    /\| use NotPrefix with "\/etc\/", and another filter NotPostfix with "\.conf"$/,
  ],
  [
    'a pattern of binaries',
    selectorsYaml('matchBinaries:\n- {operator: In, values: [⟦VALUE_IS_PATTERN⟧"/usr/bin/*"]}'),
    /\| use Prefix with "\/usr\/bin\/"$/,
  ],
  [
    'an error as a value',
    selectorsYaml('matchReturnArgs:\n- {index: 0, operator: Equal, values: [⟦VALUE_NOT_A_NUMBER⟧EPERM]}'),
    /functions return EPERM as "-1"$/,
  ],
  [
    'a protocol in short',
    matchSock('operator: Protocol, values: [⟦PROTOCOL_UNKNOWN⟧tcp]'),
    /did you mean "IPPROTO_TCP"\?$/,
  ],
  ['a family in short', matchSock('operator: Family, values: [⟦FAMILY_UNKNOWN⟧IPv6]'), /did you mean "AF_INET6"\?$/],
  [
    'a capability in short',
    selectorsYaml('matchCapabilities:\n- {operator: In, values: [⟦CAPABILITY_UNKNOWN⟧SYS_ADMIN]}'),
    /did you mean "CAP_SYS_ADMIN"\?$/,
  ],
  [
    'a namespace in full',
    selectorsYaml('matchNamespaces:\n- {namespace: ⟦UNKNOWN_VALUE⟧Network, operator: In, values: [host_ns]}'),
    /\| use Net$/,
  ],
  [
    'members as in C',
    policyYaml(
      'lsmhooks:\n- hook: file_open\n  args: [{index: 0, type: dentry, resolve: ⟦RESOLVE_SYNTAX⟧f_path->dentry}]',
    ),
    /write a dot for each ->/,
  ],
  // Actions
  [
    'a removed action',
    actionYaml('action: ⟦UNKNOWN_VALUE⟧FollowFD'),
    /Tetragon has removed it, .* type fd is the file behind a descriptor$/,
  ],
  [
    'an error by its name',
    actionYaml('action: Override, argError: ⟦WRONG_TYPE⟧EPERM'),
    /must be a whole number, not text \| write the number: -1$/,
  ],
  ['a signal by its name', actionYaml('action: Signal, argSig: ⟦WRONG_TYPE⟧SIGTERM'), /\| write the number: 15$/],
  // Misplaced fields
  [
    'matchData of an LSM hook',
    policyYaml(
      'lsmhooks:\n- hook: file_open\n  args: [{index: 0, type: file}]\n  selectors:\n  - matchData: [{index: ⟦INDEX_WITHOUT_ARG⟧0, operator: Equal, values: ["1"]}]',
    ),
    /lsmhooks have no `data`, .* \| read the value under `args`, and filter it with matchArgs$/,
  ],
  [
    'data of an LSM hook',
    policyYaml(
      'lsmhooks:\n- hook: file_open\n  ⟦UNKNOWN_FIELD⟧data: [{index: 0, type: int, source: current_task, resolve: pid}]',
    ),
    /\| read the value under `args`, where `source: current_task` works too, and filter it with `matchArgs`$/,
  ],
  [
    'fields of a hook that are not indented',
    `${head}spec:\n  kprobes:\n  ⟦UNKNOWN_FIELD⟧call: f\n  syscall: false\n`,
    /"spec" has no fields "call", "syscall" \| they belong to the last item of "kprobes": indent these lines further$/,
  ],
  [
    'fields of a filter that are not indented',
    selectorsYaml('matchArgs:\n- index: 1\n⟦UNKNOWN_FIELD⟧operator: Equal\nvalues: ["4"]'),
    /no fields "operator", "values" \| they belong to the last item of "matchArgs"/,
  ],
  [
    'a line that is indented too far',
    `${head}spec:\n  kprobes:\n  - call: f\n      ⟦YAML_INDENT⟧syscall: false\n    args:\n    - index: 0\n       type: int\n`,
    /begin all lines of a group in the same column/,
  ],
  [
    'a line that is indented too little',
    `${head}spec:\n  kprobes:\n  - call: f\n   ⟦YAML_INDENT⟧syscall: false\n    args: []\n`,
    /does not begin in the column of its group/,
  ],
  // Other mistakes of structure
  [
    'an unknown option',
    policyYaml('options: [{name: ⟦OPTION_UNKNOWN⟧polcy-mode, value: monitor}]\nloader: true'),
    /did you mean "policy-mode"\? known: /,
  ],
  // Formats of other tools
  [
    'a rule of Falco',
    '- ⟦NOT_A_POLICY⟧rule: shell\n  desc: a shell in a container\n  condition: spawned_process and container\n  output: "%user.name"\n',
    /this is a list of Falco rules, not a TracingPolicy \| .*docs\/tutorial\.md/,
  ],
  [
    'a program of bpftrace',
    '⟦NOT_A_POLICY⟧tracepoint:syscalls:sys_enter_openat\n/comm == "cat"/\n{\n  printf("%s\\n", str(args.filename));\n}\n',
    /this is a bpftrace program, not a TracingPolicy \| a probe kprobe:NAME becomes .*docs\/tutorial\.md/,
  ],
  [
    'a line of bpftrace',
    '⟦NOT_A_POLICY⟧kprobe:do_sys_openat2 { printf("%s\\n", comm); }\n',
    /this is a bpftrace program/,
  ],
  [
    'audit rules',
    '⟦NOT_A_POLICY⟧-a always,exit -F arch=b64 -S openat -k files\n-w /etc/passwd -p wa\n',
    /this is a list of audit rules/,
  ],
  [
    'another resource',
    'apiVersion: v1\nkind: ⟦NOT_A_POLICY⟧Pod\nmetadata: {name: a}\nspec: {containers: []}\n',
    /this is a resource of kind "Pod"/,
  ],
];

describe('policy: common mistakes', () => {
  const printed: string[] = [];

  for (const [name, text, pattern] of MISTAKES) {
    it(name, () => {
      const { yaml, expected } = parseMarks(text);
      const found = validatePolicy(yaml, { file: 'policy.yaml', kernel });
      assert.deepEqual(
        found.map(({ code, line, column }) => ({ code, line, column })),
        expected,
        found.map(formatDiagnostic).join('\n'),
      );
      assert.ok(
        found.some(({ message, hint }) => pattern.test(`${message} | ${hint}`)),
        found.map(formatDiagnostic).join('\n'),
      );
      for (const { file, text: excerpt, hint } of found)
        assert.ok(file === 'policy.yaml' && excerpt.length <= 80 && hint !== '');
      checkAgreement(yaml);
      printed.push(...found.map(formatDiagnostic));
    });
  }

  it('are at least 35 mistakes', () => {
    assert.ok(MISTAKES.length >= 35, `${MISTAKES.length}`);
  });

  after(() => {
    for (const each of printed) console.log(`      ${each.replace(/\n/g, '\n      ')}`);
  });
});
