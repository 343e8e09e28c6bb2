// The part of cgroups, on this machine as root: what a tracer adds to the making of a cgroup, and what 10,000 cgroups cost when a
// policy with a scope is loaded.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { openTracer } from '../lib/index.js';
import type { ContainerSink, ContainerSource, Tracer } from '../types/index.js';
import { number, type Rows } from './table.mjs';

const COUNT = 10_000;
/** Cgroups of one round; the median of the rounds counts. */
const ROUND = 2000;
const ROUNDS = 9;

/** Makes cgroups in a process of its own, and prints the processor time of each in nanoseconds. */
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

/** Names containers as the runtimes do. */
class Source implements ContainerSource {
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
  const base = join(hierarchy(), `polytrace-bench-${process.pid}`);
  mkdirSync(base);
  try {
    return { mkdir: await mkdirRows(base), load: await loadRows(base) };
  } finally {
    empty(base);
    rmdirSync(base);
  }
}

function hierarchy(): string {
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((each) => each.includes(' - cgroup2 '));
  const mount = line?.split(' ')[4];
  if (mount === undefined) throw new Error('the hierarchy of cgroup v2 is not mounted');
  return mount;
}

function empty(base: string): void {
  for (const entry of readdirSync(base, { withFileTypes: true })) {
    if (entry.isDirectory()) rmdirSync(join(base, entry.name));
  }
}

async function mkdirRows(base: string): Promise<Rows> {
  const nothing = makeRounds(base);
  const source = new Source();
  const tracer = await openTracer({ containers: { sources: [source] } });
  const plain = makeRounds(base);
  await tracer.addPolicy({ yaml: POLICY });
  const scoped = makeRounds(base);
  await tracer.close();
  const row = (name: string, ns: number): string[] => [
    name,
    `${number(Math.round(ns))} ns`,
    `${number(Math.round(ns - nothing))} ns`,
  ];
  return [
    ['mkdir of a cgroup', 'CPU', 'added'],
    [...row('without a tracer', nothing).slice(0, 2), ''],
    row('with a tracer, no policy with a scope', plain),
    row('with a policy with a scope', scoped),
  ];
}

function makeRounds(base: string): number {
  const costs = Array.from({ length: ROUNDS }, () => {
    const cost = Number(execFileSync(process.execPath, ['-e', MAKE, base, String(ROUND)]));
    empty(base);
    return cost;
  });
  return costs.sort((a, b) => a - b)[ROUNDS >> 1] ?? NaN;
}

async function loadRows(base: string): Promise<Rows> {
  const few = await load(base);
  for (let i = 0; i < COUNT; i++) mkdirSync(join(base, `c${i}`));
  const many = await load(base);
  const row = (name: string, of: (measured: Loaded) => string): string[] => [name, of(few), of(many)];
  return [
    ['', 'cgroups of this machine', `and ${number(COUNT)} more`],
    row('cgroups', ({ entries }) => number(entries)),
    row('openTracer()', ({ openMs }) => `${number(openMs)} ms`),
    row('addPolicy() of a policy without a scope', ({ plainMs }) => `${number(plainMs)} ms`),
    row('the same policy with the first scope', ({ scopedMs }) => `${number(scopedMs)} ms`),
    row('a container comes: until its scopes are in the kernel', ({ changeMs }) => `${number(changeMs)} ms`),
    row('memory of the tables of cgroups', ({ bytes }) => `${number(Math.round(bytes / 1024))} KiB`),
  ];
}

interface Loaded {
  readonly openMs: number;
  readonly plainMs: number;
  readonly scopedMs: number;
  readonly changeMs: number;
  readonly entries: number;
  readonly bytes: number;
}

async function load(base: string): Promise<Loaded> {
  const source = new Source();
  let tracer: Tracer | undefined;
  const before = new Set(tables().map(({ id }) => id));
  const openMs = await timed(async () => (tracer = await openTracer({ containers: { sources: [source] } })));
  if (tracer === undefined) throw new Error('no tracer');
  const opened: Tracer = tracer;
  const plain = POLICY.replace(/^ {2}podSelector.*\n/m, '').replace('scoped', 'plain');
  const plainMs = await timed(() => opened.addPolicy({ yaml: plain }));
  const scopedMs = await timed(() => opened.addPolicy({ yaml: POLICY }));
  const own = join(base, 'named');
  mkdirSync(own);
  const pod = { namespace: 'default', name: 'web', labels: { app: 'web' } };
  const cgroupPath = own.slice(hierarchy().length);
  const changeMs = await timed(async () => source.sink?.add({ id: 'named', cgroupPath, pod }));
  const mine = tables().filter(({ id }) => !before.has(id));
  const bytes = mine.reduce((sum, { bytes_memlock }) => sum + bytes_memlock, 0);
  const entries = mine.reduce((sum, { id }) => sum + entriesOf(id), 0);
  await opened.close();
  rmdirSync(own);
  return { openMs, plainMs, scopedMs, changeMs, entries, bytes };
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return Math.round(performance.now() - start);
}

interface Table {
  readonly id: number;
  readonly name?: string;
  readonly bytes_memlock: number;
}

function tables(): Table[] {
  const all = JSON.parse(bpftool('map', 'show')) as Table[];
  return all.filter(({ name }) => name?.startsWith('cgroup_scopes') === true);
}

/** bpftool fails when an entry goes while it reads: the kernel frees cgroups some time after their removal. */
function entriesOf(id: number): number {
  for (let tries = 0; ; tries++) {
    try {
      return (JSON.parse(bpftool('map', 'dump', 'id', String(id))) as unknown[]).length;
    } catch (error) {
      if (tries === 50) throw error;
    }
  }
}

function bpftool(...args: readonly string[]): string {
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` };
  return execFileSync('bpftool', ['-j', ...args], { encoding: 'utf8', maxBuffer: 1 << 28, env });
}
