/** The error for options. */
import { PolytraceError } from '../errors.js';

export function badOption(name: string, what: string, allowed: string): PolytraceError {
  return new PolytraceError('BAD_OPTION', `option ${name} ${what}`, allowed);
}
