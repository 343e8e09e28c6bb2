// The policies of `--counts`: Count actions on lseek, a system call that does almost nothing, and on reads of a file.

type CountOperation = 'lseek' | 'pread';

interface CountedCall {
  /** The step of the workload. */
  readonly workload: readonly [operation: string, file: string];
  readonly hook: object;
}

const FILE = '/srv/file-0042';
const lseek = (type: 'int' | 'fd'): CountedCall => ({
  workload: ['lseek', FILE],
  hook: { call: 'sys_lseek', syscall: true, args: [{ index: 0, type }] },
});

export const countedCalls = {
  lseek: lseek('int'),
  'lseek, file': lseek('fd'),
  pread: {
    workload: ['pread', FILE],
    hook: { call: 'security_file_permission', syscall: false, args: [{ index: 0, type: 'file' }] },
  },
} satisfies Readonly<Record<string, CountedCall>>;

export interface CountCase {
  readonly title: string;
  readonly call: keyof typeof countedCalls;
  readonly action?: object;
  /** Filters of the selector. */
  readonly filters?: object;
  /** Most instructions by fentry. */
  readonly limit?: number;
  /** The case may cost so many instructions more than another one, by fentry. */
  readonly more?: readonly [title: string, instructions: number];
  /** A program of bpftrace that counts the same. */
  readonly bpftrace?: string;
}

export const METRIC = 'calls';
export const POLICY_NAME = 'counted';

const LSEEK = 'fentry:__x64_sys_lseek';
const EACH_CALL = 'each call, without labels';

export const countCases: readonly CountCase[] = [
  { title: EACH_CALL, call: 'lseek', bpftrace: `${LSEEK} { @ = count(); }` },
  {
    title: 'each call of processes without a mark',
    call: 'lseek',
    filters: { matchMarks: [{ operator: 'NotIn', values: ['seen'], shared: true }] },
    more: [EACH_CALL, 30],
  },
  {
    title: 'by a number and the user',
    call: 'lseek',
    action: { by: ['arg0', 'uid'] },
    limit: 450,
    bpftrace: `${LSEEK} { @[args.regs->di, uid] = count(); }`,
  },
  {
    title: 'by program and a number',
    call: 'lseek',
    action: { by: ['binary', 'arg0'] },
    limit: 450,
    bpftrace: `${LSEEK} { @[comm, args.regs->di] = count(); }`,
  },
  {
    title: 'by program and file of a read',
    call: 'pread',
    action: { by: ['binary', 'arg0'] },
    bpftrace: 'fentry:security_file_permission { @[comm, path(args.file->f_path)] = count(); }',
  },
  { title: 'by program and file of a descriptor', call: 'lseek, file', action: { by: ['binary', 'arg0'] } },
  {
    title: 'histogram of durations',
    call: 'lseek',
    action: { kind: 'histogram', value: 'duration' },
    limit: 700,
    bpftrace: `${LSEEK} { @start[tid] = nsecs; }
fexit:__x64_sys_lseek { @ = hist(nsecs - @start[tid]); delete(@start, tid); }`,
  },
  {
    title: 'histogram of durations by program',
    call: 'lseek',
    action: { kind: 'histogram', value: 'duration', by: ['binary'] },
    bpftrace: `${LSEEK} { @start[tid] = nsecs; }
fexit:__x64_sys_lseek { @[comm] = hist(nsecs - @start[tid]); delete(@start, tid); }`,
  },
];

export const countAttaches = ['fentry', 'kprobe'] as const;
type CountAttach = (typeof countAttaches)[number];

/** Instructions of a call. */
export interface CountCosts {
  /** By itself, by the operation of the workload. */
  readonly nothing: Readonly<Record<CountOperation, number>>;
  /** With each case, by its title. */
  readonly policies: Readonly<Record<CountAttach, Readonly<Record<string, number>>>>;
  readonly bpftrace: Readonly<Record<string, number>>;
}

export const caseOperation = ({ call }: CountCase): CountOperation => (call === 'pread' ? 'pread' : 'lseek');

export function countPolicy({ call, action, filters }: CountCase): string {
  const selectors = [{ ...filters, matchActions: [{ action: 'Count', metric: METRIC, ...action }] }];
  return JSON.stringify({
    apiVersion: 'cilium.io/v1alpha1',
    kind: 'TracingPolicy',
    metadata: { name: POLICY_NAME },
    spec: { kprobes: [{ ...countedCalls[call].hook, selectors }] },
  });
}
