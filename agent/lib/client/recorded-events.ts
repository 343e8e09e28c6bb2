/** Reads events from a file of the JSON export and filters them as an agent does. */
import { create, fromJson, toBinary, type JsonObject } from '@bufbuild/protobuf';
import { fieldFilter, type JsonFields, type TracerEvent } from 'polytrace';
import type { ProcessEvent } from '../encode/process-encoder.js';
import { compileFilters } from '../filters/filters.js';
import { GetEventsResponseSchema, type GetEventsResponse } from '../proto/tetragon/events.gen.js';
import type { ClientEvent } from './client.js';
import { toPlainEvent } from './plain-event.js';
import { formatJsonLine } from './json.js';
import { toAllowList, type EventsRequest } from './request.js';

/**
 * Returns the event of a line, or undefined when a filter rejects it. Throws an Error when the line is not an event.
 */
type ParseRecordedLine = (line: string) => ClientEvent | undefined;

/** Throws FilterError, or a PolytraceError with the code `FIELD_UNKNOWN`. */
export function recordedEvents(request: EventsRequest): ParseRecordedLine {
  let message: GetEventsResponse = create(GetEventsResponseSchema);
  const filter = compileFilters(
    { allowList: toAllowList(request), denyList: [] },
    { eventBytes: () => toBinary(GetEventsResponseSchema, message) },
  );
  const { include, exclude } = request;
  const isShaped = include !== undefined || exclude !== undefined;
  const shape = isShaped ? fieldFilter({ ...(include && { include }), ...(exclude && { exclude }) }) : undefined;
  return (line) => {
    const value = JSON.parse(line) as JsonObject;
    message = create(GetEventsResponseSchema, fromJson(GetEventsResponseSchema, withLoss(value), OPTIONS));
    const view = toPlainEvent(message);
    if (filter !== undefined && view !== undefined && view.type !== 'lost') {
      if (!filter(view as TracerEvent as ProcessEvent)) return undefined;
    }
    return { view, json: () => formatJsonLine(shape === undefined ? value : filterFields(value, shape)) };
  };
}

const OPTIONS = { ignoreUnknownFields: true };

/** Converts the library's form of a lost event to that of the protocol. */
function withLoss({ lost, ...others }: JsonObject): JsonObject {
  if (typeof lost !== 'object' || lost === null || Array.isArray(lost)) return others;
  const { count = 0, hook = '', policy_name: name = '', reason = '' } = lost;
  const info = { number_of_dropped_process_events: count, hook, policy_name: name, reason };
  return { ...others, rate_limit_info: info };
}

function filterFields(value: JsonObject, shape: (fields: JsonFields) => JsonFields): object {
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [name, name.startsWith('process_') ? shape(part as JsonFields) : part]),
  );
}
