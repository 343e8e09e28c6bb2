/** The options that name the agent whose events or policies a command shows. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { AgentAddress } from '../grpc/client.js';
import { UsageError } from './context.js';

/** The socket of the agent of this machine. */
export const AGENT_SOCKET = '/run/polytrace/polytrace.sock';

export interface ServerOptions {
  readonly server?: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tokenFile?: string;
}

export function addServerOptions(command: Command): Command {
  return command
    .option('--server <address>', `agent to ask: unix:///PATH or HOST:PORT (default: unix://${AGENT_SOCKET})`)
    .option('--tls-ca <file>', 'certificates of who signed the certificate of the agent (PEM)')
    .option('--tls-cert <file>', 'certificate of this client (PEM)')
    .option('--tls-key <file>', 'key of the certificate (PEM)')
    .option('--token-file <file>', 'token for an agent with --server-token-file: the first line of this file');
}

/** Returns the address of the agent at `server` with the certificates and the token of the options. Throws UsageError. */
export function agentAddress(
  server: string,
  { tlsCa: ca, tlsCert: cert, tlsKey: key, tokenFile }: ServerOptions,
): AgentAddress {
  return { address: server, ca, cert, key, token: tokenFile === undefined ? undefined : readToken(tokenFile) };
}

function readToken(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--token-file: ${(error as Error).message}`);
  }
  const [token = ''] = text.split(/\r?\n/).filter((line) => line !== '');
  if (token === '') throw new UsageError(`--token-file: ${file} has no token`);
  return token;
}
