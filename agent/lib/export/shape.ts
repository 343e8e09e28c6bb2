/** What of an event is exported, from the settings: filters, fields, redaction. */
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import {
  fieldFilter,
  PolytraceError,
  redactor,
  toJson,
  type EventType,
  type FieldFilter,
  type JsonFields,
  type JsonOptions,
  type PlainEvent,
  type RedactionFilter,
  type Redactor,
  type TracerEvent,
} from 'polytrace';
import { BadOption } from '../config/problems.js';
import { nameOf, type AgentOptions, type SettingKey } from '../config/settings.js';
import { EventEncoder } from '../encode/events.js';
import { compileFilters, type Test } from '../filters/filters.js';
import { FilterError } from '../filters/limits.js';
import { EventType as TypeNumber, FilterSchema, type Filter } from '../proto/tetragon/events.gen.js';

export type Sources = Readonly<Record<SettingKey, string>>;

export interface Shape {
  /** True for an event that is exported. Losses are always exported. */
  readonly wants: Test | undefined;
  /** The line of an event, without a newline. */
  readonly lineOf: (event: PlainEvent) => string;
}

const TYPES = [
  'process_exec',
  'process_exit',
  'process_kprobe',
  'process_tracepoint',
  'process_loader',
  'process_uprobe',
  'process_lsm',
  'process_usdt',
] as const satisfies readonly EventType[];
type ProcessType = (typeof TYPES)[number];

/** Throws BadOption. Undefined without filters. */
export function redactorOf({ redactionFilters }: AgentOptions, sources: Sources): Redactor | undefined {
  if (redactionFilters.length === 0) return undefined;
  return checked('redactionFilters', sources, () => redactor(redactionFilters.map(redactionFilter)));
}

/** Throws BadOption. */
export function shapeOf(options: AgentOptions, sources: Sources, redact: Redactor | undefined): Shape {
  const { enableAncestors: ancestors, enableProcessCred: processCred, enableProcessNs: processNs } = options;
  const base: JsonOptions = { ancestors, processCred, processNs, redact };
  const rules = options.fieldFilters.map((rule) => checked('fieldFilters', sources, () => fieldRule(rule)));
  const byType = new Map<string, JsonOptions>(TYPES.map((type) => [type, { ...base, fields: fieldsOf(type, rules) }]));
  const cluster = options.clusterName === undefined ? '' : `,"cluster_name":${JSON.stringify(options.clusterName)}}`;
  const lineOf = (event: PlainEvent): string => {
    const line = toJson(event, byType.get(event.type) ?? base);
    return cluster === '' ? line : line.slice(0, -1) + cluster;
  };
  return { wants: testOf(options, sources), lineOf };
}

function testOf(options: AgentOptions, sources: Sources): Test | undefined {
  const allowList = filtersOf('exportAllowlist', options, sources);
  const denyList = filtersOf('exportDenylist', options, sources);
  // CEL expressions read protobuf
  const encoder = new EventEncoder(options);
  const context = { encoded: (event: TracerEvent) => encoder.encode(event).take() };
  const key = allowList.length > 0 ? 'exportAllowlist' : 'exportDenylist';
  return checked(key, sources, () => compileFilters({ allowList, denyList }, context));
}

function filtersOf(key: 'exportAllowlist' | 'exportDenylist', options: AgentOptions, sources: Sources): Filter[] {
  return options[key].map((filter) => checked(key, sources, () => fromJson(FilterSchema, filter as JsonValue)));
}

interface FieldRule {
  readonly types: ReadonlySet<string>;
  readonly filter: FieldFilter;
}

/** A filter in the form of Tetragon: `{"fields": "process.binary,…", "event_set": […], "action": "INCLUDE"}`. */
function fieldRule(rule: object): FieldRule {
  const { fields, event_set: set = [], invert_event_set: invert = false, action, ...others } = rule as JsonFields;
  noOthers(others, 'fields, event_set, invert_event_set and action');
  if (action !== 'INCLUDE' && action !== 'EXCLUDE') throw new Error('action has to be INCLUDE or EXCLUDE');
  if (!isTexts(set) || typeof invert !== 'boolean') throw new Error('event_set has to be a list of types of events');
  const unknown = set.find((name) => !(name in TypeNumber));
  if (unknown !== undefined) throw new Error(`event_set: there is no type '${unknown}'`);
  const paths = typeof fields === 'string' ? fields.split(',') : fields;
  if (!isTexts(paths) || paths.length === 0) throw new Error('fields has to be paths such as process.binary');
  const named = new Set(set.map((name) => name.toLowerCase()));
  const types = TYPES.filter((type) => named.size === 0 || named.has(type) !== invert);
  return { types: new Set(types), filter: fieldFilter(action === 'INCLUDE' ? { include: paths } : { exclude: paths }) };
}

/** All filters for a type, one after the other. */
function fieldsOf(type: ProcessType, rules: readonly FieldRule[]): FieldFilter | undefined {
  const filters = rules.filter(({ types }) => types.has(type)).map(({ filter }) => filter);
  if (filters.length === 0) return undefined;
  return (fields) => filters.reduce((left, filter) => filter(left), fields);
}

/** A filter in the form of Tetragon: `{"binary_regex": […], "redact": […]}`. */
function redactionFilter(filter: object): RedactionFilter {
  const { redact, binary_regex: binaryRegex = [], ...others } = filter as JsonFields;
  noOthers(others, 'redact and binary_regex');
  if (!isTexts(redact) || !isTexts(binaryRegex)) {
    throw new Error('redact and binary_regex have to be lists of regular expressions');
  }
  return binaryRegex.length === 0 ? { redact } : { redact, binaryRegex };
}

function noOthers(others: object, known: string): void {
  const [other] = Object.keys(others);
  if (other !== undefined) throw new Error(`there is no field '${other}', only ${known}`);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

/** Names the setting, and where its value comes from. */
function checked<T>(key: SettingKey, sources: Sources, make: () => T): T {
  try {
    return make();
  } catch (error) {
    const hint = error instanceof PolytraceError && error.hint !== '' ? ` (${error.hint})` : '';
    if (!(error instanceof Error) || (error.constructor !== Error && !isKnown(error))) throw error;
    throw new BadOption([
      { code: 'CONFIG_VALUE', place: sources[key], message: `${nameOf(key)}: ${error.message}${hint}` },
    ]);
  }
}

/** protobuf's reader throws errors of its own for JSON that is no filter. */
function isKnown(error: Error): boolean {
  return error instanceof FilterError || error instanceof PolytraceError || error.name === 'FieldError';
}
