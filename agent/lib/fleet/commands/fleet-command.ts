/** The command `polytrace fleet`: policies and nodes of a fleet. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { PolicyError, PolytraceError, type PolicyMode } from 'polytrace';
import { diffLines, formatJson } from 'polytrace/protocol';
import { FAILED, GOOD, USAGE, type CommandHost } from '../../command-host.js';
import { FleetConnection } from '../connection.js';
import { createEventsStream } from '../create.js';
import { makeError, toFleetError } from '../errors.js';
import { DEFAULT_CLUSTER } from '../names.js';
import { parseNodeSelector } from '../nodes/selector.js';
import type { NodeReport } from '../nodes/report.js';
import { readSigningKey, readTrustedKeys, writeKeyPair, type SigningKey } from '../policies/keys.js';
import { createBuckets, OperatorBucket } from '../policies/operator-bucket.js';
import { BUDGETS, LOAD_MS } from '../policies/plan.js';
import type { PolicyRecord } from '../policies/records.js';
import { applyPolicy, deletePolicy, isComplete, readPolicies, rollBack, type ApplyOptions } from './changes.js';
import { escapeText } from './output.js';
import { describeRollout, formatNodes, formatPolicies, formatStatus, formatTop, type PolicyRow } from './tables.js';

const NO_SERVER = 5;

const CONNECT_MS = 10_000;
const LOOK_MS = 1000;
const MEBIBYTE = 1024 * 1024;

interface ServerOptions {
  readonly fleet?: readonly string[];
  readonly fleetCredentials?: string;
  readonly fleetCa?: string;
  readonly fleetCert?: string;
  readonly fleetKey?: string;
  readonly clusterName: string;
  readonly fleetPolicyKey?: readonly string[];
  readonly fleetGateKey?: readonly string[];
}

interface SignOptions extends ServerOptions {
  readonly key: string;
}

interface ApplyFlags extends SignOptions {
  readonly nodes: string;
  readonly mode?: PolicyMode;
  readonly canary?: readonly number[];
  readonly wait: number;
  readonly loadWithin: number;
  readonly maxFailed: number;
  readonly maxEnforced: number;
  readonly maxLost: number;
  readonly maxRate: number;
  readonly follow?: true;
}

interface ListOptions extends ServerOptions {
  readonly output: 'table' | 'json';
  readonly nodes?: string;
}

const HELP = `
A policy counts only if an operator has signed it. \`keygen\` makes the key:
the private file stays with the operator (--key), and agents get the .pub file
(polytrace agent --fleet-policy-key). Options of the servers can also be in the
environment: POLYTRACE_FLEET, POLYTRACE_CLUSTER_NAME and so on.

Examples:
  polytrace fleet keygen operator.pem
  polytrace fleet init --replicas 3
  polytrace fleet apply shell.yaml --key operator.pem --nodes role=web --canary 5%,25%,100% --wait 2m --follow
  polytrace fleet rollback shell --key operator.pem

Exit status:
  0  success
  1  errors in a policy, a rollout that stopped, or a refused record
  2  wrong usage
  5  no server answers
`;

/** Runs `polytrace fleet` and returns its exit status. */
export async function runFleetCommand(args: readonly string[], host: CommandHost): Promise<number> {
  let status = GOOD;
  const { stderr } = host;
  const command = new FleetCommands(host, (result) => (status = result)).build();
  try {
    await command.parseAsync([...args], { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? GOOD : USAGE;
    if (!(error instanceof PolytraceError)) throw error;
    const { code, message, hint } = error;
    const isPolicy = error instanceof PolicyError;
    const text = isPolicy ? message : `${code}: ${message}${hint === '' ? '' : `\n    hint: ${hint}`}`;
    stderr.write(`polytrace: ${escapeText(text)}\n`);
    if (code === 'FLEET_UNAVAILABLE' || code === 'FLEET_TLS' || code === 'FLEET_REFUSED') return NO_SERVER;
    return ['BAD_OPTION', 'FLEET_KEY', 'FLEET_CREDENTIALS', 'LABELS_INVALID'].includes(code) ? USAGE : FAILED;
  }
}

class FleetCommands {
  readonly #host: CommandHost;
  readonly #env: NodeJS.ProcessEnv;
  readonly #done: (status: number) => void;

  constructor(host: CommandHost, done: (status: number) => void) {
    this.#host = host;
    this.#env = host.env ?? process.env;
    this.#done = done;
  }

  build(): Command {
    const { stdout, stderr } = this.#host;
    const program = new Command('polytrace fleet')
      .description('Policies and nodes of a fleet, over NATS')
      .exitOverride()
      .configureOutput({
        writeOut: (text) => void stdout.write(text),
        writeErr: (text) => void stderr.write(text),
        outputError: (text, write) => write(text.replace(/^error: /, 'polytrace: ')),
      })
      .showHelpAfterError('(--help shows the options)')
      .addHelpText('after', HELP);
    program
      .command('keygen')
      .description('Make a key of an operator or a controller: FILE, and FILE.pub for the agents')
      .argument('<file>', 'new file of the private key')
      .action((file: string) => {
        const { publicFile, fingerprint } = writeKeyPair(file);
        stdout.write(`private key: ${file}\npublic key:  ${publicFile} (${fingerprint})\n`);
      });
    this.#server(program.command('init'))
      .description('Make the buckets of policies and nodes, and the stream of events')
      .option('--replicas <number>', 'copies on different servers: 1, 3 or 5', parseWhole, 1)
      .option('--events-max-mb <mebibytes>', 'most mebibytes of events that the servers keep', parseWhole, 10_240)
      .option('--events-max-age <time>', 'events are removed after this time', parseTime, 7 * 24 * 3_600_000)
      .action((options: ServerOptions & InitOptions) => this.#init(options));
    this.#sign(this.#server(program.command('apply')))
      .description('Sign policies, and roll them out')
      .argument('<file-or-folder...>', 'policies, or polytrace:NAME')
      .option('--nodes <labels>', 'only for nodes with these labels: role=web,zone in (a, b)', '')
      .addOption(new Option('--mode <mode>', 'mode in place of that of the policy').choices(['monitor', 'enforce']))
      .option('--canary <percents>', 'stages of the rollout, such as 5%,25%,100%', parsePercents)
      .option('--wait <time>', 'with --canary: all nodes of a stage have to be well for this time', parseTime, 120_000)
      .option(
        '--load-within <time>',
        'with --canary: time for the nodes of a stage to load the version',
        parseTime,
        LOAD_MS,
      )
      .option('--max-failed <nodes>', 'nodes that may fail to load the version', parseWhole, BUDGETS.failed)
      .option(
        '--max-enforced <calls>',
        'enforced calls of a node until the rollout stops',
        parseWhole,
        BUDGETS.enforced,
      )
      .option('--max-lost <events>', 'lost events of a node until the rollout stops', parseWhole, BUDGETS.lost)
      .option('--max-rate <events>', 'events of a node in a second until the rollout stops', parseWhole, BUDGETS.rate)
      .option('--follow', 'wait for the end of the rollout; Ctrl-C ends only the waiting')
      .action((files: string[], options: ApplyFlags) => this.#apply(files, options));
    this.#sign(this.#server(program.command('delete')))
      .description('Remove policies from all nodes')
      .argument('<name...>', 'NAME, or NAMESPACE/NAME')
      .action((names: string[], options: SignOptions) =>
        this.#change(options, names, (bucket, name, key) => deletePolicy(bucket, name, key)),
      );
    this.#sign(this.#server(program.command('rollback')))
      .description('Sign an earlier version again, for all nodes at once')
      .argument('<name>', 'NAME, or NAMESPACE/NAME')
      .option(
        '--to <version>',
        'the version (default: the last one that reached all nodes, before this one)',
        parseWhole,
      )
      .action((name: string, options: SignOptions & { readonly to?: number }) =>
        this.#change(options, [name], (bucket, each, key) => rollBack(bucket, each, options.to, key)),
      );
    this.#list(program.command('list'))
      .description('List the policies, their newest versions and rollouts')
      .action((options: ListOptions) =>
        this.#show(options, async (bucket) => {
          const rows = await this.#readRows(bucket);
          return options.output === 'json' ? formatJson(rows) : formatPolicies(rows, now());
        }),
      );
    this.#server(program.command('diff'))
      .description('Compare files with the newest versions')
      .argument('<file-or-folder...>', 'policies')
      .action((files: string[], options: ServerOptions) => this.#diff(files, options));
    this.#list(program.command('status'))
      .description('Show the wanted and the loaded version of each node, with errors and counters')
      .argument('[name...]', 'only these policies')
      .option('--nodes <labels>', 'only nodes with these labels')
      .action((names: string[], options: ListOptions) =>
        this.#show(options, async (bucket) => {
          const rows = (await this.#readRows(bucket)).filter(
            ({ record: { name } }) => names.length === 0 || names.includes(name),
          );
          const nodes = selectNodes(await bucket.listNodes(), options);
          return options.output === 'json' ? formatJson({ policies: rows, nodes }) : formatStatus(rows, nodes, now());
        }),
      );
    this.#list(program.command('nodes'))
      .description('List the nodes that report')
      .option('--nodes <labels>', 'only nodes with these labels')
      .action((options: ListOptions) =>
        this.#show(options, async (bucket) => {
          const nodes = selectNodes(await bucket.listNodes(), options);
          return options.output === 'json' ? formatJson(nodes) : formatNodes(nodes, now());
        }),
      );
    this.#server(program.command('top'))
      .description('Show the nodes with most events, again and again')
      .option('--nodes <labels>', 'only nodes with these labels')
      .option('--interval <time>', 'time between two tables', parseTime, 2000)
      .option('--once', 'print one table, and end')
      .action((options: TopOptions) => this.#top(options));
    return program;
  }

  #server(command: Command): Command {
    const env = this.#env;
    const list = (name: string): string[] | undefined => env[name]?.split(',').filter((each) => each !== '');
    const add = (flags: string, help: string, value: unknown): void => {
      const option = new Option(flags, help);
      if (value !== undefined) option.default(value);
      command.addOption(option);
    };
    add('--fleet <url...>', 'NATS servers: tls://HOST:PORT', list('POLYTRACE_FLEET'));
    add('--fleet-credentials <file>', 'a .creds file, or the seed of an NKey', env['POLYTRACE_FLEET_CREDENTIALS']);
    add('--fleet-ca <file>', 'certificates of who signed those of the servers (PEM)', env['POLYTRACE_FLEET_CA']);
    add('--fleet-cert <file>', 'certificate of this client (PEM)', env['POLYTRACE_FLEET_CERT']);
    add('--fleet-key <file>', 'key of this certificate (PEM)', env['POLYTRACE_FLEET_KEY']);
    add('--cluster-name <name>', 'the cluster of the nodes', env['POLYTRACE_CLUSTER_NAME'] ?? DEFAULT_CLUSTER);
    add('--fleet-policy-key <file...>', 'public keys of operators (PEM)', list('POLYTRACE_FLEET_POLICY_KEY'));
    add('--fleet-gate-key <file...>', 'public keys of controllers (PEM)', list('POLYTRACE_FLEET_GATE_KEY'));
    return command;
  }

  #sign(command: Command): Command {
    return command.requiredOption('--key <file>', 'private key of the operator (PEM), see keygen');
  }

  #list(command: Command): Command {
    return this.#server(command).addOption(
      new Option('-o, --output <format>', 'format').choices(['table', 'json']).default('table'),
    );
  }

  async #connect<T>(options: ServerOptions, use: (connection: FleetConnection) => Promise<T>): Promise<T> {
    const { fleet, fleetCredentials: credentials, fleetCa: ca, fleetCert: cert, fleetKey: key } = options;
    const servers = (fleet ?? []).flatMap((each) => each.split(','));
    const connection = FleetConnection.open({ servers, credentials, ca, cert, key, name: 'polytrace fleet' });
    try {
      await connection.connected(CONNECT_MS);
      return await use(connection);
    } catch (error) {
      // a mistake of this program is not one of the server
      throw error instanceof TypeError ? error : toFleetError(error, servers);
    } finally {
      await connection.close();
    }
  }

  #withBucket<T>(
    options: ServerOptions,
    signingKey: SigningKey | undefined,
    use: (bucket: OperatorBucket) => Promise<T>,
  ): Promise<T> {
    const keys = new Map(readTrustedKeys(options.fleetPolicyKey ?? []));
    if (signingKey !== undefined) keys.set(signingKey.fingerprint, signingKey.publicKey);
    if (keys.size === 0) {
      throw makeError('BAD_OPTION', 'nobody is trusted', 'give the public keys of operators with --fleet-policy-key');
    }
    const gateKeys = readTrustedKeys(options.fleetGateKey ?? []);
    return this.#connect(options, async (connection) => {
      const nc = await connection.connected(CONNECT_MS);
      return use(await OperatorBucket.open(nc, options.clusterName, { keys, gateKeys }));
    });
  }

  #init({ replicas, eventsMaxMb, eventsMaxAge, ...options }: ServerOptions & InitOptions): Promise<void> {
    return this.#connect(options, async (connection) => {
      const nc = await connection.connected(CONNECT_MS);
      await createBuckets(nc, replicas);
      await createEventsStream(nc, { replicas, maxBytes: eventsMaxMb * MEBIBYTE, maxAgeMs: eventsMaxAge });
      this.#host.stdout.write('the fleet has its buckets and its stream\n');
    });
  }

  async #change(
    options: SignOptions,
    names: readonly string[],
    run: (bucket: OperatorBucket, name: string, key: SigningKey) => Promise<string>,
  ): Promise<void> {
    const key = readSigningKey(options.key);
    await this.#withBucket(options, key, async (bucket) => {
      for (const name of names) this.#host.stdout.write(`${escapeText(await run(bucket, name, key))}\n`);
    });
  }

  async #apply(files: readonly string[], flags: ApplyFlags): Promise<void> {
    const key = readSigningKey(flags.key);
    const policies = readPolicies(files);
    parseNodeSelector(flags.nodes);
    const { maxFailed: failed, maxEnforced: enforced, maxLost: lost, maxRate: rate } = flags;
    const options: ApplyOptions = {
      nodes: flags.nodes,
      mode: flags.mode,
      percents: flags.canary ?? [100],
      waitMs: flags.wait,
      loadMs: flags.loadWithin,
      budgets: { failed, enforced, lost, rate },
    };
    await this.#withBucket(flags, key, async (bucket) => {
      const reports = await bucket.listNodes();
      if (options.percents.length > 1 && !reports.some(({ isController }) => isController)) {
        const text =
          'no agent of the fleet has the key of a controller (--fleet-controller): only the first stage loads the version';
        this.#host.stderr.write(`polytrace: warning: ${text}\n`);
      }
      const written: PolicyRecord[] = [];
      for (const policy of policies) {
        const { line, record } = await applyPolicy(bucket, policy, options, reports, key);
        this.#host.stdout.write(`${escapeText(line)}\n`);
        if (record !== undefined) written.push(record);
      }
      if (flags.follow === true) for (const record of written) await this.#follow(bucket, record);
    });
  }

  /** Prints each step of a rollout until its end. */
  async #follow(bucket: OperatorBucket, record: PolicyRecord): Promise<void> {
    const stop = stopSignal(this.#host.signals);
    let last = '';
    while (!stop.signal.aborted) {
      const gate = await bucket.readGate(record.name);
      const step = `${record.name}: version ${record.version} is ${describeRollout(record, gate)}`;
      if (step !== last) this.#host.stdout.write(`${escapeText(step)}\n`);
      last = step;
      if (isComplete(record, gate)) break;
      if (gate?.version === record.version && gate.state === 'stopped') {
        this.#done(FAILED);
        break;
      }
      await pause(LOOK_MS, stop.signal);
    }
    stop.release();
  }

  async #diff(files: readonly string[], options: ServerOptions): Promise<void> {
    const policies = readPolicies(files);
    await this.#withBucket(options, undefined, async (bucket) => {
      for (const { name, file, content } of policies) {
        const head = (await bucket.readHead(name))?.signed.record;
        const lines = diffLines(head?.content ?? '', content);
        if (lines.length === 0) continue;
        const before = head === undefined ? 'nothing' : `${name} version ${head.version}`;
        this.#host.stdout.write(escapeText(`--- ${before}\n+++ ${file}\n${lines.join('\n')}\n`));
        this.#done(FAILED);
      }
    });
  }

  async #show(options: ListOptions, make: (bucket: OperatorBucket) => Promise<string>): Promise<void> {
    await this.#withBucket(options, undefined, async (bucket) => {
      this.#host.stdout.write(await make(bucket));
    });
  }

  #readRows(bucket: OperatorBucket): Promise<PolicyRow[]> {
    return bucket.listHeads((place, { code, message }) => {
      this.#host.stderr.write(`polytrace: warning: ${code}: ${escapeText(place)}: ${escapeText(message)}\n`);
    });
  }

  async #top(options: TopOptions): Promise<void> {
    const stop = stopSignal(this.#host.signals);
    const isTerminal = (this.#host.stdout as { readonly isTTY?: boolean }).isTTY === true;
    await this.#withBucket(options, undefined, async (bucket) => {
      while (!stop.signal.aborted) {
        const table = formatTop(selectNodes(await bucket.listNodes(), options), now());
        this.#host.stdout.write(isTerminal && options.once !== true ? `\u001b[2J\u001b[H${table}` : table);
        if (options.once === true) break;
        await pause(options.interval, stop.signal);
      }
    });
    stop.release();
  }
}

interface InitOptions {
  readonly replicas: number;
  readonly eventsMaxMb: number;
  readonly eventsMaxAge: number;
}

interface TopOptions extends ServerOptions {
  readonly nodes?: string;
  readonly interval: number;
  readonly once?: true;
}

function selectNodes(
  nodes: readonly NodeReport[],
  { nodes: selector = '' }: { readonly nodes?: string },
): NodeReport[] {
  const selects = parseNodeSelector(selector);
  return nodes.filter(({ labels }) => selects(labels));
}

function now(): number {
  return new Date().getTime();
}

function stopSignal(signals: NodeJS.EventEmitter): { readonly signal: AbortSignal; readonly release: () => void } {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  for (const name of ['SIGINT', 'SIGTERM']) signals.on(name, stop);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of ['SIGINT', 'SIGTERM']) signals.off(name, stop);
    },
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

function parseWhole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It has to be a whole number.');
  return Number(text);
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function parseTime(text: string): number {
  const [, count, unit = ''] = /^(\d{1,6})(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS[unit] ?? NaN);
  if (!Number.isSafeInteger(ms))
    throw new InvalidArgumentError('It has to be a time such as 500ms, 30s, 2m, 6h or 7d.');
  return ms;
}

function parsePercents(text: string): number[] {
  const percents = text.split(',').map((each) => (/^\d+(\.\d+)?%?$/.test(each.trim()) ? parseFloat(each) : NaN));
  const isRising = percents.every((each, i) => each > (percents[i - 1] ?? 0) && each <= 100);
  if (!isRising || percents.at(-1) !== 100 || percents.length > 20) {
    throw new InvalidArgumentError('Stages are rising percents, and the last one is 100%: 5%,25%,100%.');
  }
  return percents;
}
