// Benchmark of cgroups, on this machine as root: the time that a tracer adds to the creation of a cgroup, and the cost
// of 10,000 cgroups when a policy with a scope is loaded.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { openTracer } from '../lib/index.js';
import type { ContainerSink, ContainerSource, Tracer } from '../types/index.js';
import { formatNumber, type Rows } from './table.mjs';

const COUNT = 10_000;
/** Cgroups of one round. The result is the median of the rounds. */
const ROUND = 2000;
const ROUNDS = 9;

/** Creates cgroups in a process of its own, and prints the processor time per cgroup in nanoseconds. */
const MAKE = `const { mkdirSync } = require('node:fs'), [, base, count] = process.argv;
const before = process.cpuUsage();
for (let i = 0; i < count; i++) mkdirSync(base + '/c' + i);
const { user, system } = process.cpuUsage(before);
console.log((user + system) * 1000 / count);`;

const POLICY = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: scoped}
spec:
  podSelector: {matchLabels: {app: web}}
  tracepoints:
  - {subsystem: raw_syscalls, event: sys_enter, raw: true, args: [{index: 1, type: int64}],
     selectors: [{matchArgs: [{index: 1, operator: Equal, values: ["7171"]}]}]}
`;

export interface CgroupTables {
  readonly mkdir: Rows;
  readonly load: Rows;
}

/** A container source that reports the containers of this benchmark. */
class BenchSource implements ContainerSource {
  readonly name = 'bench';
  sink: ContainerSink | undefined;
  start(sink: ContainerSink): Promise<void> {
    this.sink = sink;
    sink.state(true);
    return Promise.resolve();
  }
  stop(): Promise<void> {
    return Promise.resolve();
  }
}

export async function cgroupTables(): Promise<CgroupTables> {
  const base = join(findCgroupRoot(), `polytrace-bench-${process.pid}`);
  mkdirSync(base);
  try {
    return { mkdir: await mkdirRows(base), load: await loadRows(base) };
  } finally {
    removeChildren(base);
    rmdirSync(base);
  }
}

/** Finds the mount point of cgroup v2. */
export function findCgroupRoot(): string {
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((each) => each.includes(' - cgroup2 '));
  const mount = line?.split(' ')[4];
  if (mount === undefined) throw new Error('the hierarchy of cgroup v2 is not mounted');
  return mount;
}

function removeChildren(base: string): void {
  for (const entry of readdirSync(base, { withFileTypes: true })) {
    if (entry.isDirectory()) rmdirSync(join(base, entry.name));
  }
}

/** The costs of one round, in nanoseconds for each cgroup. */
interface MkdirCosts {
  readonly nothing: number;
  readonly plain: number;
  readonly scoped: number;
}

/** Each round measures all three, because a machine gets faster or slower within seconds. */
async function mkdirRows(base: string): Promise<Rows> {
  const rounds: MkdirCosts[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const nothing = makeCgroups(base);
    const tracer = await openTracer({ containers: { sources: [new BenchSource()] } });
    try {
      const plain = makeCgroups(base);
      await tracer.addPolicy({ yaml: POLICY });
      rounds.push({ nothing, plain, scoped: makeCgroups(base) });
    } finally {
      await tracer.close();
    }
  }
  const formatNs = (ns: number): string => `${formatNumber(Math.round(ns))} ns`;
  const row = (name: string, key: keyof MkdirCosts): string[] => [
    name,
    formatNs(quartile(rounds.map((costs) => costs[key]))),
    key === 'nothing'
      ? ''
      : formatAdded(
          rounds.map((costs) => costs[key] - costs.nothing),
          formatNs,
        ),
  ];
  return [
    ['mkdir of a cgroup', 'CPU', 'added'],
    row('without a tracer', 'nothing'),
    row('with a tracer, no policy with a scope', 'plain'),
    row('with a policy with a scope', 'scoped'),
  ];
}

/** The difference of two measurements is a result only if most rounds agree that it is above zero. */
function formatAdded(differences: readonly number[], format: (ns: number) => string): string {
  const [low, high] = [quartile(differences, 1), quartile(differences, 3)];
  return low > 0 ? format(quartile(differences)) : `less than ${format(Math.max(Math.abs(low), Math.abs(high)))}`;
}

function quartile(values: readonly number[], quarters = 2): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length * quarters) / 4)] ?? NaN;
}

function makeCgroups(base: string): number {
  const cost = Number(execFileSync(process.execPath, ['-e', MAKE, base, String(ROUND)]));
  removeChildren(base);
  return cost;
}

async function loadRows(base: string): Promise<Rows> {
  const few = await measureLoad(base);
  for (let i = 0; i < COUNT; i++) mkdirSync(join(base, `c${i}`));
  const many = await measureLoad(base);
  const row = (name: string, of: (measured: LoadCosts) => string): string[] => [name, of(few), of(many)];
  return [
    ['', 'cgroups of this machine', `and ${formatNumber(COUNT)} more`],
    row('cgroups', ({ entries }) => formatNumber(entries)),
    row('openTracer()', ({ openMs }) => `${formatNumber(openMs)} ms`),
    row('addPolicy() of a policy without a scope', ({ plainMs }) => `${formatNumber(plainMs)} ms`),
    row('the same policy with the first scope', ({ scopedMs }) => `${formatNumber(scopedMs)} ms`),
    row('a container comes: until its scopes are in the kernel', ({ changeMs }) => `${formatNumber(changeMs)} ms`),
    row('memory of the tables of cgroups', ({ bytes }) => `${formatNumber(Math.round(bytes / 1024))} KiB`),
  ];
}

interface LoadCosts {
  readonly openMs: number;
  readonly plainMs: number;
  readonly scopedMs: number;
  readonly changeMs: number;
  readonly entries: number;
  readonly bytes: number;
}

async function measureLoad(base: string): Promise<LoadCosts> {
  const source = new BenchSource();
  let tracer: Tracer | undefined;
  const before = new Set(scopeMaps().map(({ id }) => id));
  const openMs = await measureMs(async () => (tracer = await openTracer({ containers: { sources: [source] } })));
  if (tracer === undefined) throw new Error('no tracer');
  const opened: Tracer = tracer;
  const plain = POLICY.replace(/^ {2}podSelector.*\n/m, '').replace('scoped', 'plain');
  const plainMs = await measureMs(() => opened.addPolicy({ yaml: plain }));
  const scopedMs = await measureMs(() => opened.addPolicy({ yaml: POLICY }));
  const own = join(base, 'named');
  mkdirSync(own);
  const pod = { namespace: 'default', name: 'web', labels: { app: 'web' } };
  const cgroupPath = own.slice(findCgroupRoot().length);
  const changeMs = await measureMs(async () => source.sink?.add({ id: 'named', cgroupPath, pod }));
  const mine = scopeMaps().filter(({ id }) => !before.has(id));
  const bytes = mine.reduce((sum, { bytes_memlock }) => sum + bytes_memlock, 0);
  const entries = mine.reduce((sum, { id }) => sum + countEntries(id), 0);
  await opened.close();
  rmdirSync(own);
  return { openMs, plainMs, scopedMs, changeMs, entries, bytes };
}

async function measureMs(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return Math.round(performance.now() - start);
}

interface BpfMap {
  readonly id: number;
  readonly name?: string;
  readonly bytes_memlock: number;
}

function scopeMaps(): BpfMap[] {
  const all = JSON.parse(runBpftool('map', 'show')) as BpfMap[];
  return all.filter(({ name }) => name?.startsWith('cgroup_scopes') === true);
}

/**
 * Counts the entries of a map. bpftool fails if the kernel frees a removed cgroup during the read, so it is tried
 * again.
 */
function countEntries(id: number): number {
  for (let tries = 0; ; tries++) {
    try {
      return (JSON.parse(runBpftool('map', 'dump', 'id', String(id))) as unknown[]).length;
    } catch (error) {
      if (tries === 50) throw error;
    }
  }
}

function runBpftool(...args: readonly string[]): string {
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` };
  return execFileSync('bpftool', ['-j', ...args], { encoding: 'utf8', maxBuffer: 1 << 28, env });
}
