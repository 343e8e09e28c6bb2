/** `polytrace trace files`: bytes that are read and written, by file and program. */
import type { FileArgument, PlainEvent } from '../../types/events.js';
import { byField, bytesColumn, CONTAINER, fieldColumn, PID, PROCESS } from './columns.js';
import { formatPolicy, selectors, type YamlObject } from './policy-text.js';
import { SyscallCalls, syscallTracepoints, type SyscallSpec } from './syscalls.js';
import { BoundedSums } from './top-table.js';
import {
  describeProcess,
  isHookEvent,
  type HookPlainEvent,
  type Row,
  type RowProcess,
  type TracerDefinition,
  type TraceOptions,
} from './tracer.js';
import { findValue, returnNumber } from './values.js';

/** Pairs of a file and a process that are summed separately in one interval. */
const FILES_MAX = 10_000;

const FD = [{ index: 0, type: 'fd', label: 'file' }];
const READS = ['read', 'pread64', 'readv', 'preadv'];
const WRITES = ['write', 'pwrite64', 'writev', 'pwritev'];
const CALLS: readonly SyscallSpec[] = [...READS, ...WRITES].map((name) => ({ name, args: FD }));

/** Some kernels have inlined the last two. */
const FUNCTIONS = ['vfs_read', 'vfs_write', 'vfs_readv', 'vfs_writev'];

const COLUMNS = [
  bytesColumn('READ', 'readBytes'),
  bytesColumn('WRITTEN', 'writtenBytes'),
  fieldColumn('READS', 7, 'reads', { right: true }),
  fieldColumn('WRITES', 7, 'writes', { right: true }),
  PID,
  PROCESS,
  CONTAINER,
  fieldColumn('FILE', 30, 'path'),
];

interface FileSum {
  readonly process: RowProcess | undefined;
  readonly path: string;
  readBytes: bigint;
  writtenBytes: bigint;
  reads: number;
  writes: number;
}

export const filesTracer: TracerDefinition = {
  name: 'files',
  summary: 'a live table of bytes that are read and written, by file and program',
  takes: { all: 'also what is no regular file: pipes, sockets, devices' },
  needs: 'kprobes (CONFIG_KPROBE_EVENTS), or tracepoints of system calls (CONFIG_FTRACE_SYSCALLS)',
  interval: 2,
  policies: (options) => [
    formatPolicy(options.policyName, ['Bytes that are read from files and written to them.'], functionHooks(options)),
    formatPolicy(
      options.policyName,
      ['Bytes that are read from files and written to them: entry and exit of system calls.'],
      syscallTracepoints(CALLS, options),
    ),
  ],
  columns: () => COLUMNS,
  createCollector: ({ all, isWanted }) => {
    const calls = new SyscallCalls();
    const sums = new BoundedSums<FileSum>(FILES_MAX, () => emptySum(undefined, '(other files)'));
    let time = '';
    return {
      get forgotten() {
        return calls.forgotten;
      },
      take(event) {
        const access = toAccess(event, calls);
        if (access === undefined || access.bytes < 0n || !isWanted(access.entry.process)) return [];
        const { entry, file, bytes, isRead } = access;
        if (all !== true && !file.permission.startsWith('-')) return [];
        time = event.time;
        const { process } = entry;
        const sum = sums.get(`${process.execId} ${fileKey(file)}`, () => emptySum(describeProcess(process, entry.parent), file.path)); // prettier-ignore
        if (isRead) {
          sum.reads += 1;
          sum.readBytes += bytes;
        } else {
          sum.writes += 1;
          sum.writtenBytes += bytes;
        }
        return [];
      },
      summarize: () => {
        const rows = sums.take().map(({ process, ...fields }): Row => {
          return { time, process, fields: { ...fields, totalBytes: fields.readBytes + fields.writtenBytes } };
        });
        return { rows: rows.sort(byField('totalBytes')), columns: COLUMNS, histograms: [] };
      },
    };
  },
};

function functionHooks(options: TraceOptions): YamlObject {
  const isRegular = { matchArgs: [{ index: 0, operator: 'FileType', values: ['reg'] }] };
  return {
    kprobes: FUNCTIONS.map((call, i) => ({
      call,
      syscall: false,
      ...(i >= 2 && { optional: true }),
      args: [{ index: 0, type: 'file', label: 'file' }],
      return: true,
      returnArg: { index: 0, type: 'long' },
      selectors: selectors(options, ...(options.all === true ? [] : [isRegular])),
    })),
  };
}

interface Access {
  readonly entry: HookPlainEvent;
  readonly file: FileArgument;
  readonly bytes: bigint;
  readonly isRead: boolean;
}

function toAccess(event: PlainEvent, calls: SyscallCalls): Access | undefined {
  if (!isHookEvent(event)) return undefined;
  if (event.type === 'process_kprobe') return makeAccess(event, event.functionName, returnNumber(event) ?? 0n);
  const call = calls.take(event);
  return call && makeAccess(call.entry, call.name, call.result);
}

function makeAccess(entry: HookPlainEvent, name: string, bytes: bigint): Access | undefined {
  const file = findValue(entry, 'file');
  if (file === undefined || !('permission' in file)) return undefined;
  return { entry, file: file, bytes, isRead: name.includes('read') };
}

function emptySum(process: RowProcess | undefined, path: string): FileSum {
  return { process, path, readBytes: 0n, writtenBytes: 0n, reads: 0, writes: 0 };
}

/** An agent sends no device and no inode: two files with one path in different containers are then told apart by processes. */
function fileKey({ path, inode, device }: Partial<FileArgument>): string {
  return device === undefined ? String(path) : `${device.major}:${device.minor} ${String(inode)} ${String(path)}`;
}
