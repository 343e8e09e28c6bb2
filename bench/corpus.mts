// Benchmark of loading in the virtual machine: loads and removes all policies that Tetragon publishes, one after the
// other.
import { existsSync } from 'node:fs';
import { corpus } from '../test/vm/vm.mjs';
import { runInGuest } from './count.mjs';
import { formatNumber, type Rows } from './table.mjs';

export interface CorpusCosts {
  /** Policies that were loaded. */
  readonly policies: number;
  /** Files that were rejected: the kernel lacks their functions, or the user has to replace their variables. */
  readonly refused: number;
  readonly hooks: number;
  readonly seconds: number;
  /** Processor time. */
  readonly cpuSeconds: number;
}

/** Undefined if the policies are not on this machine. */
export async function corpusTable(kernel: string): Promise<Rows | undefined> {
  if (!existsSync(corpus)) return undefined;
  const script = `guest-corpus.mts /run/vm ${corpus}`;
  const result = await runInGuest(kernel, script, 'corpus.json', { icount: false, withPrograms: true });
  const { policies, refused, hooks, seconds, cpuSeconds } = JSON.parse(result) as CorpusCosts;
  return [
    ['in the virtual machine', 'policies', 'refused', 'hooks', 'time', 'CPU'],
    [
      'all policies that Tetragon publishes',
      formatNumber(policies),
      formatNumber(refused),
      formatNumber(hooks),
      `${seconds.toFixed(1)} s`,
      `${cpuSeconds.toFixed(1)} s`,
    ],
  ];
}
