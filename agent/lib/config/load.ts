/** Loads the configuration: defaults, a YAML file, folders of files, the environment and flags; what comes later wins. */
import { existsSync } from 'node:fs';
import { BadOption, type ConfigProblem } from './problems.js';
import { nameOf, SETTING_KEYS, SETTINGS, type AgentOptions, type SettingKey } from './settings.js';
import { readEnvironment, readFile, readFolder, Values } from './sources.js';

/** They are read when they exist. */
export const DEFAULT_FILE = '/etc/polytrace/agent.yaml';
export const DEFAULT_FOLDER = '/etc/polytrace/agent.conf.d';
/** The variables for other places, in which a missing file is a mistake. */
const FILE_VARIABLE = 'POLYTRACE_CONFIG_FILE';
const FOLDER_VARIABLE = 'POLYTRACE_CONFIG_DIR';

export interface ConfigInputs {
  readonly env: NodeJS.ProcessEnv;
  /** Texts of flags. A switch has a boolean, and a list a list of texts. */
  readonly flags: Readonly<Partial<Record<SettingKey, unknown>>>;
  readonly file?: string | undefined;
  readonly folders?: readonly string[] | undefined;
}

export interface Configuration {
  readonly options: AgentOptions;
  /** Where the value of each setting comes from. */
  readonly sources: Readonly<Record<SettingKey, string>>;
}

/** Throws BadOption with everything that is wrong. */
export function loadConfiguration(inputs: ConfigInputs): Configuration {
  const { env, flags } = inputs;
  const values = new Values();
  const file = inputs.file ?? env[FILE_VARIABLE] ?? ifExists(DEFAULT_FILE);
  if (file !== undefined) readFile(file, values);
  for (const folder of foldersOf(inputs)) readFolder(folder, values);
  readEnvironment(env, values, [FILE_VARIABLE, FOLDER_VARIABLE]);
  for (const key of SETTING_KEYS) {
    if (flags[key] !== undefined) values.set(key, flags[key], `--${nameOf(key)}`);
  }
  const found = SETTING_KEYS.map((key) => [key, values.get(key)] as const);
  const options = Object.fromEntries(found.map(([key, { value }]) => [key, value])) as unknown as AgentOptions;
  const sources = Object.fromEntries(found.map(([key, { source }]) => [key, source])) as Record<SettingKey, string>;
  const problems = [...values.problems, ...conflicts(options, sources)];
  if (problems.length > 0) throw new BadOption(problems);
  return { options, sources };
}

function foldersOf({ env, folders = [] }: ConfigInputs): readonly string[] {
  if (folders.length > 0) return folders;
  const named = env[FOLDER_VARIABLE]?.split(',').filter((each) => each !== '');
  return named ?? [ifExists(DEFAULT_FOLDER)].filter((each) => each !== undefined);
}

function ifExists(path: string): string | undefined {
  return existsSync(path) ? path : undefined;
}

/** Settings that contradict each other. */
function conflicts(options: AgentOptions, sources: Readonly<Record<SettingKey, string>>): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const needs = (key: SettingKey, others: readonly SettingKey[]): void => {
    const value = options[key];
    if (value === undefined || value === false || value === '') return;
    const missing = others.filter((other) => options[other] === undefined || options[other] === false);
    if (missing.length === 0) return;
    const message = `${nameOf(key)} needs ${missing.map(nameOf).join(' and ')}`;
    problems.push({ code: 'CONFIG_CONFLICT', place: sources[key], message });
  };
  needs('keepSensorsOnExit', ['persist']);
  needs('exportOtlpHeaders', ['exportOtlpEndpoint']);
  needs('exportOtlpTlsCa', ['exportOtlpEndpoint']);
  needs('exportOtlpSpoolDir', ['exportOtlpEndpoint']);
  needs('tlsCert', ['tlsKey']);
  needs('tlsKey', ['tlsCert']);
  needs('tlsClientCa', ['tlsCert', 'tlsKey']);
  return problems;
}

/** The text that is printed in place of a secret. */
const HIDDEN = '*****';

/** The settings that have a value, by their names, as a person may see them. */
export function shownOptions(options: AgentOptions): Map<string, unknown> {
  const entries = SETTING_KEYS.map((key): [string, unknown] => {
    return [nameOf(key), options[key] !== undefined && SETTINGS[key].isSecret === true ? HIDDEN : options[key]];
  });
  return new Map(entries.filter(([, value]) => value !== undefined));
}
