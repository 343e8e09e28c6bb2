/** What a policy can hook in a kernel or a file, and the policies that are written for it. */
import assert from 'node:assert/strict';
import { PolytraceError } from '../../../lib/errors.js';
import { formatHook, hookPolicy, validatePolicy } from '../../../lib/policy/index.js';
import { findHook, listHooks } from '../../../lib/tracer/hooks.js';
import type { AvailableHook, AvailableHookKind, HookQuery } from '../../../types/hooks.js';
import type { KernelInfo } from '../../../types/kernel.js';
import { fakeKernel } from './fake-kernel.js';

const query = { kernel: fakeKernel };
const names = (pattern: string, options: HookQuery = query): string[] =>
  listHooks(pattern, options).map(({ kind, name }) => `${kind} ${name}`);

const errorOf = (run: () => unknown): PolytraceError => {
  try {
    run();
  } catch (error) {
    if (error instanceof PolytraceError) return error;
    throw error;
  }
  throw new Error('no error');
};

describe('listHooks', () => {
  it('finds a part of a name in each kind, the name itself first', () => {
    assert.deepEqual(names('file'), [
      'lsm file_open',
      'function security_file_permission',
      'function security_file_truncate',
    ]);
    assert.deepEqual(names('sys_enter'), ['tracepoint raw_syscalls/sys_enter']);
    assert.deepEqual(names('SCHED_process'), ['raw_tracepoint sched_process_exec']);
    assert.equal(names('connect')[0], 'syscall sys_connect');
  });

  it('compares the whole name with * and ?, and no other character is special', () => {
    assert.deepEqual(names('*_open'), ['lsm file_open']);
    assert.deepEqual(names('sys_moun?'), ['syscall sys_mount']);
    assert.deepEqual(names('file_op.n'), []);
  });

  it('leaves out functions that cannot be probed, and the other names of system calls', () => {
    assert.deepEqual(names('not_probed'), []);
    assert.ok(!names('*').some((name) => name.includes('__do_sys') || name.includes('function bpf_lsm')));
    assert.deepEqual(names('__do_sys_openat'), ['function __do_sys_openat']);
  });

  it('lists only the kinds of the option', () => {
    assert.deepEqual(names('file', { ...query, kinds: ['lsm'] }), ['lsm file_open']);
    const { code, hint } = errorOf(() => listHooks('x', { ...query, kinds: ['kprobe' as AvailableHookKind] }));
    assert.equal(code, 'BAD_OPTION');
    assert.match(hint, /syscall, lsm, tracepoint/);
  });

  it('describes values with their types in C and in a policy', () => {
    const [hook] = listHooks('security_path_chown', query);
    assert.deepEqual(hook, {
      kind: 'function',
      name: 'security_path_chown',
      parameters: [
        { index: 0, name: 'path', cType: 'struct path *', type: 'path' },
        { index: 1, name: 'uid', cType: 'struct kuid_t', type: 'uint32' },
        { index: 2, name: 'cred', cType: 'struct cred *', type: 'cred' },
      ],
      returns: { cType: 'int', type: 'int' },
      overridable: true,
      policies: ['file-integrity'],
    });
  });

  it('leaves the type of a policy out when no type can read the value', () => {
    const types = (name: string): unknown[] => (findHook(name, query).parameters ?? []).map(({ type }) => type);
    assert.deepEqual(types('vfs_void'), [undefined]);
    // a system call receives an address of the program, and not a file of the kernel
    assert.deepEqual(types('sys_connect'), ['int', 'sockaddr', undefined]);
    assert.deepEqual(types('raw_syscalls/sys_enter'), ['int64', 'uint64']);
  });

  it('takes the parameters of an inlined system call from its tracepoint, in their real sizes', () => {
    const field = { offset: 0, size: 8 };
    const kernel: KernelInfo = {
      ...fakeKernel,
      tracepoint: (group, event) =>
        group === 'syscalls' && event === 'sys_enter_mount'
          ? {
              fields: [
                { ...field, name: 'common_pid', type: 'int' },
                { ...field, name: '__syscall_nr', type: 'int' },
                { ...field, name: 'fd', type: 'int' },
                { ...field, name: 'mode', type: 'umode_t' },
                { ...field, name: 'path', type: 'const char *' },
                { ...field, name: 'user', type: 'struct file *' },
                { ...field, name: '__path_val', type: '__data_loc char[]' },
              ],
            }
          : null,
    };
    assert.deepEqual(findHook('sys_mount', { kernel }).parameters, [
      { index: 0, name: 'fd', cType: 'int', type: 'int' },
      { index: 1, name: 'mode', cType: 'umode_t', type: 'uint16' },
      { index: 2, name: 'path', cType: 'char *', type: 'string' },
      { index: 3, name: 'user', cType: 'struct file *' },
    ]);
  });

  it('names the parameters of a raw tracepoint, and its group', () => {
    const prototype = fakeKernel.rawTracepoint('sched_process_exec');
    const unnamed = prototype && { ...prototype, params: prototype.params.map((each) => ({ ...each, name: '' })) };
    const internal = prototype && { ...prototype, params: [...prototype.params.slice(0, 1), ...prototype.params] };
    const kernel: KernelInfo = {
      ...fakeKernel,
      rawTracepoint: () => unnamed,
      function: (name) => (name === '__traceiter_sched_process_exec' ? internal : fakeKernel.function(name)),
      tracepointNames: (group) => (group === undefined ? ['sched'] : ['sched_process_exec']),
    };
    const { group, parameters } = findHook('sched_process_exec', { kernel });
    assert.equal(group, 'sched');
    assert.deepEqual((parameters ?? []).map(({ name }) => name), ['p', 'old_pid', 'bprm']); // prettier-ignore
  });

  it('says that overriding is not known, or not possible', () => {
    assert.equal(findHook('vfs_void', query).overridable, false);
    assert.equal('overridable' in findHook('sys_mount', query), false);
    assert.equal(findHook('file_open', query).overridable, true);
  });

  it('without a list of functions that can be probed, lists all of BTF', () => {
    const kernel: KernelInfo = { ...fakeKernel, attachableNames: () => undefined };
    assert.deepEqual(names('not_probed', { kernel }), ['function not_probed']);
  });

  it('lists the functions of a program', () => {
    const found = listHooks('malloc', { file: process.execPath, kinds: ['uprobe'] });
    assert.ok(found.length > 0 && found.every(({ kind, file }) => kind === 'uprobe' && file !== undefined));
  });

  it('refuses files that are no programs', () => {
    assert.equal(errorOf(() => listHooks('x', { file: '/no/such/file' })).code, 'PROGRAM_NOT_FOUND');
    assert.equal(errorOf(() => listHooks('x', { file: __filename })).code, 'PROGRAM_NOT_ELF');
  });

  it('refuses unknown options and patterns that are no text', () => {
    assert.equal(errorOf(() => listHooks('x', { kernal: 1 } as object)).code, 'BAD_OPTION');
    assert.equal(errorOf(() => listHooks(undefined as unknown as string, query)).code, 'BAD_OPTION');
  });
});

describe('findHook', () => {
  it('names the nearest hooks when there is none with the name', () => {
    const { code, message, hint } = errorOf(() => findHook('security_file_permision', query));
    assert.equal(code, 'HOOK_NOT_FOUND');
    assert.equal(message, 'Linux test has no hook "security_file_permision"');
    assert.equal(hint, 'did you mean security_file_permission?');
  });

  it('names hooks with the longest known word when none is close', () => {
    assert.match(errorOf(() => findHook('my_own_truncate_call', query)).hint, /security_(file|path)_truncate/);
    assert.match(errorOf(() => findHook('zzz', query)).hint, /shorter part/);
  });

  it('of several kinds, takes the first', () => {
    const kernel: KernelInfo = { ...fakeKernel, functionNames: () => ['bpf_lsm_reads', 'reads'], attachableNames: () => ['reads'] }; // prettier-ignore
    assert.equal(findHook('reads', { kernel }).kind, 'lsm');
    assert.equal(findHook('reads', { kernel, kinds: ['function'] }).kind, 'function');
  });
});

describe('hookPolicy', () => {
  const policyOf = (name: string, ...options: unknown[]): string =>
    hookPolicy(findHook(name, query), ...(options as [object]));

  it('has the values with their types and names, and the return value', () => {
    assert.equal(
      policyOf('security_path_chown'),
      `# Reports each call of int security_path_chown(struct path *path, struct kuid_t uid, struct cred *cred)
# In the package, these policies use it: file-integrity.
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata:
  name: security-path-chown
spec:
  kprobes:
    - call: security_path_chown
      syscall: false
      args:
        - index: 0
          type: path
          label: path
        - index: 1
          type: uint32
          label: uid
        - index: 2
          type: cred
          label: cred
      return: true
      returnArg:
        index: 0
        type: int
      # Without \`selectors\`, every call is reported.
`,
    );
  });

  it('names values that no type can read in a comment', () => {
    assert.match(policyOf('sys_connect'), /\n {8}# 2: struct file \*odd\n/);
    assert.match(policyOf('vfs_void'), /syscall: false\n {6}# 0: void \*anything\n/);
  });

  it('without a report, only counts', () => {
    const text = policyOf('security_path_chown', { name: 'count-1', report: false });
    assert.match(text, /\n {2}name: count-1\n/);
    assert.match(text, /syscall: false\n {6}selectors:\n {8}- matchActions:\n {12}- action: NoPost\n$/);
  });

  it('is valid for each hook of the kernel, also when it only counts', () => {
    // the fake kernel has no format for it
    const hooks = listHooks('*', query).filter(({ name }) => name !== 'raw_syscalls/sys_exit');
    assert.deepEqual(new Set(hooks.map(({ kind }) => kind)).size, 5);
    for (const hook of hooks) {
      for (const report of [true, false]) {
        const text = hookPolicy(hook, { report });
        const problems = validatePolicy(text, { kernel: fakeKernel }).filter(({ severity }) => severity === 'error');
        assert.deepEqual(problems, [], text);
      }
    }
  });

  it('is valid for static probes and functions of a file, whatever their names', () => {
    const base = { file: '/usr/lib/lib with space.so', policies: [] };
    const hooks: AvailableHook[] = [
      { ...base, kind: 'uprobe', name: '_ZN2v8#7: x' },
      { ...base, kind: 'usdt', name: 'libc:memory_sbrk', parameters: [{ index: 0, name: '', cType: '-4@%edi', type: 'int32' }] }, // prettier-ignore
    ];
    for (const hook of hooks) {
      const problems = validatePolicy(hookPolicy(hook)).filter(({ severity }) => severity === 'error');
      assert.deepEqual(problems, [], hookPolicy(hook));
    }
  });

  it('reports no return of a system call that never returns', () => {
    const hook: AvailableHook = { kind: 'syscall', name: 'sys_exit_group', returns: { cType: 'long int', type: 'int64' }, policies: [] }; // prettier-ignore
    assert.ok(!hookPolicy(hook).includes('return'));
  });
});

describe('formatHook', () => {
  it('leaves the last parameters out until the line fits, and never cuts the name', () => {
    const hook = findHook('security_path_chown', query);
    assert.equal(formatHook(hook), 'int security_path_chown(struct path *path, struct kuid_t uid, struct cred *cred)');
    assert.equal(formatHook(hook, 70), 'int security_path_chown(struct path *path, struct kuid_t uid, …)');
    assert.equal(formatHook(hook, 30), 'int security_path_chown(…)');
    assert.equal(formatHook(hook, 10), 'security_path_chown');
  });
});
