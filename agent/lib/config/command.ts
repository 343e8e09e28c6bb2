/** The command line of the agent. Each setting is a flag. */
import { Command, Option } from 'commander';
import { DEFAULT_FILE, DEFAULT_FOLDER, loadConfiguration, type Configuration } from './load.js';
import type { Setting } from './setting.js';
import { nameOf, SETTING_KEYS, SETTINGS, type SettingKey } from './settings.js';

interface OwnFlags {
  readonly configFile?: string;
  readonly configDir?: readonly string[];
  readonly check?: true;
}

export interface AgentActions {
  readonly run: (configuration: Configuration) => Promise<void>;
  /** `--check`: the configuration has no mistake. */
  readonly check: (configuration: Configuration) => Promise<void> | void;
  /** Gets the path of a kubeconfig. */
  readonly installCrds: (kubeconfig: string | undefined) => Promise<void>;
}

export function agentCommand({ run, check, installCrds }: AgentActions, env: NodeJS.ProcessEnv): Command {
  const command = new Command('agent')
    .configureHelp({ minWidthToWrap: 20 })
    .description('Run the agent: one tracer for this machine, with policies from a folder and a gRPC server')
    .option('--config-file <file>', `YAML file with settings (default: ${DEFAULT_FILE}, if it exists)`)
    .option(
      '--config-dir <folder>',
      `folder with a file for each setting, such as a ConfigMap; can be repeated (default: ${DEFAULT_FOLDER}, if it exists)`,
      repeated,
    )
    .option('--check', 'check the configuration, print it with the source of each value, and end');
  for (const key of SETTING_KEYS) for (const option of flagsOf(key)) command.addOption(option);
  command.addHelpText(
    'after',
    '\nEach setting can also be in a file (log-level: debug) or in the environment (POLYTRACE_LOG_LEVEL=debug).\n' +
      'Flags win over the environment, and the environment over files.',
  );
  const configured = (): Configuration => {
    const { configFile: file, configDir: folders } = command.opts<OwnFlags>();
    return loadConfiguration({ env, flags: given(command), file, folders });
  };
  command.action(async () => {
    const configuration = configured();
    await (command.opts<OwnFlags>().check === true ? check(configuration) : run(configuration));
  });
  command
    .command('install-crds')
    .description('Install the resources of policies in the cluster (--k8s-kubeconfig-path); those of Tetragon stay')
    .action(async () => {
      await installCrds(configured().options.k8sKubeconfigPath);
    });
  return command;
}

function repeated(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** A switch has two flags, of which the help shows the one that changes something. */
function flagsOf(key: SettingKey): Option[] {
  const { help, fallback, isList, placeholder }: Setting<unknown> = SETTINGS[key];
  const name = nameOf(key);
  if (placeholder === undefined) {
    const on = new Option(`--${name}`, help);
    const off = new Option(`--no-${name}`, `do not ${help}`);
    return [fallback === true ? on.hideHelp() : on, fallback === true ? off : off.hideHelp()];
  }
  const notes = [isList === true ? 'can be repeated' : '', defaultNote(fallback)].filter((note) => note !== '');
  const option = new Option(`--${name} ${placeholder}`, notes.length === 0 ? help : `${help} (${notes.join('; ')})`);
  return [isList === true ? option.argParser(repeated) : option];
}

function defaultNote(fallback: unknown): string {
  if (fallback === undefined || (Array.isArray(fallback) && fallback.length === 0)) return '';
  return `default: ${Array.isArray(fallback) ? fallback.join(',') : String(fallback)}`;
}

/** The flags of this command line, without defaults. */
function given(command: Command): Partial<Record<SettingKey, unknown>> {
  const keys = SETTING_KEYS.filter((key) => command.getOptionValueSource(key) === 'cli');
  return Object.fromEntries(keys.map((key) => [key, command.getOptionValue(key) as unknown]));
}
