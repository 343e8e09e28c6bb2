/** Files with secrets and certificates of receivers. They are read again when they are used, so that they can change. */
import { constants, open, readFile, stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { ReceiverFiles } from '../config/receivers.js';

const BYTES_MAX = 64 * 1024;
const TOKEN = /^[\x21-\x7e]{1,4096}$/;

/** A file cannot be used. The message has its path and the remedy, and nothing of its content. */
export class SecretFileError extends Error {}

/** Reads the first line. Only the owner and the group may read the file, and only the owner may change it. */
export async function readSecret(path: string): Promise<string> {
  let text: string;
  try {
    // opening does not wait for the writer of a FIFO
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await file.stat();
      const { mode, uid, size } = stats;
      if (!stats.isFile()) throw new SecretFileError(`${path} is no regular file`);
      if (uid !== 0 && uid !== process.geteuid?.())
        throw new SecretFileError(`user ${uid} owns ${path} (chown root ${path})`);
      if ((mode & 0o027) !== 0) throw new SecretFileError(`others may read or change ${path} (chmod 0600 ${path})`);
      if (size > BYTES_MAX) throw new SecretFileError(`${path} has more than ${BYTES_MAX} bytes`);
      text = await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof SecretFileError) throw error;
    throw new SecretFileError((error as Error).message);
  }
  const [line = ''] = text.split(/\r?\n/);
  if (!TOKEN.test(line))
    throw new SecretFileError(`the first line of ${path} is empty, or has spaces or other characters than ASCII`);
  return line;
}

export interface TlsContents {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** Reads the certificates, and reads them again when a file has changed. */
export class TlsReader {
  readonly #files: ReceiverFiles;
  #stamp = '';
  #contents: TlsContents = {};

  constructor(files: ReceiverFiles) {
    this.#files = files;
  }

  /** Returns the same object as long as no file has changed. Rejects with a SecretFileError. */
  async read(): Promise<TlsContents> {
    const { ca, cert, key } = this.#files;
    const paths = { ca, cert, key };
    const named = Object.entries(paths).filter((entry): entry is [string, string] => entry[1] !== undefined);
    if (named.length === 0) return this.#contents;
    try {
      const stats = await Promise.all(named.map(([, path]) => stat(path)));
      const stamp = stats.map(({ ino, mtimeMs, size }) => `${ino} ${mtimeMs} ${size}`).join(',');
      if (stamp === this.#stamp) return this.#contents;
      const texts = await Promise.all(named.map(async ([name, path]) => [name, await readFile(path)] as const));
      const contents = Object.fromEntries(texts) as TlsContents;
      createSecureContext(contents);
      this.#contents = contents;
      this.#stamp = stamp;
      return contents;
    } catch (error) {
      const names = named.map(([, path]) => path).join(', ');
      throw new SecretFileError(`the certificates cannot be used: ${names}: ${(error as Error).message}`);
    }
  }
}
