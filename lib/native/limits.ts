/** Detects errors that come from a limit of this process or of the machine. */
import { readFileSync } from 'node:fs';
import type { ErrorCode } from '../../types/codes.js';
import { KernelError } from '../errors.js';
import type { FeatureName, NativeFeatures } from './features.js';

interface Limit {
  readonly code: ErrorCode;
  readonly describe: () => string;
  readonly hint: string;
}

const DESCRIPTORS: Limit = {
  code: 'LIMIT_DESCRIPTORS',
  describe: () => `this process has too few file descriptors left${formatSoftLimit('Max open files')}`,
  hint: 'raise RLIMIT_NOFILE: `ulimit -n`, or LimitNOFILE= of a systemd unit',
};

const LIMITS: Readonly<Record<string, Limit>> = {
  EMFILE: DESCRIPTORS,
  ENFILE: {
    code: 'LIMIT_DESCRIPTORS',
    describe: () => 'the machine has no file descriptor left',
    hint: 'raise the sysctl fs.file-max',
  },
  ENOMEM: {
    code: 'LIMIT_MEMORY',
    describe: () => 'there is not enough memory',
    hint: 'use a smaller bufferSize, or raise memory.max of the cgroup (resources.limits.memory of a pod) or RLIMIT_AS',
  },
  THREAD: {
    code: 'LIMIT_THREADS',
    describe: () => `no thread can be started${formatSoftLimit('Max processes')}`,
    hint: 'raise pids.max of the cgroup (TasksMax= of a systemd unit), or RLIMIT_NPROC: `ulimit -u`',
  },
};

/** Formats the soft limit of this process; empty if /proc does not have it. */
function formatSoftLimit(name: string): string {
  try {
    const soft = new RegExp(`^${name} +(\\S+)`, 'm').exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? '' : ` (its limit is ${soft})`;
  } catch {
    // without a free descriptor, this file cannot be opened either
    return '';
  }
}

/** The message of the error if an object of the addon could not be created. */
const NO_MEMORY = 'std::bad_alloc';

/** Returns the KernelError for the limit that was reached; undefined for another error. */
export function toLimitError(error: unknown): KernelError | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code = '', errno = '', log } = error as { code?: string; errno?: string | number; log?: string };
  const isThread = code === 'NO_THREAD' || (code === 'RING_START' && errno === 'EAGAIN');
  const name = isThread
    ? 'THREAD'
    : error.message === NO_MEMORY
      ? 'ENOMEM'
      : typeof errno === 'string' && errno !== ''
        ? errno
        : code;
  const limit = LIMITS[name];
  if (limit === undefined) return undefined;
  return new KernelError(limit.code, `${limit.describe()}: ${error.message}`, limit.hint, {
    errno: isThread ? 'EAGAIN' : name,
    ...(log === undefined ? {} : { log }),
  });
}

/** Throws KernelError LIMIT_… if a feature seems to be missing only because a limit was reached. */
export function checkLimits(features: NativeFeatures): void {
  for (const [name, { reason }] of Object.entries(features) as [FeatureName, { reason: string }][]) {
    const error = toLimitError(Object.assign(new Error(`the feature ${name} cannot be tried`), { errno: reason }));
    if (error !== undefined) throw error;
  }
}
