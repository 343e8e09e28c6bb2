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
  const [certificate] = certificateNames(call);
  const address = call.getPeer();
  if (certificate !== undefined) return { address, certificate };
  const socket = (call as CallInternals).call?.stream?.session?.socket;
  const credentials = socket === undefined ? undefined : peerCredentials(socket);
  if (credentials === undefined) return { address };
  const process = findProcess(credentials.pid);
  const known = process === undefined ? {} : { execId: process.execId, binary: process.binary };
  return { address: 'unix', ...credentials, ...known };
}

/** Returns the common name of the client's certificate and its alternative names. Empty without a valid certificate. */
export function certificateNames(call: Call): string[] {
  const certificate = call.getAuthContext().sslPeerCertificate;
  if (certificate === undefined) return [];
  const { subject, subjectaltname: more = '' } = certificate;
  const names = [subject.CN].flat().filter((name): name is string => name !== undefined);
  return [...names, ...more.split(', ').flatMap((each) => /^(?:DNS|URI|email):([^"]+)$/.exec(each)?.[1] ?? [])];
}
