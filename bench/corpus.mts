// The part of loading that needs the virtual machine: the policies that Tetragon publishes, loaded and removed one after the other.
import { existsSync } from 'node:fs';
import { corpus } from '../test/vm/vm.mjs';
import { runInGuest } from './count.mjs';
import { number, type Rows } from './table.mjs';

export interface CorpusCosts {
  /** Policies that were loaded. */
  readonly policies: number;
  /** Files that were refused: their functions are not in the kernel, or their variables are not replaced. */
  readonly refused: number;
  readonly hooks: number;
  readonly seconds: number;
  /** Processor time. */
  readonly cpuSeconds: number;
}

/** Undefined where the policies are not on the machine. */
export async function corpusTable(kernel: string): Promise<Rows | undefined> {
  if (!existsSync(corpus)) return undefined;
  const script = `guest-corpus.mts /run/vm ${corpus}`;
  const result = await runInGuest(kernel, script, 'corpus.json', { icount: false });
  const { policies, refused, hooks, seconds, cpuSeconds } = JSON.parse(result) as CorpusCosts;
  return [
    ['in the virtual machine', 'policies', 'refused', 'hooks', 'time', 'CPU'],
    [
      'all policies that Tetragon publishes',
      number(policies),
      number(refused),
      number(hooks),
      `${seconds.toFixed(1)} s`,
      `${cpuSeconds.toFixed(1)} s`,
    ],
  ];
}
