/** Checks the values that programs pass as sources of policies. */
import { inspect } from 'node:util';
import type { PolicySource } from '../../types/tracer.js';
import { PolytraceError } from '../errors.js';
import { isPolicy } from '../policy/index.js';

const ALLOWED =
  "use the path of a file or folder, a file: URL, 'polytrace:NAME', { yaml: text }, or a policy from parsePolicy or definePolicy";

/** Throws PolytraceError BAD_OPTION for a value that is not a source of policies. `place` is its name in the message. */
export function checkPolicySource(source: PolicySource, place = 'source'): void {
  const value: unknown = source;
  if (typeof value === 'string') return;
  if (typeof value !== 'object' || value === null) throw sourceError(place, value, ALLOWED);
  if ('href' in value) return checkMember(place, 'href', value.href, "use new URL('…', import.meta.url)");
  if ('yaml' in value) {
    checkMember(place, 'yaml', value.yaml, 'use the text of the policy');
    if ('file' in value && value.file !== undefined) {
      checkMember(place, 'file', value.file, 'use the name of the policy in messages');
    }
    return;
  }
  if (!isPolicy(value)) throw sourceError(place, value, remedy(value));
}

function checkMember(place: string, name: string, value: unknown, allowed: string): void {
  if (typeof value !== 'string') throw sourceError(`${place}.${name}`, value, allowed);
}

/** The remedy for an object that only looks like a source. */
function remedy(value: object): string {
  if ('spec' in value) return 'pass the policy to definePolicy, and use what it returns';
  if ('file' in value && typeof value.file === 'string' && !('name' in value)) {
    return `use the path itself, ${inspect(value.file, INSPECT)}`;
  }
  return ALLOWED;
}

const INSPECT = { depth: 0, maxArrayLength: 3, maxStringLength: 100, breakLength: Infinity } as const;

function sourceError(place: string, value: unknown, allowed: string): PolytraceError {
  return new PolytraceError('BAD_OPTION', `${place} is ${inspect(value, INSPECT)}, not a source of policies`, allowed);
}
