/**
 * Lists of functions: one program on many functions, by kprobe.multi if the kernel has it, else by a kprobe for each.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { HookStatus, ProcessKprobeEvent, ProcessTracepointEvent, TracerEvent } from '../../types/index.js';
import { copyProgram, argumentValue, assertRefused, kernel, kprobeEvents, Recording } from './support.js';

const hasMulti = kernel !== '6.1';
const IA32 = '/tmp/ia32';
const BY_IA32 = `selectors: [{ matchBinaries: [{ operator: In, values: [${IA32}] }] }]`;
const BY_CAT = `selectors: [{ matchBinaries: [{ operator: In, values: [/usr/bin/cat] }] }]`;
/** Attaching, using and detaching 400 functions may take this many times as long as one function. */
const MAX_RATIO = 20;

function listPolicy(list: string, hook: string, options = ''): { yaml: string } {
  const yaml = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: lists }
spec:
  options: [${options}]
  lists: [{ name: all, ${list} }]
  ${hook}`;
  return { yaml };
}

const kprobe = (...fields: readonly string[]): string => `kprobes: [{ call: "list:all", ${fields.join(', ')} }]`;

describe('lists of functions', () => {
  let recording: Recording;
  before(async () => {
    writeFileSync('/tmp/list', 'text');
    copyProgram('ia32', IA32);
    recording = await Recording.open(undefined);
  });
  after(() => recording?.close());

  /** The events that `run` causes while the policy is loaded, and the status of its hooks. */
  async function recordList(
    source: { yaml: string },
    run: () => void,
  ): Promise<[TracerEvent[], readonly HookStatus[]]> {
    const [status] = await recording.tracer.addPolicy(source);
    try {
      const events = await recording.eventsDuring(run);
      assert.deepEqual(events.filter(({ type }) => type === 'lost'), []); // prettier-ignore
      return [events, status?.hooks ?? []];
    } finally {
      await recording.tracer.removePolicy('lists');
    }
  }

  const assertListRefused = (source: { yaml: string }, code: string, message: RegExp): Promise<void> =>
    assertRefused(recording.tracer.addPolicy(source), code, message);
  const runCat = (): void => void spawnSync('cat', ['/tmp/list']);
  const functionNames = (events: readonly TracerEvent[]): string[] =>
    kprobeEvents(events).map(({ functionName }) => functionName);

  // Without kprobe.multi, the published policy tests this already.
  const testEveryCall = async (): Promise<void> => {
    const measureList = async (list: string, hook: string) => {
      const from = performance.now();
      const [events, hooks] = await recordList(listPolicy(list, hook), runCat);
      return { events, hooks, ms: performance.now() - from };
    };
    const one = await measureList('values: [vfs_read]', kprobe('syscall: false', BY_CAT));
    const { events, hooks, ms } = await measureList('type: generated_syscalls', kprobe(BY_CAT));
    assert.deepEqual(
      hooks.map(({ call, functionName, attach }) => [call, functionName, attach]),
      [['list:all', 'list:all', 'kprobe.multi']],
    );
    const count = hooks[0]?.functions.length ?? 0;
    assert.ok(count >= 400, `${count} functions`);
    console.log(`      ${count} functions in ${Math.round(ms)} ms, one in ${Math.round(one.ms)} ms`);
    assert.ok(ms < MAX_RATIO * one.ms, `${ms} ms, ${one.ms} ms`);
    const seen = new Set(functionNames(events));
    for (const call of ['openat', 'read', 'write', 'close', 'exit_group'])
      assert.ok(seen.has(`__x64_sys_${call}`), call);
    assert.ok(!seen.has('list:all'));
  };
  if (hasMulti)
    it('every system call is reported by its name, and attached and detached in a short time', testEveryCall);

  for (const single of [false, true]) {
    it(`functions that call each other, each with its own return (${single ? 'disable-kprobe-multi' : 'at once where possible'})`, async () => {
      const functions = ['__x64_sys_read', 'ksys_read', 'vfs_read'];
      const option = single ? '{ name: disable-kprobe-multi, value: "1" }' : '';
      const returns = 'return: true, returnArg: { index: 0, type: int64 }';
      const hook = kprobe('syscall: false', returns, BY_CAT);
      const [events, hooks] = await recordList(listPolicy(`values: [${functions.join(', ')}]`, hook, option), runCat);
      const attach = hasMulti && !single ? 'kprobe.multi+kretprobe.multi' : 'kprobe+kretprobe';
      assert.deepEqual(hooks.map((each) => [each.functions, each.attach]), [[functions, attach]]); // prettier-ignore
      const reads = kprobeEvents(events).filter((event) => argumentValue(event.return) === 4n);
      assert.deepEqual(reads.map(({ functionName }) => functionName), ['vfs_read', 'ksys_read', '__x64_sys_read']); // prettier-ignore
    });
  }

  it('the functions of a pattern, with a value of each', async () => {
    const hook = kprobe('args: [{ index: 2, type: size_t }]', BY_CAT);
    const [events, hooks] = await recordList(
      listPolicy('type: generated_ftrace, pattern: "^vfs_(read|write)$"', hook),
      runCat,
    );
    assert.deepEqual(hooks[0]?.functions.toSorted(), ['vfs_read', 'vfs_write']);
    const write = kprobeEvents(events).findLast(({ functionName }) => functionName === 'vfs_write');
    assert.deepEqual(write?.args, [{ type: 'size_t', index: 2, value: 4n }]);
  });

  it('a program for each function if they cannot share one: fentries, members of a parameter', async () => {
    const values = 'values: [vfs_read, vfs_write]';
    const fentries = 'fentries: [{ call: "list:all", syscall: false }]';
    const member = kprobe('syscall: false', 'args: [{ index: 0, type: uint64, resolve: f_inode.i_ino }]', BY_CAT);
    const [, trampolines] = await recordList(listPolicy(values, fentries), () => undefined);
    assert.deepEqual(trampolines.map(({ call, attach }) => [call, attach]), [['vfs_read', 'fentry'], ['vfs_write', 'fentry']]); // prettier-ignore
    const [, members] = await recordList(listPolicy(values, member), () => undefined);
    assert.deepEqual(members.map(({ functions }) => functions), [['vfs_read'], ['vfs_write']]); // prettier-ignore
    await assertListRefused(
      listPolicy('type: generated_ftrace, pattern: "^vfs_"', fentries),
      'LIMIT_PROGRAMS',
      /list:all: \d+ functions.*trampolines.* 64/,
    );
  });

  it('missing functions are refused with a code, or skipped', async () => {
    const values = 'values: [vfs_read, no_such_function, vfs_write]';
    await assertListRefused(
      listPolicy(values, kprobe('syscall: false')),
      'HOOK_NOT_FOUND',
      /:\d+:\d+: list:all: .*no_such_function/,
    );
    await assertListRefused(
      listPolicy(values, kprobe('syscall: false', 'args: [{ index: 5, type: int }]')),
      'ARG_BEYOND_PROTOTYPE',
      /vfs_read has no parameter 5/,
    );
    await assertListRefused(
      listPolicy('type: generated_ftrace, pattern: "^no_such_"', kprobe()),
      'LIST_NOT_FILLED',
      /list .*all/,
    );
    const [status] = await recording.tracer.addPolicy(listPolicy(values, kprobe('syscall: false', 'optional: true')));
    assert.deepEqual([status?.hooks[0]?.functions, status?.skipped], [['vfs_read', 'vfs_write'], ['no_such_function']]);
    await recording.tracer.removePolicy('lists');
  });

  const testAbsentCalls = async (): Promise<void> => {
    const [every] = await recording.tracer.addPolicy(listPolicy('type: generated_syscalls', kprobe(BY_CAT)));
    await recording.tracer.removePolicy('lists');
    const present = (every?.hooks[0]?.functions ?? []).map((name) => name.replace('__x64_', ''));
    const absent = ['sys_create_module', 'sys_tuxcall', 'sys_vserver'];
    const calls = [...present.slice(0, 300), ...absent];
    const list = (values: readonly string[]): string => `type: syscalls, values: [${values.join(', ')}]`;
    const [status] = await recording.tracer.addPolicy(listPolicy(list(calls), kprobe(BY_CAT)));
    await recording.tracer.removePolicy('lists');
    assert.equal(status?.hooks.flatMap(({ functions }) => functions).length, 300);
    assert.deepEqual(status?.skipped, absent);
    // the function of umount2 is sys_umount
    await assertListRefused(listPolicy(list(['sys_read', 'sys_umount2']), kprobe()), 'HOOK_NOT_FOUND', /sys_umount2/);
    await assertListRefused(listPolicy(list(['sys_read', 'sys_raed']), kprobe()), 'HOOK_NOT_FOUND', /sys_raed/);
    await assertListRefused(
      listPolicy(list(['sys_tuxcall', 'sys_vserver']), kprobe()),
      'HOOK_NOT_FOUND',
      /any function of the list/,
    );
  };
  if (hasMulti) it('system calls that this kernel does not have are left out, and named', testAbsentCalls);

  it('system calls of 32-bit programs have their own functions, registers and numbers', async () => {
    const args = 'args: [{ index: 0, type: int }]';
    const dups = listPolicy('type: syscalls, values: [sys_dup, i386/sys_dup]', kprobe(args, BY_IA32));
    const [events] = await recordList(dups, () => execFileSync(IA32));
    assert.deepEqual(callValues(kprobeEvents(events)), [['__x64_sys_dup', 998], ['__ia32_sys_dup', 999]]); // prettier-ignore

    const six = [0, 1, 2, 3, 4, 5].map((index) => `{ index: ${index}, type: int }`).join(', ');
    const splice = `kprobes: [{ call: __ia32_sys_splice, args: [${six}], ${BY_IA32} }]`;
    const [spliced] = await recordList(listPolicy('values: [f]', splice), () => execFileSync(IA32));
    assert.deepEqual(callValues(kprobeEvents(spliced)), [['__ia32_sys_splice', 991, 992, 993, 994, 995, 996]]);

    const entered = `tracepoints: [{ subsystem: raw_syscalls, event: sys_enter, args: [{ index: 4, type: syscall64 }],
    selectors: [{ matchBinaries: [{ operator: In, values: [${IA32}] }], matchArgs: [{ index: 0, operator: InMap, values: ["list:all"] }] }] }]`;
    const [calls] = await recordList(listPolicy('type: syscalls, values: [__ia32_sys_dup, sys_dup]', entered), () =>
      execFileSync(IA32),
    );
    assert.deepEqual(
      calls
        .filter((event): event is ProcessTracepointEvent => event.type === 'process_tracepoint')
        .map((event) => event.args[0]),
      [
        { type: 'syscall64', index: 4, value: 32n, name: 'dup', abi: 'x64' },
        { type: 'syscall64', index: 4, value: 41n, name: 'dup', abi: 'i386' },
      ],
    );
  });
});

function callValues(events: readonly ProcessKprobeEvent[]): unknown[] {
  return events.map(({ functionName, args }) => [functionName, ...args.map(argumentValue)]);
}
