/** The package polytrace-agent: the server. The command `polytrace agent` runs it. */
import type * as Run from './main/run.js';
import type { AgentHost } from './main/run.js';
import { findVersionProblem, readVersions } from './version.js';

const USAGE = 2;

/** Runs the agent until a signal, and returns the exit status of the command. Loads nothing of another library. */
export async function runAgent(args: readonly string[], host: AgentHost): Promise<number> {
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
