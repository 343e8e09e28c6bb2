/** `polytrace trace slow-fs`: operations on files that take long. */
import { durationColumn, fieldColumn, WHO } from './columns.js';
import { formatPolicy } from './policy-text.js';
import { collectCalls, syscallFunctions, syscallTracepoints, type SyscallSpec } from './syscalls.js';
import { makeRow, type TracerDefinition } from './tracer.js';
import { findValue, formatResult, textValue } from './values.js';

const MINIMUM_NS = 10_000_000n;

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
      ['System calls on files that take long. The kernel compares their durations.'],
      syscallFunctions(CALLS, { minimumNs: MINIMUM_NS, ...options }),
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
  createCollector: ({ minimumNs = MINIMUM_NS, all }) =>
    collectCalls(({ entry, name, result, durationNs }) => {
      if (durationNs === undefined || durationNs <= minimumNs) return undefined;
      const file = findValue(entry, 'file');
      const isOther = file?.type === 'fd' && !/^[-d]/.test(file.permission);
      if (isOther && all !== true) return undefined;
      const path = textValue(entry, 'file') ?? '(unreadable)';
      return makeRow(entry, { operation: name, durationNs, result: formatResult(result), path });
    }),
};
