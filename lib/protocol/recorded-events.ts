/** Reads events from a file of the JSON export or from a recording, and filters them as an agent does. */
import { create, toBinary, type JsonObject } from '@bufbuild/protobuf';
import type { FieldFilter, JsonFields, PlainEvent } from '../../types/index.js';
import { EventEncoder } from '../encode/events.js';
import { compileFilters, type FilteredEvent } from '../filters/filters.js';
import { GetEventsResponseSchema, type GetEventsResponse } from '../proto/tetragon/events.gen.js';
import { replaceRawBytes } from '../output/escape.js';
import { toPlainEvent } from './plain-event.js';
import { EventParser } from './event-parser.js';
import { formatJsonLine } from './json.js';
import { toAllowList, type EventsRequest } from './request.js';

/** An event of an agent or of a file. */
export interface ClientEvent {
  /** Undefined for an event type that the library does not have. */
  readonly view: PlainEvent | undefined;
  /** Returns one line of the JSON export. */
  readonly json: () => string;
}

/**
 * Returns a function for the lines of the JSON export. It returns the event of a line, or undefined when a filter
 * rejects the event. It throws an Error when the line is not an event. `shape` leaves fields out of the JSON. Throws
 * FilterError.
 */
export function recordedEvents(
  request: EventsRequest,
  shape: FieldFilter | undefined,
): (line: string) => ClientEvent | undefined {
  let message: GetEventsResponse = create(GetEventsResponseSchema);
  const filter = compileFilters(
    { allowList: toAllowList(request), denyList: [] },
    { eventBytes: () => toBinary(GetEventsResponseSchema, message) },
  );
  const parser = new EventParser();
  return (line) => {
    // Other writers, and older versions of this one, wrote bytes that are not UTF-8 as lone surrogates.
    const value = JSON.parse(line, line.includes('\\ud') ? reviveWellFormed : undefined) as JsonObject;
    message = parser.parse(withLoss(value), line.length);
    const view = toPlainEvent(message, parser.toPlain);
    if (view === undefined && typeof value['type'] === 'string')
      throw new Error('it is the JSON of an event object: write lines with toJson(event)');
    if (filter !== undefined && view !== undefined && view.type !== 'lost') {
      if (!filter(view as FilteredEvent)) return undefined;
    }
    return { view, json: () => formatJsonLine(shape === undefined ? value : filterFields(value, shape)) };
  };
}

/**
 * Returns a function for the events of a recording. It returns the event for a client, or undefined when a filter
 * rejects the event. `formatJson` returns its line of the JSON export. Throws FilterError.
 */
export function recordingEvents(
  request: EventsRequest,
  formatJson: (event: PlainEvent) => string,
): (event: PlainEvent) => ClientEvent | undefined {
  const encoder = new EventEncoder({ ancestors: true, processCred: true, processNs: true });
  const filter = compileFilters(
    { allowList: toAllowList(request), denyList: [] },
    { eventBytes: (event) => encoder.encode(event).take() },
  );
  return (view) => {
    if (filter !== undefined && view.type !== 'lost' && !filter(view as FilteredEvent)) return undefined;
    return { view, json: () => formatJson(view) };
  };
}

function reviveWellFormed(_name: string, value: unknown): unknown {
  return typeof value === 'string' ? replaceRawBytes(value) : value;
}

/** Converts the library's form of a lost event to that of the protocol. */
function withLoss({ lost, ...others }: JsonObject): JsonObject {
  if (typeof lost !== 'object' || lost === null || Array.isArray(lost)) return others;
  const { count = 0, hook = '', policy_name: name = '', reason = '' } = lost;
  const info = { number_of_dropped_process_events: count, hook, policy_name: name, reason };
  return { ...others, rate_limit_info: info };
}

function filterFields(value: JsonObject, shape: FieldFilter): object {
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [name, name.startsWith('process_') ? shape(part as JsonFields) : part]),
  );
}
