/** The command line of the agent. Each setting is a flag. */
import { Command, Option } from 'commander';
import { DEFAULT_CONFIG_FILE, DEFAULT_CONFIG_FOLDER, loadConfiguration, type Configuration } from './load.js';
import type { Setting } from './setting-kinds.js';
import { settingName, SETTING_KEYS, SETTINGS, type SettingKey } from './settings.js';

interface ConfigFlags {
  readonly configFile?: string;
  readonly configDir?: readonly string[];
  readonly check?: true;
}

export interface AgentActions {
  readonly run: (configuration: Configuration) => Promise<void>;
  /** Called with `--check` when the configuration is valid. */
  readonly check: (configuration: Configuration) => Promise<void> | void;
  /** `kubeconfig` is a file path. */
  readonly installCrds: (kubeconfig: string | undefined) => Promise<void>;
}

export function createAgentCommand({ run, check, installCrds }: AgentActions, env: NodeJS.ProcessEnv): Command {
  const command = new Command('agent')
    .configureHelp({ minWidthToWrap: 20 })
    .description('Run the agent: one tracer for this machine, with policies from a folder and a gRPC server')
    .option('--config-file <file>', `YAML file with settings (default: ${DEFAULT_CONFIG_FILE}, if it exists)`)
    .option(
      '--config-dir <folder>',
      `folder with a file for each setting, such as a ConfigMap; can be repeated (default: ${DEFAULT_CONFIG_FOLDER}, if it exists)`,
      appendValue,
    )
    .option('--check', 'check the configuration, print it with the source of each value, and end');
  for (const key of SETTING_KEYS) for (const option of settingOptions(key)) command.addOption(option);
  command.addHelpText(
    'after',
    '\nEach setting can also be in a file (log-level: debug) or in the environment (POLYTRACE_LOG_LEVEL=debug).\n' +
      'Flags win over the environment, and the environment over files.',
  );
  const readConfiguration = (): Configuration => {
    const { configFile: file, configDir: folders } = command.opts<ConfigFlags>();
    return loadConfiguration({ env, flags: commandLineValues(command), file, folders });
  };
  command.action(async () => {
    const configuration = readConfiguration();
    await (command.opts<ConfigFlags>().check === true ? check(configuration) : run(configuration));
  });
  command
    .command('install-crds')
    .description('Install the resources of policies in the cluster (--k8s-kubeconfig-path); those of Tetragon stay')
    .action(async () => {
      await installCrds(readConfiguration().options.k8sKubeconfigPath);
    });
  return command;
}

function appendValue(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** A switch has two flags. The help shows the one that changes the default. */
function settingOptions(key: SettingKey): Option[] {
  const { help, fallback, isList, placeholder }: Setting<unknown> = SETTINGS[key];
  const name = settingName(key);
  if (placeholder === undefined) {
    const on = new Option(`--${name}`, help);
    const off = new Option(`--no-${name}`, `do not ${help}`);
    return [fallback === true ? on.hideHelp() : on, fallback === true ? off : off.hideHelp()];
  }
  const notes = [isList === true ? 'can be repeated' : '', formatDefault(fallback)].filter((note) => note !== '');
  const option = new Option(`--${name} ${placeholder}`, notes.length === 0 ? help : `${help} (${notes.join('; ')})`);
  return [isList === true ? option.argParser(appendValue) : option];
}

function formatDefault(fallback: unknown): string {
  if (fallback === undefined || (Array.isArray(fallback) && fallback.length === 0)) return '';
  return `default: ${Array.isArray(fallback) ? fallback.join(',') : (fallback as string | number | boolean).toString()}`;
}

/** Returns the values of the flags that the user gave, without defaults. */
function commandLineValues(command: Command): Partial<Record<SettingKey, unknown>> {
  const keys = SETTING_KEYS.filter((key) => command.getOptionValueSource(key) === 'cli');
  return Object.fromEntries(keys.map((key) => [key, command.getOptionValue(key) as unknown]));
}
