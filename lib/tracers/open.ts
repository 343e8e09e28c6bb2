/** `polytrace trace open`: files that are opened. */
import { fieldColumn, WHO } from './columns.js';
import { formatPolicy } from './policy-text.js';
import { collectCalls, syscallFunctions, syscallTracepoints, type SyscallSpec } from './syscalls.js';
import { makeRow, type TracerDefinition } from './tracer.js';
import { formatResult, numberValue, textValue } from './values.js';

const PATH = { type: 'string', label: 'path' };
const FLAGS = { type: 'int', label: 'flags' };
const CALLS: readonly SyscallSpec[] = [
  { name: 'openat', args: [{ index: 1, ...PATH }, { index: 2, ...FLAGS }] },
  { name: 'openat2', args: [{ index: 1, ...PATH }] },
  // arm64 does not have these
  { name: 'open', args: [{ index: 0, ...PATH }, { index: 1, ...FLAGS }], optional: true },
  { name: 'creat', args: [{ index: 0, ...PATH }], optional: true },
]; // prettier-ignore

/** Flags of open(2) that x86-64 and arm64 have in common (asm-generic/fcntl.h). */
const OPEN_FLAGS: readonly (readonly [bit: bigint, name: string])[] = [
  [0o100n, 'creat'],
  [0o200n, 'excl'],
  [0o1000n, 'trunc'],
  [0o2000n, 'append'],
  [0o2000000n, 'cloexec'],
];

export const openTracer: TracerDefinition = {
  name: 'open',
  summary: 'files that are opened, with the descriptor or the error',
  takes: { failed: 'only calls that fail' },
  needs: 'kprobes (CONFIG_KPROBE_EVENTS), or tracepoints of system calls (CONFIG_FTRACE_SYSCALLS)',
  policies: (options) => [
    formatPolicy(
      options.policyName,
      ['Files that are opened. Paths are those that the program passed.'],
      syscallFunctions(CALLS, options),
    ),
    formatPolicy(
      options.policyName,
      ['Files that are opened: entry and exit of the system calls.'],
      syscallTracepoints(CALLS, options),
    ),
  ],
  columns: () => [
    ...WHO,
    fieldColumn('RESULT', 7, 'result'),
    fieldColumn('FLAGS', 14, 'flags', { wide: true }),
    fieldColumn('PATH', 30, 'path'),
  ],
  createCollector: ({ failed }) =>
    collectCalls(({ entry, name, result }) => {
      if (failed === true && result >= 0n) return undefined;
      const path = textValue(entry, 'path') ?? '(unreadable)';
      const flags = formatFlags(name, numberValue(entry, 'flags'));
      return makeRow(entry, { path, flags, result: formatResult(result) });
    }),
};

function formatFlags(name: string, flags: bigint): string {
  if (name === 'openat2') return '?';
  if (name === 'creat') return 'w,creat,trunc';
  const access = ['r', 'w', 'rw', '?'][Number(flags & 3n)] ?? '?';
  return [access, ...OPEN_FLAGS.filter(([bit]) => (flags & bit) !== 0n).map(([, each]) => each)].join(',');
}
