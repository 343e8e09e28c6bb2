/**
 * Loads the server's certificates from files and reloads them periodically. Files that do not match each other are
 * ignored.
 */
import { readFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { experimental, type ServerCredentials } from '@grpc/grpc-js';
import type { Log } from '../log/log.js';
import { AddressError } from './address.js';

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Clients need a certificate that one of these authorities has signed. */
  readonly clientCa?: string | undefined;
}

export interface TlsTimes {
  /** Interval of reading the files. */
  readonly refreshMs: number;
  /** Limit for the time of a TLS handshake. */
  readonly handshakeMs: number;
}

/** A file of a setting has other content. */
export type OnSettingChange = (setting: string, file: string, before: Uint8Array, after: Uint8Array) => void;

type Provider = Parameters<typeof experimental.createCertificateProviderServerCredentials>[0];
type OnIdentity = Parameters<Provider['addIdentityCertificateListener']>[0];
type OnAuthority = Parameters<Provider['addCaCertificateListener']>[0];

interface CertificateContents {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | undefined;
}

export class Certificates implements Provider {
  readonly #files: TlsFiles;
  readonly #times: TlsTimes;
  readonly #log: Log;
  readonly #onChange: OnSettingChange;
  readonly #identityListeners = new Set<OnIdentity>();
  readonly #authorityListeners = new Set<OnAuthority>();
  readonly #timer: NodeJS.Timeout;
  #contents: CertificateContents;
  #failure = '';

  /** Throws an AddressError if a file is missing or the files do not match each other. */
  constructor(files: TlsFiles, times: TlsTimes, log: Log, onChange: OnSettingChange) {
    this.#files = files;
    this.#times = times;
    this.#log = log;
    this.#onChange = onChange;
    const { cert, key, clientCa } = files;
    try {
      const ca = clientCa === undefined ? undefined : readFileSync(clientCa);
      this.#contents = validateContents({ cert: readFileSync(cert), key: readFileSync(key), ca });
    } catch (error) {
      const { code, path, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') throw new AddressError(`there is no file ${path ?? cert}`);
      throw new AddressError(`the certificate ${cert} cannot be used: ${message}`);
    }
    this.#timer = setInterval(() => void this.#refresh(), times.refreshMs);
  }

  /** Returns the credentials for all addresses of a server. */
  get credentials(): ServerCredentials {
    const isMutual = this.#files.clientCa !== undefined;
    // the first argument provides the server's certificate, despite its name in the declaration
    const credentials = experimental.createCertificateProviderServerCredentials(this, isMutual ? this : null, isMutual);
    // gRPC does not expose this option of Node.js, whose default is two minutes
    Object.assign(credentials._getConstructorOptions() ?? {}, { handshakeTimeout: this.#times.handshakeMs });
    return credentials;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Certificate and key are two files. Between two renames, they do not match each other. */
  async #refresh(): Promise<void> {
    const { cert, key, clientCa } = this.#files;
    try {
      const [certificate, privateKey, ca] = await Promise.all([
        readFile(cert),
        readFile(key),
        clientCa === undefined ? undefined : readFile(clientCa),
      ]);
      const next = { cert: certificate, key: privateKey, ca };
      if (hasSameContents(next, this.#contents)) return this.#report('');
      const former = this.#contents;
      this.#contents = validateContents(next);
      for (const listener of this.#identityListeners) listener(this.#identityUpdate());
      for (const listener of this.#authorityListeners) listener(this.#authorityUpdate());
      this.#log.info({ certificate: cert }, 'certificates were read again');
      if (!former.cert.equals(certificate)) this.#onChange('tls-cert', cert, former.cert, certificate);
      if (clientCa !== undefined && former.ca !== undefined && ca?.equals(former.ca) === false) {
        this.#onChange('tls-client-ca', clientCa, former.ca, ca);
      }
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
    return { certificate: this.#contents.cert, privateKey: this.#contents.key };
  }

  #authorityUpdate(): Parameters<OnAuthority>[0] {
    return this.#contents.ca === undefined ? null : { caCertificate: this.#contents.ca };
  }

  /** gRPC calls this before it can handle the listener's call, so that is deferred. */
  addIdentityCertificateListener(listener: OnIdentity): void {
    this.#identityListeners.add(listener);
    process.nextTick(() => listener(this.#identityUpdate()));
  }

  removeIdentityCertificateListener(listener: OnIdentity): void {
    this.#identityListeners.delete(listener);
  }

  addCaCertificateListener(listener: OnAuthority): void {
    this.#authorityListeners.add(listener);
    process.nextTick(() => listener(this.#authorityUpdate()));
  }

  removeCaCertificateListener(listener: OnAuthority): void {
    this.#authorityListeners.delete(listener);
  }
}

/** Throws an error for contents that TLS refuses. */
function validateContents(contents: CertificateContents): CertificateContents {
  createSecureContext(contents);
  return contents;
}

function hasSameContents(a: CertificateContents, b: CertificateContents): boolean {
  const isSameAuthority = a.ca === undefined || b.ca === undefined ? a.ca === b.ca : a.ca.equals(b.ca);
  return isSameAuthority && a.cert.equals(b.cert) && a.key.equals(b.key);
}
