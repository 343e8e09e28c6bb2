/** Parses the addresses of the server, and manages its socket in the file system. */
import { chmodSync, chownSync, lstatSync, readFileSync, unlinkSync } from 'node:fs';
import { connect, isIP } from 'node:net';
import { dirname } from 'node:path';
import { makeFolder } from '../make-folder.js';

export type Address =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** The server cannot listen. The message says why. */
export class AddressError extends Error {}

export function parseAddress(text: string): Address {
  const path = /^unix:(?:\/\/)?(\/.*)$/.exec(text)?.[1];
  if (path !== undefined) return { kind: 'unix', path };
  const [, v6, name, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const host = v6 ?? name;
  if (host === undefined || port > 65_535) {
    throw new AddressError(`'${text}' is no address: use unix:///PATH or HOST:PORT`);
  }
  return { kind: 'tcp', host, port };
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** Prepares the path of a socket: a stale socket is removed. Rejects if another server uses the path. */
export async function claimSocket(path: string): Promise<void> {
  const folder = dirname(path);
  try {
    await makeFolder(folder, 0o755);
  } catch (error) {
    const { message } = error as Error;
    throw new AddressError(
      `the folder of the socket ${path} cannot be made: ${message} (mount a volume at ${folder}, or use another --server-address)`,
    );
  }
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new AddressError(`${path} exists and is no socket`);
  if (await isServed(path)) throw new AddressError(`another server uses ${path}`);
  unlinkSync(path);
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve(false);
      else reject(new AddressError(`${path} cannot be probed: ${message}`));
    });
  });
}

/** Only root and the group can use the socket. */
export function restrictSocket(path: string, group: number | undefined): void {
  if (group === undefined) return chmodSync(path, 0o600);
  chownSync(path, -1, group);
  chmodSync(path, 0o660);
}

/** Finds the id of a group in /etc/group. */
export function findGroupId(group: string): number {
  if (/^\d+$/.test(group)) return Number(group);
  for (const line of readFileSync('/etc/group', 'utf8').split('\n')) {
    const [name, , id] = line.split(':');
    if (name === group && id !== undefined) return Number(id);
  }
  throw new AddressError(`there is no group '${group}'`);
}
