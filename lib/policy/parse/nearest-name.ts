/** The hint that names the closest known name. */
import { findNearestName } from '../../names/nearest-name.js';
import { quote } from './report.js';

export { findNearestName };

/** Returns a hint with the closest name, or `otherwise` if no name is close. */
export function nearestHint(wanted: string, names: readonly string[], otherwise: string): string {
  const close = findNearestName(wanted, names);
  return close === undefined ? otherwise : `did you mean ${quote(close)}?`;
}
