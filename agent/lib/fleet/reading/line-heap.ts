/** The lines that wait for their order: a binary heap with the earliest line first. */
export interface WaitingLine {
  /** The node, as in the subject. */
  readonly node: string;
  readonly text: string;
  /** See `readTime`. */
  readonly time: string;
  /** Decides between lines with equal times. */
  readonly order: number;
}

export class LineHeap {
  readonly #lines: WaitingLine[] = [];

  push(line: WaitingLine): void {
    const lines = this.#lines;
    let at = lines.push(line) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isEarlier(line, lines[above] as WaitingLine)) break;
      lines[at] = lines[above] as WaitingLine;
      at = above;
    }
    lines[at] = line;
  }

  pop(): WaitingLine | undefined {
    const lines = this.#lines;
    const [first] = lines;
    const last = lines.pop();
    if (first === undefined || last === undefined || lines.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = at * 2 + 1;
      if (below >= lines.length) break;
      const right = lines[below + 1];
      if (right !== undefined && isEarlier(right, lines[below] as WaitingLine)) below += 1;
      if (!isEarlier(lines[below] as WaitingLine, last)) break;
      lines[at] = lines[below] as WaitingLine;
      at = below;
    }
    lines[at] = last;
    return first;
  }
}

function isEarlier(a: WaitingLine, b: WaitingLine): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}

/** Returns the time of a line of JSON. Times of different precision become comparable. */
export function readTime(line: string): string {
  const at = line.lastIndexOf('"time":"') + 8;
  const end = line.indexOf('Z"', at);
  return at < 8 || end < 0 ? '' : line.slice(at, end).padEnd(29, '0');
}
