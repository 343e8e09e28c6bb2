// The policies whose filters are measured one by one. Read by the guest, which loads them, and by the host, which prints.

const numbers = (count) => Array.from({ length: count }, (_, i) => String(i).padStart(4, '0'));
const paths = (count) => numbers(count).map((number) => `/srv/file-${number}`);
/** What the workload opens; its descriptor is 42. */
const HIT = '/srv/file-0042';

/** What the workload does, and where it is hooked. `symbol` is what the kernel calls the function. */
export const operations = {
  lseek: { symbol: '__x64_sys_lseek', workload: ['lseek', HIT] },
  open: { symbol: '__x64_sys_openat', workload: ['open-close', HIT] },
  connect: { symbol: 'tcp_connect', workload: ['connect', '127.0.0.1'] },
};

const hooks = {
  lseek: { call: 'sys_lseek', syscall: true, args: [{ index: 0, type: 'int' }] },
  open: { call: 'sys_openat', syscall: true, args: [{ index: 1, type: 'string' }] },
  connect: { call: 'tcp_connect', syscall: false, args: [{ index: 0, type: 'sock' }] },
};

const binaries = (value) => [{ matchBinaries: [{ operator: 'In', values: [value] }] }];
const args = (index, operator, values) => [{ matchArgs: [{ index, operator, values }] }];

/** `hits`: every operation matches and is told; else none. */
export const filters = [
  { operation: 'lseek', title: 'none: each call is told', hits: true },
  { operation: 'lseek', title: 'matchBinaries In, it is', selectors: binaries('/srv/workload'), hits: true },
  { operation: 'lseek', title: 'matchBinaries In, it is not', selectors: binaries('/srv/other'), hits: false },
  { operation: 'lseek', title: 'an int Equal, no match', selectors: args(0, 'Equal', ['4242']), hits: false },
  { operation: 'connect', title: 'none: each call is told', hits: true },
  { operation: 'connect', title: 'DAddr CIDR, match', selectors: args(0, 'DAddr', ['127.0.0.0/8']), hits: true },
  { operation: 'connect', title: 'DAddr CIDR, no match', selectors: args(0, 'DAddr', ['10.0.0.0/8']), hits: false },
  { operation: 'open', title: 'none: each call is told', hits: true },
  { operation: 'open', title: 'string Prefix, match', selectors: args(1, 'Prefix', ['/srv/']), hits: true },
  { operation: 'open', title: 'string Prefix, no match', selectors: args(1, 'Prefix', ['/etc/']), hits: false },
].map((row) => ({ ...row, name: `${row.operation}: ${row.title}` }));

/** Pairs whose hits may not differ by more than this. */
export const RATIO = 2;

const told = (operation, name, selectors) => ({ operation, name, selectors, hits: true });
const oneEqual = told('open', '1 Equal', args(1, 'Equal', [HIT]));
const onePrefix = told('open', '1 Prefix', args(1, 'Prefix', [HIT]));

export const scaling = [
  {
    title: 'string Equal: 1 and 5,000 values',
    few: oneEqual,
    many: told('open', '5,000 Equal', args(1, 'Equal', paths(5000))),
  },
  {
    title: 'string Prefix: 1 and 2,000 values',
    few: onePrefix,
    many: told('open', '2,000 Prefix', args(1, 'Prefix', paths(2000))),
  },
  {
    title: 'string Equal: 1 and 64 selectors',
    few: oneEqual,
    many: told(
      'open',
      '64 selectors Equal',
      paths(64).flatMap((path) => args(1, 'Equal', [path])),
    ),
  },
  {
    title: 'string Prefix: 1 and 64 selectors',
    few: onePrefix,
    many: told(
      'open',
      '64 selectors Prefix',
      paths(64).flatMap((path) => args(1, 'Prefix', [path])),
    ),
  },
  {
    title: 'int Equal: 1 and 64 selectors',
    few: told('lseek', '1 int', args(0, 'Equal', ['42'])),
    many: told(
      'lseek',
      '64 selectors int',
      numbers(64).flatMap((number) => args(0, 'Equal', [String(Number(number))])),
    ),
  },
];

/** All that is loaded, by the way it is attached. */
export const measured = {
  fentry: [...filters, ...new Set(scaling.flatMap(({ few, many }) => [few, many]))],
  kprobe: filters,
};

export function policyOf({ operation, name, selectors }) {
  return JSON.stringify({
    apiVersion: 'cilium.io/v1alpha1',
    kind: 'TracingPolicy',
    metadata: { name: nameOf(name) },
    spec: { kprobes: [{ ...hooks[operation], ...(selectors && { selectors }) }] },
  });
}

/** As Kubernetes wants names. */
export const nameOf = (name) => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
