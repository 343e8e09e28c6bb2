/** Answers the API server's question whether a policy may be stored: with the diagnostics of `validate`. */
import { validatePolicy, type Diagnostic } from 'polytrace';
import { describeDiagnostics } from './object-paths.js';
import { shorten, toPolicyJson } from './policies.js';
import { GROUP_VERSION, RESOURCES, type PolicyObject } from './resources.js';

/** A check takes a millisecond or so for each KiB, in which no event is read. */
const CHECKED_MAX = 256 * 1024;
/** The API server cuts what is longer. */
const WARNING_MAX = 256;
const WARNINGS_MAX = 10;

const API_VERSION = 'admission.k8s.io/v1';
const INVALID = 422;

interface Response {
  readonly uid: string;
  readonly allowed: boolean;
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string };
  readonly warnings?: readonly string[];
}

export interface AdmissionReview {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: 'AdmissionReview';
  readonly response: Response;
}

/** Throws an Error if the text is not an AdmissionReview. */
export function reviewPolicy(text: string): AdmissionReview {
  const { uid, kind, object } = readRequest(text);
  return { apiVersion: API_VERSION, kind: 'AdmissionReview', response: { uid, ...judge(kind, object) } };
}

interface ReviewRequest {
  readonly uid: string;
  readonly kind: unknown;
  readonly object: unknown;
}

function readRequest(text: string): ReviewRequest {
  const { apiVersion, request } = (JSON.parse(text) ?? {}) as { apiVersion?: unknown; request?: unknown };
  if (apiVersion !== API_VERSION) throw new Error(`not an AdmissionReview of ${API_VERSION}`);
  const { uid, kind, object } = (request ?? {}) as { uid?: unknown; kind?: unknown; object?: unknown };
  if (typeof uid !== 'string') throw new Error('the AdmissionReview has no request with a uid');
  return { uid, kind: (kind as { kind?: unknown } | undefined)?.kind, object };
}

/** Other objects, and a deletion, are none of its business. */
function judge(kind: unknown, object: unknown): Omit<Response, 'uid'> {
  const resource = RESOURCES.find((each) => each.kind === kind);
  if (resource === undefined || !isPolicyObject(object)) return { allowed: true };
  const policy = toPolicyJson(resource, object);
  if (policy instanceof Error) return refuse(policy.message);
  if (Buffer.byteLength(policy) > CHECKED_MAX) {
    return { allowed: true, warnings: [`the policy was not checked: it is larger than ${CHECKED_MAX} bytes`] };
  }
  const diagnostics = validatePolicy(policy, { file: object.metadata.name });
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) return refuse(describeDiagnostics(errors, policy).join('\n'));
  const warnings = diagnostics.filter(({ severity }) => severity === 'warning');
  return warnings.length === 0 ? { allowed: true } : { allowed: true, warnings: toWarnings(warnings, policy) };
}

function isPolicyObject(object: unknown): object is PolicyObject {
  const { apiVersion, metadata } = (object ?? {}) as { apiVersion?: unknown; metadata?: { name?: unknown } };
  return apiVersion === GROUP_VERSION && typeof metadata?.name === 'string';
}

function refuse(message: string): Omit<Response, 'uid'> {
  return { allowed: false, status: { code: INVALID, reason: 'Invalid', message } };
}

function toWarnings(diagnostics: readonly Diagnostic[], policy: string): string[] {
  return describeDiagnostics(diagnostics, policy, WARNINGS_MAX).map((text) => shorten(text, WARNING_MAX));
}
