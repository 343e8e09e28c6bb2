/** What the command asks for, as a request of the protocol. */
import { create } from '@bufbuild/protobuf';
import { FieldMaskSchema } from '@bufbuild/protobuf/wkt';
import {
  EventType,
  FieldFilterAction,
  FieldFilterSchema,
  FilterSchema,
  GetEventsRequestSchema,
  type Filter,
  type GetEventsRequest,
} from '../proto/tetragon/events.gen.js';

/** Patterns are regular expressions of RE2. What is absent or empty does not filter. */
export interface EventsRequest {
  readonly types?: readonly string[] | undefined;
  /** Events of these policies, and events that are of no policy. */
  readonly policyNames?: readonly string[] | undefined;
  readonly binaries?: readonly string[] | undefined;
  readonly namespaces?: readonly string[] | undefined;
  readonly namespacePatterns?: readonly string[] | undefined;
  readonly pods?: readonly string[] | undefined;
  readonly containers?: readonly string[] | undefined;
  /** Selectors of labels of pods. */
  readonly labels?: readonly string[] | undefined;
  readonly expressions?: readonly string[] | undefined;
  /** Fields that events keep, and fields that they lose. */
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
}

export function requestOf(request: EventsRequest): GetEventsRequest {
  const { include, exclude } = request;
  return create(GetEventsRequestSchema, {
    allowList: allowListOf(request),
    fieldFilters: [
      ...(include === undefined ? [] : [fieldFilter(include, FieldFilterAction.INCLUDE)]),
      ...(exclude === undefined ? [] : [fieldFilter(exclude, FieldFilterAction.EXCLUDE)]),
    ],
  });
}

function fieldFilter(
  paths: readonly string[],
  action: FieldFilterAction,
): ReturnType<typeof create<typeof FieldFilterSchema>> {
  return create(FieldFilterSchema, { fields: create(FieldMaskSchema, { paths: [...paths] }), action });
}

export function allowListOf(request: EventsRequest): Filter[] {
  const filter = create(FilterSchema, {
    eventSet: (request.types ?? []).map(typeNumber),
    binaryRegex: [...(request.binaries ?? [])],
    namespace: [...(request.namespaces ?? [])],
    namespaceRegex: [...(request.namespacePatterns ?? [])],
    podRegex: [...(request.pods ?? [])],
    containerNameRegex: [...(request.containers ?? [])],
    labels: [...(request.labels ?? [])],
    celExpression: [...(request.expressions ?? [])],
  });
  const names = request.policyNames ?? [];
  if (names.length === 0) return isEmpty(filter) ? [] : [filter];
  // The protocol's filter leaves out the events of no policy. They are a filter of their own.
  const base = [EventType.PROCESS_EXEC, EventType.PROCESS_EXIT];
  const wanted = filter.eventSet.length === 0 ? base : base.filter((type) => filter.eventSet.includes(type));
  const ofPolicies = create(FilterSchema, { ...filter, policyNames: [...names] });
  return wanted.length === 0 ? [ofPolicies] : [ofPolicies, create(FilterSchema, { ...filter, eventSet: wanted })];
}

function isEmpty(filter: Filter): boolean {
  return Object.values(filter).every((value) => !Array.isArray(value) || value.length === 0);
}

function typeNumber(type: string): EventType {
  if (type === 'lost') return EventType.RATE_LIMIT_INFO;
  return (EventType as unknown as Readonly<Record<string, EventType>>)[type.toUpperCase()] ?? EventType.UNDEF;
}
