/** The kinds of settings of the agent: how the text of a flag or a variable, and a value of YAML, become a value. */

/** One setting. Its name on the command line, in files and in the environment comes from its key in the table. */
export interface Setting<T> {
  /** What stands for the value in the help. Undefined for a switch. */
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

/** Several texts: commas or lines separate them, and YAML can have a list. */
export function list(placeholder: string, help: string, fallback: readonly string[] = []): Setting<readonly string[]> {
  const read = (value: unknown): string[] => {
    const parts = Array.isArray(value) ? (value as unknown[]) : [value];
    const texts = parts.map((part) => textOf(part, 'it has to be a text, or a list of texts'));
    return texts
      .flatMap((each) => each.split(/[,\n]/))
      .map((each) => each.trim())
      .filter((each) => each !== '');
  };
  const schema = { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] };
  return { placeholder, help, fallback, isList: true, schema, read };
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
