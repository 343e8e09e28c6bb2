/**
 * Passes the arguments of already running processes to the base sensor, which finds the sets of these processes. The
 * base sensor itself sees the arguments of each later exec, and that a child has those of its parent.
 */
import { runCooperatively } from '../cooperative.js';
import type { NativeSession } from '../native/binding.js';
import { fileReader } from '../native/file-reader.js';
import { isInHostPidNamespace } from '../process/proc-files.js';
import { findLivingThread, listPids } from '../process/procfs.js';
import { AbiLimit } from '../wire/layout.gen.js';

export type ArgumentSession = Pick<NativeSession, 'putArguments'>;

/**
 * Processes start while /proc is read. A round finds those that the round before has missed. From the second round on,
 * these are only children of processes that were themselves missed.
 */
const ROUNDS_MAX = 16;

/** In another pid namespace, the ids of /proc are not those of the kernel: the arguments then stay unknown. */
export async function putRunningArguments(session: ArgumentSession): Promise<void> {
  if (!isInHostPidNamespace()) return;
  const seen = new Set<number>();
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const missed = [...(await runCooperatively(listPids()))].filter((pid) => !seen.has(pid));
    if (missed.length === 0) return;
    for (const pid of missed) {
      seen.add(pid);
      await putArguments(session, pid);
    }
  }
}

async function putArguments(session: ArgumentSession, pid: number): Promise<void> {
  const facts = await fileReader().readProcess(findLivingThread(pid), Buffer.alloc(0), false);
  const commandLine = facts?.commandLine ?? Buffer.alloc(0);
  const isCut = facts === undefined || commandLine.length > AbiLimit.ARGV_BYTES_MAX;
  await session.putArguments(pid, commandLine.subarray(0, AbiLimit.ARGV_BYTES_MAX), isCut);
}
