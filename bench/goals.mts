// Compares the goals of the project with the tables of docs/benchmarks.md. The figures are read from the tables, so
// goals and tables cannot differ.
import { formatNumber, type Rows } from './table.mjs';

/** Finds a figure in a table of the page. */
type FindFigure = (section: string, row: string, column: string) => number;

interface Goal {
  readonly name: string;
  readonly atMost: number;
  readonly unit: string;
  readonly measure: (find: FindFigure) => number;
}

const OPERATIONS = 'In the kernel: operations';
const STACKS = 'In the kernel: stack traces';
const LOADING = 'Starting and loading';
const EVENTS = 'In user space: events';
const VERSIONS = 'In user space: versions of Node.js';
const LATENCY = 'Latency and rest';

const readCell =
  (section: string, row: string, column: string) =>
  (find: FindFigure): number =>
    find(section, row, column);

const instructionGoal = (name: string, row: string, column: string, atMost: number): Goal => ({
  name,
  atMost,
  unit: 'instructions',
  measure: readCell(OPERATIONS, row, column),
});

/** Hooks with the negative cache, as a multiple of hooks without it. */
const uncachedGoal = (name: string, row: string): Goal => ({
  name,
  atMost: 1.1,
  unit: '',
  measure: (find) => find(OPERATIONS, row, 'upstream policy') / find(OPERATIONS, row, 'no cache'),
});

const eventGoal = (name: string, row: string, atMost: number): Goal => ({
  name,
  atMost,
  unit: 'ns',
  measure: readCell(EVENTS, row, 'CPU per event'),
});

const realisticGoal = (name: string, row: string, atMost: number): Goal =>
  eventGoal(`${name}, realistic stream`, `realistic stream, ${row}`, atMost);

/** The slowest of the newer versions of Node.js, as a multiple of Node.js 20. */
const versionGoal = (name: string, row: string): Goal => ({
  name: `${name}, Node.js 22 to 26 beside 20`,
  atMost: 1.2,
  unit: '',
  measure: (find) => {
    const costs = [22, 24, 26].map((version) => find(VERSIONS, row, `Node.js ${version}`));
    return Math.max(...costs) / find(VERSIONS, row, 'Node.js 20');
  },
});

const beyondNodeGoal = (name: string, row: string): Goal => ({
  name: `${name}, beyond Node.js`,
  atMost: 40,
  unit: 'ms',
  measure: (find) => find(LOADING, row, 'CPU') - find(LOADING, 'Node.js by itself', 'CPU'),
});

const loadingGoal = (name: string, atMost: number, row = name): Goal => ({
  name,
  atMost,
  unit: 'ms',
  measure: readCell(LOADING, row, 'CPU'),
});

const GOALS: readonly Goal[] = [
  instructionGoal('a read without a match, cached', 'pread, no match, depth 7', 'upstream policy', 430),
  instructionGoal('the same, not cached, depth 2', 'pread, no match, depth 2', 'no cache', 700),
  instructionGoal('the same, not cached, depth 7', 'pread, no match, depth 7', 'no cache', 1100),
  instructionGoal('a read with a match', 'pread, match', 'upstream policy', 2000),
  {
    name: 'a read with a match and both stack traces',
    atMost: 2500,
    unit: 'instructions',
    measure: readCell(STACKS, 'both', 'fentry'),
  },
  uncachedGoal('first reads, relative to hooks without a cache', 'pread, first of a file'),
  uncachedGoal('reads among renames, relative to the same', 'pread, among renames'),
  instructionGoal('an exec, base sensor alone', 'vfork + exec + exit + wait', 'base sensor', 3000),
  eventGoal('an event, counted in batches', 'in batches, counted', 150),
  eventGoal('type, binary and path read', 'item by item, type, binary and path read', 450),
  realisticGoal('type, binary and path read', 'item by item, type, binary and path read', 450),
  realisticGoal('the bytes of a compact line', 'bytes of compact lines, without events', 400),
  realisticGoal('the bytes of a JSON line', 'bytes of JSON lines, without events', 300),
  realisticGoal('a line of `getevents -o json` into a file', '`getevents -o json` into a file', 800),
  realisticGoal('the message of an agent', 'in batches, encoded by the agent', 300),
  versionGoal('counted', 'in batches, counted'),
  versionGoal('type, binary and path', 'type, binary and path read'),
  versionGoal('a compact line', 'in batches, compact lines'),
  versionGoal('a JSON line', 'in batches, JSON lines'),
  beyondNodeGoal("`require('polytrace')`", "require('polytrace')"),
  beyondNodeGoal('`polytrace --help`', 'polytrace --help'),
  loadingGoal('`polytrace validate`, Node.js included', 120, 'polytrace validate'),
  loadingGoal('openTracer', 150),
  loadingGoal('a further hook', 6),
  loadingGoal('50 uprobes added', 500),
  loadingGoal('50 uprobes removed', 300),
  {
    name: 'all policies that Tetragon publishes, in the virtual machine',
    atMost: 30,
    unit: 's',
    measure: readCell(LOADING, 'all policies that Tetragon publishes', 'CPU'),
  },
  {
    name: 'an event by default, median',
    atMost: 1200,
    unit: 'µs',
    measure: readCell(LATENCY, 'an event, by default', 'median'),
  },
  {
    name: 'an event by default, 99 of 100',
    atMost: 2600,
    unit: 'µs',
    measure: readCell(LATENCY, 'an event, by default', '99 of 100'),
  },
  {
    name: 'an event with `coalesceMs: 0`, median',
    atMost: 100,
    unit: 'µs',
    measure: readCell(LATENCY, 'an event, with `coalesceMs: 0`', 'median'),
  },
  {
    name: 'a second without events',
    atMost: 2,
    unit: 'ms',
    measure: readCell(LATENCY, 'a second without events', '10 of 100'),
  },
];

/**
 * Parses the tables of a section into cells, by row and column. If two rows have the same name, the first one counts.
 */
function parseCells(section: string): ReadonlyMap<string, ReadonlyMap<string, string>> {
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

/** Returns the table of goals. Each section is the text after a `## ` of the page, with its title in the first line. */
export function goalsTable(sections: readonly string[]): Rows {
  const tables = new Map(sections.map((text) => [text.split('\n', 1)[0] ?? '', parseCells(text)]));
  const find: FindFigure = (section, row, column) => {
    const text = tables.get(section)?.get(row)?.get(column);
    if (text === undefined) throw new Error(`docs/benchmarks.md has no '${row}', '${column}' under '${section}'`);
    return Number.parseFloat(text.replaceAll(',', ''));
  };
  const formatFigure = (value: number, unit: string): string => {
    if (unit === '') return value.toFixed(2);
    return `${formatNumber(value < 10 ? Math.round(value * 10) / 10 : Math.round(value))} ${unit}`;
  };
  return [
    ['goal', 'at most', 'measured', ''],
    ...GOALS.map(({ name, atMost, unit, measure: measured }) => {
      const value = measured(find);
      if (Number.isNaN(value)) throw new Error(`docs/benchmarks.md has no figure for '${name}'`);
      return [name, formatFigure(atMost, unit), formatFigure(value, unit), value <= atMost ? 'met' : 'missed'];
    }),
  ];
}
