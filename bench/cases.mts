// The policies whose filters are measured one by one. The guest loads them, the host prints their rows.

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i).padStart(4, '0'));
const paths = (count: number): string[] => numbers(count).map((number) => `/srv/file-${number}`);
/** The file that the workload opens; its descriptor is 42. */
const HIT = '/srv/file-0042';

export type Operation = 'lseek' | 'open' | 'connect';

/** What the workload does, and where it is hooked. `symbol` is the kernel's name of the function. */
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

const binaries = (value: string): Selectors => [{ matchBinaries: [{ operator: 'In', values: [value] }] }];
const args = (index: number, operator: string, values: readonly string[]): Selectors => [
  { matchArgs: [{ index, operator, values }] },
];

export interface Case {
  readonly operation: Operation;
  readonly name: string;
  readonly selectors?: Selectors;
  /** The scope of the policy. */
  readonly scope?: object;
  /** Every operation matches and is reported; else none is. */
  readonly hits: boolean;
}

export interface FilterCase extends Case {
  /** The filter, without the operation. */
  readonly title: string;
}

const hit = (operation: Operation, name: string, selectors?: Selectors): Case =>
  selectors === undefined ? { operation, name, hits: true } : { operation, name, selectors, hits: true };
const miss = (operation: Operation, name: string, selectors: Selectors): Case => ({
  operation,
  name,
  selectors,
  hits: false,
});

export const filters: readonly FilterCase[] = [
  hit('lseek', 'none: each call is reported'),
  hit('lseek', 'matchBinaries In, match', binaries('/srv/workload')),
  miss('lseek', 'matchBinaries In, no match', binaries('/srv/other')),
  miss('lseek', 'int Equal, no match', args(0, 'Equal', ['4242'])),
  { ...hit('lseek', 'scope, in it'), scope: { hostSelector: {} } },
  { ...miss('lseek', 'scope, not in it', []), scope: { podSelector: {} } },
  hit('connect', 'none: each call is reported'),
  hit('connect', 'DAddr CIDR, match', args(0, 'DAddr', ['127.0.0.0/8'])),
  miss('connect', 'DAddr CIDR, no match', args(0, 'DAddr', ['10.0.0.0/8'])),
  hit('open', 'none: each call is reported'),
  hit('open', 'string Prefix, match', args(1, 'Prefix', ['/srv/'])),
  miss('open', 'string Prefix, no match', args(1, 'Prefix', ['/etc/'])),
].map((one: Case) => ({ ...one, title: one.name, name: `${one.operation}: ${one.name}` }));

/** A hit of many values or selectors may cost at most this many times a hit of one. */
export const RATIO = 2;

const oneEqual = hit('open', '1 Equal', args(1, 'Equal', [HIT]));
const onePrefix = hit('open', '1 Prefix', args(1, 'Prefix', [HIT]));
const selectors64 = (operator: string): Selectors => paths(64).flatMap((path) => args(1, operator, [path]));

export const scaling: readonly { readonly title: string; readonly few: Case; readonly many: Case }[] = [
  {
    title: 'string Equal: 1 and 5,000 values',
    few: oneEqual,
    many: hit('open', '5,000 Equal', args(1, 'Equal', paths(5000))),
  },
  {
    title: 'string Prefix: 1 and 2,000 values',
    few: onePrefix,
    many: hit('open', '2,000 Prefix', args(1, 'Prefix', paths(2000))),
  },
  {
    title: 'string Equal: 1 and 64 selectors',
    few: oneEqual,
    many: hit('open', '64 selectors Equal', selectors64('Equal')),
  },
  {
    title: 'string Prefix: 1 and 64 selectors',
    few: onePrefix,
    many: hit('open', '64 selectors Prefix', selectors64('Prefix')),
  },
  {
    title: 'int Equal: 1 and 64 selectors',
    few: hit('lseek', '1 int', args(0, 'Equal', ['42'])),
    many: hit(
      'lseek',
      '64 selectors int',
      numbers(64).flatMap((number) => args(0, 'Equal', [String(Number(number))])),
    ),
  },
];

export const attachments = ['fentry', 'kprobe'] as const;
export type Attach = (typeof attachments)[number];

/** All cases, by the way they are attached. */
export const measured: Readonly<Record<Attach, readonly Case[]>> = {
  fentry: [...filters, ...new Set(scaling.flatMap(({ few, many }) => [few, many]))],
  kprobe: filters,
};

/** What guest-filters.mts counts: instructions. */
export interface FilterCounts {
  /** Of each operation by itself. */
  readonly nothing: Readonly<Record<Operation, number>>;
  /** Beside an empty program. */
  readonly empty: Readonly<Record<Attach, Readonly<Record<Operation, number>>>>;
  /** Beside the policy of the case of this name. */
  readonly policies: Readonly<Record<Attach, Readonly<Record<string, number>>>>;
}

export function policyOf({ operation, name, selectors, scope }: Case): string {
  return JSON.stringify({
    apiVersion: 'cilium.io/v1alpha1',
    kind: 'TracingPolicy',
    metadata: { name: nameOf(name) },
    spec: { ...scope, kprobes: [{ ...hooks[operation], ...(selectors && { selectors }) }] },
  });
}

/** The policy's name, in the form that Kubernetes asks for. */
export const nameOf = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
