/** Runs the command `polytrace agent` until a signal arrives. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommanderError } from 'commander';
import { PolytraceError } from 'polytrace';
import { FAILED, GOOD, USAGE, type CommandHost } from '../command-host.js';
import { checkReceivers } from '../alerts/alerts.js';
import { createAgentCommand } from '../config/command.js';
import { formatConfiguration } from '../config/print.js';
import { ConfigError } from '../config/problems.js';
import { expandSwitches } from '../config/switches.js';
import type { Configuration } from '../config/load.js';
import { AddressError } from '../grpc/address.js';
import { installCrds } from '../kubernetes/crds.js';
import { openLog } from '../log/log.js';
import { formatError } from '../policies/format-error.js';
import { Agent } from './agent.js';
import { prepareExports } from './exports.js';
import { ServiceManager } from './service.js';

const KERNEL = 3;

/** Runs the agent and returns the exit status of the command. */
export async function runAgentCommand(args: readonly string[], host: CommandHost): Promise<number> {
  let status = GOOD;
  const command = createAgentCommand(
    {
      run: async (configuration) => {
        status = await runUntilSignal(configuration, host);
      },
      check: async (configuration) => {
        prepareExports(configuration);
        await checkReceivers(configuration.options, configuration.sources);
        host.stdout.write(formatConfiguration(configuration));
      },
      installCrds: async (kubeconfig) => {
        for (const line of await installCrds(kubeconfig)) host.stdout.write(`${line}\n`);
      },
    },
    host.env ?? process.env,
  )
    .name('polytrace agent')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void host.stdout.write(text),
      writeErr: (text) => void host.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'polytrace: ')),
    })
    .showHelpAfterError('(--help shows the options)');
  try {
    await command.parseAsync(expandSwitches(args), { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? GOOD : USAGE;
    const isUsage = error instanceof ConfigError || error instanceof AddressError;
    if (!isUsage && !(error instanceof PolytraceError)) throw error;
    host.stderr.write(`polytrace: ${formatError(error)}\n`);
    return isUsage ? USAGE : KERNEL;
  }
}

async function runUntilSignal(
  configuration: Configuration,
  { stdout, stderr, signals, env = process.env }: CommandHost,
): Promise<number> {
  const { options } = configuration;
  const log = openLog({ level: options.logLevel, format: options.logFormat }, stderr);
  let stop: () => void = () => undefined;
  const stopped = new Promise<void>((resolve) => (stop = resolve));
  const service = new ServiceManager(env);
  let agent: Agent | undefined;
  const onStop = (name: string): void => {
    log.info({ signal: name }, 'the agent ends');
    service.notifyStopping();
    stop();
  };
  const onReload = (): void => {
    log.info('policies are read again');
    agent?.reload().catch((error: unknown) => log.error({ reason: formatError(error) }, 'policies were not read'));
  };
  for (const name of ['SIGINT', 'SIGTERM']) signals.on(name, onStop);
  signals.on('SIGHUP', onReload);
  try {
    agent = await Agent.open(configuration, log, readVersion(), stdout);
    log.info({ addresses: agent.addresses }, 'ready');
    service.notifyReady(`serving ${agent.addresses.join(', ')}`);
    // The events end only after a fatal error of the tracer.
    const isOver = await Promise.race([stopped.then(() => false), agent.events.then(() => true)]);
    await agent.close();
    if (isOver) log.fatal('the events of the tracer ended');
    return isOver ? FAILED : GOOD;
  } finally {
    service.close();
    for (const name of ['SIGINT', 'SIGTERM']) signals.off(name, onStop);
    signals.off('SIGHUP', onReload);
  }
}

function readVersion(): string {
  const text = readFileSync(join(__dirname, '../../package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
