/** The roles of clients: an administrator may change policies, and a reader may only read. */
import { status as Code } from '@grpc/grpc-js';
import { certificateNames, type Call } from './caller.js';
import { CallError } from './call-error.js';
import type { CheckCall } from './service.js';

export interface RoleRules {
  /** The clients of this server only read. */
  readonly readOnly: boolean;
  /** Names in certificates of administrators. Empty: every certificate. */
  readonly tlsAdmins: readonly string[];
}

/** The calls that change something. */
const CHANGES: ReadonlySet<string> = new Set([
  'addTracingPolicy',
  'deleteTracingPolicy',
  'configureTracingPolicy',
  'enableTracingPolicy',
  'disableTracingPolicy',
  'runtimeHook',
  'setDebug',
  'setEventLogParams',
  'acknowledgeAlerts',
]);

export function roleCheck(rules: RoleRules): CheckCall {
  return (method, call, isSocket) => checkRole(method, call, rules, isSocket);
}

/** Throws CallError when the client may not make the call. `isSocket`: it has a Unix socket, which the file system protects. */
export function checkRole(method: string, call: Call, { readOnly, tlsAdmins }: RoleRules, isSocket: boolean): void {
  if (!CHANGES.has(method)) return;
  if (readOnly) {
    throw new CallError(
      Code.PERMISSION_DENIED,
      'clients of this address may only read: use an address of --server-address',
    );
  }
  if (tlsAdmins.length === 0 || isSocket) return;
  const names = certificateNames(call);
  if (names?.some((name) => tlsAdmins.includes(name)) === true) return;
  const who = names === undefined ? 'a client without a certificate' : `the certificate of '${names[0] ?? ''}'`;
  throw new CallError(Code.PERMISSION_DENIED, `${who} may only read: --tls-admins does not name it`);
}
