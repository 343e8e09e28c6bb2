// What grows in `--growth`: values and selectors of a hook, in the virtual machine; processes, on this machine; and
// policies that go beyond each limit.

export const SIZES = [1, 10, 100, 1000, 10_000] as const;

type Workload = readonly [operation: string, argument: string];

export interface GrowthCase {
  readonly name: string;
  readonly title: string;
  readonly workload: Workload;
  /** The largest size; above it, the cell is empty. */
  readonly most: number;
  readonly policy: (size: number) => string;
  /** A cost with the largest size of more than so many times the cost with 1 is a fault. */
  readonly ratio: number;
}

const FOLDER = '/srv/growth';
/** A file that the values of the policies name, and one that no value names. */
export const namedFile = `${FOLDER}/named`;
export const unnamedFile = '/srv/file';

const repeat = (size: number, value: (i: number) => string): string[] =>
  Array.from({ length: size }, (_, i) => value(i));

function readPolicy(selectors: readonly object[], scope: object = {}): string {
  const hook = {
    call: 'security_file_permission',
    syscall: false,
    args: [
      { index: 0, type: 'file' },
      { index: 1, type: 'int' },
    ],
    selectors,
  };
  return policy({ ...scope, kprobes: [hook] });
}

function policy(spec: object): string {
  const metadata = { name: 'growth' };
  return JSON.stringify({ apiVersion: 'cilium.io/v1alpha1', kind: 'TracingPolicy', metadata, spec });
}

const pathFilter = (operator: string, values: readonly string[]): object => ({
  matchArgs: [{ index: 0, operator, values }],
});

/** The last value is the file that is read, so a list that was searched from its start would show. */
const names = (size: number): string[] => [...repeat(size - 1, (i) => `${FOLDER}/other-${i}`), namedFile];

const equalPolicy = (size: number): string => readPolicy([pathFilter('Equal', names(size))]);

const lseekPolicy = (selector: object): string =>
  policy({ kprobes: [{ call: 'sys_lseek', syscall: true, args: [{ index: 0, type: 'int' }], selectors: [selector] }] });

const LSEEK = ['lseek', unnamedFile] as const;

export const growthCases: readonly GrowthCase[] = [
  {
    name: 'hot',
    title: 'values of Equal on a path: a read of a hot file without a match',
    workload: ['pread', unnamedFile],
    most: 10_000,
    policy: equalPolicy,
    ratio: 1.1,
  },
  {
    name: 'first',
    title: 'the same, a first read of a file',
    workload: ['pread-first', '/srv/many'],
    most: 10_000,
    policy: equalPolicy,
    ratio: 1.3,
  },
  {
    name: 'match',
    title: 'the same, a match',
    workload: ['pread', namedFile],
    most: 10_000,
    policy: equalPolicy,
    ratio: 1.3,
  },
  {
    name: 'prefix',
    title: 'values of Prefix on a path: a match',
    workload: ['pread', namedFile],
    most: 1000,
    policy: (size) => readPolicy([pathFilter('Prefix', names(size))]),
    ratio: 2,
  },
  {
    name: 'selectors',
    title: 'selectors with a path: a match of the last one',
    workload: ['pread', namedFile],
    most: 10,
    policy: (size) => readPolicy(names(size).map((name) => pathFilter('Equal', [name]))),
    ratio: 1.3,
  },
  {
    name: 'numbers',
    title: 'values of Equal on a number: no match',
    workload: LSEEK,
    most: 1000,
    policy: (size) =>
      lseekPolicy({ matchArgs: [{ index: 0, operator: 'Equal', values: repeat(size, (i) => `${-2 - i}`) }] }),
    // the kernel's hash is another one for each table: each value in the same bucket takes 14 instructions more
    ratio: 2.5,
  },
  {
    name: 'binaries',
    title: 'values of matchBinaries: no match',
    workload: LSEEK,
    most: 10_000,
    policy: (size) =>
      lseekPolicy({ matchBinaries: [{ operator: 'In', values: repeat(size, (i) => `/usr/bin/other-${i}`) }] }),
    ratio: 1.1,
  },
];

/** A row of the tables that grows with something else than a policy. */
type GrowthRow = Pick<GrowthCase, 'name' | 'title' | 'most' | 'ratio'>;

/** Containers that a policy with a scope includes. The costs are those of a read in one of them. */
export const containerRows = [
  {
    name: 'container',
    title: 'in a container of a policy with a scope: a hot file, no match',
    most: 10_000,
    ratio: 1.1,
  },
  { name: 'container-match', title: 'the same, a match', most: 10_000, ratio: 1.1 },
  { name: 'outside', title: 'the same, a read outside of all of them', most: 10_000, ratio: 1.1 },
] as const satisfies readonly GrowthRow[];

export const CONTAINER_LABELS = { app: 'growth' } as const;

/** Reports one file, in the containers. */
export const containerPolicy: string = readPolicy([pathFilter('Equal', [namedFile])], {
  podSelector: { matchLabels: CONTAINER_LABELS },
});

export const growthRows: readonly GrowthRow[] = [...growthCases, ...containerRows];

/** Sizes of a row that are measured. */
export const sizesOf = ({ most }: Pick<GrowthRow, 'most'>): readonly number[] => SIZES.filter((size) => size <= most);

/**
 * Instructions of the operation without and with the policy, by `NAME SIZE`; milliseconds of CPU to load it.
 */
export interface GrowthCounts {
  readonly nothing: Readonly<Record<string, number>>;
  readonly added: Readonly<Record<string, number>>;
  readonly loadMs: Readonly<Record<string, number>>;
}

export interface LimitCase {
  readonly title: string;
  /** As the table shows it. */
  readonly limit: string;
  readonly code: string;
  /** One more than the limit. */
  readonly yaml: () => string;
}

const lseekHooks = (count: number): string =>
  policy({ kprobes: repeat(count, () => 'sys_lseek').map((call) => ({ call, syscall: true })) });

/** Policies that one comparison too many makes invalid. */
export const limitCases: readonly LimitCase[] = [
  {
    title: 'hooks of a tracer',
    limit: '4,088',
    code: 'LIMIT_HOOKS',
    yaml: () => lseekHooks(4089),
  },
  {
    title: 'selectors of a hook',
    limit: '64',
    code: 'LIMIT_SELECTORS',
    yaml: () => readPolicy(names(65).map((name) => pathFilter('Equal', [name]))),
  },
  {
    title: 'values that a hook reads',
    limit: '8',
    code: 'LIMIT_ARGS',
    yaml: () => {
      const data = repeat(9, (i) => String(i)).map(() => ({
        index: 0,
        type: 'string',
        source: 'current_task',
        resolve: 'comm',
      }));
      return policy({ kprobes: [{ call: 'sys_lseek', syscall: true, data }] });
    },
  },
  {
    title: 'lists of binaries of all policies',
    limit: '256',
    code: 'LIMIT_PROCESS_SETS',
    yaml: () => {
      const hooks = repeat(257, (i) => `/usr/bin/other-${i}`).map((value) => ({
        call: 'sys_lseek',
        syscall: true,
        selectors: [{ matchBinaries: [{ operator: 'In', values: [value] }] }],
      }));
      return policy({ kprobes: hooks });
    },
  },
  {
    title: 'filters of a selector',
    limit: '128',
    code: 'LIMIT_FILTERS',
    yaml: () =>
      lseekPolicy({
        matchArgs: repeat(129, (i) => `${i}`).map((v) => ({ index: 0, operator: 'NotEqual', values: [v] })),
      }),
  },
];
