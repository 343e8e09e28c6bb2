/** Finds the known name that the author of a policy probably meant. */
import { quote } from './report.js';

const LONGEST = 64;

/** Returns the closest name by edit distance if it is at most `most` away. If several are equally close, the first. */
export function nearest(
  wanted: string,
  names: readonly string[],
  most = Math.floor(wanted.length / 3),
): string | undefined {
  if (wanted.length > LONGEST) return undefined;
  const lower = wanted.toLowerCase();
  let best: string | undefined;
  let least = Math.max(1, most) + 1;
  for (const name of names) {
    const distance = name.toLowerCase() === lower ? 0 : editDistance(lower, name.toLowerCase(), least);
    if (distance < least) {
      least = distance;
      best = name;
    }
  }
  return best;
}

/** A hint that names the closest of the names; `otherwise` if none is close. */
export function nearestHint(wanted: string, names: readonly string[], otherwise: string): string {
  const close = nearest(wanted, names);
  return close === undefined ? otherwise : `did you mean ${quote(close)}?`;
}

/** Levenshtein distance with transpositions of neighbours. Returns `limit` if the distance is `limit` or more. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (beforeLast[j - 2] ?? 0) + 1);
      row.push(least);
    }
    if (Math.min(...row) >= limit) return limit;
    beforeLast = last;
    last = row;
  }
  return Math.min(last[b.length] ?? limit, limit);
}
