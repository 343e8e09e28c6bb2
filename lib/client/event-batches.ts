/** The events of an agent in batches. The stream is opened again when it ends. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PlainEvent } from '../../types/events.js';
import type { EventsOptions } from '../../types/tracer.js';
import type { AgentClient } from '../grpc/client.js';
import { eventFilter } from '../output/filters.js';
import { toPublicError, unavailableError } from './errors.js';

/** Waiting times between two attempts, in milliseconds. Each time is twice the one before. */
const FIRST_DELAY_MS = 100;
const LAST_DELAY_MS = 10_000;

export interface StreamContext {
  readonly client: AgentClient;
  readonly nodeName: string;
  readonly reconnect: boolean;
}

type Filters = Omit<EventsOptions, 'plain' | 'signal'>;

/**
 * Yields what has arrived since the last batch, without empty batches. The agent filters by type and policy, so that it
 * sends less; the other filters are those of a tracer.
 */
export async function* readEventBatches(
  { client, nodeName, reconnect }: StreamContext,
  filters: Filters,
  signal: AbortSignal,
): AsyncGenerator<readonly PlainEvent[], undefined> {
  const isWanted = eventFilter(filters);
  const { types, policyNames } = filters;
  const request = { types: types?.filter((type) => type !== 'lost'), policyNames };
  let delay = FIRST_DELAY_MS;
  let isConnected = true;
  for (;;) {
    let failure: Error | undefined;
    try {
      const onOpen = (): void => {
        delay = FIRST_DELAY_MS;
        isConnected = true;
      };
      for await (const batch of client.events(request, signal, onOpen)) {
        const wanted = batch.flatMap(({ view }) => (view !== undefined && isWanted(view) ? [view] : []));
        if (wanted.length > 0) yield wanted;
      }
    } catch (error) {
      failure = toPublicError(error);
    }
    if (signal.aborted) return undefined;
    const isLost = failure === undefined || ('code' in failure && failure.code === 'AGENT_UNAVAILABLE');
    if (!isLost || !reconnect) throw failure ?? unavailableError('the agent has ended the stream of events');
    if (isConnected) yield [disconnection(nodeName)];
    isConnected = false;
    await sleep(delay, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return undefined;
    delay = Math.min(delay * 2, LAST_DELAY_MS);
  }
}

/** Nobody knows how many events the agent reports until the connection is back. */
function disconnection(nodeName: string): PlainEvent {
  const milliseconds = performance.timeOrigin + performance.now();
  const time = new Date(milliseconds).toISOString().replace('Z', '000000Z');
  const timeNs = BigInt(Math.trunc(milliseconds)) * 1_000_000n;
  return { type: 'lost', time, timeNs, nodeName, hook: 'GetEvents', policyName: '', reason: 'disconnected', count: 0 };
}
