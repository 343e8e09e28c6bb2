// Costs of 300 policies and 100 pods in the kernel: hooks, scopes of cgroups, and the time until all scopes have a new
// pod.
import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { openTracer } from '../lib/index.js';
import type { ContainerSink } from '../types/index.js';
import { findCgroupRoot } from './cgroups.mjs';
import { formatNumber, type Rows } from './table.mjs';

const POLICIES = 300;
const PODS = 100;

/** A policy for pods with one label. The policies have `teams` different labels. */
const scopedPolicy = (i: number, teams: number): string => `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: scoped-${i}}
spec:
  podSelector: {matchLabels: {team: "${i % teams}"}}
  tracepoints:
  - {subsystem: raw_syscalls, event: sys_enter, raw: true, args: [{index: 1, type: int64}],
     selectors: [{matchArgs: [{index: 1, operator: Equal, values: ["${7000 + i}"]}]}]}
`;

interface TableCosts {
  readonly loaded: number;
  readonly limit: string;
  readonly loadMs: number;
  readonly memory: number;
  readonly podMs: number;
  readonly members: number;
}

async function measure(base: string, mount: string, teams: number): Promise<TableCosts> {
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
        await tracer.addPolicy({ yaml: scopedPolicy(i, teams) });
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

export async function mapRows(): Promise<Rows> {
  const mount = findCgroupRoot();
  const base = join(mount, `polytrace-bench-${process.pid}`);
  mkdirSync(base);
  try {
    for (let i = 0; i < PODS; i++) mkdirSync(join(base, `pod-${i}`));
    const rows: string[][] = [];
    for (const teams of [1, 100, POLICIES]) {
      const { loaded, limit, loadMs, memory, podMs, members } = await measure(base, mount, teams);
      rows.push([
        formatNumber(teams),
        `${formatNumber(loaded)}${limit === '' ? '' : `, then ${limit}`}`,
        `${(loadMs / loaded).toFixed(0)} ms`,
        `${formatNumber(Math.round(memory / loaded / 1024))} KiB`,
        `${podMs.toFixed(1)} ms`,
        formatNumber(members),
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
