/** Who made a call: the process at the other end of a Unix socket, or the certificate of a TLS connection. */
import type { ServerUnaryCall } from '@grpc/grpc-js';
import type { PeerCredentials, Process } from 'polytrace';
import type { Caller } from '../policies/journal.js';

export type Call = Pick<ServerUnaryCall<unknown, unknown>, 'getPeer' | 'getAuthContext'>;

export interface CallerLookup {
  /** Reads the credentials of a socket's peer. */
  readonly peerCredentials: (socket: object) => PeerCredentials | undefined;
  readonly findProcess: (pid: number) => Process | undefined;
}

/** The part of @grpc/grpc-js that has the connection. There is no public way to it. */
interface CallInternals {
  readonly call?: { readonly stream?: { readonly session?: { readonly socket?: object } } };
}

export function identifyCaller(call: Call, { peerCredentials, findProcess }: CallerLookup): Caller {
  const names = certificateNames(call);
  const address = call.getPeer();
  if (names !== undefined) return { address, certificate: names[0] ?? '' };
  const socket = (call as CallInternals).call?.stream?.session?.socket;
  const credentials = socket === undefined ? undefined : peerCredentials(socket);
  if (credentials === undefined) return { address };
  const process = findProcess(credentials.pid);
  const known = process === undefined ? {} : { execId: process.execId, binary: process.binary };
  return { address: 'unix', ...credentials, ...known };
}

/**
 * Returns the common name of the client's certificate and its alternative names, or undefined without a valid
 * certificate. Node.js puts a name with unusual characters, such as a comma, in quotes. Such names are left out.
 */
export function certificateNames(call: Call): string[] | undefined {
  const certificate = call.getAuthContext().sslPeerCertificate;
  if (certificate === undefined) return undefined;
  const { subject, subjectaltname: more = '' } = certificate;
  const names = [subject.CN].flat().filter((name): name is string => name !== undefined);
  const alternatives = more.replace(/"(?:[^"\\]|\\.)*"/g, '""').split(', ');
  return [...names, ...alternatives.flatMap((each) => /^(?:DNS|URI|email):([^"]+)$/.exec(each)?.[1] ?? [])];
}
