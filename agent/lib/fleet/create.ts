/** Makes the stream of a fleet. */
import { DiscardPolicy, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { nanos, type NatsConnection } from '@nats-io/transport-node';
import { toFleetError } from './errors.js';
import { EVENTS_PREFIX, EVENTS_STREAM } from './names.js';

export interface EventsStreamOptions {
  /** Copies of each event: 1, 3 or 5. */
  readonly replicas: number;
  readonly maxBytes: number;
  /** Events are removed after this time. */
  readonly maxAgeMs: number;
}

/** A message that an agent sends again within this time is not stored again. Readers know those that come later. */
const DUPLICATES_MS = 10 * 60_000;

/**
 * Makes the stream with the events, or changes its limits. A full stream takes no events (discard policy `new`), so that
 * agents know it, keep what they can, and report the rest as lost. Needs the rights of an operator.
 */
export async function createEventsStream(connection: NatsConnection, options: EventsStreamOptions): Promise<void> {
  const { replicas, maxBytes, maxAgeMs } = options;
  const limits = {
    num_replicas: replicas,
    max_bytes: maxBytes,
    max_age: nanos(maxAgeMs),
    duplicate_window: nanos(Math.min(DUPLICATES_MS, maxAgeMs)),
  };
  try {
    const manager = await jetstreamManager(connection, { checkAPI: false });
    const { streams } = manager;
    const exists = await streams.info(EVENTS_STREAM).then(
      () => true,
      () => false,
    );
    if (exists) {
      await streams.update(EVENTS_STREAM, limits);
      return;
    }
    await streams.add({
      name: EVENTS_STREAM,
      subjects: [`${EVENTS_PREFIX}.>`],
      description: 'events of all nodes of a polytrace fleet',
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.New,
      allow_direct: true,
      ...limits,
    });
  } catch (error) {
    throw toFleetError(error, [connection.getServer()]);
  }
}
