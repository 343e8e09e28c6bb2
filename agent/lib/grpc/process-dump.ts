/** Lists the running processes that the tracer knows (GetDebug). */
import { readdir } from 'node:fs/promises';
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import type { Tracer } from 'polytrace';
import type { Process as ProcessMessage } from 'polytrace/protocol';
import type { EventHub } from '../streams/hub.js';

/** Maximum time between two yields to the event loop, enough for a few hundred processes. */
const SLICE_MS = 5;

export async function dumpProcesses(tracer: Pick<Tracer, 'process'>, hub: EventHub): Promise<ProcessMessage[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => Number.isSafeInteger(pid));
  const messages: ProcessMessage[] = [];
  let started = performance.now();
  for (const pid of pids) {
    const process = tracer.process(pid);
    const message = process && hub.toProcessMessage(process);
    if (message !== undefined) messages.push(message);
    if (performance.now() - started < SLICE_MS) continue;
    await yieldToEventLoop();
    started = performance.now();
  }
  return messages;
}
