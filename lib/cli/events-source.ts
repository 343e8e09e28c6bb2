/** Chooses where `polytrace getevents` gets its events from: a tracer, an agent, or recorded events. */
import { existsSync } from 'node:fs';
import type { TracerOptions } from '../../types/index.js';
import { UsageError, type Context } from './context.js';
import type { GetEventsOptions } from './getevents.js';
import { FLEET_OPTIONS, type FleetOptions } from './fleet-options.js';
import { AGENT_SOCKET, type ServerOptions } from './server-options.js';

export interface AgentEventsOptions extends ServerOptions, FleetOptions {
  /** With `--fleet`: nanoseconds since 1970, and whether to go on with the events that come. */
  readonly since?: bigint;
  readonly follow?: boolean;
  readonly namespaceRegex?: readonly string[];
  readonly reconnect?: boolean;
  /** File of recorded events; `-` is standard input. */
  readonly input?: string;
}

export type ClientOptions = GetEventsOptions & AgentEventsOptions;

/** Options that need a tracer in this process. */
const TRACER_OPTIONS = {
  policy: '--policy',
  policyDir: '--policy-dir',
  set: '--set',
  enforcement: '--enforcement',
  allowMissedCalls: '--allow-missed-calls',
  allowRequests: '--allow-requests',
  optimize: '--no-optimize',
  cachePaths: '--no-cache-paths',
  groupPolicies: '--no-group-policies',
  mode: '--mode',
  persist: '--persist',
  btf: '--btf',
  keep: '--keep',
  record: '--record',
  containerSources: '--container-sources',
  enableAncestors: '--enable-ancestors',
  enableProcessCred: '--enable-process-cred',
  enableProcessNs: '--enable-process-ns',
  enableProcessEnvironmentVariables: '--enable-process-environment-variables',
  filterEnvironmentVariables: '--filter-environment-variables',
} as const satisfies Partial<Record<keyof ClientOptions, string>> &
  Record<Exclude<keyof GetEventsOptions & keyof TracerOptions, 'containers'>, string>;

/** Options that need an agent or recorded events. */
const CLIENT_OPTIONS = {
  namespaceRegex: '--namespace-regex',
  reconnect: '--reconnect',
} as const satisfies Partial<Record<keyof ClientOptions, string>>;

export type EventsSource =
  | { readonly from: 'tracer' }
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'fleet' }
  | { readonly from: 'agent'; readonly server: string };

/**
 * Chooses the source of events: `--fleet`, `--input`, `--server`, or an option that needs a tracer decide. Otherwise, the source
 * is the agent of POLYTRACE_SOCKET, the agent of this machine if its socket exists, or else a tracer in this process.
 */
export function chooseSource(options: ClientOptions, { env }: Context): EventsSource {
  const tracerOption = findGivenOption(options, TRACER_OPTIONS);
  const { input, server, fleet } = options;
  const fleetOption = findGivenOption(options, FLEET_OPTIONS);
  if (fleet === undefined && fleetOption !== undefined) throw new UsageError(`${fleetOption} needs --fleet`);
  if (fleet !== undefined && (input ?? server) !== undefined)
    throw new UsageError(`--fleet and ${input === undefined ? '--server' : '--input'} exclude each other`);
  if (input !== undefined && server !== undefined) throw new UsageError('--input and --server exclude each other');
  const other = input !== undefined ? '--input' : server !== undefined ? '--server' : fleet && '--fleet';
  if (other !== undefined && tracerOption !== undefined)
    throw new UsageError(`${tracerOption} makes a tracer, which ${other} excludes`);
  if (fleet !== undefined) return { from: 'fleet' };
  if (input !== undefined) return { from: 'file', path: input };
  if (server !== undefined) return { from: 'agent', server };
  const chosen = env['POLYTRACE_SOCKET'];
  const socket = chosen ?? AGENT_SOCKET;
  if (tracerOption === undefined && chosen !== '' && (chosen !== undefined || existsSync(socket)))
    return { from: 'agent', server: `unix://${socket}` };
  const clientOption = findGivenOption(options, CLIENT_OPTIONS);
  if (clientOption !== undefined)
    throw new UsageError(`${clientOption} needs an agent: use --server, or start one (polytrace agent)`);
  return { from: 'tracer' };
}

/** Returns the name of the first of these options that was given. */
export function findGivenOption<O extends object>(
  options: O,
  names: Readonly<Partial<Record<keyof O, string>>>,
): string | undefined {
  return Object.entries<string | undefined>(names).find(([key]) => options[key as keyof O] !== undefined)?.[1];
}
