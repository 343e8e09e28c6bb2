/** An operator of NATS for tests: it signs accounts and users as JWTs, as `nsc` does, and configures a server for them. */
import { writeFileSync } from 'node:fs';
import { nkeys } from '@nats-io/transport-node';

export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

type KeyPair = ReturnType<typeof nkeys.createUser>;

const NO_LIMITS = { subs: -1, data: -1, payload: -1 };
const ACCOUNT_LIMITS = { ...NO_LIMITS, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
const JETSTREAM_LIMITS = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1, max_ack_pending: -1 };

export class NatsOperator {
  readonly #operator = nkeys.createOperator();
  readonly #account = nkeys.createAccount();
  readonly #system = nkeys.createAccount();

  /** The part of a server's configuration. */
  get config(): string {
    const [account, system] = [this.#account.getPublicKey(), this.#system.getPublicKey()];
    const operator = sign(this.#operator, this.#operator.getPublicKey(), { type: 'operator', system_account: system });
    const accountOf = (key: string, limits: object): string =>
      sign(this.#operator, key, { type: 'account', limits, default_permissions: { pub: {}, sub: {} } });
    return `
operator: ${operator}
system_account: ${system}
resolver: MEMORY
resolver_preload: {
  ${account}: ${accountOf(account, { ...ACCOUNT_LIMITS, ...JETSTREAM_LIMITS })}
  ${system}: ${accountOf(system, ACCOUNT_LIMITS)}
}`;
  }

  /** Writes a .creds file of a new user. `seconds`: the server ends the connection then. */
  writeUser(file: string, { publish, subscribe }: Permissions, seconds?: number): void {
    const user = nkeys.createUser();
    const claims = { type: 'user', pub: { allow: publish }, sub: { allow: subscribe }, ...NO_LIMITS };
    const token = sign(this.#account, user.getPublicKey(), claims, seconds);
    const seed = Buffer.from(user.getSeed()).toString();
    writeFileSync(
      file,
      `-----BEGIN NATS USER JWT-----\n${token}\n------END NATS USER JWT------\n\n` +
        `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
      { mode: 0o600 },
    );
  }
}

/** A JWT of NATS: the key of the issuer signs the claims with Ed25519. */
function sign(issuer: KeyPair, subject: string, nats: object, seconds?: number): string {
  const now = Math.floor(Date.now() / 1000);
  const expiry = seconds === undefined ? {} : { exp: now + seconds };
  const claims = { jti: subject, iat: now, ...expiry, iss: issuer.getPublicKey(), name: 'test', sub: subject, nats: { ...nats, version: 2 } }; // prettier-ignore
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${encode({ typ: 'JWT', alg: 'ed25519-nkey' })}.${encode(claims)}`;
  return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString('base64url')}`;
}
