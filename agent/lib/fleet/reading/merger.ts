/**
 * Merges the lines of all nodes by time. A line waits until the server has stored messages that are newer by a window of
 * time, or until it has waited so long here. So lines come in the order of their times if the times that they took to the
 * server differ by less than three quarters of the window. The lines of one node keep the order of their sequence numbers,
 * unless an outage parts a batch: of its messages, those that are stored after the outage come late.
 */
export interface MergedLine {
  /** The node, as in the subject. */
  readonly node: string;
  readonly text: string;
}

export interface MergedMessage {
  readonly node: string;
  readonly boot: string;
  /** The first number of the batch that the message is a part of. */
  readonly batch: number;
  readonly numbers: readonly number[];
  readonly lines: readonly string[];
  /** When the server stored it, in milliseconds. */
  readonly storedMs: number;
}

export interface MergerOptions {
  readonly windowMs: number;
  /** Most characters of lines that wait. With more, the oldest do not wait. */
  readonly maxLength: number;
}

interface NodeState {
  boot: string;
  batch: number;
  /** The numbers of the batch that have come. */
  readonly seen: Set<number>;
  /** The lines of the batch, until it is complete. */
  readonly open: { readonly number: number; readonly text: string }[];
  /** The greatest time of a line. */
  lastTime: string;
}

interface WaitingLine extends MergedLine {
  readonly time: string;
  readonly order: number;
}

interface Arrival {
  readonly node: string;
  readonly boot: string;
  readonly batch: number;
  readonly storedMs: number;
  readonly arrivedMs: number;
  /** True when the last of its lines was taken, or when it has none. */
  isTaken: boolean;
}

/** A batch is complete after this part of the window. */
const BATCH_PART = 4;

export class Merger {
  readonly #options: MergerOptions;
  readonly #nodes = new Map<string, NodeState>();
  /** The batches in the order in which the server has stored them. */
  readonly #arrivals: Arrival[] = [];
  readonly #openArrivals = new Map<string, Arrival>();
  readonly #heap = new Heap();
  /** The complete batches by the `order` of their last lines. */
  readonly #byLast = new Map<number, Arrival>();
  #order = 0;
  #length = 0;
  #newestMs = 0;
  /** Messages that the stream had twice. */
  duplicates = 0;

  constructor(options: MergerOptions) {
    this.#options = options;
  }

  /** `now` is a monotonic time in milliseconds. */
  add(message: MergedMessage, now: number): void {
    const { node, boot, batch, numbers, lines, storedMs } = message;
    let state = this.#nodes.get(node);
    if (state === undefined) {
      state = { boot, batch: -1, seen: new Set(), open: [], lastTime: '' };
      this.#nodes.set(node, state);
    }
    if (state.boot === boot && batch < state.batch) {
      this.duplicates += 1;
      return;
    }
    if (state.boot !== boot || state.batch !== batch) {
      this.#complete(node, state);
      state.boot = boot;
      state.batch = batch;
      state.seen.clear();
    }
    const { seen } = state;
    const isNew = numbers.map((number) => !seen.has(number) && seen.add(number) === seen);
    if (!isNew.includes(true)) {
      this.duplicates += 1;
      return;
    }
    this.#newestMs = Math.max(this.#newestMs, storedMs);
    if (!this.#openArrivals.has(node)) {
      const arrival = { node, boot, batch, storedMs, arrivedMs: now, isTaken: false };
      this.#arrivals.push(arrival);
      this.#openArrivals.set(node, arrival);
    }
    for (const [i, text] of lines.entries()) {
      if (isNew[i] !== true) continue;
      state.open.push({ number: numbers[i] ?? 0, text });
      this.#length += text.length;
    }
  }

  /** A batch is complete: the order of its lines is known. */
  #complete(node: string, state: NodeState): void {
    const arrival = this.#openArrivals.get(node);
    if (arrival === undefined) return;
    this.#openArrivals.delete(node);
    state.open.sort((a, b) => a.number - b.number);
    for (const { text } of state.open) {
      const time = readTime(text);
      if (time > state.lastTime) state.lastTime = time;
      this.#heap.push({ node, text, time: state.lastTime, order: this.#order++ });
    }
    if (state.open.length === 0) arrival.isTaken = true;
    else this.#byLast.set(this.#order - 1, arrival);
    state.open.length = 0;
  }

  /** The messages of a batch are published together. After a part of the window, none is missing. */
  #completeBatches(arrivedMs: number, storedMs: number): void {
    for (const [node, arrival] of this.#openArrivals) {
      const isOld = arrival.arrivedMs <= arrivedMs || arrival.storedMs <= storedMs;
      if (isOld) this.#complete(node, this.#nodes.get(node) as NodeState);
    }
  }

  /** Returns the lines that have waited long enough. */
  take(now: number): MergedLine[] {
    const { windowMs, maxLength } = this.#options;
    const lines: MergedLine[] = [];
    let isFirst = true;
    for (let arrival = this.#arrivals[0]; arrival !== undefined; arrival = this.#arrivals[0]) {
      const isOld = arrival.storedMs <= this.#newestMs - windowMs || arrival.arrivedMs <= now - windowMs;
      if (!isOld && this.#length <= maxLength) break;
      if (isFirst) this.#completeBatches(now - windowMs / BATCH_PART, this.#newestMs - windowMs / BATCH_PART);
      isFirst = false;
      this.#takeUntil(arrival, lines);
    }
    return lines;
  }

  /** Returns all lines, because no more will come for now. */
  takeAll(): MergedLine[] {
    const lines: MergedLine[] = [];
    this.#completeBatches(Infinity, Infinity);
    for (let arrival = this.#arrivals[0]; arrival !== undefined; arrival = this.#arrivals[0]) {
      this.#takeUntil(arrival, lines);
    }
    return lines;
  }

  /** The milliseconds until `take` has something to return; undefined if nothing waits. */
  waitMs(now: number): number | undefined {
    const [arrival] = this.#arrivals;
    return arrival && Math.max(0, arrival.arrivedMs + this.#options.windowMs - now);
  }

  /** Takes the lines of the oldest batch, and those of others with earlier times. */
  #takeUntil(arrival: Arrival, lines: MergedLine[]): void {
    this.#arrivals.shift();
    if (this.#openArrivals.get(arrival.node) === arrival) {
      this.#complete(arrival.node, this.#nodes.get(arrival.node) as NodeState);
    }
    while (!arrival.isTaken) {
      const line = this.#heap.pop();
      if (line === undefined) return;
      this.#length -= line.text.length;
      lines.push(line);
      const ended = this.#byLast.get(line.order);
      if (ended === undefined) continue;
      ended.isTaken = true;
      this.#byLast.delete(line.order);
    }
  }
}

/** Times of different precision become comparable. */
function readTime(line: string): string {
  const at = line.lastIndexOf('"time":"') + 8;
  const end = line.indexOf('Z"', at);
  return at < 8 || end < 0 ? '' : line.slice(at, end).padEnd(29, '0');
}

/** A binary heap: the earliest line first. */
class Heap {
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
