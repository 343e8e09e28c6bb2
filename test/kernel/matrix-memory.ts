/**
 * The matrix of marks and counts: each filter, action, scope and kind, on each kind of hook. The numbers are those of
 * memory.c, which calls all hooks with a number: 1 marks, 2 removes the mark, and others read it.
 */
export const PROGRAM = '/tmp/memory/program';
export const FOLDER = '/tmp/memory/calls';
export const CGROUP = `/sys/fs/cgroup/docker-${'9'.repeat(64)}.scope`;

/** How each kind of hook sees the number of a call. */
interface NumberedHook {
  readonly kind: 'kprobes' | 'tracepoints' | 'uprobes' | 'usdts' | 'lsmhooks';
  /** Target and values. The first value is the number. */
  readonly hook: string;
  /** The value of a number. */
  readonly value: (number: number) => string;
  readonly index: number;
}

const asNumber = String;
/** The system calls by which memory.c shows a number to a hook that sees only which system call it is. */
const asSyscall = (number: number): string => (number === 1 ? 'getsid' : number === 2 ? 'getpgrp' : 'getppid');

const NUMBERED_HOOKS: Readonly<Record<string, NumberedHook>> = {
  function: {
    kind: 'kprobes',
    hook: 'call: sys_getpgid, args: [{ index: 0, type: int }]',
    value: asNumber,
    index: 0,
  },
  tracepoint: {
    kind: 'tracepoints',
    hook: 'subsystem: syscalls, event: sys_enter_getpgid, args: [{ index: 5, type: int }]',
    value: asNumber,
    index: 5,
  },
  raw: {
    kind: 'tracepoints',
    hook: 'subsystem: raw_syscalls, event: sys_enter, raw: true, args: [{ index: 1, type: syscall64 }]',
    value: asSyscall,
    index: 1,
  },
  uprobe: {
    kind: 'uprobes',
    hook: `path: ${PROGRAM}, symbols: [touch], args: [{ index: 0, type: int }]`,
    value: asNumber,
    index: 0,
  },
  usdt: {
    kind: 'usdts',
    hook: `path: ${PROGRAM}, provider: memory, name: touched, args: [{ index: 0, type: int32 }]`,
    value: asNumber,
    index: 0,
  },
  lsm: {
    kind: 'lsmhooks',
    hook: 'hook: file_open, args: [{ index: 0, type: file }]',
    value: (number) => `${FOLDER}/${number}`,
    index: 0,
  },
};

/** The marks of the hook on a function, by the number of the calls that read them. */
const MARKS = {
  3: { mark: 'seen', options: '' },
  4: { mark: 'brief', options: ', ttl: 2s' },
  5: { mark: 'own', options: ', inherit: false' },
  6: { mark: 'pod', options: ', scope: container' },
  7: { mark: 'common', options: ', shared: true' },
} as const;

/** A policy with one hook, which marks, unmarks and reads its own mark. */
function markHook(name: string, numbers: Readonly<Record<number, { mark: string; options: string }>>): string {
  const { hook, value, index } = NUMBERED_HOOKS[name] as NumberedHook;
  const called = (number: number): string =>
    `matchBinaries: [{ operator: In, values: [${PROGRAM}] }], matchArgs: [{ index: ${index}, operator: Equal, values: ['${value(number)}'] }]`;
  const marks = Object.values(numbers);
  const scope = (options: string): string => /, (scope|shared): \w+/.exec(options)?.[0] ?? '';
  const act = (action: string, options: (each: string) => string): string =>
    marks.map((each) => `{ action: ${action}, mark: ${each.mark}${options(each.options)} }`).join(', ');
  const readers = Object.entries(numbers).flatMap(([number, { mark, options }]) =>
    (['In', 'NotIn'] as const).map(
      (operator) =>
        `{ ${called(Number(number))}, matchMarks: [{ operator: ${operator}, values: [${mark}]${scope(options)} }], matchActions: [{ action: Count, metric: ${name}_${operator}, by: [arg0] }] }`,
    ),
  );
  const setters = [
    `{ ${called(1)}, matchActions: [${act('Mark', (options) => options)}, { action: NoPost }] }`,
    `{ ${called(2)}, matchActions: [${act('Unmark', scope)}, { action: NoPost }] }`,
  ];
  return `{ ${hook}, selectors: [${[...setters, ...readers].join(', ')}] }`;
}

const writePolicy = (name: string, hooks: Readonly<Partial<Record<NumberedHook['kind'], readonly string[]>>>): string =>
  `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: ${name} }
spec:
${Object.entries(hooks)
  .map(([kind, list]) => `  ${kind}:\n${list.map((hook) => `    - ${hook}\n`).join('')}`)
  .join('')}`;

/** Groups hooks by their kind. */
function groupHooks(list: readonly (readonly [NumberedHook['kind'], string])[]): Parameters<typeof writePolicy>[1] {
  const groups: Partial<Record<NumberedHook['kind'], string[]>> = {};
  for (const [kind, hook] of list) (groups[kind] ??= []).push(hook);
  return groups;
}

/** Marks of the hook on a function with all options. */
export const FUNCTION_MARKS = writePolicy('marks-of-functions', { kprobes: [markHook('function', MARKS)] });
/** The same mark of another policy, and its view of the shared mark. */
export const OTHER_MARKS = writePolicy('marks-of-others', {
  kprobes: [
    `{ call: sys_getpgid, args: [{ index: 0, type: int }], selectors: [{ matchArgs: [{ index: 0, operator: Equal, values: ['100'] }], matchActions: [{ action: Mark, mark: seen }] }, ${(
      [
        ['seen', '3', ''],
        ['common', '7', ', shared: true'],
      ] as const
    )
      .flatMap(([mark, number, options]) =>
        (['In', 'NotIn'] as const).map(
          (operator) =>
            `{ matchBinaries: [{ operator: In, values: [${PROGRAM}] }], matchArgs: [{ index: 0, operator: Equal, values: ['${number}'] }], matchMarks: [{ operator: ${operator}, values: [${mark}]${options} }], matchActions: [{ action: Count, metric: other_${operator}, by: [arg0] }] }`,
        ),
      )
      .join(', ')}] }`,
  ],
});

/** Every other kind of hook, each with a mark of its own. Static probes of a program need Linux 5.15. */
const ALL_KINDS = ['tracepoint', 'raw', 'uprobe', 'usdt', 'lsm'] as const;
const hasProbes = process.env['POLYTRACE_KERNEL'] !== '5.10';
export const OTHER_KINDS = ALL_KINDS.filter((name) => hasProbes || name !== 'usdt');
export const KIND_MARKS = writePolicy(
  'marks-of-kinds',
  groupHooks(
    OTHER_KINDS.map((name) => [
      (NUMBERED_HOOKS[name] as NumberedHook).kind,
      markHook(name, { 3: { mark: `by-${name}`, options: '' } }),
    ]),
  ),
);

/** A row about marks: commands, and how often a call with a number found the mark (`In`) or not (`NotIn`). */
export interface MarkRow {
  readonly title: string;
  readonly commands: string;
  readonly number: number;
  readonly marked: number;
  readonly unmarked: number;
  /** It reads from the second policy. */
  readonly byOther?: true;
}

const row = (title: string, commands: string, number: number, marked: number, unmarked: number): MarkRow => ({
  title,
  commands,
  number,
  marked,
  unmarked,
});

export const MARK_ROWS: readonly MarkRow[] = [
  row('In and NotIn: before Mark, and after it', '3 1 3 3', 3, 2, 1),
  row('Unmark', '1 3 2 3', 3, 1, 1),
  row('another process', '( 1 3 ) 3', 3, 1, 1),
  row('another thread', '1 thread 3', 3, 1, 0),
  row('a child, also after an exec', '1 ( 3 exec 3 ) 3', 3, 3, 0),
  row('inherit: false: the process itself', '1 5', 5, 1, 0),
  row('inherit: false: not its children, and not after an exec', '1 ( 5 ) exec 5', 5, 0, 2),
  row('ttl: before and after its end', '1 4 sleep 2200 4', 4, 1, 1),
  row('scope: container: all processes in it, and none outside', '( cgroup 1 6 ) ( cgroup 6 ) 6', 6, 2, 1),
  row('scope: container: Unmark', '( cgroup 1 ) ( cgroup 2 ) ( cgroup 6 )', 6, 0, 1),
  row('scope: container, outside of one: the process', '1 6 ( 6 ) 2 6', 6, 2, 1),
  { ...row('shared: true: another policy sees it', '7 1 7', 7, 1, 1), byOther: true },
  { ...row('without shared: another policy does not see it', '3 1 3', 3, 0, 2), byOther: true },
];

/** The rows of every kind of hook. */
export const KIND_ROWS: readonly MarkRow[] = [
  row('In, NotIn, Mark and Unmark', '3 1 3 ( 3 ) 2 3', 3, 2, 2),
  row('a child after an exec', '1 ( exec 3 )', 3, 1, 0),
];

const count = (metric: string, more: string): string => `{ action: Count, metric: ${metric}, ${more} }`;
const countHook = (name: string, ...counts: readonly string[]): readonly [NumberedHook['kind'], string] => {
  const { kind, hook } = NUMBERED_HOOKS[name] as NumberedHook;
  const binary = `matchBinaries: [{ operator: In, values: [${PROGRAM}] }]`;
  return [kind, `{ ${hook}, selectors: [{ ${binary}, matchActions: [${counts.join(', ')}] }] }`];
};

const SLEEP = `{ call: sys_clock_nanosleep, selectors: [${(['GT', 'LT'] as const)
  .map(
    (operator) =>
      `{ matchBinaries: [{ operator: In, values: [${PROGRAM}] }], matchDuration: { operator: ${operator}, values: [1s] }, matchActions: [${count(`sleep_${operator}`, 'kind: histogram, value: duration')}] }`,
  )
  .join(', ')}] }`;
const CONNECT = `{ call: security_socket_connect, syscall: false, args: [{ index: 0, type: socket }, { index: 1, type: sockaddr }], selectors: [{ matchBinaries: [{ operator: In, values: [${PROGRAM}] }], matchActions: [${count('connects', 'by: [arg1, arg1.port, arg0.port]')}] }] }`;
const WORKLOADS = `{ call: sys_getpgid, args: [{ index: 0, type: int }], return: true, returnArg: { index: 0, type: int }, selectors: [{ matchBinaries: [{ operator: In, values: [${PROGRAM}] }], matchActions: [${count('workloads', 'by: [container, pod, namespace, uid]')}, ${count('errors', 'by: [errno]')}] }] }`;

/** Counts by functions, with labels, values and kinds that need no other kind of hook. */
export const FUNCTION_COUNTS = writePolicy('counts-of-functions', {
  kprobes: [
    countHook(
      'function',
      count('numbers', 'by: [arg0]'),
      count('sums', 'kind: sum, value: arg0, by: [binary, parentBinary]'),
      count('sizes', 'kind: histogram, value: arg0'),
    )[1],
    `{ call: sys_getpgid, args: [{ index: 0, type: int }], selectors: [{ matchBinaries: [{ operator: In, values: [${PROGRAM}] }], matchActions: [${count('few', 'kind: sum, value: arg0, by: [arg0], maxKeys: 2')}] }] }`,
    WORKLOADS,
    SLEEP,
    CONNECT,
  ],
});

export const KIND_COUNTS = writePolicy(
  'counts-of-kinds',
  groupHooks([
    countHook('tracepoint', count('tracepoint', 'kind: sum, value: arg0, by: [arg0]')),
    countHook('raw', count('raw', 'by: [arg0, parentBinary]')),
    [
      'uprobes',
      `{ path: ${PROGRAM}, symbols: [touch], args: [{ index: 0, type: int }, { index: 1, type: string }], return: true, returnArg: { index: 0, type: int64 }, selectors: [{ matchDuration: { operator: LT, values: [10s] }, matchActions: [${count('uprobe', 'kind: sum, value: return, by: [arg1]')}, ${count('uprobe_time', 'kind: histogram, value: duration')}] }] }`,
    ],
    ...(hasProbes ? [countHook('usdt', count('usdt', 'kind: histogram, value: arg0'))] : []),
    countHook('lsm', count('lsm', 'by: [arg0], folders: 2')),
  ]),
);

/** What the counts count, and a reading of it: labels, calls, and the sum unless it is 0. */
export const COUNTED = '0 0 1 99999999 ( cgroup 2 ) sleep 10 sleep 1200 connect';
export interface CountRow {
  readonly metric: string;
  readonly title: string;
  /** Labels, calls and sum of each series. Absent: only the total is tested. */
  readonly series?: readonly (readonly [labels: readonly string[], calls: bigint, sum?: bigint])[];
  /** Calls of all series; 0n if other calls of the program are counted, too. */
  readonly total: bigint;
  readonly other?: readonly [calls: bigint, sum: bigint];
  /** Calls by the smallest value of their bucket. */
  readonly buckets?: readonly (readonly [from: bigint, calls: bigint])[];
}

const BIG = 99_999_999n;
/** The smallest value of the bucket of BIG. */
const BIG_FROM = 1n << 26n;
const BUCKETS = [[0n, 2n], [1n, 1n], [2n, 1n], [BIG_FROM, 1n]] as const; // prettier-ignore
const PARENT = process.execPath;

export const FUNCTION_COUNT_ROWS: readonly CountRow[] = [
  {
    title: 'counter by a number',
    metric: 'numbers',
    series: [[['0'], 2n], [['1'], 1n], [['2'], 1n], [['99999999'], 1n]],
    total: 5n,
  },
  {
    title: 'sum of an argument by binary and parentBinary',
    metric: 'sums',
    series: [[[PROGRAM, PARENT], 4n, BIG + 1n], [[PROGRAM, PROGRAM], 1n, 2n]],
    total: 5n,
  },
  { title: 'histogram of an argument', metric: 'sizes', total: 5n, buckets: BUCKETS },
  {
    title: 'maxKeys: what finds no room is in other',
    metric: 'few',
    series: [[['0'], 2n], [['1'], 1n, 1n]],
    total: 5n,
    other: [2n, BIG + 2n],
  },
  {
    title: 'counter by container, pod, namespace and uid',
    metric: 'workloads',
    series: [[['', '', '', '0'], 4n], [['main', 'web', 'shop', '0'], 1n]],
    total: 5n,
  },
  { title: 'counter by errno', metric: 'errors', series: [[['ESRCH'], 1n], [['OK'], 4n]], total: 5n },
  { title: 'matchDuration GT, and durations', metric: 'sleep_GT', total: 1n },
  { title: 'matchDuration LT, and durations', metric: 'sleep_LT', total: 1n },
  {
    title: 'counter by address and ports of a sockaddr and a socket',
    metric: 'connects',
    series: [[['127.0.0.1', '9', '0'], 1n]],
    total: 1n,
  },
]; // prettier-ignore

export const KIND_COUNT_ROWS: readonly CountRow[] = [
  {
    title: 'tracepoint: sum by a number',
    metric: 'tracepoint',
    series: [[['0'], 2n], [['1'], 1n, 1n], [['2'], 1n, 2n], [['99999999'], 1n, BIG]],
    total: 5n,
  },
  {
    title: 'raw tracepoint: counter by system call and parentBinary',
    metric: 'raw',
    series: [[['getpgrp', PROGRAM], 1n], [['getppid', PARENT], 3n], [['getsid', PARENT], 1n]],
    total: 0n,
  },
  {
    title: 'uprobe: sum of the return value by a string, with matchDuration',
    metric: 'uprobe',
    series: [[['even'], 3n, 2n], [['odd'], 2n, BIG + 1n]],
    total: 5n,
  },
  { title: 'uprobe: histogram of durations', metric: 'uprobe_time', total: 5n },
  ...(hasProbes ? [{ title: 'usdt: histogram of an argument', metric: 'usdt', total: 5n, buckets: BUCKETS }] : []),
  { title: 'LSM hook: counter by the folders of a path', metric: 'lsm', series: [[['/tmp/memory'], 4n]], total: 0n },
]; // prettier-ignore
