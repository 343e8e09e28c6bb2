/** Compares two texts by their lines. */

/** More work than this, and the whole part that differs is shown as replaced. */
const CELLS_MAX = 4_000_000;
const CONTEXT = 2;

interface Line {
  readonly mark: ' ' | '-' | '+';
  readonly text: string;
}

/** Returns changed lines with `-` and `+`, and some lines around them. Empty: the texts are equal. */
export function diffLines(before: string, after: string): string[] {
  const a = before.split('\n');
  const b = after.split('\n');
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const lines: Line[] = [
    ...a.slice(0, start).map(markKept),
    ...compare(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...a.slice(a.length - end).map(markKept),
  ];
  return showChanges(lines);
}

function markKept(text: string): Line {
  return { mark: ' ', text };
}

/** Finds a longest common subsequence. */
function compare(a: readonly string[], b: readonly string[]): Line[] {
  if (a.length * b.length > CELLS_MAX) return [...a.map(markRemoved), ...b.map(markAdded)];
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  const lengthAt = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const longest = a[i] === b[j] ? lengthAt(i + 1, j + 1) + 1 : Math.max(lengthAt(i + 1, j), lengthAt(i, j + 1));
      lengths[i * width + j] = longest;
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      lines.push(markKept(a[i] ?? ''));
      i++;
      j++;
    } else if (lengthAt(i + 1, j) >= lengthAt(i, j + 1)) lines.push(markRemoved(a[i++] ?? ''));
    else lines.push(markAdded(b[j++] ?? ''));
  }
  return [...lines, ...a.slice(i).map(markRemoved), ...b.slice(j).map(markAdded)];
}

function markRemoved(text: string): Line {
  return { mark: '-', text };
}

function markAdded(text: string): Line {
  return { mark: '+', text };
}

function showChanges(lines: readonly Line[]): string[] {
  const shown = new Set<number>();
  lines.forEach(({ mark }, index) => {
    if (mark === ' ') return;
    for (let near = index - CONTEXT; near <= index + CONTEXT; near++) if (lines[near]) shown.add(near);
  });
  const result: string[] = [];
  let last = -1;
  for (const index of [...shown].sort((x, y) => x - y)) {
    if (index !== last + 1) result.push(`@@ line ${index + 1} @@`);
    const line = lines[index];
    if (line !== undefined) result.push(`${line.mark}${line.text}`);
    last = index;
  }
  return result;
}
