/** `polytrace getevents` as a client of the agent, and for recorded events. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientEvent, EventsRequest } from '../protocol/index.js';
import { ClientStop } from './client-stop.js';
import { OUTPUT_LOST, POLICY_ERRORS, SUCCESS, UsageError, type Context } from './context.js';
import type { ClientOptions } from './events-source.js';
import { checkNotJson, jsonOptions } from './json-options.js';
import { loadGrpc, loadProtocol } from './lazy-modules.js';
import { printMessage, type OutputHandlers } from './output.js';
import { createPrinter, standardOutput, type Printer, type EventDestination } from './printer.js';
import { readRecordedLines } from './recorded-lines.js';
import { agentAddress } from './server-options.js';

export interface RecordedOptions extends ClientOptions {
  /** True if the command waits for more lines of the last file. */
  readonly follow?: boolean;
  /** Nanoseconds since 1970. Earlier events are left out. */
  readonly since?: bigint;
}

/** A client prints every event that it receives. Fields that an agent has left out are empty in lines. */
function clientPrinter(options: ClientOptions, context: Context): Printer<ClientEvent> {
  if (options.output === 'json' && options.redactionFilters !== undefined) {
    throw new UsageError(
      '--redaction-filters with --output json needs --policy: an agent redacts by its configuration',
    );
  }
  return createPrinter(options, context, { view: ({ view }) => view, json: (event) => event.json() });
}

function eventsRequest(options: ClientOptions): EventsRequest {
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

/** Prints the events of an agent until a signal, the end of `--duration`, or the closing of the output. */
export async function followAgent(
  server: string,
  options: ClientOptions,
  context: Context,
  target = standardOutput(clientPrinter(options, context), context),
): Promise<number> {
  const { printer } = target;
  const { AgentClient, AgentError } = loadGrpc();
  const stop = new ClientStop(context, options.duration);
  const output = target.open(outputHandlers(context, stop));
  const client = new AgentClient(agentAddress(server, options));
  try {
    if (!(await output.write(printer.start))) return SUCCESS;
    for (;;) {
      try {
        const onOpen = (): void => printMessage(context, `ready: events of the agent at ${server}`);
        for await (const batch of client.events(eventsRequest(options), stop.signal, onOpen)) {
          if (!(await output.write(printer.format(batch)))) stop.request();
        }
        if (options.reconnect !== true) break;
        printMessage(context, 'the agent has ended the stream');
      } catch (error) {
        const isConnectionLost = error instanceof AgentError && error.isUnavailable;
        if (!isConnectionLost || options.reconnect !== true) throw error;
        printMessage(context, `${error.message}; trying again`);
      }
      if (stop.signal.aborted) break;
      await sleep(RECONNECT_MS, undefined, { signal: stop.signal }).catch(() => undefined);
      if (stop.signal.aborted) break;
    }
    await output.write(printer.end());
    return output.lostEvents === 0 ? SUCCESS : OUTPUT_LOST;
  } finally {
    stop.end();
    client.close();
  }
}

const RECONNECT_MS = 2000;

interface RecordedDestination extends EventDestination<ClientEvent> {
  /** Called for each line that is not an event. */
  readonly onInvalidLine: () => void;
}

/**
 * Prints the recorded events of the files, one file after the other. `-` is standard input. A line that is not an event
 * is reported and skipped.
 */
export async function printRecordedEvents(
  paths: readonly string[],
  options: RecordedOptions,
  context: Context,
  target?: RecordedDestination,
): Promise<number> {
  if (options.output !== 'json') checkNotJson(options);
  const { printer, open } = target ?? standardOutput(clientPrinter(options, context), context);
  const { fields } = jsonOptions(options, context);
  const parseLine = wrapFilterError(() => loadProtocol().recordedEvents(eventsRequest(options), fields));
  const parseEvent = (text: string | undefined): ClientEvent | undefined => {
    if (text === undefined) throw new Error('the line is too long');
    const event = parseLine(text);
    // JSON is printed unchanged, so an event of a later version is accepted
    const isUnknown = event !== undefined && event.view === undefined && options.output !== 'json';
    if (isUnknown) throw new Error('this version knows no such event');
    return event;
  };
  const { since = 0n } = options;
  const stop = new ClientStop(context, options.duration);
  const output = open(outputHandlers(context, stop));
  let invalidLines = 0;
  try {
    await output.write(printer.start);
    for (const path of paths) {
      if (stop.signal.aborted) break;
      const follow = options.follow === true && path === paths.at(-1);
      for await (const { text, number } of readRecordedLines(path, {
        stdin: context.stdin,
        follow,
        signal: stop.signal,
      })) {
        if (text?.trim() === '') continue;
        let event: ClientEvent | undefined;
        try {
          event = parseEvent(text);
        } catch (error) {
          invalidLines += 1;
          target?.onInvalidLine();
          printMessage(
            context,
            `${path}:${number}: not an event: ${error instanceof Error ? error.message : String(error)}`,
          );
        }
        if (event === undefined || (event.view !== undefined && event.view.timeNs < since)) continue;
        if (!(await output.write(printer.format([event])))) stop.request();
        if (stop.signal.aborted) break;
      }
    }
    await output.write(printer.end());
    if (output.lostEvents > 0) return OUTPUT_LOST;
    return invalidLines === 0 ? SUCCESS : POLICY_ERRORS;
  } finally {
    stop.end();
  }
}

/** Runs a function, and turns its error about a filter into a UsageError. */
function wrapFilterError<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function outputHandlers(context: Context, stop: ClientStop): OutputHandlers {
  return {
    shouldContinue: () => false,
    onEnd: () => stop.request(),
    report: (message) => printMessage(context, `polytrace: ${message}`),
  };
}
