/** Converts the filters of the command line to a request of the protocol. */
import { create } from '@bufbuild/protobuf';
import { FieldMaskSchema } from '@bufbuild/protobuf/wkt';
import { TYPE_NUMBERS } from '../filters/filters.js';
import {
  EventType,
  FieldFilterAction,
  FieldFilterSchema,
  FilterSchema,
  GetEventsRequestSchema,
  type Filter,
  type GetEventsRequest,
} from '../proto/tetragon/events.gen.js';

/** Patterns are regular expressions of RE2. A member that is absent or empty does not filter. */
export interface EventsRequest {
  readonly types?: readonly string[] | undefined;
  /** Selects the events of these policies and the events without a policy. */
  readonly policyNames?: readonly string[] | undefined;
  readonly binaries?: readonly string[] | undefined;
  readonly namespaces?: readonly string[] | undefined;
  readonly namespacePatterns?: readonly string[] | undefined;
  readonly pods?: readonly string[] | undefined;
  readonly containers?: readonly string[] | undefined;
  /** Label selectors of pods. */
  readonly labels?: readonly string[] | undefined;
  readonly expressions?: readonly string[] | undefined;
  /** `include`: only these fields are sent. `exclude`: these fields are removed. */
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
}

export function toGetEventsRequest(request: EventsRequest): GetEventsRequest {
  const { include, exclude } = request;
  return create(GetEventsRequestSchema, {
    allowList: toAllowList(request),
    changes: true,
    fieldFilters: [
      ...(include === undefined ? [] : [toFieldFilter(include, FieldFilterAction.INCLUDE)]),
      ...(exclude === undefined ? [] : [toFieldFilter(exclude, FieldFilterAction.EXCLUDE)]),
    ],
  });
}

function toFieldFilter(
  paths: readonly string[],
  action: FieldFilterAction,
): ReturnType<typeof create<typeof FieldFilterSchema>> {
  return create(FieldFilterSchema, { fields: create(FieldMaskSchema, { paths: [...paths] }), action });
}

export function toAllowList(request: EventsRequest): Filter[] {
  const filter = create(FilterSchema, {
    eventSet: (request.types ?? []).map(toEventType),
    binaryRegex: [...(request.binaries ?? [])],
    namespace: [...(request.namespaces ?? [])],
    namespaceRegex: [...(request.namespacePatterns ?? [])],
    podRegex: [...(request.pods ?? [])],
    containerNameRegex: [...(request.containers ?? [])],
    labels: [...(request.labels ?? [])],
    celExpression: [...(request.expressions ?? [])],
  });
  const names = request.policyNames ?? [];
  if (names.length === 0) return isEmptyFilter(filter) ? [] : [filter];
  // The protocol's filter for policy names rejects events without a policy, so these get a filter of their own.
  const base = [EventType.PROCESS_EXEC, EventType.PROCESS_EXIT];
  const wanted = filter.eventSet.length === 0 ? base : base.filter((type) => filter.eventSet.includes(type));
  const ofPolicies = create(FilterSchema, { ...filter, policyNames: [...names] });
  return wanted.length === 0 ? [ofPolicies] : [ofPolicies, create(FilterSchema, { ...filter, eventSet: wanted })];
}

function isEmptyFilter(filter: Filter): boolean {
  return Object.values(filter).every((value) => !Array.isArray(value) || value.length === 0);
}

function toEventType(type: string): EventType {
  if (type === 'lost') return EventType.RATE_LIMIT_INFO;
  return Object.hasOwn(TYPE_NUMBERS, type) ? TYPE_NUMBERS[type as keyof typeof TYPE_NUMBERS] : EventType.UNDEF;
}
