/**
 * Loads the configuration from defaults, a YAML file, folders of files, the environment and flags. A later source
 * wins.
 */
import { existsSync } from 'node:fs';
import { ConfigError, type ConfigProblem } from './problems.js';
import type { Setting } from './setting-kinds.js';
import { settingName, SETTING_KEYS, SETTINGS, type AgentOptions, type SettingKey } from './settings.js';
import { readEnvironment, readConfigFile, readConfigFolder, SettingValues } from './sources.js';

/** Both default paths are read only if they exist. */
export const DEFAULT_CONFIG_FILE = '/etc/polytrace/agent.yaml';
export const DEFAULT_CONFIG_FOLDER = '/etc/polytrace/agent.conf.d';
/** These variables name other paths. If such a path is missing, that is an error. */
const FILE_VARIABLE = 'POLYTRACE_CONFIG_FILE';
const FOLDER_VARIABLE = 'POLYTRACE_CONFIG_DIR';

export interface ConfigInputs {
  readonly env: NodeJS.ProcessEnv;
  /** The values of flags: a boolean for a switch, a list of strings for a list, otherwise a string. */
  readonly flags: Readonly<Partial<Record<SettingKey, unknown>>>;
  readonly file?: string | undefined;
  readonly folders?: readonly string[] | undefined;
}

export interface Configuration {
  readonly options: AgentOptions;
  /** The source of the value of each setting. */
  readonly sources: Readonly<Record<SettingKey, string>>;
}

/** Throws ConfigError with all problems. */
export function loadConfiguration(inputs: ConfigInputs): Configuration {
  const { env, flags } = inputs;
  const values = new SettingValues();
  const file = inputs.file ?? env[FILE_VARIABLE] ?? pathIfExists(DEFAULT_CONFIG_FILE);
  if (file !== undefined) readConfigFile(file, values);
  for (const folder of configFolders(inputs)) readConfigFolder(folder, values);
  readEnvironment(env, values, [FILE_VARIABLE, FOLDER_VARIABLE]);
  for (const key of SETTING_KEYS) {
    if (flags[key] !== undefined) values.set(key, flags[key], `--${settingName(key)}`);
  }
  const found = SETTING_KEYS.map((key) => [key, values.get(key)] as const);
  const options = Object.fromEntries(found.map(([key, { value }]) => [key, value])) as unknown as AgentOptions;
  const sources = Object.fromEntries(found.map(([key, { source }]) => [key, source])) as Record<SettingKey, string>;
  const problems = [...values.problems, ...findConflicts(options, sources)];
  if (problems.length > 0) throw new ConfigError(problems);
  return { options, sources };
}

function configFolders({ env, folders = [] }: ConfigInputs): readonly string[] {
  if (folders.length > 0) return folders;
  const named = env[FOLDER_VARIABLE]?.split(',').filter((each) => each !== '');
  return named ?? [pathIfExists(DEFAULT_CONFIG_FOLDER)].filter((each) => each !== undefined);
}

function pathIfExists(path: string): string | undefined {
  return existsSync(path) ? path : undefined;
}

/** Finds settings that contradict each other. */
function findConflicts(options: AgentOptions, sources: Readonly<Record<SettingKey, string>>): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const requireSettings = (key: SettingKey, others: readonly SettingKey[]): void => {
    const value = options[key];
    if (value === undefined || value === false || value === '' || (Array.isArray(value) && value.length === 0)) return;
    const isMissing = (given: unknown): boolean =>
      given === undefined || given === false || (Array.isArray(given) && given.length === 0);
    const missing = others.filter((other) => isMissing(options[other]));
    if (missing.length === 0) return;
    const message = `${settingName(key)} needs ${missing.map(settingName).join(' and ')}`;
    problems.push({ code: 'CONFIG_CONFLICT', source: sources[key], message });
  };
  requireSettings('keepSensorsOnExit', ['persist']);
  requireSettings('exportChain', ['exportFilename']);
  if (options.exportChain && options.exportFilename === '-') {
    const message = 'export-chain needs a file: nobody can count the lines of a stream that were read';
    problems.push({ code: 'CONFIG_CONFLICT', source: sources.exportChain, message });
  }
  requireSettings('keepSensorsOwner', ['keepSensorsOnExit', 'enableK8sApi']);
  requireSettings('enablePodInfo', ['enableK8sApi', 'containers']);
  requireSettings('admissionServer', ['admissionTlsCert', 'admissionTlsKey']);
  requireSettings('admissionTlsCert', ['admissionServer']);
  requireSettings('admissionTlsKey', ['admissionServer']);
  requireSettings('exportOtlpHeaders', ['exportOtlpEndpoint']);
  requireSettings('exportOtlpTlsCa', ['exportOtlpEndpoint']);
  requireSettings('exportOtlpSpoolDir', ['exportOtlpEndpoint']);
  requireSettings('metricsOtlpHeaders', ['metricsOtlpEndpoint']);
  requireSettings('metricsOtlpTlsCa', ['metricsOtlpEndpoint']);
  requireSettings('alertsSpoolDir', ['alerts']);
  for (const key of ['fleetCredentials', 'fleetCa', 'fleetCert', 'fleetKey'] as const) requireSettings(key, ['fleet']);
  for (const key of ['fleetPolicyKey', 'fleetLabels', 'fleetLabelsFile'] as const) requireSettings(key, ['fleet']);
  requireSettings('fleetGateKey', ['fleetPolicyKey']);
  requireSettings('fleetController', ['fleetPolicyKey']);
  if (options.fleetPolicyKey.length > 0 && options.enableK8sApi && options.tracingPolicyCrd) {
    const message =
      'policies come from the fleet or from the cluster: with fleet-policy-key, set no-tracing-policy-crd';
    problems.push({ code: 'CONFIG_CONFLICT', source: sources.fleetPolicyKey, message });
  }
  requireSettings('fleetCert', ['fleetKey']);
  requireSettings('fleetKey', ['fleetCert']);
  requireSettings('tlsCert', ['tlsKey']);
  requireSettings('tlsKey', ['tlsCert']);
  requireSettings('tlsClientCa', ['tlsCert', 'tlsKey']);
  // without certificates of clients, every client could change something
  requireSettings('tlsAdmins', ['tlsClientCa']);
  return problems;
}

/** Printed in place of a secret. */
const HIDDEN = '*****';

/** Returns the settings that have a value, by name. Secrets are hidden. */
export function printableOptions(options: AgentOptions): Map<string, unknown> {
  const entries = SETTING_KEYS.map((key): [string, unknown] => {
    const { isSecret, show = (value: unknown): unknown => value }: Setting<unknown> = SETTINGS[key];
    return [settingName(key), options[key] !== undefined && isSecret === true ? HIDDEN : show(options[key])];
  });
  return new Map(entries.filter(([, value]) => value !== undefined));
}
