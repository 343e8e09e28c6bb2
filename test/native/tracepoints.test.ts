/** Tracepoints on this machine's kernel: by their formatted fields, and raw. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessTracepointEvent, TracerEvent } from '../../types/index.js';
import { assertRefused, isTracepoint, needsRoot, needsTracefs, openTracer, polytrace, runScript, tracePolicy, Workshop } from './support.js';

function tracepointPolicy(hook: string): { yaml: string } {
  const indented = hook
    .split('\n')
    .map((line) => `      ${line}`)
    .join('\n');
  const yaml = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: points }
spec:
  tracepoints:
    -
${indented}`;
  return { yaml };
}

/** The events of the hook that `run` causes. */
const traceHook = (hook: string, run: () => unknown): Promise<ProcessTracepointEvent[]> =>
  tracePolicy(tracepointPolicy(hook), isTracepoint, run);

/** Hides tracefs from the command. */
const WITHOUT_TRACEFS =
  'for at in /sys/kernel/tracing /sys/kernel/debug; do mount -t tmpfs none $at || exit 1; done; exec "$@"';

describe('tracepoints', function () {
  this.timeout(60_000);
  before(needsRoot);
  before(needsTracefs);
  let shop: Workshop;
  before(() => {
    shop = new Workshop();
  });
  after(() => shop?.remove());

  it('by format: a string at an offset that the record contains, filtered', async () => {
    const [one, other] = ['one', 'other'].map((name) => join(shop.folder, name)) as [string, string];
    for (const path of [one, other]) copyFileSync('/bin/true', path);
    const hook = `subsystem: sched
event: sched_process_exec
message: started
tags: [a]
args: [{ index: 4, type: data_loc, label: file }, { index: 5, type: int32 }]
selectors: [{ matchArgs: [{ args: [0], operator: Equal, values: ["${one}"] }] }]`;
    const pids: (number | undefined)[] = [];
    const events = await traceHook(hook, () => {
      for (const path of [one, other, one]) pids.push(spawnSync(path).pid);
    });
    const expected = [pids[0], pids[2]].map((pid) => [
      'process_tracepoint', 'points', 'sched', 'sched_process_exec', 'started', ['a'], 0, one, pid,
      [{ type: 'data_loc', index: 4, label: 'file', value: one, truncated: false }, { type: 'int32', index: 5, value: pid }],
    ]); // prettier-ignore
    const reported = events.map((e) => [
      e.type, e.policyName, e.subsystem, e.event, e.message, e.tags, e.selector, e.process.binary, e.process.pid, e.args,
    ]); // prettier-ignore
    assert.deepEqual(reported, expected);
    const json = JSON.parse(polytrace.toJson(events[0] as TracerEvent)) as Record<string, Record<string, unknown>>;
    const { subsys, event, args, policy_name: name } = json['process_tracepoint'] ?? {};
    assert.deepEqual([subsys, event, name], ['sched', 'sched_process_exec', 'points']);
    assert.deepEqual(args, [{ string_arg: one, label: 'file' }, { int_arg: pids[0] }]);
  });

  it('a system call: a string of the program behind a pointer', async () => {
    const path = join(shop.folder, 'secret');
    const hook = `subsystem: syscalls
event: sys_enter_openat
args: [{ index: 6, type: string }, { index: 7, type: int }]
selectors: [{ matchArgs: [{ args: [0], operator: Prefix, values: ["${shop.folder}/sec"] }] }]`;
    const events = await traceHook(hook, () => {
      for (const file of [path, '/etc/hostname', path]) spawnSync('cat', [file]);
    });
    assert.deepEqual(
      events.map((e) => [e.process.binary, e.args[0]]),
      [0, 1].map(() => ['/usr/bin/cat', { type: 'string', index: 6, value: path, truncated: false }]),
    );
    assert.ok(events.every(({ args: [, flags] }) => flags?.type === 'int' && (flags.value & 3) === 0));
  });

  it('numbers of system calls', async () => {
    const [sync, abi] = process.arch === 'arm64' ? ([81n, 'arm64'] as const) : ([162n, 'x64'] as const);
    const hook = `subsystem: raw_syscalls
event: sys_enter
args: [{ index: 4, type: syscall64 }]
selectors:
  - matchArgs: [{ index: 0, operator: InMap, values: [sys_sync] }]
  - matchArgs: [{ index: 0, operator: Equal, values: ["${sync}"] }]`;
    const events = await traceHook(hook, () => spawnSync('sync'));
    assert.deepEqual(
      events.map((e) => [e.process.argv, e.args, e.selector]),
      [[[], [{ type: 'syscall64', index: 4, value: sync, name: 'sync', abi }], 0]],
    );
  });

  it('members of the struct that a field points to, and of the task', async () => {
    const hook = `subsystem: sched
event: sched_process_exit
args: [{ index: 4, type: string }, { index: 0, type: string, source: current_task, resolve: comm }]
selectors: [{ matchArgs: [{ args: [0], operator: Equal, values: ["sync"] }] }]`;
    const events = await traceHook(hook, () => spawnSync('sync'));
    assert.deepEqual(
      events.map((e) => e.args.map((arg) => 'value' in arg && arg.value)),
      [['sync', 'sync']],
    );
  });

  it('raw: parameters with their types, and members of them', async () => {
    const copy = join(shop.folder, 'raw');
    copyFileSync('/bin/true', copy);
    const hook = `subsystem: sched
event: sched_process_exec
raw: true
args:
  - { index: 0, type: string, resolve: comm }
  - { index: 1, type: int32 }
  - { index: 2, type: linux_binprm }
selectors: [{ matchArgs: [{ args: [2], operator: Postfix, values: ["/raw"] }] }]`;
    let pid: number | undefined;
    const events = await traceHook(hook, () => {
      spawnSync('/bin/true');
      ({ pid } = spawnSync(copy));
    });
    assert.deepEqual(
      events.map((e) => [e.subsystem, e.event, e.args.map((arg) => ('path' in arg ? arg.path : 'value' in arg && arg.value))]),
      [['sched', 'sched_process_exec', ['raw', pid, copy]]],
    );
  });

  it('by format: buffers, as long as another field says, and the file of a descriptor', async () => {
    const file = join(shop.folder, 'fields');
    const onFile = `{ index: 5, operator: Equal, values: ["${file}"] }`;
    const write = `subsystem: syscalls
event: sys_enter_write
args: [{ index: 5, type: fd }, { index: 6, sizeArgIndex: 8 }, { index: 6, type: const_buf, sizeArgIndex: 8 }, { index: 7 }]
selectors: [{ matchArgs: [${onFile}, { index: 6, operator: Prefix, values: ["found "] }] }]`;
    const writev = `subsystem: syscalls
event: sys_enter_writev
args: [{ index: 5, type: fd }, { index: 6, type: char_iovec, sizeArgIndex: 8 }]
selectors: [{ matchArgs: [${onFile}, { index: 6, operator: Equal, values: ["one two"] }] }]`;
    const program = `const { openSync, writeSync, writevSync } = require('node:fs');
const fd = openSync(${JSON.stringify(file)}, 'w');
for (const text of ['found nothing', 'lost', 'found ' + 'x'.repeat(5000)]) writeSync(fd, text);
for (const pieces of [['one ', 'two'], ['one ', 'more']]) writevSync(fd, pieces.map((text) => Buffer.from(text)));`;
    const run = (): void => assert.equal(spawnSync(process.execPath, ['-e', program]).status, 0);
    const values = (events: readonly ProcessTracepointEvent[]): unknown[] =>
      events.map(({ args }) =>
        args.map((arg) => {
          if ('path' in arg) return arg.path;
          const value = 'value' in arg ? arg.value : undefined;
          return [arg.type, value instanceof Uint8Array ? Buffer.from(value).toString().slice(0, 13) : String(value)];
        }),
      );
    const reported = await traceHook(write, run);
    assert.deepEqual(values(reported), [
      [file, ['char_buf', 'found nothing'], ['const_buf', 'found nothing'], ['uint64', '13']],
      [file, ['char_buf', 'found xxxxxxx'], ['const_buf', 'found xxxxxxx'], ['uint64', '5006']],
    ]);
    const [, cut] = reported[1]?.args ?? [];
    assert.deepEqual(cut !== undefined && 'size' in cut && [cut.size, cut.truncated], [5006, true]);
    assert.deepEqual(values(await traceHook(writev, run)), [[file, ['char_iovec', 'one two']]]);
  });

  it('unknown names and wrong types are refused with their positions', async () => {
    const exec = 'subsystem: sched\nevent: sched_process_exec\n';
    await assertRefused(tracepointPolicy('subsystem: sched\nevent: sched_process_exe'), 'TRACEPOINT_UNKNOWN', /sched_process_exe/);
    await assertRefused(tracepointPolicy(`${exec}args: [{ index: 9, type: int }]`), 'TRACEPOINT_FIELD_UNKNOWN', /field 9/);
    await assertRefused(tracepointPolicy(`${exec}args: [{ index: 4, type: int }]`), 'ARG_TYPE_MISMATCH', /filename .*__data_loc char\[\]/);
    await assertRefused(tracepointPolicy(`${exec}args: [{ index: 5, type: string }]`), 'ARG_TYPE_MISMATCH', /pid_t/);
    await assertRefused(tracepointPolicy(`${exec}raw: true\nargs: [{ index: 3, type: int }]`), 'ARG_BEYOND_PROTOTYPE', /parameter 3/);
    await assertRefused(tracepointPolicy(`${exec}args: [{ index: 4, type: char_buf }]`), 'BUFFER_WITHOUT_SIZE', /char_buf/);
    await assertRefused(tracepointPolicy(`${exec}args: [{ index: 4, type: fd }]`), 'ARG_TYPE_MISMATCH', /filename .* cannot be read as fd/);
    const size = 'subsystem: syscalls\nevent: sys_enter_write\nargs: [{ index: 6, type: char_buf, sizeArgIndex: 20 }]';
    await assertRefused(tracepointPolicy(size), 'TRACEPOINT_FIELD_UNKNOWN', /no number in field 19/);
  });

  it('an optional tracepoint that is missing is skipped', async () => {
    for (const more of ['', '\nraw: true']) {
      const hook = `subsystem: sched\nevent: sched_none\noptional: true${more}`;
      const tracer = await openTracer({ policies: [tracepointPolicy(hook)] });
      const [status] = tracer.policies();
      await tracer.close();
      assert.deepEqual([status?.hooks, status?.skipped], [[], ['sched/sched_none']]);
    }
  });

  it('the status reports the mechanism', async () => {
    const tracer = await openTracer({ policies: [tracepointPolicy('subsystem: sched\nevent: sched_process_exec')] });
    const [status] = tracer.policies();
    await tracer.close();
    const name = 'sched/sched_process_exec';
    assert.deepEqual(
      status?.hooks.map(({ call, functionName, functions, attach }) => ({ call, functionName, functions, attach })),
      [{ call: name, functionName: name, functions: [name], attach: 'tracepoint' }],
    );
  });

  it('where tracefs is not mounted, errors and preflight name the command that mounts it', async () => {
    const kprobes = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: listed }
spec:
  lists: [{ name: all, type: generated_ftrace, pattern: "^vfs_read$" }]
  kprobes: [{ call: "list:all" }]`;
    const { stdout, stderr } = await runScript(
      `const refused = (source) => polytrace.openTracer({ policies: [source] }).then(() => 'no error', (e) => [e.code, e.message + ' ' + e.hint]);
       const { detail } = polytrace.preflight().features.find(({ name }) => name === 'tracepoint');
       out([await refused(${JSON.stringify(tracepointPolicy('subsystem: sched\nevent: sched_process_exec'))}),
         await refused(${JSON.stringify({ yaml: kprobes })}), ['preflight', detail]]);`,
      { command: ['unshare', '--mount', 'sh', '-c', WITHOUT_TRACEFS, 'sh'] },
    );
    const reported = JSON.parse(stdout || JSON.stringify(stderr)) as [string, string][];
    assert.deepEqual(
      reported.map(([code]) => code),
      ['NO_ATTACH_MECHANISM', 'LIST_NEEDS_TRACEFS', 'preflight'],
    );
    for (const [code, text] of reported) assert.ok(text.includes('`mount -t tracefs tracefs /sys/kernel/tracing`'), `${code}: ${text}`);
  });
});
