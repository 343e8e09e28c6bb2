/** Reads the values of settings from a YAML file, folders of files and the environment. Problems are collected. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Document, Pair } from 'yaml';
import { loadYaml } from '../yaml-package.js';
import { suggestName, type ConfigProblem } from './problems.js';
import { SettingValueError } from './setting-kinds.js';
import { findSettingKey, settingName, SETTINGS, SETTING_KEYS, variableName, type SettingKey } from './settings.js';

/** A value with its source. */
export interface SourcedValue {
  readonly value: unknown;
  readonly source: string;
}

type Locate = (path: readonly (string | number)[]) => string;

export class SettingValues {
  readonly problems: ConfigProblem[] = [];
  readonly #found = new Map<SettingKey, SourcedValue>();

  /** A later value replaces an earlier one. An invalid value is added to the problems. */
  set(key: SettingKey, given: unknown, source: string, locate?: Locate): void {
    try {
      this.#found.set(key, { value: SETTINGS[key].parse(given), source });
    } catch (error) {
      if (!(error instanceof SettingValueError)) throw error;
      for (const { path, message } of error.problems) {
        const place = path.length > 0 && locate !== undefined ? locate(path) : source;
        this.problems.push({ code: 'CONFIG_VALUE', source: place, message: `${settingName(key)}: ${message}` });
      }
    }
  }

  /** `locate`: returns the position of a part of the value. */
  setByName(name: string, given: unknown, source: string, locate?: Locate): void {
    const key = findSettingKey(name);
    if (key !== undefined) return this.set(key, given, source, locate);
    const hint = suggestName(name, SETTING_KEYS.map(settingName));
    this.problems.push({ code: 'CONFIG_UNKNOWN', source, message: `there is no setting '${name}'${hint}` });
  }

  get(key: SettingKey): SourcedValue {
    return this.#found.get(key) ?? { value: SETTINGS[key].fallback, source: 'default' };
  }
}

/** A configuration file that is larger than this is an error. */
const FILE_BYTES_MAX = 1024 * 1024;

function readConfigText(path: string): string {
  const { size } = statSync(path);
  if (size > FILE_BYTES_MAX) throw new Error('the file has more than 1 MiB');
  return readFileSync(path, 'utf8');
}

function readProblem(path: string, error: unknown): ConfigProblem {
  return { code: 'CONFIG_FILE', source: path, message: `it cannot be read: ${(error as Error).message}` };
}

/** Reads a YAML file that maps names to values. */
export function readConfigFile(path: string, values: SettingValues): void {
  let source: string;
  try {
    source = readConfigText(path);
  } catch (error) {
    values.problems.push(readProblem(path, error));
    return;
  }
  const { LineCounter, isMap, parseDocument } = loadYaml();
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const formatPosition = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${path}:${line}:${col}`;
  };
  for (const { message, pos } of [...document.errors, ...document.warnings]) {
    values.problems.push({ code: 'CONFIG_YAML', source: formatPosition(pos[0]), message });
  }
  if (document.errors.length > 0 || document.contents === null) return;
  if (!isMap(document.contents)) {
    values.problems.push({
      code: 'CONFIG_YAML',
      source: formatPosition(0),
      message: 'it has to be a mapping: NAME: VALUE',
    });
    return;
  }
  // an alias can need a value that does not exist, or very many values
  let root: unknown;
  try {
    root = document.toJS();
  } catch (error) {
    const message = `an alias cannot be used: ${(error as Error).message} (write its value in full)`;
    values.problems.push({ code: 'CONFIG_YAML', source: formatPosition(findAlias(document)), message });
    return;
  }
  for (const pair of document.contents.items) readPair(pair, values, formatPosition, root);
}

/** Returns the offset of the alias that has no value. If each has one, there are too many: that of the last one. */
function findAlias(document: Document): number {
  const { visit } = loadYaml();
  let offset = 0;
  visit(document, {
    Alias: (_, alias) => {
      offset = alias.range?.[0] ?? 0;
      return alias.resolve(document) === undefined ? visit.BREAK : undefined;
    },
  });
  return offset;
}

function readPair(
  { key, value }: Pair,
  values: SettingValues,
  formatPosition: (offset: number) => string,
  root: unknown,
): void {
  const { isScalar } = loadYaml();
  const name = isScalar(key) ? String(key.value) : '';
  const start = (key as { readonly range?: readonly number[] } | null)?.range?.[0] ?? 0;
  const position = formatPosition(start);
  const given = isScalar(value) ? value.value : (root as Record<string, unknown>)[name];
  // a name without a value keeps the default
  if (given === null || given === undefined) {
    if (findSettingKey(name) === undefined) values.setByName(name, given, position);
    return;
  }
  values.setByName(name, given, position, (path) => formatPosition(findOffset(value, path) ?? start));
}

/** Returns the offset of a part of a value: that of its name if it has one. Undefined below an alias. */
function findOffset(value: unknown, path: readonly (string | number)[]): number | undefined {
  const { isMap, isNode, isScalar, isSeq } = loadYaml();
  let node = value;
  let offset: number | undefined;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      offset = isScalar(pair?.key) ? pair.key.range?.[0] : offset;
      node = pair?.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      offset = isNode(node) ? node.range?.[0] : offset;
    }
  }
  return offset;
}

/**
 * Reads a folder in which each file is one setting, such as a mounted ConfigMap or Secret. Names that begin with a
 * dot are skipped.
 */
export function readConfigFolder(folder: string, values: SettingValues): void {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => !name.startsWith('.'));
  } catch (error) {
    values.problems.push(readProblem(folder, error));
    return;
  }
  for (const name of names.sort()) {
    const path = join(folder, name);
    try {
      values.setByName(name, readConfigText(path).replace(/\r?\n$/, ''), path);
    } catch (error) {
      values.problems.push(readProblem(path, error));
    }
  }
}

const PREFIX = 'POLYTRACE_';
/** The variable with which a client finds the socket of the agent. */
const CLIENT_VARIABLE = 'POLYTRACE_SOCKET';
/** Kubernetes sets these variables for a service with the name `polytrace` or `polytrace-…`. */
const SERVICE_VARIABLES =
  /_(?:SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/;

function variableSuffix(key: SettingKey): string {
  return variableName(key).slice(PREFIX.length);
}

export function readEnvironment(env: NodeJS.ProcessEnv, values: SettingValues, others: readonly string[]): void {
  const keys = new Map(SETTING_KEYS.map((key) => [variableName(key), key]));
  for (const [name, given] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || given === undefined || name === CLIENT_VARIABLE || others.includes(name)) continue;
    const key = keys.get(name);
    if (key !== undefined) {
      values.set(key, given, name);
    } else if (!SERVICE_VARIABLES.test(name)) {
      const hint = suggestName(name.slice(PREFIX.length), SETTING_KEYS.map(variableSuffix), PREFIX);
      values.problems.push({
        code: 'CONFIG_UNKNOWN',
        source: 'environment',
        message: `there is no variable '${name}'${hint}`,
      });
    }
  }
}
