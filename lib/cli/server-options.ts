/** The options that name the agent whose events or policies a command shows. */
import type { Command } from 'commander';
import type { AgentAddress } from '../grpc/client.js';

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

/** Returns the address of the agent at `server` with the certificates of the options. */
export function agentAddress(server: string, { tlsCa: ca, tlsCert: cert, tlsKey: key }: ServerOptions): AgentAddress {
  return { address: server, ca, cert, key };
}
