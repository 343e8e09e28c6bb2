/** Ways around a policy: for each code, a policy that has it and one that has not. */
import assert from 'node:assert/strict';
import { findBypasses, formatBypasses, parsePolicy, PolicyError, validatePolicy } from '../../../lib/index.js';
import { BYPASSES } from '../../../lib/policy/explain/bypass/codes.js';
import type { BypassCode } from '../../../types/bypass.js';
import type { KernelInfo, PreemptionModel } from '../../../types/kernel.js';
import { readProjectFile } from '../../project.js';
import { fakeKernel } from './fake-kernel.js';
import { kprobeYaml, policyYaml } from './marked-policies.js';

/** A kernel with these functions only. */
function makeKernel(functions: readonly string[], preemption?: PreemptionModel): KernelInfo {
  const prototype = fakeKernel.function('__x64_sys_openat');
  return {
    ...fakeKernel,
    preemption,
    attachable: () => undefined,
    functionNames: () => functions,
    function: (name) => (functions.includes(name) ? prototype : undefined),
  };
}

const call = (name: string, rest = ''): string => kprobeYaml(`call: ${name}${rest}`);
const kernelCall = (name: string, rest = ''): string => call(name, `\nsyscall: false${rest}`);
const calls = (...names: readonly string[]): string =>
  policyYaml(`kprobes: [${names.map((name) => `{call: "${name}", syscall: ${/sys_/.test(name)}}`).join(', ')}]`);
/** A filter on the first argument, of a type. */
const filter = (type: string, operator: string, value: string, more = ''): string =>
  `\nargs: [{index: 0, type: ${type}}]\nselectors: [{matchArgs: [{index: 0, operator: ${operator}, values: ["${value}"]${more}}]}]`;
const selector = (text: string): string => kernelCall('security_file_open', `\nselectors: [{${text}}]`);
const pathFilter = kernelCall('security_file_permission', filter('file', 'Prefix', '/etc/'));
const withHooks = (...names: readonly string[]): string =>
  policyYaml(
    `kprobes: [{call: security_file_permission, syscall: false, args: [{index: 0, type: file}], selectors: [{matchArgs: [{index: 0, operator: Prefix, values: [/etc/]}]}]}, ${names
      .map((name) => `{call: "${name}", syscall: ${/^(i386\/)?sys_/.test(name)}}`)
      .join(', ')}]`,
  );
const lsm = policyYaml('lsmhooks: [{hook: file_open}]');
const bprm = (text: string): string => selector(`matchBinaries: [${text}]`);

interface Case {
  readonly has: string;
  readonly hasNot: string;
  readonly kernel?: KernelInfo;
  /** The kernel for the policy that has not the way; default: the same. */
  readonly otherKernel?: KernelInfo;
}

const CASES: Readonly<Record<BypassCode, readonly Case[]>> = {
  ALREADY_OPEN: [
    { has: kernelCall('security_file_open'), hasNot: kernelCall('security_file_permission') },
    { has: call('sys_openat'), hasNot: call('sys_read') },
  ],
  DESCRIPTOR_MAY_CHANGE: [
    { has: call('sys_read', filter('fd', 'Prefix', '/etc/')), hasNot: pathFilter },
    { has: call('sys_read', filter('fd', 'Prefix', '/etc/')), hasNot: call('sys_read', '\nargs: [{index: 0, type: fd}]') }, // prettier-ignore
  ],
  DETACHED_MOUNT: [
    { has: calls('security_sb_mount'), hasNot: calls('security_sb_mount', 'security_sb_kern_mount', '__do_loopback') },
    { has: calls('security_move_mount', 'sys_fsmount'), hasNot: kernelCall('security_move_mount', filter('path', 'Prefix', '/etc')) }, // prettier-ignore
  ],
  HARD_LINK: [
    { has: pathFilter, hasNot: withHooks('security_path_link') },
    { has: pathFilter, hasNot: kernelCall('security_file_permission') },
  ],
  IA32_CALL: [
    { has: calls('sys_setuid', 'i386/sys_setuid'), hasNot: calls('sys_setuid', 'i386/sys_setuid', '__ia32_sys_setuid16') }, // prettier-ignore
    { has: policyYaml('tracepoints: [{subsystem: syscalls, event: sys_enter_read}]'), hasNot: policyYaml('tracepoints: [{subsystem: raw_syscalls, event: sys_enter}]') }, // prettier-ignore
    { has: call('sys_read'), hasNot: kernelCall('security_file_permission') },
    { has: call('sys_read'), hasNot: call('sys_read'), kernel: makeKernel(['__ia32_sys_read']), otherKernel: makeKernel(['__x64_sys_read']) }, // prettier-ignore
    { has: call('sys_read'), hasNot: call('i386/sys_read') },
  ],
  INTERPRETER: [
    { has: bprm('{operator: NotIn, values: [/usr/bin/python3.13]}'), hasNot: bprm('{operator: NotIn, values: [/usr/sbin/sshd]}') }, // prettier-ignore
    { has: bprm('{operator: In, values: [/opt/backup.sh]}'), hasNot: bprm('{operator: In, values: [/usr/bin/bash]}') },
  ],
  IO_URING: [
    { has: call('sys_openat'), hasNot: calls('sys_openat', 'security_file_open') },
    { has: call('sys_bind'), hasNot: call('sys_bind'), kernel: makeKernel(['io_bind']), otherKernel: makeKernel([]) },
    { has: call('sys_read'), hasNot: call('sys_setuid') },
  ],
  LATE_POLICY: [
    { has: bprm('{operator: In, values: [/usr/bin/nc], followChildren: true}'), hasNot: bprm('{operator: In, values: [/usr/bin/nc]}') }, // prettier-ignore
  ],
  MISSED_CALLS: [
    { has: policyYaml('fentries: [{call: tcp_connect, syscall: false}]'), hasNot: kernelCall('tcp_connect') },
    { has: policyYaml('fentries: [{call: tcp_connect, syscall: false}]'), hasNot: policyYaml('fentries: [{call: tcp_connect, syscall: false}]'), otherKernel: makeKernel([], 'voluntary') }, // prettier-ignore
    { has: lsm, hasNot: lsm, kernel: makeKernel([], 'full'), otherKernel: makeKernel(['bpf_preempt_disable'], 'full') },
  ],
  MOUNT_CALLS: [
    { has: calls('security_sb_mount'), hasNot: calls('security_sb_mount', 'security_move_mount') },
    { has: policyYaml('lsmhooks: [{hook: sb_mount}]'), hasNot: policyYaml('lsmhooks: [{hook: sb_mount}, {hook: move_mount}]') }, // prettier-ignore
    { has: call('sys_mount'), hasNot: call('sys_mount'), otherKernel: makeKernel([]) },
  ],
  NAMESPACE_PID: [
    { has: selector('matchPIDs: [{operator: In, values: [1], isNamespacePID: true}]'), hasNot: selector('matchPIDs: [{operator: In, values: [1]}]') }, // prettier-ignore
    { has: selector('matchPIDs: [{operator: In, values: [1], isNamespacePID: true}]'), hasNot: selector('matchPIDs: [{operator: NotIn, values: [1], isNamespacePID: true}]') }, // prettier-ignore
  ],
  OTHER_MOUNT: [{ has: withHooks('__do_loopback'), hasNot: withHooks('__do_loopback', 'clone_private_mount', 'security_path_chroot') }], // prettier-ignore
  PROGRAM_CODE: [
    { has: bprm('{operator: NotIn, values: [/usr/sbin/sshd]}'), hasNot: bprm('{operator: In, values: [/usr/sbin/sshd]}') }, // prettier-ignore
  ],
  PROGRAM_COPY: [
    { has: bprm('{operator: In, values: [/usr/bin/nc]}'), hasNot: bprm('{operator: NotIn, values: [/usr/bin/nc]}') },
  ],
  RENAME: [{ has: pathFilter, hasNot: withHooks('security_path_rename') }],
  USER_MEMORY: [
    { has: call('sys_openat', filter('string', 'Prefix', '/etc/')), hasNot: pathFilter },
    { has: call('sys_openat', filter('string', 'Prefix', '/etc/')), hasNot: call('sys_openat', filter('int', 'Equal', '1')) }, // prettier-ignore
    { has: policyYaml('uprobes: [{path: /bin/bash, symbols: [readline], args: [{index: 0, type: string}], selectors: [{matchArgs: [{index: 0, operator: Equal, values: ["a"]}]}]}]'), hasNot: kernelCall('f', filter('string', 'Equal', 'a')) }, // prettier-ignore
  ],
  X32_CALL: [
    { has: call('sys_ioctl'), hasNot: call('sys_ioctl'), kernel: makeKernel(['__x64_compat_sys_ioctl']), otherKernel: makeKernel(['__x64_sys_ioctl']) }, // prettier-ignore
    { has: call('sys_ioctl'), hasNot: calls('sys_ioctl', '__x64_compat_sys_ioctl'), kernel: makeKernel(['__x64_compat_sys_ioctl']) }, // prettier-ignore
    { has: policyYaml('tracepoints: [{subsystem: syscalls, event: sys_enter_ioctl}]'), hasNot: call('sys_read'), kernel: makeKernel(['__x64_compat_sys_ioctl']) }, // prettier-ignore
  ],
};

const codes = (yaml: string, kernel?: KernelInfo): BypassCode[] =>
  findBypasses(yaml, kernel && { kernel }).map(({ code }) => code);

describe('policy: ways around it', () => {
  for (const [code, cases] of Object.entries(CASES) as [BypassCode, readonly Case[]][]) {
    cases.forEach(({ has, hasNot, kernel, otherKernel = kernel }, i) => {
      it(`${code}: a policy that has it and one that has not (${i})`, () => {
        assert.ok(codes(has, kernel).includes(code), codes(has, kernel).join(' '));
        assert.ok(!codes(hasNot, otherKernel).includes(code), 'the other policy has it, too');
      });
    });
  }

  it('docs/bypass.md has a row for each code, with what it needs and whether validate warns', () => {
    const page = readProjectFile('docs/bypass.md');
    const rows = [...page.matchAll(/^\| `([A-Z0-9_]+)` +\| .* \| (\S+) +\| (yes|no) +\|$/gm)];
    assert.deepEqual(
      rows.map(([, code, needs, warns]) => [code, needs, warns]),
      Object.entries(BYPASSES).map(([code, { needs, warns }]) => [code, needs, warns ? 'yes' : 'no']),
    );
    for (const code of Object.keys(BYPASSES)) assert.ok(page.includes(`**\`${code}\`**`), code);
  });

  it('names the selectors, and the line and column of the filter or of the hook', () => {
    const yaml = kernelCall(
      'security_file_permission',
      '\nargs: [{index: 0, type: file}]\nselectors:\n- matchArgs:\n  - {index: 0, operator: Prefix, values: [/etc/]}\n- matchBinaries:\n  - {operator: NotIn, values: [/bin/bash]}\n- matchArgs:\n  - {index: 0, operator: Postfix, values: [/key]}',
    );
    const lines = yaml.split('\n');
    const found = findBypasses(yaml, { file: 'p.yaml' });
    const rename = found.find(({ code }) => code === 'RENAME');
    assert.deepEqual(rename?.selectors, [0, 2]);
    assert.match(
      lines[(rename?.line ?? 0) - 1]?.slice((rename?.column ?? 0) - 1) ?? '',
      /^\{index: 0, operator: Prefix/,
    );
    const interpreter = found.find(({ code }) => code === 'INTERPRETER');
    assert.deepEqual([interpreter?.selectors, interpreter?.danger, interpreter?.needs], [[1], 'exemption', 'nothing']);
    assert.deepEqual(findBypasses(parsePolicy(yaml)), found);
  });

  it('without a kernel, what depends on it is not certain', () => {
    const certain = (kernel?: KernelInfo): boolean | undefined =>
      findBypasses(call('sys_read'), kernel && { kernel }).find(({ code }) => code === 'IA32_CALL')?.certain;
    assert.equal(certain(), false);
    assert.equal(certain(makeKernel(['__ia32_sys_read'])), true);
    const fentry = policyYaml('fentries: [{call: tcp_connect, syscall: false}]');
    const missed = (model?: PreemptionModel): boolean | undefined =>
      findBypasses(fentry, { kernel: makeKernel([], model) }).find(({ code }) => code === 'MISSED_CALLS')?.certain;
    assert.deepEqual([missed('lazy'), missed('unknown'), missed()], [true, false, false]);
  });

  it('a list of functions is one way, and names at most four of them', () => {
    const yaml = policyYaml(
      'lists: [{name: a, type: syscalls, values: [sys_read, sys_write, sys_close, sys_dup, sys_kill]}]\nkprobes: [{call: "list:a"}]',
    );
    const [found] = findBypasses(yaml);
    assert.equal(found?.code, 'IA32_CALL');
    assert.match(found.way, /i386\/sys_read, .* and 1 more$/);
  });

  it('validate warns of enforcement and of exemptions, with code, place and remedy', () => {
    const enforcing = (options = ''): string =>
      policyYaml(
        `${options}kprobes: [{call: sys_openat, args: [{index: 1, type: string}], selectors: [{matchArgs: [{index: 1, operator: Prefix, values: [/etc/]}], matchActions: [{action: Sigkill}]}]}]`,
      );
    const warnings = (yaml: string): string[] =>
      validatePolicy(yaml).flatMap(({ code, message, severity, hint }) =>
        code.endsWith('_BYPASS') ? [`${severity} ${code} ${message.split(':', 1)[0]} ${hint !== ''}`] : [],
      );
    assert.deepEqual(warnings(enforcing()), ['warning ENFORCEMENT_BYPASS USER_MEMORY true']);
    assert.deepEqual(warnings(enforcing('options: [{name: policy-mode, value: monitor}]\n')), []);
    assert.deepEqual(warnings(call('sys_openat', filter('string', 'Prefix', '/etc/'))), []);
    assert.deepEqual(warnings(bprm('{operator: NotIn, values: [/bin/sh]}')), ['warning EXEMPTION_BYPASS INTERPRETER true']); // prettier-ignore
    assert.deepEqual(warnings(bprm('{operator: NotIn, values: [/usr/sbin/sshd]}')), []);
    const kill = call('sys_setuid', '\nselectors: [{matchActions: [{action: Sigkill}]}]');
    assert.deepEqual(warnings(kill), []);
    const against = validatePolicy(kill, { kernel: makeKernel(['__ia32_sys_setuid', '__x64_sys_setuid']) });
    assert.ok(against.some(({ code, message }) => code === 'ENFORCEMENT_BYPASS' && message.startsWith('IA32_CALL')));
  });

  it('refuses a policy with errors', () => {
    assert.throws(() => findBypasses('kind: TracingPolicy'), PolicyError);
  });

  it('is formatted by hook, with what closes each way', () => {
    assert.equal(formatBypasses([]), 'No way around this policy is known.\n');
    const text = formatBypasses(findBypasses(calls('sys_setuid', 'security_file_open')));
    assert.match(text, /^kprobes: sys_setuid\n {2}IA32_CALL at \d+:\d+, selector 0\n {4}unless the kernel/);
    assert.match(
      text,
      /\n\nkprobes: security_file_open\n {2}ALREADY_OPEN .*\n.*\n {4}needs a start.*\n {4}closed by: load/,
    );
    const danger = formatBypasses(findBypasses(bprm('{operator: NotIn, values: [/bin/sh]}')));
    assert.match(danger, /INTERPRETER \[exemption\] at/);
  });
});
