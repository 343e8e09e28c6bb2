/**
 * The tokens that clients of TCP addresses show. Each line of the file is a token, so that an old and a new one can both
 * hold while they change. The file is read again periodically; one that cannot be used changes nothing.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import type { Log } from '../log/log.js';
import { AddressError } from './address.js';
import type { OnSettingChange } from './certificates.js';

const BYTES_MAX = 64 * 1024;
const TOKENS_MAX = 16;
/** A token is at least as long as 128 random bits in hexadecimal digits or base64. */
const TOKEN = /^[\x21-\x7e]{22,1024}$/;

export class TokenFile {
  readonly #path: string;
  readonly #log: Log;
  readonly #onChange: OnSettingChange;
  readonly #timer: NodeJS.Timeout;
  #content: Buffer;
  #hashes: readonly Buffer[];
  #failure = '';

  /** Throws an AddressError if the file cannot be used. */
  constructor(path: string, refreshMs: number, log: Log, onChange: OnSettingChange) {
    this.#path = path;
    this.#log = log;
    this.#onChange = onChange;
    this.#content = readTokenFile(path);
    this.#hashes = parseTokens(path, this.#content);
    this.#timer = setInterval(() => this.#refresh(), refreshMs);
    this.#timer.unref();
  }

  /** The time does not depend on how much of a token is right, nor on which one it is. */
  matches(token: string): boolean {
    const hash = hashToken(token);
    let isKnown = false;
    for (const each of this.#hashes) if (timingSafeEqual(each, hash)) isKnown = true;
    return isKnown;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #refresh(): void {
    let failure = '';
    try {
      const content = readTokenFile(this.#path);
      if (!content.equals(this.#content)) {
        this.#hashes = parseTokens(this.#path, content);
        this.#onChange('server-token-file', this.#path, this.#content, content);
        this.#content = content;
      }
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
    if (failure !== '' && failure !== this.#failure) {
      this.#log.error({ reason: failure }, 'the tokens were not read again: the former ones are used');
    }
    this.#failure = failure;
  }
}

/** Only the owner and the group may read a secret, and only its owner may change it. */
function readTokenFile(path: string): Buffer {
  const fd = openFile(path);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw tokenError(path, 'it is no regular file', 'use a file');
    if (stats.uid !== 0 && stats.uid !== process.geteuid?.()) {
      throw tokenError(path, `user ${stats.uid} owns it`, `chown root ${path}`);
    }
    if ((stats.mode & 0o027) !== 0) {
      const mode = (stats.mode & 0o7777).toString(8).padStart(4, '0');
      throw tokenError(path, `others may read or change it (mode ${mode})`, `chmod 0600 ${path}`);
    }
    if (stats.size > BYTES_MAX) throw tokenError(path, `it has more than ${BYTES_MAX} bytes`, 'one token a line');
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Opening does not wait for the writer of a FIFO. */
function openFile(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw tokenError(path, (error as Error).message, `(umask 077; openssl rand -hex 32 > ${path})`);
  }
}

function parseTokens(path: string, content: Buffer): Buffer[] {
  const lines = content.toString('latin1').split(/\r?\n/);
  const tokens = lines.filter((line) => line !== '');
  const wrong = lines.findIndex((line) => line !== '' && !TOKEN.test(line));
  const remedy = `(umask 077; openssl rand -hex 32 > ${path})`;
  if (wrong >= 0) {
    throw tokenError(path, `line ${wrong + 1} is no token: 22 to 1024 characters of ASCII without spaces`, remedy);
  }
  if (tokens.length === 0) throw tokenError(path, 'it has no token', remedy);
  if (tokens.length > TOKENS_MAX) throw tokenError(path, `it has more than ${TOKENS_MAX} tokens`, 'remove old ones');
  return tokens.map(hashToken);
}

function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function tokenError(path: string, reason: string, remedy: string): AddressError {
  return new AddressError(`server-token-file ${path} cannot be used: ${reason} (${remedy})`);
}
