/** Reads the events of a fleet: those that the stream has, and those that come. */
import { DeliverPolicy, jetstream, jetstreamManager, type ConsumerMessages, type JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { isMissing, makeError, toFleetError } from '../errors.js';
import { EVENTS_STREAM } from '../names.js';
import { Merger, type MergedLine } from './merger.js';
import { readMessage } from './message.js';
import { NodeLabels } from './node-labels.js';
import { chooseSubjects, type SubjectFilter } from './subjects.js';

export interface ReadOptions extends SubjectFilter {
  /** Labels that nodes must have: `role=web,zone!=a`. */
  readonly labels?: string | undefined;
  /** Milliseconds since 1970: reads from there. Undefined: from now. */
  readonly since?: number | undefined;
  /** Goes on with the events that come. Default: true without `since`. */
  readonly follow?: boolean | undefined;
  /** Default 1 s. */
  readonly windowMs?: number | undefined;
  /** How long events of a node wait for earlier ones that an outage holds back. Default 90 s. */
  readonly holdMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Receives what is wrong with messages. */
  readonly onProblem?: ((text: string) => void) | undefined;
}

const WINDOW_MS = 1000;
/** Characters of lines that wait for their order. */
const WAITING_MAX = 64 * 1024 * 1024;
/** Bytes of messages that the server sends ahead. */
const AHEAD_BYTES = 8 * 1024 * 1024;
/** The clocks of nodes and servers differ, and events are stored after their time. */
const CLOCK_MS = 60_000;
const PROBLEMS_MAX = 10;

/** Rejects with a PolytraceError. */
export async function* readFleetEvents(
  connection: NatsConnection,
  options: ReadOptions,
): AsyncGenerator<readonly MergedLine[], void, undefined> {
  const { signal, since, follow = since === undefined, windowMs = WINDOW_MS } = options;
  const isStopped = (): boolean => signal?.aborted === true;
  if (isStopped()) return;
  const labels = options.labels === undefined ? undefined : await NodeLabels.open(connection, options.labels);
  const reading = await openReading(connection, options);
  const stop = (): void => reading.messages.stop();
  signal?.addEventListener('abort', stop);
  const onProblem = limitProblems(options.onProblem);
  const { startMs, types } = reading;
  const merger = new Merger({ windowMs, holdMs: options.holdMs, maxLength: WAITING_MAX, startMs, onProblem });
  const addMessage = messageAdder(merger, types, labels, onProblem);
  const iterator = reading.messages[Symbol.asyncIterator]();
  let next: Promise<IteratorResult<JsMsg>> | undefined;
  let isOver = !follow && reading.isEmpty;
  try {
    while (!isOver && !isStopped()) {
      next ??= iterator.next();
      const result = await waitAtMost(next, merger.waitMs(performance.now()));
      if (result !== undefined) {
        next = undefined;
        if (result.done === true) break;
        addMessage(result.value);
        isOver = !follow && (result.value.seq >= reading.lastSequence || result.value.info.pending === 0);
      }
      const lines = merger.take(performance.now());
      if (lines.length > 0) yield lines;
    }
    const rest = merger.takeAll();
    if (rest.length > 0) yield rest;
  } catch (error) {
    throw toFleetError(error, [connection.getServer()]);
  } finally {
    signal?.removeEventListener('abort', stop);
    labels?.close();
    reading.messages.stop();
  }
}

interface Reading {
  readonly messages: ConsumerMessages;
  readonly isEmpty: boolean;
  /** The last message that the stream had at the beginning. */
  readonly lastSequence: number;
  /** The time of the first message. Undefined: that of the first one that comes. */
  readonly startMs: number | undefined;
  /** The types that come, as tokens. Undefined: all. */
  readonly types: ReadonlySet<string> | undefined;
}

async function openReading(connection: NatsConnection, { since, ...filter }: ReadOptions): Promise<Reading> {
  try {
    const manager = await jetstreamManager(connection, { checkAPI: false });
    const { state } = await manager.streams.info(EVENTS_STREAM);
    const startMs = since === undefined ? undefined : Math.max(0, since - CLOCK_MS);
    const start =
      startMs === undefined
        ? { deliver_policy: DeliverPolicy.New }
        : { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(startMs).toISOString() };
    const { subjects, types } = chooseSubjects(filter);
    const consumer = await jetstream(connection).consumers.get(EVENTS_STREAM, {
      filter_subjects: [...subjects],
      ...start,
    });
    const { num_pending: pending } = await consumer.info(true);
    const messages = await consumer.consume({ max_bytes: AHEAD_BYTES });
    return { messages, isEmpty: pending === 0, lastSequence: state.last_seq, startMs, types };
  } catch (error) {
    if (isMissing(error)) {
      throw makeError(
        'FLEET_STREAM',
        `${EVENTS_STREAM}: ${error.message}`,
        'make it with `polytrace fleet init`',
        error,
      );
    }
    throw toFleetError(error, [connection.getServer()]);
  }
}

/** A problem that every message has is reported some times only. */
function limitProblems(onProblem: ReadOptions['onProblem']): (text: string) => void {
  let problems = 0;
  return (text) => {
    if (++problems <= PROBLEMS_MAX) onProblem?.(text);
  };
}

function messageAdder(
  merger: Merger,
  types: ReadonlySet<string> | undefined,
  labels: NodeLabels | undefined,
  onProblem: (text: string) => void,
): (message: JsMsg) => void {
  return (stored) => {
    const { message, problem } = readMessage({
      subject: stored.subject,
      header: (name) => stored.headers?.get(name) ?? '',
      text: stored.string(),
      storedMs: Number(stored.timestampNanos / 1_000_000n),
      types,
    });
    if (problem !== undefined) onProblem(problem);
    if (message === undefined || labels?.has(message.node) === false) return;
    merger.add(message, performance.now());
  };
}

/** Resolves with undefined after `ms`. */
async function waitAtMost<T>(promise: Promise<T>, ms: number | undefined): Promise<T | undefined> {
  if (ms === undefined) return promise;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(resolve, ms, undefined)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
