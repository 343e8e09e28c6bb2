// The policies whose filters are measured one by one. The guest loads the policies, and the host prints their rows.

const numberStrings = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i).padStart(4, '0'));
const filePaths = (count: number): string[] => numberStrings(count).map((number) => `/srv/file-${number}`);
/** The file that the workload opens; its descriptor is 42. */
const HIT = '/srv/file-0042';

export type Operation = 'lseek' | 'open' | 'connect';

/** The operations of the workload. `symbol` is the kernel function that is hooked. */
export const operations: Readonly<
  Record<Operation, { readonly symbol: string; readonly workload: readonly [operation: string, argument: string] }>
> = {
  lseek: { symbol: '__x64_sys_lseek', workload: ['lseek', HIT] },
  open: { symbol: '__x64_sys_openat', workload: ['open-close', HIT] },
  connect: { symbol: 'tcp_connect', workload: ['connect', '127.0.0.1'] },
};

export const operationNames = Object.keys(operations) as readonly Operation[];

const hooks: Readonly<Record<Operation, object>> = {
  lseek: { call: 'sys_lseek', syscall: true, args: [{ index: 0, type: 'int' }] },
  open: { call: 'sys_openat', syscall: true, args: [{ index: 1, type: 'string' }] },
  connect: { call: 'tcp_connect', syscall: false, args: [{ index: 0, type: 'sock' }] },
};

type Selectors = readonly object[];

const matchBinaries = (value: string): Selectors => [{ matchBinaries: [{ operator: 'In', values: [value] }] }];
const matchMarks = (operator: string): Selectors => [{ matchMarks: [{ operator, values: ['seen'], shared: true }] }];
const matchArgs = (index: number, operator: string, values: readonly string[]): Selectors => [
  { matchArgs: [{ index, operator, values }] },
];

export interface BenchCase {
  readonly operation: Operation;
  readonly name: string;
  readonly selectors?: Selectors;
  /** The scope of the policy. */
  readonly scope?: object;
  /** True if every operation matches and is reported. Otherwise, no operation is reported. */
  readonly isReported: boolean;
}

export interface FilterCase extends BenchCase {
  /** The filter, without the operation. */
  readonly title: string;
}

const hitCase = (operation: Operation, name: string, selectors?: Selectors): BenchCase =>
  selectors === undefined ? { operation, name, isReported: true } : { operation, name, selectors, isReported: true };
const missCase = (operation: Operation, name: string, selectors: Selectors): BenchCase => ({
  operation,
  name,
  selectors,
  isReported: false,
});

export const filterCases: readonly FilterCase[] = [
  hitCase('lseek', 'none: each call is reported'),
  hitCase('lseek', 'matchBinaries In, match', matchBinaries('/srv/workload')),
  missCase('lseek', 'matchBinaries In, no match', matchBinaries('/srv/other')),
  missCase('lseek', 'matchMarks In, unmarked process', matchMarks('In')),
  hitCase('lseek', 'matchMarks NotIn, unmarked process', matchMarks('NotIn')),
  missCase('lseek', 'int Equal, no match', matchArgs(0, 'Equal', ['4242'])),
  { ...hitCase('lseek', 'scope, in it'), scope: { hostSelector: {} } },
  { ...missCase('lseek', 'scope, not in it', []), scope: { podSelector: {} } },
  hitCase('connect', 'none: each call is reported'),
  hitCase('connect', 'DAddr CIDR, match', matchArgs(0, 'DAddr', ['127.0.0.0/8'])),
  missCase('connect', 'DAddr CIDR, no match', matchArgs(0, 'DAddr', ['10.0.0.0/8'])),
  hitCase('open', 'none: each call is reported'),
  hitCase('open', 'string Prefix, match', matchArgs(1, 'Prefix', ['/srv/'])),
  missCase('open', 'string Prefix, no match', matchArgs(1, 'Prefix', ['/etc/'])),
].map((one: BenchCase) => ({ ...one, title: one.name, name: `${one.operation}: ${one.name}` }));

/** Limit of the ratio: the cost of a match with many values or selectors, as a multiple of a match with one. */
export const RATIO = 2;

const oneEqual = hitCase('open', '1 Equal', matchArgs(1, 'Equal', [HIT]));
const onePrefix = hitCase('open', '1 Prefix', matchArgs(1, 'Prefix', [HIT]));
const selectors64 = (operator: string): Selectors => filePaths(64).flatMap((path) => matchArgs(1, operator, [path]));

export const scalingCases: readonly { readonly title: string; readonly few: BenchCase; readonly many: BenchCase }[] = [
  {
    title: 'string Equal: 1 and 5,000 values',
    few: oneEqual,
    many: hitCase('open', '5,000 Equal', matchArgs(1, 'Equal', filePaths(5000))),
  },
  {
    title: 'string Prefix: 1 and 2,000 values',
    few: onePrefix,
    many: hitCase('open', '2,000 Prefix', matchArgs(1, 'Prefix', filePaths(2000))),
  },
  {
    title: 'string Equal: 1 and 64 selectors',
    few: oneEqual,
    many: hitCase('open', '64 selectors Equal', selectors64('Equal')),
  },
  {
    title: 'string Prefix: 1 and 64 selectors',
    few: onePrefix,
    many: hitCase('open', '64 selectors Prefix', selectors64('Prefix')),
  },
  {
    title: 'int Equal: 1 and 64 selectors',
    few: hitCase('lseek', '1 int', matchArgs(0, 'Equal', ['42'])),
    many: hitCase(
      'lseek',
      '64 selectors int',
      numberStrings(64).flatMap((number) => matchArgs(0, 'Equal', [String(Number(number))])),
    ),
  },
];

export const attachOptions = ['fentry', 'kprobe'] as const;
export type Attach = (typeof attachOptions)[number];

/** All cases, by the `attach` option. */
export const measuredCases: Readonly<Record<Attach, readonly BenchCase[]>> = {
  fentry: [...filterCases, ...new Set(scalingCases.flatMap(({ few, many }) => [few, many]))],
  kprobe: filterCases,
};

/** Instructions that guest-filters.mts counts. */
export interface FilterCounts {
  /** Each operation by itself. */
  readonly nothing: Readonly<Record<Operation, number>>;
  /** Each operation with an empty program. */
  readonly empty: Readonly<Record<Attach, Readonly<Record<Operation, number>>>>;
  /** The operation of each case with its policy, by the name of the case. */
  readonly policies: Readonly<Record<Attach, Readonly<Record<string, number>>>>;
}

export function casePolicy({ operation, name, selectors, scope }: BenchCase): string {
  return JSON.stringify({
    apiVersion: 'cilium.io/v1alpha1',
    kind: 'TracingPolicy',
    metadata: { name: policyName(name) },
    spec: { ...scope, kprobes: [{ ...hooks[operation], ...(selectors && { selectors }) }] },
  });
}

/** Returns the name of a case as a name that Kubernetes accepts. */
export const policyName = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
