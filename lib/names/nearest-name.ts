/** Finds the known name that is closest to a wrong one, by edit distance. */

const NAME_LENGTH_MAX = 64;

/** Returns the first of the closest names, or undefined if none is within `maxDistance` (at least 1) edits. */
export function findNearestName(
  wanted: string,
  names: readonly string[],
  maxDistance = Math.floor(wanted.length / 3),
): string | undefined {
  if (wanted.length > NAME_LENGTH_MAX) return undefined;
  const lower = wanted.toLowerCase();
  let best: string | undefined;
  let limit = Math.max(1, maxDistance) + 1;
  for (const name of names) {
    const distance = name.toLowerCase() === lower ? 0 : editDistance(lower, name.toLowerCase(), limit);
    if (distance < limit) {
      limit = distance;
      best = name;
    }
  }
  return best;
}

/** The Levenshtein distance with transpositions of neighbours. Returns `limit` if the distance is `limit` or more. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let cell = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cell = Math.min(cell, (beforeLast[j - 2] ?? 0) + 1);
      row.push(cell);
    }
    if (Math.min(...row) >= limit) return limit;
    beforeLast = last;
    last = row;
  }
  return Math.min(last[b.length] ?? limit, limit);
}
