/** A fleet, as programs and commands read it. */
import type { PlainEvent } from 'polytrace';
import { recordedEvents } from 'polytrace/protocol';
import { FleetConnection, type FleetSettings } from './connection.js';
import { makeError } from './errors.js';
import { readFleetEvents, type ReadOptions } from './reading/read-events.js';

export interface OpenFleetOptions extends Omit<FleetSettings, 'servers' | 'name' | 'inboxPrefix'> {
  /** Milliseconds until opening fails without a server. Default 10 s. */
  readonly waitMs?: number;
}

export interface FleetEventsOptions extends Omit<ReadOptions, 'since'> {
  /** Default: from now. */
  readonly since?: Date | number | undefined;
  readonly policyNames?: readonly string[] | undefined;
}

/** A line of JSON, and the node that it is of. */
export interface FleetLine {
  readonly text: string;
}

const WAIT_MS = 10_000;

/** Rejects with a PolytraceError when no server answers. */
export async function openFleet(servers: string | readonly string[], options: OpenFleetOptions = {}): Promise<Fleet> {
  const { waitMs = WAIT_MS, credentials, ca, cert, key } = options;
  const list = typeof servers === 'string' ? servers.split(',') : servers;
  const connection = FleetConnection.open({ servers: list, credentials, ca, cert, key, name: 'polytrace' });
  try {
    await connection.connected(waitMs);
    return new Fleet(connection, waitMs);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

export class Fleet {
  readonly #connection: FleetConnection;
  readonly #waitMs: number;

  constructor(connection: FleetConnection, waitMs: number) {
    this.#connection = connection;
    this.#waitMs = waitMs;
  }

  /** The events of all nodes by time, several at a time. */
  async *batches(options: FleetEventsOptions = {}): AsyncGenerator<readonly PlainEvent[], void, undefined> {
    const { policyNames, types } = options;
    const parse = recordedEvents({ types: types, policyNames }, undefined);
    const since = toMilliseconds(options.since);
    const sinceNs = BigInt(since ?? 0) * 1_000_000n;
    for await (const lines of this.lines(options)) {
      const events = lines
        .map(({ text }) => parseLine(parse, text, options.onProblem))
        .filter((event) => event !== undefined && event.timeNs >= sinceNs) as PlainEvent[];
      if (events.length > 0) yield events;
    }
  }

  /** The events of all nodes by time. */
  async *events(options: FleetEventsOptions = {}): AsyncGenerator<PlainEvent, void, undefined> {
    for await (const batch of this.batches(options)) yield* batch;
  }

  /** The lines of JSON of all nodes by time, several at a time. They can begin before `since`. */
  async *lines({ since, ...options }: FleetEventsOptions = {}): AsyncGenerator<readonly FleetLine[], void, undefined> {
    const client = await this.#connection.connected(this.#waitMs);
    yield* readFleetEvents(client, { ...options, since: toMilliseconds(since) });
  }

  /** Ends the connection, and each iteration. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function toMilliseconds(since: Date | number | undefined): number | undefined {
  if (since === undefined) return undefined;
  const ms = Number(since);
  if (!Number.isFinite(ms))
    throw makeError('BAD_OPTION', 'since is no time', 'give a Date, or milliseconds since 1970');
  return Math.floor(ms);
}

/** A line of a later version has an event that this one does not know. */
function parseLine(
  parse: ReturnType<typeof recordedEvents>,
  text: string,
  onProblem: ReadOptions['onProblem'],
): PlainEvent | undefined {
  try {
    return parse(text)?.view;
  } catch (error) {
    onProblem?.(`a line is not an event: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
