// What the project has set itself, beside what the tables of docs/benchmarks.md have. The figures are read from the tables, so that
// no other can be published.
import { number, type Rows } from './table.mjs';

/** Finds a figure in a table of the page. */
type Find = (section: string, row: string, column: string) => number;

interface Goal {
  readonly name: string;
  readonly atMost: number;
  readonly unit: string;
  readonly measured: (find: Find) => number;
}

const OPERATIONS = 'In the kernel: operations';
const LOADING = 'Starting and loading';
const EVENTS = 'In user space: events';
const COUNTED = 'In user space: instructions';
const VERSIONS = 'In user space: versions of Node.js';
const LATENCY = 'Latency and rest';

const cell =
  (section: string, row: string, column: string) =>
  (find: Find): number =>
    find(section, row, column);

const instructions = (name: string, row: string, column: string, atMost: number): Goal => ({
  name,
  atMost,
  unit: 'instructions',
  measured: cell(OPERATIONS, row, column),
});

/** The hooks that remember paths, as a multiple of those that do not. */
const besideForgetful = (name: string, row: string): Goal => ({
  name,
  atMost: 1.1,
  unit: '',
  measured: (find) => find(OPERATIONS, row, 'upstream policy') / find(OPERATIONS, row, 'no memory'),
});

const event = (name: string, row: string, atMost: number): Goal => ({
  name,
  atMost,
  unit: 'ns',
  measured: cell(EVENTS, row, 'CPU per event'),
});

/** The slowest of the newer versions, as a multiple of Node.js 20. */
const newer = (name: string, row: string): Goal => ({
  name: `${name}, Node.js 22 to 26 beside 20`,
  atMost: 1.2,
  unit: '',
  measured: (find) => {
    const costs = [22, 24, 26].map((version) => find(VERSIONS, row, `Node.js ${version}`));
    return Math.max(...costs) / find(VERSIONS, row, 'Node.js 20');
  },
});

const beyondNode = (name: string, row: string): Goal => ({
  name: `${name}, beyond Node.js`,
  atMost: 40,
  unit: 'ms',
  measured: (find) => find(LOADING, row, 'CPU') - find(LOADING, 'Node.js by itself', 'CPU'),
});

const loading = (name: string, atMost: number, row = name): Goal => ({
  name,
  atMost,
  unit: 'ms',
  measured: cell(LOADING, row, 'CPU'),
});

const GOALS: readonly Goal[] = [
  instructions('a read without a match, remembered', 'pread, no match, depth 7', 'upstream policy', 430),
  instructions('the same, not remembered, depth 2', 'pread, no match, depth 2', 'no memory', 700),
  instructions('the same, not remembered, depth 7', 'pread, no match, depth 7', 'no memory', 1100),
  instructions('a read with a match', 'pread, match', 'upstream policy', 2000),
  besideForgetful('first reads, beside hooks without memory', 'pread, first of a file'),
  besideForgetful('reads among renames, beside the same', 'pread, among renames'),
  instructions('an exec, base sensor alone', 'vfork + exec + exit + wait', 'base sensor', 3000),
  event('an event, counted in batches', 'in batches, counted', 150),
  event('type, binary and path read', 'item by item, type, binary and path read', 450),
  event('a compact line', 'in batches, compact lines', 800),
  event('a JSON line', 'in batches, JSON lines', 1000),
  {
    name: 'a JSON line',
    atMost: 23_000,
    unit: 'instructions',
    measured: cell(COUNTED, 'in batches, JSON lines', 'instructions'),
  },
  event('a line of `getevents -o json` into a file', '`getevents -o json` into a file', 3333),
  newer('counted', 'in batches, counted'),
  newer('type, binary and path', 'type, binary and path read'),
  newer('a compact line', 'in batches, compact lines'),
  newer('a JSON line', 'in batches, JSON lines'),
  beyondNode("`require('polytrace')`", "require('polytrace')"),
  beyondNode('`polytrace --help`', 'polytrace --help'),
  loading('`polytrace validate`, Node.js included', 120, 'polytrace validate'),
  loading('openTracer', 150),
  loading('a further hook', 6),
  loading('50 uprobes added', 500),
  loading('50 uprobes removed', 300),
  {
    name: 'all policies that Tetragon publishes, in the virtual machine',
    atMost: 30,
    unit: 's',
    measured: cell(LOADING, 'all policies that Tetragon publishes', 'CPU'),
  },
  {
    name: 'an event by default, median',
    atMost: 1200,
    unit: 'µs',
    measured: cell(LATENCY, 'an event, by default', 'median'),
  },
  {
    name: 'an event by default, 99 of 100',
    atMost: 2600,
    unit: 'µs',
    measured: cell(LATENCY, 'an event, by default', '99 of 100'),
  },
  {
    name: 'an event with `coalesceMs: 0`, median',
    atMost: 100,
    unit: 'µs',
    measured: cell(LATENCY, 'an event, with `coalesceMs: 0`', 'median'),
  },
  {
    name: 'a second without events',
    atMost: 2,
    unit: 'ms',
    measured: cell(LATENCY, 'a second without events', '10 of 100'),
  },
];

/** The cells of a section's tables, by row and column. Of two rows with the same name, the first. */
function cellsOf(section: string): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const rows = new Map<string, ReadonlyMap<string, string>>();
  let head: readonly string[] | undefined;
  for (const line of section.split('\n')) {
    if (!line.startsWith('|')) {
      head = undefined;
      continue;
    }
    const cells = line
      .split('|')
      .slice(1, -1)
      .map((text) => text.trim());
    if (head === undefined) head = cells;
    else if (!rows.has(cells[0] ?? ''))
      rows.set(cells[0] ?? '', new Map(head.map((name, i) => [name, cells[i] ?? ''])));
  }
  return rows;
}

/** `sections` are the texts below each `## ` of the page, with the title in the first line. */
export function goalsTable(sections: readonly string[]): Rows {
  const tables = new Map(sections.map((text) => [text.split('\n', 1)[0] ?? '', cellsOf(text)]));
  const find: Find = (section, row, column) => {
    const text = tables.get(section)?.get(row)?.get(column);
    if (text === undefined) throw new Error(`docs/benchmarks.md has no '${row}', '${column}' under '${section}'`);
    return Number.parseFloat(text.replaceAll(',', ''));
  };
  const written = (value: number, unit: string): string => {
    if (unit === '') return value.toFixed(2);
    return `${number(value < 10 ? Math.round(value * 10) / 10 : Math.round(value))} ${unit}`;
  };
  return [
    ['goal', 'at most', 'measured', ''],
    ...GOALS.map(({ name, atMost, unit, measured }) => {
      const value = measured(find);
      if (Number.isNaN(value)) throw new Error(`docs/benchmarks.md has no figure for '${name}'`);
      return [name, written(atMost, unit), written(value, unit), value <= atMost ? 'met' : 'missed'];
    }),
  ];
}
