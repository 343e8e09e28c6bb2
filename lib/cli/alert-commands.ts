/** The command `alerts`: shows the last alerts of the agent, and acknowledges them. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { AgentClient } from '../grpc/client.js';
import { loadProtocol } from '../protocol/load.js';
import { SUCCESS, UsageError, type Context } from './context.js';
import { print } from './output.js';
import { addServerOptions, type ServerOptions } from './server-options.js';
import { escapeControls, formatJson, formatTable } from '../output/terminal-text.js';

interface ListOptions extends ServerOptions {
  readonly output: 'table' | 'json';
  readonly minSeverity?: string;
  readonly all?: true;
  readonly limit: number;
}

interface AcknowledgeOptions extends ServerOptions {
  readonly all?: true;
}

type WithClient = <T>(options: ServerOptions, context: Context, run: (client: AgentClient) => Promise<T>) => Promise<T>;

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 1000;
const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'];

export function addAlertCommands(
  program: Command,
  context: Context,
  done: (status: number) => void,
  withClient: WithClient,
): void {
  const alerts = program.command('alerts').description('Show and acknowledge the last alerts of the agent');
  addServerOptions(alerts.command('list', { isDefault: true }))
    .description('List the last alerts that nobody has acknowledged')
    .addOption(new Option('--min-severity <severity>', 'least severity').choices(SEVERITIES))
    .option('--all', 'also list acknowledged alerts')
    .option('--limit <number>', 'most alerts; the newest are shown', parseLimit, LIMIT_DEFAULT)
    .addOption(new Option('-o, --output <format>', 'format').choices(['table', 'json']).default('table'))
    .action(async (options: ListOptions) => {
      done(await withClient(options, context, (client) => listAlerts(client, options, context)));
    });
  addServerOptions(alerts.command('ack'))
    .description('Acknowledge alerts: they are not listed any more')
    .argument('[id...]', 'numbers of the alerts, as `polytrace alerts` shows them')
    .option('--all', 'acknowledge all alerts')
    .action(async (ids: string[], options: AcknowledgeOptions) => {
      const numbers = ids.map(parseId);
      if ((options.all === true) === numbers.length > 0) throw new UsageError('give the numbers of alerts, or --all');
      done(await withClient(options, context, (client) => acknowledge(client, numbers, context)));
    });
}

function parseLimit(text: string): number {
  const value = /^\d{1,4}$/.test(text) ? Number(text) : NaN;
  if (!(value >= 1 && value <= LIMIT_MAX)) throw new InvalidArgumentError(`It must be from 1 to ${LIMIT_MAX}.`);
  return value;
}

function parseId(text: string): bigint {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new UsageError(`${text} is not the number of an alert`);
  return BigInt(text);
}

async function listAlerts(client: AgentClient, options: ListOptions, context: Context): Promise<number> {
  const { AlertService } = loadProtocol();
  const { minSeverity = '', all = false, limit, output } = options;
  const request = { minSeverity, acknowledged: all, limit };
  const { alerts, total, receivers } = await client.call(AlertService.method.listAlerts, request);
  if (output === 'json') {
    const plain = alerts.map(({ $typeName: _, ...alert }) => ({
      ...alert,
      id: Number(alert.id),
      count: Number(alert.count),
    }));
    const states = receivers.map(({ $typeName: _, ...state }) => ({
      ...state,
      sent: Number(state.sent),
      lost: Number(state.lost),
      failures: Number(state.failures),
      waitingBytes: Number(state.waitingBytes),
      spooledBytes: Number(state.spooledBytes),
    }));
    await print(context.stdout, formatJson({ alerts: plain, total: Number(total), receivers: states }));
    return SUCCESS;
  }
  const rows = alerts.map((alert) => [
    String(alert.id),
    alert.time.replace(/\.\d+Z$/, 'Z'),
    alert.severity,
    alert.policy,
    String(alert.count),
    alert.namespace === '' ? alert.container || '-' : `${alert.namespace}/${alert.pod}`,
    alert.binary === '' ? '-' : alert.binary,
    alert.acknowledgedBy === '' ? alert.message : `${alert.message} (acknowledged by ${alert.acknowledgedBy})`,
  ]);
  const head = ['ID', 'TIME', 'SEVERITY', 'POLICY', 'EVENTS', 'CONTAINER', 'PROGRAM', 'MESSAGE'];
  const table = alerts.length === 0 ? 'no alerts\n' : formatTable([head, ...rows]);
  const failing = receivers.filter((state) => state.failing || state.lost > 0n);
  const notes = failing.map(({ name, lost, failing: isFailing, reason }) => {
    return `receiver ${name}: ${isFailing ? `takes no alerts (${reason})` : 'takes alerts'}, ${lost} lost\n`;
  });
  await print(context.stdout, escapeControls(`${table}${notes.join('')}`));
  return SUCCESS;
}

async function acknowledge(client: AgentClient, ids: readonly bigint[], context: Context): Promise<number> {
  const { AlertService } = loadProtocol();
  const request = { ids: [...ids], all: ids.length === 0 };
  const { acknowledged } = await client.call(AlertService.method.acknowledgeAlerts, request);
  await print(context.stdout, `acknowledged: ${acknowledged}\n`);
  return SUCCESS;
}
