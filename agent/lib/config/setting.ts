/** The kinds of settings of the agent: how the text of a flag or a variable, and a value of YAML, become a value. */

/** One setting. Its name on the command line, in files and in the environment comes from its key in the table. */
export interface Setting<T> {
  /** The word that the help shows in place of the value. Undefined for a switch. */
  readonly placeholder?: string;
  readonly help: string;
  readonly fallback: T;
  /** The value is in no output. */
  readonly isSecret?: boolean;
  /** It may be given several times, or as a list. */
  readonly isList?: boolean;
  /** JSON Schema of the value. */
  readonly schema: object;
  /** Throws BadValue. `value` is a text, or what YAML has. */
  readonly read: (value: unknown) => T;
}

/** A value that a setting cannot have. The message says what it can be. */
export class BadValue extends Error {}

function textOf(value: unknown, expected = 'it has to be a text'): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  throw new BadValue(expected);
}

export function text(placeholder: string, help: string): Setting<string | undefined>;
export function text(placeholder: string, help: string, fallback: string): Setting<string>;
export function text(placeholder: string, help: string, fallback?: string): Setting<string | undefined> {
  const read = (value: unknown): string => {
    const result = textOf(value);
    if (result === '') throw new BadValue('it is empty');
    return result;
  };
  return { placeholder, help, fallback, schema: { type: 'string', minLength: 1 }, read };
}

/** Headers that no output has: NAME=VALUE, separated by commas, as in OTEL_EXPORTER_OTLP_HEADERS. */
export function secret(placeholder: string, help: string): Setting<string | undefined> {
  const base = text(placeholder, help);
  const read = (value: unknown): string => {
    const given = base.read(value) ?? '';
    const wrong = Object.keys(headersOf(given)).find((name) => !/^[\w-]+$/.test(name));
    if (wrong !== undefined) throw new BadValue('it has to be NAME=VALUE, separated by commas');
    return given;
  };
  return { ...base, isSecret: true, read };
}

/** A pair without `=` has the name ''. */
export function headersOf(given: string): Record<string, string> {
  const pairs = given.split(',').filter((pair) => pair.trim() !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      return [pair.slice(0, Math.max(at, 0)).trim(), pair.slice(at + 1).trim()];
    }),
  );
}

/** A URL of HTTP or HTTPS. */
export function url(placeholder: string, help: string): Setting<string | undefined> {
  const base = text(placeholder, help);
  const read = (value: unknown): string => {
    const given = base.read(value) ?? '';
    if (!/^https?:\/\/[^/]/.test(given) || !URL.canParse(given))
      throw new BadValue('it has to be http://… or https://…');
    return given;
  };
  return { ...base, read };
}

/** Several texts: commas or lines separate them, and YAML can have a list. `choices`: the texts that are allowed. */
export function list(
  placeholder: string,
  help: string,
  fallback: readonly string[] = [],
  choices?: readonly string[],
): Setting<readonly string[]> {
  const read = (value: unknown): string[] => {
    const parts = Array.isArray(value) ? (value as unknown[]) : [value];
    const texts = parts.map((part) => textOf(part, 'it has to be a text, or a list of texts'));
    const words = texts
      .flatMap((each) => each.split(/[,\n]/))
      .map((each) => each.trim())
      .filter((each) => each !== '');
    const other = words.find((word) => choices?.includes(word) === false);
    if (other !== undefined) throw new BadValue(`'${other}' is not one of ${choices?.join(', ')}`);
    return words;
  };
  const schema = { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] };
  return { placeholder, help, fallback, isList: true, schema, read };
}

/** HOST:PORT, or :PORT for all addresses of the machine. */
export function listenAddress(placeholder: string, help: string): Setting<string | undefined> {
  const { schema } = text(placeholder, help);
  const expected = 'it has to be HOST:PORT or :PORT';
  const read = (value: unknown): string => {
    const given = textOf(value, expected);
    if (parseListen(given) === undefined) throw new BadValue(expected);
    return given;
  };
  return { placeholder, help, fallback: undefined, schema, read };
}

/** Undefined for a text that is no such address. */
export function parseListen(address: string): { readonly host?: string; readonly port: number } | undefined {
  const [, host = '', port = ''] = /^(\[[0-9a-fA-F:]+\]|[^:/\s]*):(\d{1,5})$/.exec(address) ?? [];
  if (port === '' || Number(port) > 65_535) return undefined;
  return { port: Number(port), ...(host === '' ? {} : { host: host.replace(/^\[|\]$/g, '') }) };
}

const WORDS: Readonly<Record<string, boolean>> = { true: true, false: false, '1': true, '0': false };

export function flag(help: string, fallback = false): Setting<boolean> {
  const read = (value: unknown): boolean => {
    const result = typeof value === 'boolean' ? value : WORDS[textOf(value, 'it has to be true or false')];
    if (result === undefined) throw new BadValue('it has to be true or false');
    return result;
  };
  return { help, fallback, schema: { type: 'boolean' }, read };
}

export function choice<const T extends string>(
  placeholder: string,
  help: string,
  choices: readonly T[],
  fallback: T,
): Setting<T> {
  const expected = `it has to be one of ${choices.join(', ')}`;
  const read = (value: unknown): T => {
    const found = choices.find((each) => each === textOf(value, expected));
    if (found === undefined) throw new BadValue(expected);
    return found;
  };
  return { placeholder, help: `${help}: ${choices.join(', ')}`, fallback, schema: { enum: choices }, read };
}

/** A whole number. */
export function number(placeholder: string, help: string, min: number, max: number, fallback: number): Setting<number> {
  const shown = (value: number): string => value.toLocaleString('en');
  const expected = `it has to be a whole number from ${shown(min)} to ${shown(max)}`;
  const read = (value: unknown): number => {
    const given = textOf(value, expected);
    const result = /^-?\d+$/.test(given) ? Number(given) : NaN;
    if (!Number.isSafeInteger(result) || result < min || result > max) throw new BadValue(expected);
    return result;
  };
  return { placeholder, help, fallback, schema: { type: 'integer', minimum: min, maximum: max }, read };
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** A timer of Node.js takes no longer time. */
const LONGEST_MS = 24 * 24 * 3_600_000;
const DURATION = /^(?:\d+(?:ms|s|m|h))+$/;

/** A time such as `30s` or `1h30m`, at least of `min` milliseconds. */
export function duration(placeholder: string, help: string, fallback: string, min = 0): Setting<string> {
  const least = min === 0 ? '' : `at least ${min}ms and `;
  const expected = `it has to be a time such as 500ms, 30s, 10m or 24h, ${least}at most 576h`;
  const read = (value: unknown): string => {
    const given = textOf(value, expected);
    const ms = millisecondsOf(given);
    if ((given !== '0' && !DURATION.test(given)) || ms > LONGEST_MS || ms < min) throw new BadValue(expected);
    return given;
  };
  const pattern = min === 0 ? `${DURATION.source}|^0$` : DURATION.source;
  return { placeholder, help, fallback, schema: { type: ['string', 'integer'], pattern }, read };
}

/** The milliseconds of such a time. */
export function millisecondsOf(time: string): number {
  const parts = [...time.matchAll(/(\d+)(ms|s|m|h)/g)];
  return parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (UNITS[unit] ?? 0), 0);
}

/** JSON objects: a text with one on each line, or a list of them in YAML. */
export function objects(placeholder: string, help: string): Setting<readonly object[]> {
  const expected = 'it has to be JSON objects, each on a line of its own';
  const read = (value: unknown): object[] => {
    if (Array.isArray(value)) return value.flatMap(read);
    if (typeof value === 'object' && value !== null) return [value];
    return textOf(value, expected)
      .split('\n')
      .filter((line) => line.trim() !== '')
      .flatMap((line) => {
        const parsed = parsedJson(line);
        if (typeof parsed !== 'object' || parsed === null) throw new BadValue(`${expected}: ${line}`);
        return read(parsed);
      });
  };
  const items = { type: ['object', 'string'] };
  return { placeholder, help, fallback: [], schema: { anyOf: [{ type: 'string' }, { type: 'array', items }] }, read };
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The rights of a file: three octal digits. */
export function rights(placeholder: string, help: string, fallback: string): Setting<string> {
  const expected = 'it has to be three octal digits, such as 600';
  const read = (value: unknown): string => {
    const given = textOf(value, expected);
    if (!/^0?[0-7]{3}$/.test(given)) throw new BadValue(expected);
    return given.slice(-3);
  };
  return { placeholder, help, fallback, schema: { type: ['string', 'integer'], pattern: '^0?[0-7]{3}$' }, read };
}
