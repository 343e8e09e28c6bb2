/** Loads the optional package polytrace-agent, which contains the agent and its client. */
import type { Command } from 'commander';
import type { AgentPackage } from './agent-api.js';
import { UsageError, type Context } from './context.js';

/** Loads the package. Throws a UsageError that names the package to install. */
export function loadAgentPackage({ agentPackage }: Context): AgentPackage {
  try {
    return agentPackage();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    throw new UsageError('this command needs the package polytrace-agent: run `npm install polytrace-agent`');
  }
}

/** The socket of the agent of this machine. */
export const AGENT_SOCKET = '/run/polytrace/polytrace.sock';

export interface ServerOptions {
  readonly server?: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

export function addServerOptions(command: Command): Command {
  return command
    .option('--server <address>', `agent to ask: unix:///PATH or HOST:PORT (default: unix://${AGENT_SOCKET})`)
    .option('--tls-ca <file>', 'certificates of who signed the certificate of the agent (PEM)')
    .option('--tls-cert <file>', 'certificate of this client (PEM)')
    .option('--tls-key <file>', 'key of the certificate (PEM)');
}
