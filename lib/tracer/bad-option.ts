/** The error for an invalid option. */
import { PolytraceError } from '../errors.js';

export function badOptionError(name: string, what: string, allowed: string): PolytraceError {
  return new PolytraceError('BAD_OPTION', `option ${name} ${what}`, allowed);
}
