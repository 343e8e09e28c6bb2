/** Events from a file of the JSON export, filtered as an agent would. */
import { create, fromJson, toBinary, type JsonObject } from '@bufbuild/protobuf';
import { fieldFilter, type JsonFields, type TracerEvent } from 'polytrace';
import type { ProcessEvent } from '../encode/process-parts.js';
import { compileFilters } from '../filters/filters.js';
import { GetEventsResponseSchema, type GetEventsResponse } from '../proto/tetragon/events.gen.js';
import type { ClientEvent } from './client.js';
import { viewOf } from './event-view.js';
import { jsonLine } from './json.js';
import { allowListOf, type EventsRequest } from './request.js';

/** Returns the event of a line, or undefined for one that is not wanted. Throws an Error for a line that is no event. */
type Recorded = (line: string) => ClientEvent | undefined;

/** Throws FilterError, or a PolytraceError (`FIELD_UNKNOWN`). */
export function recordedEvents(request: EventsRequest): Recorded {
  let message: GetEventsResponse = create(GetEventsResponseSchema);
  const filter = compileFilters(
    { allowList: allowListOf(request), denyList: [] },
    { encoded: () => toBinary(GetEventsResponseSchema, message) },
  );
  const { include, exclude } = request;
  const isShaped = include !== undefined || exclude !== undefined;
  const shape = isShaped ? fieldFilter({ ...(include && { include }), ...(exclude && { exclude }) }) : undefined;
  return (line) => {
    const value = JSON.parse(line) as JsonObject;
    message = create(GetEventsResponseSchema, fromJson(GetEventsResponseSchema, withLoss(value), OPTIONS));
    const view = viewOf(message);
    if (filter !== undefined && view !== undefined && view.type !== 'lost') {
      if (!filter(view as TracerEvent as ProcessEvent)) return undefined;
    }
    return { view, json: () => jsonLine(shape === undefined ? value : shaped(value, shape)) };
  };
}

const OPTIONS = { ignoreUnknownFields: true };

/** The library writes a loss in a form of its own. */
function withLoss({ lost, ...others }: JsonObject): JsonObject {
  if (typeof lost !== 'object' || lost === null || Array.isArray(lost)) return others;
  const { count = 0, hook = '', policy_name: name = '', reason = '' } = lost;
  const info = { number_of_dropped_process_events: count, hook, policy_name: name, reason };
  return { ...others, rate_limit_info: info };
}

function shaped(value: JsonObject, shape: (fields: JsonFields) => JsonFields): object {
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [name, name.startsWith('process_') ? shape(part as JsonFields) : part]),
  );
}
