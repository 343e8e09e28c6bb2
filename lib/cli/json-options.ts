/** The options of `getevents` that shape what is written: fields of the JSON format, compact lines, and redaction. */
import type { CompactOptions, EventType, JsonOptions, RedactionFilter, Redactor } from '../../types/index.js';
import { UsageError, type Context } from './context.js';
import { COLUMN_NAMES, isColumn } from './event-table.js';

export interface ShapeOptions {
  readonly output: 'compact' | 'json' | 'table' | 'tree';
  /** JSON with line breaks. */
  readonly pretty?: boolean;
  /** Columns of the table, or paths of the JSON export. */
  readonly fields?: readonly string[];
  readonly enableAncestors?: true | readonly EventType[];
  readonly enableProcessCred?: boolean;
  readonly enableProcessNs?: boolean;
  readonly includeFields?: readonly string[];
  readonly excludeFields?: readonly string[];
  readonly redactionFilters?: readonly RedactionFilter[];
  readonly color: 'auto' | 'always' | 'never';
  readonly timestamps?: boolean;
  readonly style?: 'detailed' | 'tetragon';
  /** Undefined: in a terminal that is wide enough. */
  readonly who?: boolean;
}

/** Columns of a terminal that has room for the words of `--who`. */
const WIDE = 140;

/** The names of groups of events in `--enable-ancestors`. */
export const ANCESTOR_TYPES: Readonly<Record<string, readonly EventType[]>> = {
  base: ['process_exec', 'process_exit'],
  kprobe: ['process_kprobe'],
  tracepoint: ['process_tracepoint'],
  uprobe: ['process_uprobe'],
  usdt: ['process_usdt'],
  lsm: ['process_lsm'],
  loader: ['process_loader'],
};

const JSON_ONLY = {
  enableAncestors: '--enable-ancestors',
  enableProcessCred: '--enable-process-cred',
  enableProcessNs: '--enable-process-ns',
  includeFields: '--include-fields',
  excludeFields: '--exclude-fields',
} as const;

/** Also checks the options, which is done before anything is loaded. */
export function jsonOptions(options: ShapeOptions, context: Context): JsonOptions {
  const { api } = context;
  const { includeFields: include, excludeFields: exclude } = options;
  const isFiltered = include !== undefined || exclude !== undefined;
  return {
    ancestors: options.enableAncestors ?? false,
    processCred: options.enableProcessCred === true,
    processNs: options.enableProcessNs === true,
    fields: isFiltered
      ? usage(api, () => api.fieldFilter({ ...(include && { include }), ...(exclude && { exclude }) }))
      : undefined,
    redact: redactorOf(options, context),
  };
}

export function compactOptions(options: ShapeOptions, context: Context): CompactOptions {
  const { stdout, env } = context;
  const isTerminal = stdout.isTTY === true;
  const hasColors = isTerminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  return {
    color: options.color === 'auto' ? hasColors : options.color === 'always',
    timestamps: options.timestamps === true,
    style: options.style ?? 'detailed',
    who: options.who ?? (isTerminal && (stdout.columns ?? 0) >= WIDE),
    redact: redactorOf(options, context),
  };
}

/** Refuses options that the format does not have. With JSON, `fields` becomes `includeFields`. */
export function checkedShape<O extends ShapeOptions>(options: O, { api }: Context): O {
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

/** The other formats have no such fields, so an option for them is a mistake. */
export function checkNotJson(options: ShapeOptions): void {
  for (const [key, name] of Object.entries(JSON_ONLY)) {
    const isOfCell = options.output === 'table' && options.fields !== undefined && name.startsWith('--enable-');
    if (options[key as keyof typeof JSON_ONLY] !== undefined && !isOfCell) {
      throw new UsageError(`${name} needs --output json`);
    }
  }
}

export function redactorOf({ redactionFilters }: ShapeOptions, { api }: Context): Redactor | undefined {
  return redactionFilters === undefined ? undefined : usage(api, () => api.redactor(redactionFilters));
}

/** An error of the library about an option is one of the command line. */
function usage<T>(api: Context['api'], make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof api.PolytraceError)) throw error;
    throw new UsageError(`${error.message} (${error.hint})`);
  }
}

/**
 * Redaction filters in the JSON form of Tetragon: `{"binary_regex": […], "redact": […]}`. The text has one or several,
 * each on a line of its own or all in a list. Throws an Error that says what is wrong.
 */
export function parseRedactionFilters(text: string): RedactionFilter[] {
  const values =
    parsedJson(text) ??
    text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map(parsedLine);
  return (Array.isArray(values) ? values.flat() : [values]).map(redactionFilter);
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function parsedLine(line: string): unknown {
  const value = parsedJson(line);
  if (value === undefined) throw new Error(`This is not JSON: ${line}`);
  return value;
}

function redactionFilter(value: unknown): RedactionFilter {
  if (typeof value !== 'object' || value === null) throw new Error('A redaction filter is a JSON object.');
  const { redact, binary_regex: binaryRegex, ...others } = value as Record<string, unknown>;
  const [other] = Object.keys(others);
  if (other !== undefined) throw new Error(`A redaction filter has no field '${other}', only redact and binary_regex.`);
  if (!isTexts(redact)) throw new Error('A redaction filter needs the field redact: a list of regular expressions.');
  if (binaryRegex === undefined) return { redact };
  if (!isTexts(binaryRegex)) throw new Error('binary_regex of a redaction filter is a list of regular expressions.');
  return { redact, binaryRegex };
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
