/** The commands that query or change the agent: policy, status, info, alerts and top. */
import { statSync } from 'node:fs';
import { Argument, Option, type Command } from 'commander';
import type { AgentClient, PolicyRow } from '../grpc/client.js';
import { addAlertCommands } from './alert-commands.js';
import { POLICY_ERRORS, SUCCESS, UsageError, type Context } from './context.js';
import { loadGrpc } from '../grpc/load.js';
import { print } from './output.js';
import { addServerOptions, agentAddress, AGENT_SOCKET, type ServerOptions } from './server-options.js';
import { escapeControls, formatJson, formatTable } from '../output/terminal-text.js';
import { runTop, type TopOptions } from './top.js';
import { findGivenOption } from './events-source.js';
import { addFleetOptions, FLEET_OPTIONS, type FleetOptions } from './fleet-options.js';
import { runFleetTop } from './fleet-top.js';

interface ListOptions extends ServerOptions {
  readonly output: 'table' | 'json';
}

interface PolicyOptions extends ServerOptions {
  readonly namespace: string;
}

export function addAgentCommands(program: Command, context: Context, done: (status: number) => void): void {
  const addOutputOption = (command: Command): Command =>
    addServerOptions(command).addOption(
      new Option('-o, --output <format>', 'format').choices(['table', 'json']).default('table'),
    );
  const policy = program.command('policy').description('Show and change the policies of the agent');
  addServerOptions(policy.command('add'))
    .description('Load policies from files')
    .argument('<file-or-folder...>', 'YAML files with policies, or folders of them')
    .action(async (paths: string[], options: ServerOptions) => done(await addPolicies(paths, options, context)));
  addServerOptions(policy.command('delete'))
    .description('Remove policies')
    .argument('<name...>', 'metadata.name of the policies')
    .option('--namespace <name>', 'metadata.namespace of the policies', '')
    .action(async (names: string[], options: PolicyOptions) =>
      done(
        await changePolicies(
          names,
          options,
          context,
          (client, name) => client.deletePolicy(name, options.namespace),
          'deleted',
        ),
      ),
    );
  for (const [command, enable, result] of [
    ['enable', true, 'enabled'],
    ['disable', false, 'disabled'],
  ] as const) {
    addServerOptions(policy.command(command))
      .description(enable ? 'Attach disabled policies again' : 'Detach policies, and keep them loaded')
      .argument('<name...>', 'metadata.name of the policies')
      .option('--namespace <name>', 'metadata.namespace of the policies', '')
      .action(async (names: string[], options: PolicyOptions) => {
        const change = (client: AgentClient, name: string): Promise<void> =>
          client.configurePolicy(name, options.namespace, { enable });
        done(await changePolicies(names, options, context, change, result));
      });
  }
  addServerOptions(policy.command('set-mode'))
    .description('Change the mode of policies')
    .addArgument(new Argument('<mode>', 'new mode').choices(['enforce', 'monitor']))
    .argument('<name...>', 'metadata.name of the policies')
    .option('--namespace <name>', 'metadata.namespace of the policies', '')
    .action(async (mode: 'enforce' | 'monitor', names: string[], options: PolicyOptions) => {
      const change = (client: AgentClient, name: string): Promise<void> =>
        client.configurePolicy(name, options.namespace, { mode });
      done(await changePolicies(names, options, context, change, `in mode ${mode}`));
    });
  addOutputOption(policy.command('list'))
    .description('List all policies, also those that could not be loaded')
    .action(async (options: ListOptions) => done(await listPolicies(options, context)));
  addOutputOption(policy.command('status'))
    .description('Show everything about a policy')
    .argument('<name>', 'metadata.name of the policy')
    .action(async (name: string, options: ListOptions) => done(await printPolicyStatus(name, options, context)));
  addOutputOption(program.command('status'))
    .description('Show whether the agent runs, and whether all policies are loaded')
    .action(async (options: ListOptions) => done(await printStatus(options, context)));
  addOutputOption(program.command('info'))
    .description('Show the version, the counters and the configuration of the agent')
    .action(async (options: ListOptions) => done(await printInfo(options, context)));
  addAlertCommands(program, context, done, withClient);
  addFleetOptions(addServerOptions(program.command('top')))
    .description('Show what the policies of the agent, or the events of a fleet do, again and again')
    .option('--once', 'print one table, and end')
    .addOption(
      new Option('--by <what>', 'rows').choices(['policies', 'hooks', 'processes', 'nodes']).default('policies'),
    )
    .option('--interval <seconds>', 'time between two tables', Number, 2)
    .action(async (options: TopOptions & ServerOptions & FleetOptions) => {
      const { fleet, server, by } = options;
      if (fleet !== undefined && server !== undefined) throw new UsageError('--fleet and --server exclude each other');
      const option =
        fleet === undefined ? (findGivenOption(options, FLEET_OPTIONS) ?? (by === 'nodes' && '--by nodes')) : false;
      if (option !== false) throw new UsageError(`${option} needs --fleet`);
      if (fleet !== undefined) return done(await runFleetTop(options, context));
      done(await withClient(options, context, (client) => runTop(client, options, context)));
    });
}

async function withClient<T>(
  options: ServerOptions,
  context: Context,
  run: (client: AgentClient) => Promise<T>,
): Promise<T> {
  const { AgentClient } = loadGrpc();
  const address = options.server ?? `unix://${context.env['POLYTRACE_SOCKET'] ?? AGENT_SOCKET}`;
  const client = new AgentClient(agentAddress(address, options));
  try {
    return await run(client);
  } finally {
    client.close();
  }
}

function addPolicies(paths: readonly string[], options: ServerOptions, context: Context): Promise<number> {
  for (const path of paths) {
    if (statSync(path, { throwIfNoEntry: false }) === undefined)
      throw new UsageError(`no such file or folder: ${path}`);
  }
  const files = paths.flatMap((path) => context.api.expandPolicyPaths(path));
  return changePolicies(
    files,
    options,
    context,
    (client, file) => client.addPolicy(context.api.loadPolicyFile(file)),
    'loaded',
  );
}

/** Applies a change to each policy. A failed policy does not stop the others. */
function changePolicies(
  names: readonly string[],
  options: ServerOptions,
  context: Context,
  run: (client: AgentClient, name: string) => Promise<void>,
  result: string,
): Promise<number> {
  return withClient(options, context, async (client) => {
    const { AgentError } = loadGrpc();
    let failed = false;
    for (const name of names) {
      try {
        await run(client, name);
        await print(context.stdout, escapeControls(`${name}: ${result}\n`));
      } catch (error) {
        if (!(error instanceof AgentError) || error.isUnavailable) throw error;
        failed = true;
        context.stderr.write(escapeControls(`polytrace: ${name}: ${error.message}\n`));
      }
    }
    return failed ? POLICY_ERRORS : SUCCESS;
  });
}

function listPolicies(options: ListOptions, context: Context): Promise<number> {
  return withClient(options, context, async (client) => {
    const policies = await client.policies();
    const rows = policies.map((row) => [
      String(row.id),
      fullName(row),
      row.state,
      row.mode,
      String(row.matched),
      String(row.posted),
      String(row.enforced),
      String(row.lost),
      row.file === '' ? '(grpc)' : row.file,
      row.error.split('\n')[0] ?? '',
    ]);
    const head = ['ID', 'NAME', 'STATE', 'MODE', 'MATCHED', 'POSTED', 'ENFORCED', 'LOST', 'FROM', 'ERROR'];
    await print(
      context.stdout,
      options.output === 'json' ? formatJson(policies) : escapeControls(formatTable([head, ...rows])),
    );
    return policies.some(({ error }) => error !== '') ? POLICY_ERRORS : SUCCESS;
  });
}

function fullName({ name, namespace }: PolicyRow): string {
  const title = name === '' ? '(no policy)' : name;
  return namespace === '' ? title : `${namespace}/${title}`;
}

function printPolicyStatus(name: string, options: ListOptions, context: Context): Promise<number> {
  return withClient(options, context, async (client) => {
    const policy = (await client.policies()).find((row) => fullName(row) === name);
    if (policy === undefined) throw new UsageError(`the agent has no policy ${name}`);
    const { hooks, ...facts } = policy;
    const rows = Object.entries(facts).map(([key, value]) => [key, String(value)]);
    const head = ['HOOK', 'ATTACHED BY', 'MATCHED', 'POSTED', 'LOST'];
    const hookRows = hooks.map((hook) => [
      hook.name,
      hook.attach,
      ...[hook.matched, hook.posted, hook.lost].map(String),
    ]);
    const text = `${formatTable(rows)}\n${formatTable([head, ...hookRows])}`;
    await print(context.stdout, options.output === 'json' ? formatJson(policy) : escapeControls(text));
    return policy.error === '' ? SUCCESS : POLICY_ERRORS;
  });
}

function printStatus(options: ListOptions, context: Context): Promise<number> {
  return withClient(options, context, async (client) => {
    const [health, policies] = [await client.health(), await client.policies()];
    const failed = policies.filter(({ error }) => error !== '');
    const lines = failed.map((row) => `${fullName(row)} ${row.file}: ${row.error}\n`);
    const result = { health, policies: policies.length, failed: failed.length };
    const text = `agent: ${health}\npolicies: ${policies.length}\n${lines.join('')}`;
    await print(context.stdout, options.output === 'json' ? formatJson(result) : escapeControls(text));
    return failed.length === 0 ? SUCCESS : POLICY_ERRORS;
  });
}

function printInfo(options: ListOptions, context: Context): Promise<number> {
  return withClient(options, context, async (client) => {
    const { configuration, ...facts } = await client.info();
    const rows = [...Object.entries(facts), ...Object.entries(configuration)].map(([key, value]) => [
      key,
      String(value),
    ]);
    await print(
      context.stdout,
      options.output === 'json' ? formatJson({ ...facts, configuration }) : escapeControls(formatTable(rows)),
    );
    return SUCCESS;
  });
}
