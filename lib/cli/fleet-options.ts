/** The options that name a fleet, and the nodes whose events a command shows. */
import type { Command } from 'commander';
import { CommandError, NO_AGENT, POLICY_ERRORS, type Context, type FleetReader, type FleetRequest } from './context.js';
import { loadAgentPackage } from './agent-package.js';
import type { ErrorCode } from '../../types/codes.js';

export interface FleetOptions {
  readonly fleet?: readonly string[];
  readonly fleetCredentials?: string;
  readonly fleetCa?: string;
  readonly fleetCert?: string;
  readonly fleetKey?: string;
  readonly nodes?: readonly string[];
}

export function addFleetOptions(command: Command): Command {
  return command
    .option('--fleet <url...>', 'NATS servers of a fleet, for the events of all nodes: tls://HOST:PORT', parseServers)
    .option('--fleet-credentials <file>', 'credentials for these servers: a .creds file, or the seed of an NKey')
    .option('--fleet-ca <file>', 'certificates of who signed the certificates of these servers (PEM)')
    .option('--fleet-cert <file>', 'certificate for these servers (PEM)')
    .option('--fleet-key <file>', 'key of this certificate (PEM)')
    .option(
      '--nodes <names-or-labels...>',
      "with --fleet: only these nodes: names, or labels such as 'role=web'",
      parseServers,
    );
}

function parseServers(text: string, before: readonly string[] = []): readonly string[] {
  const values = text.split(',').map((value) => value.trim());
  return [...before, ...values.filter((value) => value !== '')];
}

/** Options that need a fleet. */
export const FLEET_OPTIONS = {
  fleetCredentials: '--fleet-credentials',
  fleetCa: '--fleet-ca',
  fleetCert: '--fleet-cert',
  fleetKey: '--fleet-key',
  nodes: '--nodes',
} as const satisfies Partial<Record<keyof FleetOptions, string>>;

/** A requirement of a label has `=` or `!`, which the name of a node does not have. */
export function requestedNodes({ nodes }: FleetOptions): Pick<FleetRequest, 'nodes' | 'labels'> {
  if (nodes === undefined) return {};
  return nodes.some((node) => /[=!]/.test(node)) ? { labels: nodes.join(',') } : { nodes };
}

/** Runs a command with a connection to the fleet. */
export async function withFleet<T>(
  options: FleetOptions,
  context: Context,
  run: (fleet: FleetReader) => Promise<T>,
): Promise<T> {
  const { fleet: servers = [], fleetCredentials: credentials, fleetCa: ca, fleetCert: cert, fleetKey: key } = options;
  try {
    const fleet = await loadAgentPackage(context).openFleet(servers, { credentials, ca, cert, key });
    try {
      return await run(fleet);
    } finally {
      await fleet.close();
    }
  } catch (error) {
    throw toCommandError(error);
  }
}

/** The errors of the package polytrace-agent may be of another copy of the library. */
function toCommandError(error: unknown): unknown {
  const { code, message, hint } = error as {
    readonly code?: unknown;
    readonly message: string;
    readonly hint?: string;
  };
  const isOfFleet = typeof code === 'string' && (code.startsWith('FLEET_') || code === 'BAD_OPTION');
  if (!isOfFleet || error instanceof CommandError) return error;
  return new CommandError(
    code as ErrorCode,
    message,
    hint ?? '',
    code === 'FLEET_UNAVAILABLE' ? NO_AGENT : POLICY_ERRORS,
  );
}
