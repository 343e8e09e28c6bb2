/** Reads the credentials of a fleet: a .creds file with a JWT and its seed, or a file with the seed of an NKey. */
import { readFileSync } from 'node:fs';
import { credsAuthenticator, nkeyAuthenticator, type Authenticator } from '@nats-io/transport-node';
import { PolytraceError } from 'polytrace';
import { makeError } from './errors.js';

/** A seed of a user: `SU`, the key, and its checksum in base 32. */
const SEED = /^\s*(SU[A-Z2-7]{56})\s*$/;
const JWT = /-{3,}BEGIN NATS USER JWT-{3,}/;
const FILE_MAX = 64 * 1024;

/**
 * Returns what signs the challenge of a server. The file is read for each connection, so that a new file is used
 * without a restart. If it cannot be read then, `onProblem` gets the error, and the server refuses the connection.
 */
export function fileAuthenticator(path: string, onProblem: (error: PolytraceError) => void): Authenticator {
  return (nonce): ReturnType<Authenticator> => {
    try {
      return readCredentials(path)(nonce);
    } catch (error) {
      onProblem(error instanceof PolytraceError ? error : credentialsError(path, String(error)));
      return { auth_token: '' };
    }
  };
}

/** Throws a PolytraceError: FLEET_CREDENTIALS. */
export function readCredentials(path: string): Authenticator {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw credentialsError(path, error instanceof Error ? error.message : String(error));
  }
  if (text.length > FILE_MAX) throw credentialsError(path, 'the file is too large');
  const seed = SEED.exec(text)?.[1];
  if (seed !== undefined) return nkeyAuthenticator(Buffer.from(seed));
  if (JWT.test(text)) return credsAuthenticator(Buffer.from(text));
  throw credentialsError(path, 'the file has neither a JWT with its seed nor the seed of an NKey');
}

function credentialsError(path: string, reason: string): PolytraceError {
  return makeError(
    'FLEET_CREDENTIALS',
    `${path}: ${reason}`,
    'give a file of `nsc generate creds`, or a file with the seed of an NKey (SU…), which this user may read',
  );
}
