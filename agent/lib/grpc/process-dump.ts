/** The processes that run, as the tracer knows them (GetDebug). */
import { readdir } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import type { Tracer } from 'polytrace';
import type { Process as ProcessMessage } from '../proto/tetragon/tetragon.gen.js';
import type { EventHub } from '../streams/hub.js';

/** Time for which the event loop waits at most: about that of a few hundred processes. */
const STEP_MS = 5;

export async function runningProcesses(tracer: Pick<Tracer, 'process'>, hub: EventHub): Promise<ProcessMessage[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => Number.isSafeInteger(pid));
  const messages: ProcessMessage[] = [];
  let started = performance.now();
  for (const pid of pids) {
    const process = tracer.process(pid);
    const message = process && hub.messageOf(process);
    if (message !== undefined) messages.push(message);
    if (performance.now() - started < STEP_MS) continue;
    await turn();
    started = performance.now();
  }
  return messages;
}
