// The policies of `--counts`: Count actions on lseek, a system call that does almost nothing.

export interface CountCase {
  readonly title: string;
  readonly actions: readonly object[];
  /** Type of the argument, the file descriptor. */
  readonly type: 'int' | 'fd';
  /** Most instructions by fentry. */
  readonly limit?: number;
}

export const METRIC = 'seeks';
export const POLICY_NAME = 'counted';

const count = (more: object): object => ({ action: 'Count', metric: METRIC, ...more });

export const countCases: readonly CountCase[] = [
  { title: 'each call, without labels', actions: [count({})], type: 'int' },
  { title: 'by a number and the user', actions: [count({ by: ['arg0', 'uid'] })], type: 'int', limit: 800 },
  { title: 'by program and a number', actions: [count({ by: ['binary', 'arg0'] })], type: 'int', limit: 800 },
  { title: 'by program and file', actions: [count({ by: ['binary', 'arg0'] })], type: 'fd' },
  {
    title: 'histogram of durations',
    actions: [count({ kind: 'histogram', value: 'duration' })],
    type: 'int',
    limit: 2100,
  },
  {
    title: 'histogram of durations by program',
    actions: [count({ kind: 'histogram', value: 'duration', by: ['binary'] })],
    type: 'int',
  },
];

export const countAttaches = ['fentry', 'kprobe'] as const;
type CountAttach = (typeof countAttaches)[number];

/** Instructions of the call by itself, and with each case, by the title. */
export interface CountCosts {
  readonly nothing: number;
  readonly policies: Readonly<Record<CountAttach, Readonly<Record<string, number>>>>;
}

export function countPolicy({ actions, type }: CountCase): string {
  const selectors = [{ matchActions: actions }];
  return JSON.stringify({
    apiVersion: 'cilium.io/v1alpha1',
    kind: 'TracingPolicy',
    metadata: { name: POLICY_NAME },
    spec: { kprobes: [{ call: 'sys_lseek', syscall: true, args: [{ index: 0, type }], selectors }] },
  });
}
