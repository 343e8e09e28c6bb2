/** The package polytrace-agent: the agent, and the client for it. It is separate, so that the library stays small. */
import type { AgentPackage } from './agent-api.js';
import { UsageError, type Context } from './context.js';

/** Loads the package. Throws a UsageError that says what to install. */
export function loadAgentPackage({ agentPackage }: Context): AgentPackage {
  try {
    return agentPackage();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    throw new UsageError('this command needs the package polytrace-agent: run `npm install polytrace-agent`');
  }
}
