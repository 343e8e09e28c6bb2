/** Publishes lines to the stream of the fleet. A line is sent when the stream has stored it. */
import { jetstream, JetStreamApiError, type JetStreamClient } from '@nats-io/jetstream';
import { headers, type NatsConnection } from '@nats-io/transport-node';
import type { SendOutcome, Sender } from '../../delivery/delivery.js';
import type { FleetConnection } from '../connection.js';
import { explainFailure } from '../errors.js';
import { EVENTS_STREAM, HEADERS, nodeSubjects } from '../names.js';
import { formatNumbers, makeBatch, type EventMessage } from './batches.js';

export interface SenderOptions {
  readonly connection: FleetConnection;
  readonly cluster: string;
  readonly node: string;
  /** Default 10 s. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;
/** Error codes of JetStream: a message is larger than those that the stream takes. */
const TOO_LARGE: ReadonlySet<number> = new Set([10_054, 10_048]);
const DEFAULT_PAYLOAD = 1024 * 1024;

type Failure = { readonly kind: 'refused' | 'failed'; readonly reason: string };

export class FleetSender implements Sender {
  readonly #options: SenderOptions;
  readonly #prefix: string;
  /** The messages of the last batch that are stored. They are not sent again with the others. */
  readonly #stored = new Set<string>();
  #client: { readonly connection: NatsConnection; readonly jetstream: JetStreamClient } | undefined;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#prefix = nodeSubjects(options.cluster, options.node);
  }

  async send(lines: readonly string[]): Promise<SendOutcome> {
    const { connection } = this.#options;
    const { current } = connection;
    if (current === undefined) return { kind: 'failed', reason: connection.error?.message ?? 'no server has answered' };
    const { messages, unreadable } = makeBatch(lines, current.info?.max_payload ?? DEFAULT_PAYLOAD);
    const client = this.#jetstream(current);
    const results = await Promise.all(messages.map((message) => this.#publish(client, message)));
    const failure = results.find((result) => result?.kind === 'failed');
    if (failure !== undefined) return { kind: 'failed', reason: failure.reason };
    this.#stored.clear();
    const refused = messages.filter((_, i) => results[i] !== undefined).flatMap((message) => message.lines);
    const reason = results.find((result) => result !== undefined)?.reason;
    return { kind: 'sent', unreadable, ...(reason === undefined ? {} : { refused, reason }) };
  }

  #jetstream(connection: NatsConnection): JetStreamClient {
    if (this.#client?.connection !== connection) this.#client = { connection, jetstream: jetstream(connection) };
    return this.#client.jetstream;
  }

  /** Resolves with undefined when the message is stored. */
  async #publish(client: JetStreamClient, message: EventMessage): Promise<Failure | undefined> {
    const { topic, numbering, batch, numbers, parts, payload } = message;
    // one for each message of a node: a server drops the second one
    const msgID = `${this.#prefix}.${numbering}.${numbers[0]}`;
    if (this.#stored.has(msgID)) return undefined;
    const fields = headers();
    fields.set(HEADERS.boot, numbering);
    fields.set(HEADERS.batch, String(batch));
    fields.set(HEADERS.numbers, formatNumbers(numbers));
    fields.set(HEADERS.parts, parts);
    const { timeoutMs: timeout = TIMEOUT_MS } = this.#options;
    const expect = { streamName: EVENTS_STREAM };
    try {
      await client.publish(`${this.#prefix}.${topic}`, payload, {
        msgID,
        headers: fields,
        timeout,
        expect,
        retries: 1,
      });
      this.#stored.add(msgID);
      return undefined;
    } catch (error) {
      return describeFailure(error);
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function describeFailure(error: unknown): Failure {
  const reason = explainFailure(error, `stream ${EVENTS_STREAM}`);
  const isTooLarge = (error instanceof JetStreamApiError && TOO_LARGE.has(error.code)) || /max.payload/i.test(reason);
  return { kind: isTooLarge ? 'refused' : 'failed', reason };
}
