/** `polytrace getevents` as a client of the agent, and over recorded events. */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentAddress, ClientEvent, EventsRequest } from './agent-api.js';
import { AGENT_SOCKET, loadAgentPackage, type ServerOptions } from './agent-package.js';
import { GOOD, INTERRUPTED, OUTPUT_LOST, POLICY_ERRORS, UsageError, type Context } from './context.js';
import type { GetEventsOptions } from './getevents.js';
import { checkNotJson } from './json-options.js';
import type { OutputHandlers } from './output.js';
import { printerOf, standardOutput, type Printer, type Target } from './printer.js';
import { recordedLines, type LinesOptions } from './recorded-lines.js';
import { oneLine } from './text.js';

export interface AgentEventsOptions extends ServerOptions {
  readonly namespaceRegex?: readonly string[];
  readonly reconnect?: boolean;
  /** Recorded events: a file, or `-` for standard input. */
  readonly input?: string;
}

type Options = GetEventsOptions & AgentEventsOptions;

export interface RecordedOptions extends Options {
  /** Waits for more lines of the last file. */
  readonly follow?: boolean;
  /** Nanoseconds since 1970. Earlier events are left out. */
  readonly since?: bigint;
}

/** Options that only a tracer of this process can have. */
const OWN = {
  policy: '--policy',
  policyDir: '--policy-dir',
  enforcement: '--enforcement',
  allowRequests: '--allow-requests',
  mode: '--mode',
  persist: '--persist',
  keep: '--keep',
  record: '--record',
  containerSources: '--container-sources',
  enableAncestors: '--enable-ancestors',
  enableProcessCred: '--enable-process-cred',
  enableProcessNs: '--enable-process-ns',
} as const satisfies Partial<Record<keyof Options, string>>;

/** Options that only an agent, or recorded events, can have. */
const CLIENT = {
  namespaceRegex: '--namespace-regex',
  reconnect: '--reconnect',
} as const satisfies Partial<Record<keyof Options, string>>;

export type Source =
  | { readonly from: 'tracer' }
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'agent'; readonly server: string };

/**
 * Where events come from: `--input`; a tracer of this process with an option that only it has; `--server`; the agent of this
 * machine if its socket exists; else a tracer of this process.
 */
export function sourceOf(options: Options, { env }: Context): Source {
  const own = named(options, OWN);
  const { input, server } = options;
  if (input !== undefined && server !== undefined) throw new UsageError('--input and --server exclude each other');
  const other = input !== undefined ? '--input' : server !== undefined ? '--server' : undefined;
  if (other !== undefined && own !== undefined) throw new UsageError(`${own} makes a tracer, which ${other} excludes`);
  if (input !== undefined) return { from: 'file', path: input };
  if (server !== undefined) return { from: 'agent', server };
  const socket = env['POLYTRACE_SOCKET'] ?? AGENT_SOCKET;
  if (own === undefined && existsSync(socket)) return { from: 'agent', server: `unix://${socket}` };
  const client = named(options, CLIENT);
  if (client !== undefined)
    throw new UsageError(`${client} needs an agent: use --server, or start one (polytrace agent)`);
  return { from: 'tracer' };
}

function named(options: Options, names: Readonly<Partial<Record<keyof Options, string>>>): string | undefined {
  return Object.entries(names).find(([key]) => options[key as keyof Options] !== undefined)?.[1];
}

/** A client prints whatever arrives: the fields that an agent has left out are empty in lines. */
function clientPrinter(options: Options, context: Context): Printer<ClientEvent> {
  if (options.output === 'json' && options.redactionFilters !== undefined) {
    throw new UsageError(
      '--redaction-filters with --output json needs --policy: an agent redacts by its configuration',
    );
  }
  return printerOf(options, context, { view: ({ view }) => view, json: (event) => event.json() });
}

function requestOf(options: Options): EventsRequest {
  const namespaces = [...(options.namespaces ?? []), ...(options.host === true ? [''] : [])];
  return {
    types: options.eventTypes,
    policyNames: options.policyNames,
    binaries: options.process,
    namespaces,
    namespacePatterns: options.namespaceRegex,
    pods: options.pods,
    containers: options.containers,
    labels: options.labels,
    expressions: options.celExpression,
    include: options.includeFields,
    exclude: options.excludeFields,
  };
}

/** Prints the events of an agent until a signal, the end of `--duration`, or the end of the output's reader. */
export async function followAgent(
  server: string,
  options: Options,
  context: Context,
  target = standardOutput(clientPrinter(options, context), context),
): Promise<number> {
  const { printer } = target;
  const { AgentClient, AgentError } = loadAgentPackage(context);
  const stop = new Stop(context, options.duration);
  const output = target.open(handlersOf(context, stop));
  const address: AgentAddress = { address: server, ca: options.tlsCa, cert: options.tlsCert, key: options.tlsKey };
  const client = new AgentClient(address);
  try {
    if (!(await output.write(printer.start))) return GOOD;
    for (;;) {
      try {
        const onOpen = (): void => say(context, `ready: events of the agent at ${server}`);
        for await (const batch of client.events(requestOf(options), stop.signal, onOpen)) {
          if (!(await output.write(printer.text(batch)))) stop.request();
        }
        if (options.reconnect !== true) break;
        say(context, 'the agent has ended the stream');
      } catch (error) {
        const isLost = error instanceof AgentError && error.isUnavailable;
        if (!isLost || options.reconnect !== true) throw error;
        say(context, `${error.message}; trying again`);
      }
      if (stop.signal.aborted) break;
      await sleep(RECONNECT_MS, undefined, { signal: stop.signal }).catch(() => undefined);
      if (stop.signal.aborted) break;
    }
    await output.write(printer.end());
    return output.lost === 0 ? GOOD : OUTPUT_LOST;
  } finally {
    stop.end();
    client.close();
  }
}

const RECONNECT_MS = 2000;

interface RecordedTarget extends Target<ClientEvent> {
  /** A line is no event. */
  readonly onWrong: () => void;
}

/**
 * Prints recorded events, of one file after the other. A line that is none is reported, and the next one is read. `-` is
 * standard input.
 */
export async function printRecorded(
  paths: readonly string[],
  options: RecordedOptions,
  context: Context,
  target?: RecordedTarget,
): Promise<number> {
  if (options.output !== 'json') checkNotJson(options);
  const { printer, open } = target ?? standardOutput(clientPrinter(options, context), context);
  const recorded = usage(() => loadAgentPackage(context).recordedEvents(requestOf(options)));
  const eventOf = (text: string | undefined): ClientEvent | undefined => {
    if (text === undefined) throw new Error('the line is too long');
    const event = recorded(text);
    // JSON is printed as it is, so an event of a later version can pass
    const isUnknown = event !== undefined && event.view === undefined && options.output !== 'json';
    if (isUnknown) throw new Error('this version knows no such event');
    return event;
  };
  const { since = 0n } = options;
  const stop = new Stop(context, options.duration);
  const output = open(handlersOf(context, stop));
  let wrong = 0;
  try {
    await output.write(printer.start);
    for (const path of paths) {
      if (stop.signal.aborted) break;
      const follow = options.follow === true && path === paths.at(-1);
      for await (const { text, number } of linesOf(path, { stdin: context.stdin, follow, signal: stop.signal })) {
        if (text?.trim() === '') continue;
        let event: ClientEvent | undefined;
        try {
          event = eventOf(text);
        } catch (error) {
          wrong += 1;
          target?.onWrong();
          say(context, `${path}:${number}: not an event: ${error instanceof Error ? error.message : String(error)}`);
        }
        if (event === undefined || (event.view !== undefined && event.view.timeNs < since)) continue;
        if (!(await output.write(printer.text([event])))) stop.request();
        if (stop.signal.aborted) break;
      }
    }
    await output.write(printer.end());
    if (output.lost > 0) return OUTPUT_LOST;
    return wrong === 0 ? GOOD : POLICY_ERRORS;
  } finally {
    stop.end();
  }
}

async function* linesOf(path: string, options: LinesOptions): ReturnType<typeof recordedLines> {
  try {
    yield* recordedLines(path, options);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new UsageError(`cannot read ${path}: ${code}`);
  }
}

/** An error in a filter is one of the command line. */
function usage<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function handlersOf(context: Context, stop: Stop): OutputHandlers {
  return {
    goesOn: () => false,
    onEnd: () => stop.request(),
    report: (message) => say(context, `polytrace: ${message}`),
  };
}

function say({ stderr }: Context, text: string): void {
  stderr.write(`${oneLine(text)}\n`);
}

/** A request to stop: a signal, or the end of `--duration`. A second signal exits at once. */
class Stop {
  readonly #controller = new AbortController();
  readonly #context: Context;
  readonly #timer: NodeJS.Timeout | undefined;
  #signals = 0;

  constructor(context: Context, seconds: number | undefined) {
    this.#context = context;
    if (seconds !== undefined) this.#timer = setTimeout(() => this.request(), seconds * 1000);
    for (const name of NAMES) context.signals.on(name, this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  readonly #onSignal = (name: keyof typeof INTERRUPTED): void => {
    this.#signals += 1;
    if (this.#signals > 1) this.#context.exit(INTERRUPTED[name] ?? INTERRUPTED.SIGINT);
    this.request();
  };

  request(): void {
    this.#controller.abort();
  }

  end(): void {
    clearTimeout(this.#timer);
    for (const name of NAMES) this.#context.signals.off(name, this.#onSignal);
  }
}

const NAMES = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
