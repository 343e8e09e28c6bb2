/** The package polytrace-agent: the server, which the command `polytrace agent` runs, and the client of a fleet. */
import type * as FleetModule from './fleet/fleet.js';
import type { Fleet, OpenFleetOptions } from './fleet/fleet.js';
import type * as Run from './main/run.js';
import type * as FleetCommands from './fleet/commands/fleet-command.js';
import { USAGE, type CommandHost } from './command-host.js';
import { findVersionProblem, readVersions } from './version.js';

/** Runs the agent until a signal, and returns the exit status of the command. Loads nothing of another library. */
export async function runAgent(args: readonly string[], host: CommandHost): Promise<number> {
  const problem = findVersionProblem(readVersions());
  if (problem !== undefined) {
    host.stderr.write(`polytrace: ${problem}\n`);
    return USAGE;
  }
  // an import declaration would load parts of the library before the check
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { runAgentCommand } = require('./main/run.js') as typeof Run;
  return runAgentCommand(args, host);
}

/**
 * Connects to the NATS servers of a fleet, for the events of all nodes. Rejects with an error whose code is
 * FLEET_UNAVAILABLE, FLEET_REFUSED, FLEET_CREDENTIALS, FLEET_TLS or BAD_OPTION.
 */
export async function openFleet(servers: string | readonly string[], options?: OpenFleetOptions): Promise<Fleet> {
  const problem = findVersionProblem(readVersions());
  if (problem !== undefined) throw new Error(problem);
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const fleet = require('./fleet/fleet.js') as typeof FleetModule;
  return fleet.openFleet(servers, options);
}

/** Runs `polytrace fleet`, and returns the exit status of the command. */
export async function runFleet(args: readonly string[], host: CommandHost): Promise<number> {
  const problem = findVersionProblem(readVersions());
  if (problem !== undefined) {
    host.stderr.write(`polytrace: ${problem}\n`);
    return USAGE;
  }
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { runFleetCommand } = require('./fleet/commands/fleet-command.js') as typeof FleetCommands;
  return runFleetCommand(args, host);
}
