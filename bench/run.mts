// npm run bench [-- PART... | --short | --limits] [-- --write]: measures and prints tables. The parts are --kernel,
// --filters, --stacks, --counts, --policies, --growth, --cgroups, --library, --loading, --host, --counted, --nodes, --rest,
// --rates and --clients; without a part, all of them run. --peers needs packages of other tools, and runs only by its
// name. --short and --limits are the short forms. --write also writes the tables into docs/benchmarks.md, and keeps
// sections that were not measured. The exit status is 1 if a cost exceeds its limit.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkout } from '../test/vm/vm.mjs';
import { goalsTable } from './goals.mjs';
import { judgeWithRetries } from './judge.mjs';
import {
  cgroupSection,
  clientsSection,
  countedSection,
  countSection,
  filterSection,
  GOAL_NOTES,
  growthSection,
  hostSection,
  INTRODUCTION,
  KERNEL,
  kernelSection,
  librarySection,
  loadingSection,
  nodesSection,
  peerSection,
  policySection,
  ratesSection,
  restSection,
  stackSection,
} from './page.mjs';
import { formatTable } from './table.mjs';

function reportProblems(problems: readonly string[]): void {
  for (const problem of problems) console.error(`bench: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
}

// each part is imported only when it runs, because not every machine has the virtual machine

async function kernelPart(): Promise<string> {
  const { kernelTable, preemptibleTable } = await import('./kernel.mjs');
  const { rows, tooMany } = await kernelTable(KERNEL);
  reportProblems(tooMany);
  return kernelSection(rows, await preemptibleTable(KERNEL));
}

async function filterPart(): Promise<string> {
  const { filterTables } = await import('./filters.mjs');
  const { filters, scaling, broken } = await filterTables(KERNEL);
  reportProblems(broken);
  return filterSection(filters, scaling);
}

async function stackPart(): Promise<string> {
  const { stackTable } = await import('./stacks.mjs');
  const { rows, tooMany } = await stackTable(KERNEL);
  reportProblems(tooMany);
  return stackSection(rows);
}

async function countPart(): Promise<string> {
  const { countTables } = await import('./counts.mjs');
  const { rows, tooMany } = await countTables(KERNEL);
  reportProblems(tooMany);
  return countSection(rows);
}

async function policyPart(): Promise<string> {
  const { policyTables } = await import('./policies.mjs');
  const { rows, tooMany } = await policyTables(KERNEL);
  reportProblems(tooMany);
  return policySection(rows);
}

async function growthPart(): Promise<string> {
  const { growthTables, processRows } = await import('./growth.mjs');
  const processes = await processRows();
  const tables = await growthTables(KERNEL);
  reportProblems(tables.problems);
  return growthSection(tables, processes);
}

async function cgroupPart(): Promise<string> {
  const { cgroupTables } = await import('./cgroups.mjs');
  return cgroupSection(await cgroupTables());
}

async function libraryPart(): Promise<string> {
  const { libraryTables } = await import('./library.mjs');
  return librarySection(await libraryTables(KERNEL));
}

async function peerPart(): Promise<string> {
  const { peerTable } = await import('./peers.mjs');
  return peerSection(await peerTable(KERNEL));
}

async function loadingPart(): Promise<string> {
  const { startTable } = await import('./start.mjs');
  const { loadTable } = await import('./load.mjs');
  const { corpusTable } = await import('./corpus.mjs');
  const [start, loading] = [await judgeWithRetries(startTable), await judgeWithRetries(loadTable)];
  reportProblems([...start.tooSlow, ...loading.tooSlow]);
  return loadingSection(start.rows, loading.rows, await corpusTable(KERNEL));
}

async function hostPart(): Promise<string> {
  const { hostTable } = await import('./host.mjs');
  return hostSection(await hostTable());
}

async function countedPart(): Promise<string> {
  const { instructionTable } = await import('./counted.mjs');
  const { rows, tooMany } = await instructionTable(KERNEL);
  reportProblems(tooMany);
  return countedSection(rows);
}

async function nodesPart(): Promise<string> {
  const { nodesTable } = await import('./nodes.mjs');
  return nodesSection(nodesTable());
}

async function restPart(): Promise<string> {
  const { restTable } = await import('./rest.mjs');
  return restSection(await restTable());
}

async function ratesPart(): Promise<string> {
  const { ratesTable } = await import('./rates.mjs');
  return ratesSection(await ratesTable());
}

async function clientsPart(): Promise<string> {
  const { clientsTable } = await import('./clients.mjs');
  const { rows, problems } = await clientsTable();
  reportProblems(problems);
  return clientsSection(rows);
}

async function shortPart(): Promise<void> {
  const { realisticTable, shortTable } = await import('./short.mjs');
  const { startTable } = await import('./start.mjs');
  const tables = [];
  for (const measure of [startTable, shortTable, realisticTable]) tables.push(await judgeWithRetries(measure));
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    const { loadTable } = await import('./load.mjs');
    tables.push(await judgeWithRetries(loadTable));
  }
  for (const { rows, tooSlow } of tables) {
    console.log(`${formatTable(rows)}\n`);
    reportProblems(tooSlow);
  }
  if (!isRoot) console.log('Loading is not measured, because only root can load.\n');
}

async function limitPart(): Promise<void> {
  const { countLimited, checkLimits } = await import('./kernel.mjs');
  // the addresses of two folders decide whether they share an entry of the cache, and a guest has others each time
  const { rows, tooSlow } = await judgeWithRetries(async () => {
    const counted = checkLimits(await countLimited(KERNEL));
    return { rows: counted.rows, tooSlow: counted.tooMany };
  });
  console.log(`${formatTable(rows, 2)}\n`);
  reportProblems(tooSlow);
  const { countLimitTable } = await import('./counts.mjs');
  const counts = await countLimitTable(KERNEL);
  console.log(`${formatTable(counts.rows)}\n`);
  reportProblems(counts.tooMany);
  const { stackTable } = await import('./stacks.mjs');
  const stacks = await stackTable(KERNEL, true);
  console.log(`${formatTable(stacks.rows)}\n`);
  reportProblems(stacks.tooMany);
  const { growthTables } = await import('./growth.mjs');
  const growth = await growthTables(KERNEL, true);
  console.log(`${formatTable(growth.kernel)}\n`);
  reportProblems(growth.problems);
}

/** The commit that is measured. */
function describeCommit(): string {
  const git = (...args: readonly string[]): string =>
    execFileSync('git', args, { cwd: checkout, encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', '--', 'bench', 'bpf', 'lib', 'native') !== '';
  return git('rev-parse', '--short', 'HEAD') + (changed ? ' with changes that are not committed' : '');
}

const { values } = parseArgs({
  options: {
    host: { type: 'boolean', default: false },
    counted: { type: 'boolean', default: false },
    nodes: { type: 'boolean', default: false },
    kernel: { type: 'boolean', default: false },
    filters: { type: 'boolean', default: false },
    stacks: { type: 'boolean', default: false },
    counts: { type: 'boolean', default: false },
    policies: { type: 'boolean', default: false },
    growth: { type: 'boolean', default: false },
    cgroups: { type: 'boolean', default: false },
    library: { type: 'boolean', default: false },
    loading: { type: 'boolean', default: false },
    rest: { type: 'boolean', default: false },
    rates: { type: 'boolean', default: false },
    clients: { type: 'boolean', default: false },
    peers: { type: 'boolean', default: false },
    short: { type: 'boolean', default: false },
    limits: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});
const all = !Object.entries(values).some(([name, isWanted]) => name !== 'write' && isWanted);

const parts = [
  { isWanted: all || values.kernel, make: kernelPart, title: 'In the kernel: operations' },
  { isWanted: all || values.kernel || values.filters, make: filterPart, title: 'In the kernel: single filters' },
  { isWanted: all || values.stacks, make: stackPart, title: 'In the kernel: stack traces' },
  { isWanted: all || values.counts, make: countPart, title: 'In the kernel: counts' },
  { isWanted: all || values.policies, make: policyPart, title: 'Policies on one function' },
  { isWanted: all || values.growth, make: growthPart, title: 'Growth' },
  { isWanted: all || values.cgroups, make: cgroupPart, title: 'Cgroups and scopes' },
  { isWanted: all || values.library, make: libraryPart, title: 'Policies of the package' },
  { isWanted: values.peers, make: peerPart, title: 'Beside other tools' },
  { isWanted: all || values.loading, make: loadingPart, title: 'Starting and loading' },
  { isWanted: all || values.host, make: hostPart, title: 'In user space: events' },
  { isWanted: all || values.counted, make: countedPart, title: 'In user space: instructions' },
  { isWanted: all || values.nodes, make: nodesPart, title: 'In user space: versions of Node.js' },
  { isWanted: all || values.rest, make: restPart, title: 'Latency and rest' },
  { isWanted: all || values.rates, make: ratesPart, title: 'Ordinary rates' },
  { isWanted: all || values.clients, make: clientsPart, title: 'Clients of an agent' },
];

const page = join(checkout, 'docs/benchmarks.md');
const [, ...before] = readFileSync(page, 'utf8').split(/^## /m);
// what this process has run before makes the reader slower, so the reader comes first
const wanted = parts.filter(({ isWanted }) => isWanted);
const inOrder = wanted.toSorted((a, b) => Number(b.make === hostPart) - Number(a.make === hostPart));
const measured = new Map<string, string>();
for (const { make, title } of inOrder) {
  const text = `## ${title}\n\nMeasured at commit ${describeCommit()}.\n\n${await make()}\n`;
  console.log(`\n${text}`);
  measured.set(title, text);
}
const sections = parts.flatMap(({ title }) => {
  const previous = before.find((text) => text.startsWith(`${title}\n`));
  return measured.get(title) ?? (previous === undefined ? [] : `## ${previous.trimEnd()}\n`);
});
if (values.short) await shortPart();
if (values.limits) await limitPart();
if (values.write) {
  const goals = goalsTable(sections.map((text) => text.slice('## '.length)));
  writeFileSync(page, [INTRODUCTION, ...sections, `## Goals\n\n${formatTable(goals)}\n\n${GOAL_NOTES}`].join('\n'));
}
