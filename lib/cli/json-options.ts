/** The output options of `getevents`: fields of the JSON format, compact lines, and redaction. */
import type { CompactOptions, EventType, JsonOptions, RedactionFilter, Redactor } from '../../types/index.js';
import { UsageError, type Context } from './context.js';
import { COLUMN_NAMES, isColumn } from './event-table.js';

export interface FormatOptions {
  readonly output: 'compact' | 'json' | 'table' | 'tree';
  /** JSON with line breaks. */
  readonly pretty?: boolean;
  /** Columns of the table, or paths of the JSON export. */
  readonly fields?: readonly string[];
  readonly enableAncestors?: true | readonly EventType[];
  readonly enableProcessCred?: boolean;
  readonly enableProcessNs?: boolean;
  readonly enableProcessEnvironmentVariables?: boolean;
  readonly filterEnvironmentVariables?: readonly string[];
  readonly includeFields?: readonly string[];
  readonly excludeFields?: readonly string[];
  readonly redactionFilters?: readonly RedactionFilter[];
  readonly color: 'auto' | 'always' | 'never';
  readonly timestamps?: boolean;
  readonly style?: 'detailed' | 'tetragon';
  /** Undefined: true in a terminal that is wide enough. */
  readonly who?: boolean;
}

/** Smallest width of a terminal in which `--who` is the default, in columns. */
const WHO_COLUMNS_MIN = 140;

/** The names of event groups in `--enable-ancestors`. */
const GROUPS = {
  base: ['process_exec', 'process_exit'],
  kprobe: ['process_kprobe'],
  tracepoint: ['process_tracepoint'],
  uprobe: ['process_uprobe'],
  usdt: ['process_usdt'],
  lsm: ['process_lsm'],
  loader: ['process_loader'],
} as const satisfies Readonly<Record<string, readonly EventType[]>>;

export const ANCESTOR_TYPES: Readonly<Record<string, readonly EventType[]>> = GROUPS;

type Nothing<T extends never> = T;
/** @public Only the compiler uses it: each event with a process in its JSON is in a group. */
export type GroupChecks = Nothing<
  Exclude<EventType, (typeof GROUPS)[keyof typeof GROUPS][number] | 'process_throttle' | 'change' | 'lost'>
>;

const JSON_ONLY = {
  enableAncestors: '--enable-ancestors',
  enableProcessCred: '--enable-process-cred',
  enableProcessNs: '--enable-process-ns',
  enableProcessEnvironmentVariables: '--enable-process-environment-variables',
  filterEnvironmentVariables: '--filter-environment-variables',
  includeFields: '--include-fields',
  excludeFields: '--exclude-fields',
} as const;

/** Returns options of the JSON format. Throws a UsageError for an invalid option. */
export function jsonOptions(options: FormatOptions, context: Context): JsonOptions {
  const { api } = context;
  const { includeFields: include, excludeFields: exclude } = options;
  const isFiltered = include !== undefined || exclude !== undefined;
  return {
    ancestors: options.enableAncestors ?? false,
    processCred: options.enableProcessCred === true,
    processNs: options.enableProcessNs === true,
    fields: isFiltered
      ? wrapOptionError(api, () => api.fieldFilter({ ...(include && { include }), ...(exclude && { exclude }) }))
      : undefined,
    redact: createRedactor(options, context),
  };
}

export function compactOptions(options: FormatOptions, context: Context): CompactOptions {
  const { stdout, env } = context;
  const isTerminal = stdout.isTTY === true;
  const hasColors = isTerminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  return {
    color: options.color === 'auto' ? hasColors : options.color === 'always',
    timestamps: options.timestamps === true,
    style: options.style ?? 'detailed',
    who: options.who ?? (isTerminal && (stdout.columns ?? 0) >= WHO_COLUMNS_MIN),
    redact: createRedactor(options, context),
  };
}

/** Rejects options that the output format does not support. With JSON, `fields` becomes `includeFields`. */
export function checkFormatOptions<O extends FormatOptions>(options: O, { api }: Context): O {
  const { output, fields, pretty } = options;
  if (pretty === true && output !== 'json') throw new UsageError('--pretty needs --output json');
  if (fields === undefined) return options;
  if (options.includeFields !== undefined) throw new UsageError('--fields and --include-fields exclude each other');
  if (output === 'json') return { ...options, includeFields: fields };
  if (output !== 'table') throw new UsageError('--fields needs --output table or json');
  const paths = fields.filter((name) => !isColumn(name));
  try {
    api.fieldFilter({ include: paths });
  } catch (error) {
    if (!(error instanceof api.PolytraceError)) throw error;
    throw new UsageError(`${error.message}, and no column is called so: ${COLUMN_NAMES.join(', ')} (${error.hint})`);
  }
  return options;
}

/** Rejects options that only the JSON format supports. */
export function checkNotJson(options: FormatOptions): void {
  for (const [key, name] of Object.entries(JSON_ONLY)) {
    const isForCell = options.output === 'table' && options.fields !== undefined && name.startsWith('--enable-');
    if (options[key as keyof typeof JSON_ONLY] !== undefined && !isForCell) {
      throw new UsageError(`${name} needs --output json`);
    }
  }
}

export function createRedactor({ redactionFilters }: FormatOptions, { api }: Context): Redactor | undefined {
  return redactionFilters === undefined ? undefined : wrapOptionError(api, () => api.redactor(redactionFilters));
}

/** Runs a function, and turns an error of the library about an option into a UsageError. */
function wrapOptionError<T>(api: Context['api'], make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof api.PolytraceError)) throw error;
    throw new UsageError(`${error.message} (${error.hint})`);
  }
}

/**
 * Parses redaction filters in the JSON form of Tetragon: `{"binary_regex": […], "redact": […]}`. The text contains one
 * filter, one filter a line, or a list of filters. Throws an Error with the reason.
 */
export function parseRedactionFilters(text: string): RedactionFilter[] {
  const values =
    tryParseJson(text) ??
    text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map(parseJsonLine);
  return (Array.isArray(values) ? values.flat() : [values]).map(toRedactionFilter);
}

function tryParseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function parseJsonLine(line: string): unknown {
  const value = tryParseJson(line);
  if (value === undefined) throw new Error(`This is not JSON: ${line}`);
  return value;
}

function toRedactionFilter(value: unknown): RedactionFilter {
  if (typeof value !== 'object' || value === null) throw new Error('A redaction filter is a JSON object.');
  const { redact, binary_regex: binaryRegex, ...others } = value as Record<string, unknown>;
  const [other] = Object.keys(others);
  if (other !== undefined) throw new Error(`A redaction filter has no field '${other}', only redact and binary_regex.`);
  if (!isStringArray(redact))
    throw new Error('A redaction filter needs the field redact: a list of regular expressions.');
  if (binaryRegex === undefined) return { redact };
  if (!isStringArray(binaryRegex))
    throw new Error('binary_regex of a redaction filter is a list of regular expressions.');
  return { redact, binaryRegex };
}

function isStringArray(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
