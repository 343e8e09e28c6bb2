/** Where values of settings come from: a YAML file, a folder of files, the environment. Mistakes are collected. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isMap, isScalar, LineCounter, parseDocument, type Pair } from 'yaml';
import { nearest, type ConfigProblem } from './problems.js';
import { BadValue } from './setting.js';
import { keyOfName, nameOf, SETTINGS, SETTING_KEYS, variableOf, type SettingKey } from './settings.js';

/** Where the value of a setting comes from, and the value. */
export interface Found {
  readonly value: unknown;
  readonly source: string;
}

export class Values {
  readonly problems: ConfigProblem[] = [];
  readonly #found = new Map<SettingKey, Found>();

  /** A later value replaces an earlier one. Mistakes become problems. */
  set(key: SettingKey, given: unknown, source: string): void {
    try {
      this.#found.set(key, { value: SETTINGS[key].read(given), source });
    } catch (error) {
      if (!(error instanceof BadValue)) throw error;
      this.problems.push({ code: 'CONFIG_VALUE', place: source, message: `${nameOf(key)}: ${error.message}` });
    }
  }

  setNamed(name: string, given: unknown, source: string): void {
    const key = keyOfName(name);
    if (key !== undefined) return this.set(key, given, source);
    const hint = nearest(name, SETTING_KEYS.map(nameOf));
    this.problems.push({ code: 'CONFIG_UNKNOWN', place: source, message: `there is no setting '${name}'${hint}` });
  }

  get(key: SettingKey): Found {
    return this.#found.get(key) ?? { value: SETTINGS[key].fallback, source: 'default' };
  }
}

/** Nobody writes a larger file by hand. */
const FILE_BYTES_MAX = 1024 * 1024;

function readText(path: string): string {
  const { size } = statSync(path);
  if (size > FILE_BYTES_MAX) throw new Error('the file has more than 1 MiB');
  return readFileSync(path, 'utf8');
}

function cannotRead(path: string, error: unknown): ConfigProblem {
  return { code: 'CONFIG_FILE', place: path, message: `it cannot be read: ${(error as Error).message}` };
}

/** A YAML file with a mapping of names to values. */
export function readFile(path: string, values: Values): void {
  let source: string;
  try {
    source = readText(path);
  } catch (error) {
    values.problems.push(cannotRead(path, error));
    return;
  }
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const placeOf = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${path}:${line}:${col}`;
  };
  for (const { message, pos } of [...document.errors, ...document.warnings]) {
    values.problems.push({ code: 'CONFIG_YAML', place: placeOf(pos[0]), message });
  }
  if (document.errors.length > 0 || document.contents === null) return;
  if (!isMap(document.contents)) {
    values.problems.push({ code: 'CONFIG_YAML', place: placeOf(0), message: 'it has to be a mapping: NAME: VALUE' });
    return;
  }
  for (const pair of document.contents.items) readPair(pair as Pair, values, placeOf, document.toJS.bind(document));
}

function readPair(
  { key, value }: Pair,
  values: Values,
  placeOf: (offset: number) => string,
  root: () => unknown,
): void {
  const name = isScalar(key) ? String(key.value) : '';
  const start = (key as { readonly range?: readonly number[] } | null)?.range?.[0] ?? 0;
  const place = placeOf(start);
  const given = isScalar(value) ? value.value : (root() as Record<string, unknown>)[name];
  // a name without a value changes nothing
  if (given === null || given === undefined) {
    if (keyOfName(name) === undefined) values.setNamed(name, given, place);
    return;
  }
  values.setNamed(name, given, place);
}

/** A folder in which each file is one setting, as a ConfigMap or a Secret is mounted. Names that begin with a dot are skipped. */
export function readFolder(folder: string, values: Values): void {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => !name.startsWith('.'));
  } catch (error) {
    values.problems.push(cannotRead(folder, error));
    return;
  }
  for (const name of names.sort()) {
    const path = join(folder, name);
    try {
      values.setNamed(name, readText(path).replace(/\r?\n$/, ''), path);
    } catch (error) {
      values.problems.push(cannotRead(path, error));
    }
  }
}

const PREFIX = 'POLYTRACE_';
/** The client's variable for the socket of the agent. */
const OF_CLIENT = 'POLYTRACE_SOCKET';
/** Kubernetes sets these for a service with the name `polytrace` or `polytrace-…`. */
const OF_SERVICE =
  /_(?:SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/;

function suffixOf(key: SettingKey): string {
  return variableOf(key).slice(PREFIX.length);
}

export function readEnvironment(env: NodeJS.ProcessEnv, values: Values, others: readonly string[]): void {
  const keys = new Map(SETTING_KEYS.map((key) => [variableOf(key), key]));
  for (const [name, given] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || given === undefined || name === OF_CLIENT || others.includes(name)) continue;
    const key = keys.get(name);
    if (key !== undefined) {
      values.set(key, given, name);
    } else if (!OF_SERVICE.test(name)) {
      const hint = nearest(name.slice(PREFIX.length), SETTING_KEYS.map(suffixOf), PREFIX);
      values.problems.push({
        code: 'CONFIG_UNKNOWN',
        place: 'environment',
        message: `there is no variable '${name}'${hint}`,
      });
    }
  }
}
