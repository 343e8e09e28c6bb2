/** Converts the errors of an agent to those that a tracer throws. */
import type { DiagnosticCode, ErrorCode } from '../../types/codes.js';
import { PolicyError, PolytraceError, type Diagnostic } from '../errors.js';
import type { AgentError } from '../grpc/client.js';
import { loadGrpc } from '../grpc/load.js';

/** A diagnostic as the agent formats it: FILE:LINE:COLUMN: CODE: MESSAGE (HINT). */
const DIAGNOSTIC = /^(.*):(\d+):(\d+): ([A-Z][A-Z0-9_]+): (.*?)(?: \((.*)\))?$/;
/** Another error of polytrace: CODE: MESSAGE (HINT). */
const CODED = /^([A-Z][A-Z0-9_]+): ([^]*?)(?: \(([^()]*)\))?$/;

/** Returns errors of other kinds unchanged. */
export function toPublicError(error: unknown): Error {
  const { AgentError } = loadGrpc();
  if (!(error instanceof AgentError)) return error instanceof Error ? error : new Error(String(error));
  if (error.isUnavailable) return unavailableError(error.message);
  return toPolicyError(error.message) ?? toCodedError(error);
}

export function unavailableError(message: string): PolytraceError {
  return new PolytraceError(
    'AGENT_UNAVAILABLE',
    message,
    'start the agent (`polytrace agent`); its socket is for root and for the group of --group',
  );
}

function toPolicyError(message: string): PolicyError | undefined {
  const diagnostics = message.split('\n').map(parseDiagnostic);
  const found = diagnostics.filter((each) => each !== undefined);
  return found.length === diagnostics.length ? new PolicyError(found) : undefined;
}

function parseDiagnostic(line: string): Diagnostic | undefined {
  const [, file = '', row, column, code = '', message = '', hint = ''] = DIAGNOSTIC.exec(line) ?? [];
  if (row === undefined || column === undefined) return undefined;
  return {
    severity: 'error',
    file,
    line: Number(row),
    column: Number(column),
    code: code as DiagnosticCode,
    message,
    hint,
    text: '',
  };
}

function toCodedError({ message, status }: AgentError): PolytraceError {
  const [, code, text = '', hint = ''] = CODED.exec(message) ?? [];
  if (code !== undefined) return new PolytraceError(code as ErrorCode, text, hint);
  if (status === 'NOT_FOUND') return new PolytraceError('NO_SUCH_POLICY', message, 'policies() lists all policies');
  if (status === 'ALREADY_EXISTS') {
    return new PolytraceError('POLICY_EXISTS', message, 'remove or replace that policy, or use another metadata.name');
  }
  if (status === 'UNAUTHENTICATED') {
    return new PolytraceError('AGENT_TOKEN', message, 'pass a line of the file of --server-token-file as `token`');
  }
  return new PolytraceError('AGENT_REFUSED', message, 'the log of the agent may say more');
}
