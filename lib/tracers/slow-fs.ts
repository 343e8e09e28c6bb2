/** `polytrace trace slow-fs`: operations on files that take long. */
import type { PlainEvent } from '../../types/events.js';
import { RecentMap } from '../rules/recent-map.js';
import { durationColumn, fieldColumn, WHO } from './columns.js';
import { formatPolicy, selectors, type YamlObject } from './policy-text.js';
import { SyscallCalls, syscallTracepoints, type SyscallCall, type SyscallSpec } from './syscalls.js';
import { makeRow, type HookPlainEvent, type Row, type TracerDefinition, type TraceOptions } from './tracer.js'; // prettier-ignore
import { findValue, formatResult, returnNumber, textValue } from './values.js';

/** Operations that have not returned. */
const CALLS_MAX = 65_536;
const MINIMUM_NS = 10_000_000n;

/** The functions, the type of their first parameter, the type of their result, and the name of the operation. */
const FUNCTIONS: readonly (readonly [call: string, type: string, returns: string, operation: string])[] = [
  ['vfs_read', 'file', 'long', 'read'],
  ['vfs_write', 'file', 'long', 'write'],
  ['vfs_open', 'path', 'int', 'open'],
  ['vfs_fsync_range', 'file', 'int', 'fsync'],
  ['iterate_dir', 'file', 'int', 'readdir'],
];

const FD = [{ index: 0, type: 'fd', label: 'file' }];
const CALLS: readonly SyscallSpec[] = [
  ...['read', 'write', 'pread64', 'pwrite64', 'fsync', 'fdatasync', 'getdents64'].map((name) => ({ name, args: FD })),
  { name: 'openat', args: [{ index: 1, type: 'string', label: 'file' }] },
];

export const slowFsTracer: TracerDefinition = {
  name: 'slow-fs',
  summary: 'operations on files that take longer than --min (default: 10ms)',
  takes: { minimum: 'shortest duration, such as 500us, 10ms or 2s', all: 'also what is no regular file and no folder' },
  needs: 'kprobes (CONFIG_KPROBE_EVENTS), or tracepoints of system calls (CONFIG_FTRACE_SYSCALLS)',
  policies: (options) => [
    formatPolicy(
      options.policyName,
      ['The beginning and the end of operations on files. The time between them is the duration.'],
      { kprobes: FUNCTIONS.flatMap(([call, type, returns]) => functionHooks(call, type, returns, options)) },
    ),
    formatPolicy(
      options.policyName,
      ['Entry and exit of system calls on files. The time between them is the duration.'],
      syscallTracepoints(CALLS, options),
    ),
  ],
  columns: () => [
    ...WHO,
    fieldColumn('OP', 10, 'operation'),
    durationColumn('DURATION', 'durationNs'),
    fieldColumn('RESULT', 8, 'result'),
    fieldColumn('FILE', 26, 'path'),
  ],
  createCollector: ({ minimumNs = MINIMUM_NS, all }) => {
    const calls = new SyscallCalls();
    const entries = new RecentMap<string, HookPlainEvent>(CALLS_MAX);
    return {
      get forgotten() {
        return calls.forgotten + entries.evicted;
      },
      take(event): readonly Row[] {
        const call = isFunctionEvent(event) ? joinFunction(event, entries) : calls.take(event);
        if (call?.durationNs === undefined || call.durationNs < minimumNs) return [];
        const { entry, name, result, durationNs } = call;
        const file = findValue(entry, 'file');
        const isOther = file?.type === 'fd' && !/^[-d]/.test(file.permission);
        if (isOther && all !== true) return [];
        const path = textValue(entry, 'file') ?? '(unreadable)';
        return [makeRow(entry, { operation: name, durationNs, result: formatResult(result), path })];
      },
    };
  },
};

/** A hook at the entry, with the file; and one at the return, which has only the result, so that its time is that of the return. */
function functionHooks(call: string, type: string, returns: string, options: TraceOptions): YamlObject[] {
  const isFile = { matchArgs: [{ index: 0, operator: 'FileType', values: ['reg', 'dir'] }] };
  return [
    {
      call,
      syscall: false,
      args: [{ index: 0, type, label: 'file' }],
      selectors: selectors(options, ...(options.all === true ? [] : [isFile])),
    },
    {
      call,
      syscall: false,
      return: true,
      returnArg: { index: 0, type: returns },
      selectors: selectors(options),
    },
  ];
}

type FunctionEvent = Extract<HookPlainEvent, { type: 'process_kprobe' }>;

function isFunctionEvent(event: PlainEvent): event is FunctionEvent {
  return event.type === 'process_kprobe' && FUNCTIONS.some(([call]) => call === event.functionName);
}

function joinFunction(event: FunctionEvent, entries: RecentMap<string, HookPlainEvent>): SyscallCall | undefined {
  const key = `${event.tid} ${event.functionName}`;
  const result = returnNumber(event);
  if (result === undefined) {
    entries.set(key, event);
    return undefined;
  }
  const entry = entries.get(key);
  entries.delete(key);
  if (entry === undefined) return undefined;
  const [, , , name = ''] = FUNCTIONS.find(([call]) => call === event.functionName) ?? [];
  return { name, entry, result, durationNs: event.timeNs - entry.timeNs };
}
