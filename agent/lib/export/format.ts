/** Builds the form of exported events from the settings: filters, fields and redaction. */
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import {
  fieldFilter,
  PolytraceError,
  redactor,
  toJson,
  type FieldFilter,
  type JsonFields,
  type JsonOptions,
  type PlainEvent,
  type RedactionFilter,
  type Redactor,
  type AgentEvent,
} from 'polytrace';
import {
  compileFilters,
  EventEncoder,
  type EventTest,
  EventType as TypeNumber,
  type Filter,
  FilterError,
  FilterSchema,
  TYPE_NUMBERS,
} from 'polytrace/protocol';
import { ConfigError } from '../config/problems.js';
import { settingName, type AgentOptions, type SettingKey } from '../config/settings.js';

export type Sources = Readonly<Record<SettingKey, string>>;

export interface ExportFormat {
  /** Returns true for an event that is exported. Undefined: all are. Lost events are always exported. */
  readonly isExported: EventTest | undefined;
  /** Returns the line of an event, without a newline. */
  readonly formatLine: (event: PlainEvent) => string;
}

type ProcessType = keyof typeof TYPE_NUMBERS;
const TYPES = Object.keys(TYPE_NUMBERS) as ProcessType[];

/** Returns undefined without filters. Throws ConfigError. */
export function createRedactor({ redactionFilters }: AgentOptions, sources: Sources): Redactor | undefined {
  if (redactionFilters.length === 0) return undefined;
  return checkSetting('redactionFilters', sources, () => redactor(redactionFilters.map(parseRedactionFilter)));
}

/** Throws ConfigError. */
export function createExportFormat(
  options: AgentOptions,
  sources: Sources,
  redact: Redactor | undefined,
): ExportFormat {
  const { enableAncestors: ancestors, enableProcessCred: processCred, enableProcessNs: processNs } = options;
  const base: JsonOptions = { ancestors, processCred, processNs, redact };
  const rules = options.fieldFilters.map((rule) => checkSetting('fieldFilters', sources, () => parseFieldRule(rule)));
  const byType = new Map<string, JsonOptions>(
    TYPES.map((type) => [type, { ...base, fields: composeFieldFilters(type, rules) }]),
  );
  const cluster = options.clusterName === undefined ? '' : `,"cluster_name":${JSON.stringify(options.clusterName)}}`;
  const formatLine = (event: PlainEvent): string => {
    const line = toJson(event, byType.get(event.type) ?? base);
    return cluster === '' ? line : line.slice(0, -1) + cluster;
  };
  return { isExported: compileExportFilter(options, sources), formatLine };
}

function compileExportFilter(options: AgentOptions, sources: Sources): EventTest | undefined {
  const allowList = parseFilters('exportAllowlist', options, sources);
  const denyList = parseFilters('exportDenylist', options, sources);
  // CEL expressions are evaluated on protobuf messages.
  const encoder = new EventEncoder(options);
  const context = { eventBytes: (event: AgentEvent) => encoder.encode(event).take() };
  const key = allowList.length > 0 ? 'exportAllowlist' : 'exportDenylist';
  return checkSetting(key, sources, () => compileFilters({ allowList, denyList }, context));
}

function parseFilters(key: 'exportAllowlist' | 'exportDenylist', options: AgentOptions, sources: Sources): Filter[] {
  return options[key].map((filter) => checkSetting(key, sources, () => fromJson(FilterSchema, filter as JsonValue)));
}

interface FieldRule {
  readonly types: ReadonlySet<string>;
  readonly filter: FieldFilter;
}

/** Parses a filter in Tetragon's form: `{"fields": "process.binary,…", "event_set": […], "action": "INCLUDE"}`. */
function parseFieldRule(rule: object): FieldRule {
  const { fields, event_set: set = [], invert_event_set: invert = false, action, ...others } = rule as JsonFields;
  rejectUnknownFields(others, 'fields, event_set, invert_event_set and action');
  if (action !== 'INCLUDE' && action !== 'EXCLUDE') throw new Error('action has to be INCLUDE or EXCLUDE');
  if (!isStringArray(set) || typeof invert !== 'boolean')
    throw new Error('event_set has to be a list of types of events');
  const unknown = set.find((name) => !(name in TypeNumber));
  if (unknown !== undefined) throw new Error(`event_set: there is no type '${unknown}'`);
  const paths = typeof fields === 'string' ? fields.split(',') : fields;
  if (!isStringArray(paths) || paths.length === 0) throw new Error('fields has to be paths such as process.binary');
  const named = new Set(set.map((name) => name.toLowerCase()));
  const types = TYPES.filter((type) => named.size === 0 || named.has(type) !== invert);
  return { types: new Set(types), filter: fieldFilter(action === 'INCLUDE' ? { include: paths } : { exclude: paths }) };
}

/** Combines all filters for a type, which run in order. */
function composeFieldFilters(type: ProcessType, rules: readonly FieldRule[]): FieldFilter | undefined {
  const filters = rules.filter(({ types }) => types.has(type)).map(({ filter }) => filter);
  if (filters.length === 0) return undefined;
  return (fields) => filters.reduce((left, filter) => filter(left), fields);
}

/** Parses a filter in Tetragon's form: `{"binary_regex": […], "redact": […]}`. */
function parseRedactionFilter(filter: object): RedactionFilter {
  const { redact, binary_regex: binaryRegex = [], ...others } = filter as JsonFields;
  rejectUnknownFields(others, 'redact and binary_regex');
  if (!isStringArray(redact) || !isStringArray(binaryRegex)) {
    throw new Error('redact and binary_regex have to be lists of regular expressions');
  }
  return binaryRegex.length === 0 ? { redact } : { redact, binaryRegex };
}

function rejectUnknownFields(others: object, known: string): void {
  const [other] = Object.keys(others);
  if (other !== undefined) throw new Error(`there is no field '${other}', only ${known}`);
}

function isStringArray(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

/** Runs `make` and adds the name and the source of the setting to its errors. */
function checkSetting<T>(key: SettingKey, sources: Sources, make: () => T): T {
  try {
    return make();
  } catch (error) {
    const hint = error instanceof PolytraceError && error.hint !== '' ? ` (${error.hint})` : '';
    if (!(error instanceof Error) || (error.constructor !== Error && !isFilterError(error))) throw error;
    throw new ConfigError([
      { code: 'CONFIG_VALUE', source: sources[key], message: `${settingName(key)}: ${error.message}${hint}` },
    ]);
  }
}

/** protobuf throws a FieldError for JSON that is not a filter. */
function isFilterError(error: Error): boolean {
  return error instanceof FilterError || error instanceof PolytraceError || error.name === 'FieldError';
}
