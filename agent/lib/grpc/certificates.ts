/** Certificates of the server from files, which are read again and again. Files that do not fit together change nothing. */
import { readFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { experimental, type ServerCredentials } from '@grpc/grpc-js';
import type { Log } from '../log/log.js';
import { AddressError } from './address.js';

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Clients need a certificate that one of these has signed. */
  readonly clientCa?: string | undefined;
}

export interface TlsTimes {
  /** How often the files are read again. */
  readonly refreshMs: number;
  /** How long a handshake may take. */
  readonly handshakeMs: number;
}

type Provider = Parameters<typeof experimental.createCertificateProviderServerCredentials>[0];
type OnIdentity = Parameters<Provider['addIdentityCertificateListener']>[0];
type OnAuthority = Parameters<Provider['addCaCertificateListener']>[0];

interface Contents {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | undefined;
}

export class Certificates implements Provider {
  readonly #files: TlsFiles;
  readonly #times: TlsTimes;
  readonly #log: Log;
  readonly #identity = new Set<OnIdentity>();
  readonly #authority = new Set<OnAuthority>();
  readonly #timer: NodeJS.Timeout;
  #now: Contents;
  #failure = '';

  /** Throws an AddressError for files that are missing or do not fit together. */
  constructor(files: TlsFiles, times: TlsTimes, log: Log) {
    this.#files = files;
    this.#times = times;
    this.#log = log;
    const { cert, key, clientCa } = files;
    try {
      const ca = clientCa === undefined ? undefined : readFileSync(clientCa);
      this.#now = checked({ cert: readFileSync(cert), key: readFileSync(key), ca });
    } catch (error) {
      const { code, path, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') throw new AddressError(`there is no file ${path ?? cert}`);
      throw new AddressError(`the certificate ${cert} cannot be used: ${message}`);
    }
    this.#timer = setInterval(() => void this.#refresh(), times.refreshMs);
  }

  /** For all addresses of a server. */
  get credentials(): ServerCredentials {
    const isMutual = this.#files.clientCa !== undefined;
    // the first one has the certificate of the server, whatever its name in the declaration
    const credentials = experimental.createCertificateProviderServerCredentials(this, isMutual ? this : null, isMutual);
    // gRPC has no option for this one of Node.js, whose default is two minutes
    Object.assign(credentials._getConstructorOptions() ?? {}, { handshakeTimeout: this.#times.handshakeMs });
    return credentials;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A certificate and its key are two files: between two renames they do not fit. */
  async #refresh(): Promise<void> {
    const { cert, key, clientCa } = this.#files;
    try {
      const [certificate, privateKey, ca] = await Promise.all([
        readFile(cert),
        readFile(key),
        clientCa === undefined ? undefined : readFile(clientCa),
      ]);
      const next = { cert: certificate, key: privateKey, ca };
      if (same(next, this.#now)) return this.#report('');
      this.#now = checked(next);
      for (const listener of this.#identity) listener(this.#identityUpdate());
      for (const listener of this.#authority) listener(this.#authorityUpdate());
      this.#log.info({ certificate: cert }, 'certificates were read again');
      this.#report('');
    } catch (error) {
      this.#report(error instanceof Error ? error.message : String(error));
    }
  }

  #report(failure: string): void {
    if (failure !== '' && failure !== this.#failure) {
      this.#log.error({ reason: failure }, 'certificates were not read again: the former ones are used');
    }
    this.#failure = failure;
  }

  #identityUpdate(): Parameters<OnIdentity>[0] {
    return { certificate: this.#now.cert, privateKey: this.#now.key };
  }

  #authorityUpdate(): Parameters<OnAuthority>[0] {
    return this.#now.ca === undefined ? null : { caCertificate: this.#now.ca };
  }

  /** The server calls this before it is ready to be told. */
  addIdentityCertificateListener(listener: OnIdentity): void {
    this.#identity.add(listener);
    process.nextTick(() => listener(this.#identityUpdate()));
  }

  removeIdentityCertificateListener(listener: OnIdentity): void {
    this.#identity.delete(listener);
  }

  addCaCertificateListener(listener: OnAuthority): void {
    this.#authority.add(listener);
    process.nextTick(() => listener(this.#authorityUpdate()));
  }

  removeCaCertificateListener(listener: OnAuthority): void {
    this.#authority.delete(listener);
  }
}

/** Throws for what TLS would refuse. */
function checked(contents: Contents): Contents {
  createSecureContext(contents);
  return contents;
}

function same(a: Contents, b: Contents): boolean {
  const isSameAuthority = a.ca === undefined || b.ca === undefined ? a.ca === b.ca : a.ca.equals(b.ca);
  return isSameAuthority && a.cert.equals(b.cert) && a.key.equals(b.key);
}
