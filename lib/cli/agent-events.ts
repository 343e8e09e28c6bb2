/** `polytrace getevents` as a client of the agent. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientEvent, EventsRequest } from '../protocol/index.js';
import { ClientStop } from './client-stop.js';
import { OUTPUT_LOST, SUCCESS, UsageError, type Context } from './context.js';
import type { ClientOptions } from './events-source.js';
import { loadGrpc } from '../grpc/load.js';
import { printMessage, type OutputHandlers } from './output.js';
import { createPrinter, standardOutput, type Printer } from './printer.js';
import { agentAddress } from './server-options.js';

/** A client prints every event that it receives. Fields that an agent has left out are empty in lines. */
export function clientPrinter(options: ClientOptions, context: Context): Printer<ClientEvent> {
  if (options.output === 'json' && options.redactionFilters !== undefined) {
    throw new UsageError(
      '--redaction-filters with --output json needs --policy: an agent redacts by its configuration',
    );
  }
  return createPrinter(options, context, { view: ({ view }) => view, json: (event) => event.json() });
}

export function eventsRequest(options: ClientOptions): EventsRequest {
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

export function outputHandlers(context: Context, stop: ClientStop): OutputHandlers {
  return {
    shouldContinue: () => false,
    onEnd: () => stop.request(),
    report: (message) => printMessage(context, `polytrace: ${message}`),
  };
}
