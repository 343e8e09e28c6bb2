/** Gives the errors of NATS a code and a remedy. */
import { PolytraceError, type ErrorCode } from 'polytrace';

/** The types of the library have no constructor: other programs only catch these errors. */
const CodedError = PolytraceError as unknown as new (
  code: ErrorCode,
  message: string,
  hint: string,
  options?: ErrorOptions,
) => PolytraceError;

export function makeError(code: ErrorCode, message: string, hint: string, cause?: Error): PolytraceError {
  return new CodedError(code, message, hint, cause === undefined ? {} : { cause });
}

type FleetCode = 'FLEET_REFUSED' | 'FLEET_TLS' | 'FLEET_UNAVAILABLE';

const HINTS: Readonly<Record<FleetCode, string>> = {
  FLEET_REFUSED: 'check the credentials and the permissions of their user on the server: see fleet.md',
  FLEET_TLS:
    'check the certificates: --fleet-ca for the one of the server, --fleet-cert and --fleet-key for this client',
  FLEET_UNAVAILABLE: 'check that a NATS server with JetStream runs at this address',
};

const REFUSALS = new Set(['AuthorizationError', 'UserAuthenticationExpiredError', 'PermissionViolationError']);
const TLS_CODE = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_OSSL)/;

/** Keeps an error that has a code already. */
export function toFleetError(error: unknown, servers: readonly string[]): PolytraceError {
  if (error instanceof PolytraceError) return error;
  const reason = error instanceof Error ? error : new Error(String(error));
  const code = findCode(reason);
  return makeError(code, `${servers.join(', ')}: ${describe(reason)}`, HINTS[code], reason);
}

function findCode(error: Error): FleetCode {
  // the errors of JetStream have only the text
  if (REFUSALS.has(error.name) || /^(permissions|authorization) violation/i.test(error.message)) return 'FLEET_REFUSED';
  const codes = [error, error.cause].map((each) => String((each as { readonly code?: unknown } | undefined)?.code));
  const isTls = codes.some((each) => TLS_CODE.test(each)) || /\btls\b|certificate|alert/i.test(error.message);
  return isTls ? 'FLEET_TLS' : 'FLEET_UNAVAILABLE';
}

function describe({ message, cause }: Error): string {
  const inner = cause instanceof Error && !message.includes(cause.message) ? `: ${cause.message}` : '';
  return `${message}${inner}`.split('\n', 1)[0] ?? '';
}

/** True if the server has no such stream or bucket. */
export function isMissing(error: unknown): error is Error {
  return error instanceof Error && /stream not found|jetstream (is )?not enabled/i.test(error.message);
}

/** Returns the message of an error, with the remedy when the server has no such stream or bucket, or is just starting. */
export function explainFailure(error: unknown, what: string): string {
  const reason = error instanceof Error ? error.message : String(error);
  return isMissing(error) || /no responders/i.test(reason)
    ? `${reason}: no server has the ${what} yet; \`polytrace fleet init\` makes it`
    : reason;
}
