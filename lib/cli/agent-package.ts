/** Loads the package polytrace-agent for the commands `polytrace agent` and `polytrace fleet`. It is not a dependency of this package. */
import { UsageError, type AgentPackage, type Context } from './context.js';

/** Throws a UsageError that names the package to install. */
export function loadAgentPackage({ agentPackage }: Context): AgentPackage {
  try {
    return agentPackage();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    throw new UsageError(
      'AGENT_MISSING: this command needs the package polytrace-agent of the same version: run `npm install polytrace-agent`',
    );
  }
}
