// What 300 policies and 100 pods cost the kernel: hooks, scopes of cgroups, and the time until a new pod is in all of them.
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { openTracer } from '../lib/index.js';
import type { ContainerSink } from '../types/index.js';
import { number, type Rows } from './table.mjs';

const POLICIES = 300;
const PODS = 100;

/** A policy for pods with one label; `teams`: how many different ones there are. */
const policy = (i: number, teams: number): string => `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: scoped-${i}}
spec:
  podSelector: {matchLabels: {team: "${i % teams}"}}
  tracepoints:
  - {subsystem: raw_syscalls, event: sys_enter, raw: true, args: [{index: 1, type: int64}],
     selectors: [{matchArgs: [{index: 1, operator: Equal, values: ["${7000 + i}"]}]}]}
`;

interface Measured {
  readonly loaded: number;
  readonly limit: string;
  readonly loadMs: number;
  readonly memory: number;
  readonly podMs: number;
  readonly members: number;
}

async function measure(base: string, mount: string, teams: number): Promise<Measured> {
  let sink: ContainerSink | undefined;
  const source = {
    name: 'bench',
    start: (given: ContainerSink) => {
      sink = given;
      given.state(true);
      return Promise.resolve();
    },
    stop: () => Promise.resolve(),
  };
  const tracer = await openTracer({ containers: { sources: [source] } });
  try {
    let [loaded, limit] = [0, ''];
    const start = performance.now();
    for (let i = 0; i < POLICIES; i++) {
      try {
        await tracer.addPolicy({ yaml: policy(i, teams) });
        loaded++;
      } catch (error) {
        limit = (error as { code?: string }).code ?? String(error);
        break;
      }
    }
    const loadMs = performance.now() - start;
    const began = performance.now();
    for (let i = 0; i < PODS; i++) {
      const path = join(base, `pod-${i}`);
      const pod = { namespace: 'default', name: `pod-${i}`, labels: { team: String(i % teams) } };
      await sink?.add({ id: `pod-${i}`, cgroupPath: path.slice(mount.length), pod });
    }
    const podMs = (performance.now() - began) / PODS;
    const policies = tracer.policies();
    return {
      loaded,
      limit,
      loadMs,
      podMs,
      memory: policies.reduce((sum, { memory }) => sum + memory, 0),
      members: policies.reduce((sum, { scope }) => sum + (scope?.containers ?? 0), 0),
    };
  } finally {
    await tracer.close();
  }
}

function hierarchy(): string {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const mount = lines.find((line) => line.includes(' - cgroup2 '))?.split(' ')[4];
  if (mount === undefined) throw new Error('the hierarchy of cgroup v2 is not mounted');
  return mount;
}

export async function tableRows(): Promise<Rows> {
  const mount = hierarchy();
  const base = join(mount, `polytrace-bench-${process.pid}`);
  mkdirSync(base);
  try {
    for (let i = 0; i < PODS; i++) mkdirSync(join(base, `pod-${i}`));
    const rows: string[][] = [];
    for (const teams of [1, 100, POLICIES]) {
      const { loaded, limit, loadMs, memory, podMs, members } = await measure(base, mount, teams);
      rows.push([
        number(teams),
        `${number(loaded)}${limit === '' ? '' : `, then ${limit}`}`,
        `${(loadMs / loaded).toFixed(0)} ms`,
        `${number(Math.round(memory / loaded / 1024))} KiB`,
        `${podMs.toFixed(1)} ms`,
        number(members),
      ]);
    }
    const head = ['different selectors', 'policies loaded', 'load', 'kernel memory', 'a pod comes', 'pods in policies'];
    return [head, ...rows];
  } finally {
    for (const entry of readdirSync(base, { withFileTypes: true })) {
      if (entry.isDirectory()) rmdirSync(join(base, entry.name));
    }
    rmdirSync(base);
  }
}
