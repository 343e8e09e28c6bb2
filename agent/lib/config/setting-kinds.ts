/** The kinds of settings. Each kind parses the string of a flag or a variable, and a value of YAML. */

/** One setting. Its names on the command line, in files and in the environment come from its key in `SETTINGS`. */
export interface Setting<T> {
  /** The placeholder for the value in the help. Undefined for a switch. */
  readonly placeholder?: string;
  readonly help: string;
  readonly fallback: T;
  /** No output shows the value. */
  readonly isSecret?: boolean;
  /** Returns what outputs show of the value, without its secrets. Default: all. */
  readonly show?: (value: unknown) => unknown;
  /** The setting can be repeated, or be a list in YAML. */
  readonly isList?: boolean;
  /** JSON Schema of the value. */
  readonly schema: object;
  /** Parses a string or a value of YAML. Throws SettingValueError. */
  readonly parse: (value: unknown) => T;
}

/** A mistake in a part of a value. */
export interface ValueProblem {
  /** Where the part is in the value: indexes and names. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** The value is not valid for its setting. The message says which values are. */
export class SettingValueError extends Error {
  readonly problems: readonly ValueProblem[];

  constructor(problems: string | readonly ValueProblem[]) {
    const list = typeof problems === 'string' ? [{ path: [], message: problems }] : problems;
    super(list.map(({ message }) => message).join('; '));
    this.problems = list;
  }
}

function toStringValue(value: unknown, expected = 'it has to be a text'): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  throw new SettingValueError(expected);
}

export function stringSetting(placeholder: string, help: string): Setting<string | undefined>;
export function stringSetting(placeholder: string, help: string, fallback: string): Setting<string>;
export function stringSetting(placeholder: string, help: string, fallback?: string): Setting<string | undefined> {
  const parse = (value: unknown): string => {
    const result = toStringValue(value);
    if (result === '') throw new SettingValueError('it is empty');
    return result;
  };
  return { placeholder, help, fallback, schema: { type: 'string', minLength: 1 }, parse };
}

/** Secret HTTP headers: NAME=VALUE, separated by commas, as in OTEL_EXPORTER_OTLP_HEADERS. */
export function headersSetting(placeholder: string, help: string): Setting<string | undefined> {
  const base = stringSetting(placeholder, help);
  const parse = (value: unknown): string => {
    const given = base.parse(value) ?? '';
    const wrong = Object.keys(parseHeaders(given)).find((name) => !/^[\w-]+$/.test(name));
    if (wrong !== undefined) throw new SettingValueError('it has to be NAME=VALUE, separated by commas');
    return given;
  };
  return { ...base, isSecret: true, parse };
}

/** A pair without `=` gets an empty name. */
export function parseHeaders(given: string): Record<string, string> {
  const pairs = given.split(',').filter((pair) => pair.trim() !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      return [pair.slice(0, Math.max(at, 0)).trim(), pair.slice(at + 1).trim()];
    }),
  );
}

/** The path of a socket, or unix://PATH. The value is the path. */
export function socketSetting(help: string): Setting<string | undefined> {
  const base = stringSetting('<socket>', help);
  const parse = (value: unknown): string => {
    const path = (base.parse(value) ?? '').replace(/^unix:\/\//, '');
    if (!path.startsWith('/')) throw new SettingValueError('it has to be the path of a socket, /PATH or unix:///PATH');
    return path;
  };
  return { ...base, parse };
}

/** A URL of HTTP or HTTPS. */
export function urlSetting(placeholder: string, help: string): Setting<string | undefined> {
  const base = stringSetting(placeholder, help);
  const parse = (value: unknown): string => {
    const given = base.parse(value) ?? '';
    if (!/^https?:\/\/[^/]/.test(given) || !URL.canParse(given))
      throw new SettingValueError('it has to be http://… or https://…');
    return given;
  };
  return { ...base, parse };
}

/**
 * A list of strings. Commas or newlines separate them, and YAML can have a list. `choices`: the strings that are
 * allowed.
 */
export function listSetting(
  placeholder: string,
  help: string,
  fallback: readonly string[] = [],
  choices?: readonly string[],
): Setting<readonly string[]> {
  const parse = (value: unknown): string[] => {
    const parts = Array.isArray(value) ? (value as unknown[]) : [value];
    const strings = parts.map((part) => toStringValue(part, 'it has to be a text, or a list of texts'));
    const values = strings
      .flatMap((each) => each.split(/[,\n]/))
      .map((each) => each.trim())
      .filter((each) => each !== '');
    const other = values.find((value) => choices?.includes(value) === false);
    if (other !== undefined) throw new SettingValueError(`'${other}' is not one of ${choices?.join(', ')}`);
    return values;
  };
  const schema = { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] };
  return { placeholder, help, fallback, isList: true, schema, parse };
}

/** HOST:PORT, or :PORT for all addresses of the machine. */
export function listenAddressSetting(placeholder: string, help: string): Setting<string | undefined> {
  const { schema } = stringSetting(placeholder, help);
  const expected = 'it has to be HOST:PORT or :PORT';
  const parse = (value: unknown): string => {
    const given = toStringValue(value, expected);
    if (parseListenAddress(given) === undefined) throw new SettingValueError(expected);
    return given;
  };
  return { placeholder, help, fallback: undefined, schema, parse };
}

/** Returns undefined when the address is not valid. */
export function parseListenAddress(address: string): { readonly host?: string; readonly port: number } | undefined {
  const [, host = '', port = ''] = /^(\[[0-9a-fA-F:]+\]|[^:/\s]*):(\d{1,5})$/.exec(address) ?? [];
  if (port === '' || Number(port) > 65_535) return undefined;
  return { port: Number(port), ...(host === '' ? {} : { host: host.replace(/^\[|\]$/g, '') }) };
}

const BOOLEANS: Readonly<Record<string, boolean>> = { true: true, false: false, '1': true, '0': false };

export function booleanSetting(help: string, fallback = false): Setting<boolean> {
  const parse = (value: unknown): boolean => {
    const result = typeof value === 'boolean' ? value : BOOLEANS[toStringValue(value, 'it has to be true or false')];
    if (result === undefined) throw new SettingValueError('it has to be true or false');
    return result;
  };
  return { help, fallback, schema: { type: 'boolean' }, parse };
}

export function choiceSetting<const T extends string>(
  placeholder: string,
  help: string,
  choices: readonly T[],
  fallback: T,
): Setting<T> {
  const expected = `it has to be one of ${choices.join(', ')}`;
  const parse = (value: unknown): T => {
    const found = choices.find((each) => each === toStringValue(value, expected));
    if (found === undefined) throw new SettingValueError(expected);
    return found;
  };
  return { placeholder, help: `${help}: ${choices.join(', ')}`, fallback, schema: { enum: choices }, parse };
}

/** A whole number. */
export function integerSetting(
  placeholder: string,
  help: string,
  min: number,
  max: number,
  fallback: number,
): Setting<number> {
  const formatBound = (value: number): string => value.toLocaleString('en');
  const expected = `it has to be a whole number from ${formatBound(min)} to ${formatBound(max)}`;
  const parse = (value: unknown): number => {
    const given = toStringValue(value, expected);
    const result = /^-?\d+$/.test(given) ? Number(given) : NaN;
    if (!Number.isSafeInteger(result) || result < min || result > max) throw new SettingValueError(expected);
    return result;
  };
  return { placeholder, help, fallback, schema: { type: 'integer', minimum: min, maximum: max }, parse };
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** The longest time of a timer of Node.js. */
const DURATION_MS_MAX = 24 * 24 * 3_600_000;
const DURATION = /^(?:\d+(?:ms|s|m|h))+$/;

/** A time such as `30s` or `1h30m`, of at least `min` milliseconds. */
export function durationSetting(placeholder: string, help: string, fallback: string, min = 0): Setting<string> {
  const minimum = min === 0 ? '' : `at least ${min}ms and `;
  const expected = `it has to be a time such as 500ms, 30s, 10m or 24h, ${minimum}at most 576h`;
  const parse = (value: unknown): string => {
    const given = toStringValue(value, expected);
    const ms = parseDuration(given);
    if ((given !== '0' && !DURATION.test(given)) || ms > DURATION_MS_MAX || ms < min)
      throw new SettingValueError(expected);
    return given;
  };
  const pattern = min === 0 ? `${DURATION.source}|^0$` : DURATION.source;
  return { placeholder, help, fallback, schema: { type: ['string', 'integer'], pattern }, parse };
}

/** Returns the milliseconds of a time such as `1h30m`. */
export function parseDuration(time: string): number {
  const parts = [...time.matchAll(/(\d+)(ms|s|m|h)/g)];
  return parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (UNITS[unit] ?? 0), 0);
}

const RATE = /^([1-9]\d{0,8}),((?:\d+(?:ms|s|m|h))+)$/;
const RATE_INTERVAL_MS_MAX = 24 * 60 * 60 * 1000;

/** A number of events in a time, such as `1000,1s`. */
export function rateSetting(placeholder: string, help: string): Setting<string | undefined> {
  const expected = 'it has to be EVENTS,TIME such as 1000,1s, at most 999999999 events and 24h';
  const parse = (value: unknown): string => {
    const given = toStringValue(value, expected);
    const { intervalMs = 0 } = parseRate(given) ?? {};
    if (intervalMs < 1 || intervalMs > RATE_INTERVAL_MS_MAX) throw new SettingValueError(expected);
    return given;
  };
  return { placeholder, help, fallback: undefined, schema: { type: 'string', pattern: RATE.source }, parse };
}

/** Parses the value of a rateSetting(). */
export function parseRate(rate: string): { readonly events: number; readonly intervalMs: number } | undefined {
  const [, events, interval] = RATE.exec(rate) ?? [];
  return events === undefined || interval === undefined
    ? undefined
    : { events: Number(events), intervalMs: parseDuration(interval) };
}

/** JSON objects: one object on each line, or a list of objects in YAML. */
export function objectsSetting(placeholder: string, help: string): Setting<readonly object[]> {
  const expected = 'it has to be JSON objects, each on a line of its own';
  const parse = (value: unknown): object[] => {
    if (Array.isArray(value)) return value.flatMap(parse);
    if (typeof value === 'object' && value !== null) return [value];
    return toStringValue(value, expected)
      .split('\n')
      .filter((line) => line.trim() !== '')
      .flatMap((line) => {
        const parsed = tryParseJson(line);
        if (typeof parsed !== 'object' || parsed === null) throw new SettingValueError(`${expected}: ${line}`);
        return parse(parsed);
      });
  };
  const items = { type: ['object', 'string'] };
  return { placeholder, help, fallback: [], schema: { anyOf: [{ type: 'string' }, { type: 'array', items }] }, parse };
}

function tryParseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The mode of a file: three octal digits. */
export function fileModeSetting(placeholder: string, help: string, fallback: string): Setting<string> {
  const expected = 'it has to be three octal digits, such as 600';
  const parse = (value: unknown): string => {
    const given = toStringValue(value, expected);
    if (!/^0?[0-7]{3}$/.test(given)) throw new SettingValueError(expected);
    return given.slice(-3);
  };
  return { placeholder, help, fallback, schema: { type: ['string', 'integer'], pattern: '^0?[0-7]{3}$' }, parse };
}
