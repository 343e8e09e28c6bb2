/** Checks policies against the BTF of the running kernel. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KernelError, loadKernelInfo, validatePolicy } from '../../lib/index.js';
import type { KernelInfo } from '../../types/kernel.js';
import { kprobeYaml, policyYaml } from '../unit/policy/marked-policies.js';
import { isTracepoint, needsRoot, openTracer } from './support.js';

const VMLINUX = '/sys/kernel/btf/vmlinux';

describe('BTF of this kernel', function () {
  this.timeout(30_000);
  let kernel: KernelInfo;

  before(function () {
    if (!existsSync(VMLINUX)) return this.skip();
    kernel = loadKernelInfo();
  });

  it('knows functions with their parameters', () => {
    const found = kernel.function('security_file_permission');
    assert.deepEqual(found?.params.map(({ name }) => name), ['file', 'mask']);
    const [file, mask] = found?.params ?? [];
    assert.equal(file?.type.kind, 'pointer');
    assert.equal(file?.type.target()?.name, 'file');
    assert.deepEqual([mask?.type.kind, mask?.type.size, mask?.type.signed], ['int', 4, true]);
    assert.equal(kernel.function('no_such_function_at_all'), undefined);
    assert.ok(kernel.functionNames().length > 10_000);
  });

  it('knows structs, including unnamed members', () => {
    const task = kernel.struct('task_struct');
    const names = task?.members().map(({ name }) => name) ?? [];
    for (const name of ['comm', 'real_parent', 'mm']) assert.ok(names.includes(name), name);
    assert.ok(!names.includes(''));
    assert.equal(kernel.struct('no_such_struct'), undefined);
    assert.ok(kernel.structNames().includes('task_struct'));
  });

  it('knows the offsets of members, also of unnamed ones, and which are bit fields', () => {
    const where = (name: string, member: string): unknown[] => {
      const found = kernel.struct(name)?.members().find((each) => each.name === member);
      return [found?.bitOffset, found?.bitfieldSize];
    };
    assert.deepEqual(where('list_head', 'prev'), [64, 0]);
    assert.deepEqual(where('iphdr', 'version'), [4, 4]);
    assert.deepEqual(where('qstr', 'len'), [32, 0]);
    const comm = kernel.struct('task_struct')?.members().find(({ name }) => name === 'comm')?.type;
    assert.deepEqual([comm?.kind, comm?.size, comm?.target()?.size], ['array', 16, 1]);
    assert.equal(kernel.struct('task_struct', 'no_such_module'), undefined);
  });

  it('knows raw tracepoints and LSM hooks', () => {
    assert.deepEqual(kernel.rawTracepoint('sched_process_exec')?.params.map(({ type }) => type.target()?.name), ['task_struct', undefined, 'linux_binprm']);
    assert.ok(kernel.rawTracepointNames().includes('sched_process_exec'));
    assert.equal(kernel.rawTracepoint('nothing_of_the_kind'), undefined);
  });

  it('finds what is wrong with a policy here', () => {
    const codes = (yaml: string): string[] => validatePolicy(yaml, { kernel })
      .filter((d) => d.severity !== 'note')
      .map((d) => d.code);
    assert.deepEqual(codes(kprobeYaml('call: security_file_permission\nsyscall: false\nargs: [{index: 0, type: file}, {index: 1, type: int}]')), []);
    assert.deepEqual(codes(kprobeYaml('call: sys_openat\nargs: [{index: 1, type: string}]')), []);
    assert.deepEqual(codes(kprobeYaml('call: security_file_permision\nsyscall: false')), ['FUNCTION_UNKNOWN']);
    assert.deepEqual(codes(kprobeYaml('call: security_file_permission\nsyscall: false\nargs: [{index: 0, type: path}]')), ['ARG_TYPE_MISMATCH']);
    assert.deepEqual(codes(policyYaml('lsmhooks: [{hook: bprm_check_security, args: [{index: 0, type: string, resolve: mm.owner.real_parent.comn}]}]')), ['RESOLVE_NO_MEMBER']);
  });

  it('accepts a file instead of the running kernel', () => {
    const folder = mkdtempSync(join(tmpdir(), 'polytrace-btf-'));
    try {
      const copy = join(folder, 'vmlinux.btf');
      copyFileSync(VMLINUX, copy);
      const other = loadKernelInfo(copy);
      assert.equal(other.name, copy);
      assert.equal(other.function('security_file_permission')?.params.length, 2);
      assert.equal(other.attachable('security_file_permission'), undefined);
      assert.equal(other.tracepoint('sched', 'sched_switch'), undefined);

      for (const [name, bytes] of [['text', Buffer.from('not BTF')], ['cut', readFileSync(VMLINUX).subarray(0, 5000)], ['empty', Buffer.alloc(0)]] as const) {
        writeFileSync(join(folder, name), bytes);
        assert.throws(() => loadKernelInfo(join(folder, name)), (error) => error instanceof KernelError && error.code === 'BTF_UNREADABLE');
      }
      assert.throws(() => loadKernelInfo(join(folder, 'nothing')), KernelError);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('survives invalid arguments', () => {
    assert.equal(kernel.function(''), undefined);
    assert.equal(kernel.struct('a\0b'), undefined);
    assert.equal(kernel.tracepoint('../..', 'x'), undefined);
  });

  it('is read once, however many programs are loaded', async function () {
    needsRoot.call(this);
    const watch = policyYaml(`tracepoints:
  - subsystem: raw_syscalls
    event: sys_exit
    raw: true
    args: [{ index: 1, type: fd }, { index: 0, source: pt_regs, resolve: orig_rax, type: syscall64 }]
    selectors:
      - matchArgs:
          - { args: [0], operator: Equal, values: [${VMLINUX}] }
          - { args: [1], operator: InMap, values: [sys_openat] }`);
    // programs of the base sensor, of a scan of processes, and of two hooks
    const hooks = ['sys_enter', 'sys_exit'].map(
      (event) => `
  - subsystem: raw_syscalls
    event: ${event}
    raw: true
    args: [{ index: 1, type: uint64 }]
    selectors: [{ matchBinaries: [{ operator: In, values: [/usr/bin/none] }] }]`,
    );
    const policies = JSON.stringify([{ yaml: policyYaml(`tracepoints:${hooks.join('')}`) }]);
    await using tracer = await openTracer({ policies: [{ yaml: watch }] });
    const script = `require('.').openTracer({ policies: ${policies} }).then((tracer) => tracer.close())`;
    const { pid, status } = spawnSync(process.execPath, ['-e', script], { cwd: join(__dirname, '..', '..') });
    assert.equal(status, 0);
    let reads = 0;
    for await (const event of tracer) {
      if (!('process' in event) || event.process.pid !== pid) continue;
      if (event.type === 'process_exit') break;
      reads += Number(isTracepoint(event));
    }
    assert.equal(reads, 1);
  });
});
