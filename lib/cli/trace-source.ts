/** Loads the policy of a tracer, in this process or at an agent, and passes on its events until the command is stopped. */
import { existsSync } from 'node:fs';
import type { EventType, MetricsSample, PlainEvent, Tracer } from '../../types/index.js';
import type { AgentClient } from '../grpc/client.js';
import { loadGrpc } from '../grpc/load.js';
import type { Row, TracerDefinition, TraceOptions } from '../tracers/index.js';
import { CommandError, KERNEL, OUTPUT_LOST, SUCCESS, type Context } from './context.js';
import { EventOutput, printMessage } from './output.js';
import { RowPrinter } from './row-printer.js';
import { AGENT_SOCKET, agentAddress } from './server-options.js';
import { StopSignals } from './stop-signals.js';
import type { TraceCommandOptions } from './trace-options.js';

const HOOK_TYPES = ['process_kprobe', 'process_tracepoint', 'process_uprobe'] as const satisfies readonly EventType[];
const PROCESS_TYPES = ['process_exec', 'process_exit'] as const satisfies readonly EventType[];
/** Nobody reads lines faster. */
const COALESCE_MS = 50;
const TICK_MS = 1000;

export async function traceEvents(
  definition: TracerDefinition,
  options: TraceOptions,
  given: TraceCommandOptions,
  context: Context,
): Promise<number> {
  const session = new TraceSession(definition, options, given, context);
  const server = chooseServer(given, context);
  try {
    if (server === undefined) await traceHere(definition, options, context, session);
    else await traceAgent(server, definition, options, given, session);
    await session.end();
  } finally {
    session.close();
  }
  return session.lostEvents === 0 ? SUCCESS : OUTPUT_LOST;
}

/** The agent of --server, of POLYTRACE_SOCKET, or of this machine. */
function chooseServer({ server }: TraceCommandOptions, { env }: Context): string | undefined {
  if (server !== undefined) return server;
  const chosen = env['POLYTRACE_SOCKET'];
  if (chosen === '') return undefined;
  const socket = chosen ?? AGENT_SOCKET;
  return chosen !== undefined || existsSync(socket) ? `unix://${socket}` : undefined;
}

/** Makes rows of events and prints them. It knows nothing about the source of the events. */
class TraceSession {
  readonly #context: Context;
  readonly #options: TraceOptions;
  readonly #collector: ReturnType<TracerDefinition['createCollector']>;
  readonly #printer: RowPrinter;
  readonly #output: EventOutput;
  readonly #signals: StopSignals;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #once: boolean;
  #onStop: () => void = () => undefined;
  #readMetrics: (() => Promise<MetricsSample>) | undefined;
  #isStopped = false;
  #failure: Error | undefined;
  #lost = 0;

  constructor(definition: TracerDefinition, options: TraceOptions, given: TraceCommandOptions, context: Context) {
    this.#context = context;
    this.#options = options;
    this.#once = given.once === true;
    this.#collector = definition.createCollector(options);
    this.#printer = new RowPrinter(definition, options, this.#collector, { output: given.output, limit: given.rows }, context); // prettier-ignore
    this.#output = new EventOutput(context, {
      shouldContinue: () => false,
      onEnd: () => this.stop(),
      report: (message) => printMessage(context, `polytrace: ${message}`),
    });
    this.#signals = new StopSignals(context, () => this.stop());
    this.#seconds = given.duration;
    this.#interval = given.interval ?? definition.interval ?? 0;
  }

  readonly #seconds: number | undefined;
  readonly #interval: number;

  get lostEvents(): number {
    return this.#output.lostEvents;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    void this.#takeMetrics().finally(() => this.#onStop());
  }

  /**
   * The hooks are attached: prints the titles, and starts the timers. `onStop` ends the events. `readMetrics` is for tracers that
   * count.
   */
  async start(ready: string, onStop: () => void, readMetrics?: () => Promise<MetricsSample>): Promise<void> {
    this.#onStop = onStop;
    if (this.#isStopped) return onStop();
    this.#readMetrics = readMetrics;
    printMessage(this.#context, ready);
    const { start } = this.#printer;
    if (start !== '') await this.#output.write(start);
    this.#timers.push(setInterval(() => this.#tick(), TICK_MS));
    if (this.#printer.isSummary) this.#timers.push(setInterval(() => void this.#printSummary(), this.#interval * 1000));
    if (this.#seconds !== undefined) this.#timers.push(setTimeout(() => this.stop(), this.#seconds * 1000));
  }

  /** Resolves to false when the output has ended. */
  async take(events: readonly PlainEvent[]): Promise<boolean> {
    let text = '';
    for (const event of events) {
      if (event.type === 'lost') this.#lost += event.count;
      else text += this.#format(this.#collector.take(event));
    }
    return text === '' || (await this.#output.write(text));
  }

  #format(rows: readonly Row[]): string {
    if (rows.length === 0) return '';
    const { isWanted, pids, binaries } = this.#options;
    const isFiltered = pids.length > 0 || binaries.length > 0;
    return this.#printer.formatRows(
      rows.filter(({ process }) => (process === undefined ? !isFiltered : isWanted(process.source))),
    );
  }

  #tick(): void {
    this.#reportLosses();
    if (this.#collector.tick === undefined) return;
    // eslint-disable-next-line no-restricted-properties -- a time of day, as events have it
    const text = this.#format(this.#collector.tick(BigInt(Date.now()) * 1_000_000n));
    if (text !== '') void this.#output.write(text);
  }

  /** The last reading is the one before the hooks are detached. An error ends the tracer. */
  async #takeMetrics(): Promise<void> {
    if (this.#readMetrics === undefined) return;
    try {
      this.#collector.takeMetrics?.(await this.#readMetrics());
    } catch (error) {
      this.#failure ??= error as Error;
      this.stop();
    }
  }

  async #printSummary(): Promise<void> {
    const { summarize } = this.#collector;
    if (summarize === undefined || this.#isStopped) return;
    await this.#takeMetrics();
    if (this.isStopped) return;
    void this.#output.write(this.#printer.formatSummary(summarize(), this.#once));
    if (this.#once) this.stop();
  }

  #reportLosses(): void {
    if (this.#lost === 0) return;
    printMessage(this.#context, `warning: ${this.#lost} events were lost: what is shown is incomplete`);
    this.#lost = 0;
  }

  /** Prints what is left. Rejects if the metrics could not be read. */
  async end(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    if (this.#failure !== undefined) throw this.#failure;
    const { summarize, forgotten } = this.#collector;
    if (summarize !== undefined && !this.#once) {
      const summary = summarize();
      if (summary.rows.length > 0) await this.#output.write(this.#printer.formatSummary(summary, true));
    }
    this.#reportLosses();
    if (forgotten > 0)
      printMessage(this.#context, `warning: ${forgotten} unfinished calls or connections were forgotten: there were too many`); // prettier-ignore
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#signals.end();
  }
}

function eventTypes(definition: TracerDefinition): readonly EventType[] {
  return definition.usesProcessEvents === true ? PROCESS_TYPES : HOOK_TYPES;
}

/** Opens a tracer. When the session stops, the tracer is closed: events before are still passed on. */
async function traceHere(
  definition: TracerDefinition,
  options: TraceOptions,
  context: Context,
  session: TraceSession,
): Promise<void> {
  for (const { meaning, remedy } of context.api.hostGaps()) printMessage(context, `warning: ${meaning}: ${remedy}`);
  const tracer = await context.api.openTracer({ containers: true, coalesceMs: COALESCE_MS });
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= tracer.close());
  try {
    const hooks = await loadHere(tracer, definition, options, context);
    const batches = tracer.batches({
      types: eventTypes(definition),
      ...(definition.usesProcessEvents === true ? {} : { policyNames: [options.policyName] }),
    });
    // close() reports its error below
    await session.start(
      `ready: ${definition.name}: ${hooks}`,
      () => void close().catch(() => undefined),
      definition.readsMetrics === true ? () => tracer.metrics() : undefined,
    );
    for await (const batch of batches) if (!(await session.take(batch))) session.stop();
  } finally {
    await close();
  }
}

/** Loads the first policy that this kernel can load, and returns its hooks. */
async function loadHere(
  tracer: Tracer,
  definition: TracerDefinition,
  options: TraceOptions,
  { api }: Context,
): Promise<string> {
  const failures: Error[] = [];
  for (const yaml of definition.policies(options)) {
    try {
      const [status] = await tracer.addPolicy({ yaml, file: `${options.policyName}.yaml` });
      const names = (status?.hooks ?? []).map(({ functionName, attach }) => `${functionName} (${attach})`);
      return formatHooks([...new Set(names)]);
    } catch (error) {
      if (!(error instanceof api.PolytraceError)) throw error;
      failures.push(error);
    }
  }
  if (failures.length > 0) throw createUnsupportedError(definition, failures);
  return 'exec, exit';
}

const HOOKS_SHOWN = 4;

function formatHooks(names: readonly string[]): string {
  const more = names.length - HOOKS_SHOWN;
  return `${names.slice(0, HOOKS_SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function createUnsupportedError({ name, needs }: TracerDefinition, [first]: readonly Error[]): CommandError {
  const [line = ''] = (first?.message ?? '').split('\n');
  // the reader has not written the policy: its lines say nothing to him
  const reason = line.replace(/^\S+:\d+:\d+: (error \w+: )?/, '');
  return new CommandError(
    'TRACER_UNSUPPORTED',
    `this kernel cannot trace ${name}: ${reason}`,
    `${name} needs ${needs}; \`polytrace preflight\` shows what this machine has`,
    KERNEL,
  );
}

async function traceAgent(
  server: string,
  definition: TracerDefinition,
  options: TraceOptions,
  given: TraceCommandOptions,
  session: TraceSession,
): Promise<void> {
  const { AgentClient } = loadGrpc();
  const client = new AgentClient(agentAddress(server, given));
  const stopped = new AbortController();
  let isLoaded = false;
  try {
    isLoaded = await loadAtAgent(client, definition, options);
    const request = {
      types: eventTypes(definition),
      ...(definition.usesProcessEvents === true ? {} : { policyNames: [options.policyName] }),
    };
    const onOpen = (): void => {
      void session.start(
        `ready: ${definition.name}: at the agent at ${server}`,
        () => stopped.abort(),
        definition.readsMetrics === true ? () => client.metrics([options.policyName]) : undefined,
      );
    };
    if (session.isStopped) return;
    for await (const batch of client.events(request, stopped.signal, onOpen)) {
      const events = batch.flatMap(({ view }) => (view === undefined ? [] : [view]));
      if (!(await session.take(events))) session.stop();
    }
  } finally {
    try {
      if (isLoaded) await client.deletePolicy(options.policyName, '');
    } finally {
      client.close();
    }
  }
}

/** Returns false if the tracer needs no policy. */
async function loadAtAgent(client: AgentClient, definition: TracerDefinition, options: TraceOptions): Promise<boolean> {
  const { AgentError } = loadGrpc();
  const failures: Error[] = [];
  for (const yaml of definition.policies(options)) {
    try {
      await client.addPolicy(yaml);
      return true;
    } catch (error) {
      // an agent that is away, or that does not let this client change policies, gives no other answer to another policy
      if (!(error instanceof AgentError) || error.isUnavailable || REFUSED.includes(error.status)) throw error;
      failures.push(error);
    }
  }
  if (failures.length > 0) throw createUnsupportedError(definition, failures);
  return false;
}

const REFUSED = ['PERMISSION_DENIED', 'UNAUTHENTICATED', 'UNIMPLEMENTED'];
