/**
 * Merges the lines of all nodes by time. A line waits until the server has stored messages that are newer by a window of
 * time, or until it has waited so long here. So lines come in the order of their times if the times that they took to the
 * server differ by less than three quarters of the window. The lines of one node keep the order of their sequence numbers:
 * when an outage has parted a batch, the part that is stored waits for the rest, for a limited time.
 */
import { unescapeToken } from '../names.js';
import { LineHeap, readTime } from './line-heap.js';
import { NodeNumberings, type Numbering } from './numberings.js';

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
  /** How many messages of the batch this reader gets. Undefined: the agent does not say it. */
  readonly parts: number | undefined;
  readonly numbers: readonly number[];
  readonly lines: readonly string[];
  /** When the server stored it, in milliseconds. */
  readonly storedMs: number;
}

export interface MergerOptions {
  readonly windowMs: number;
  /** How long a part of a batch waits for the rest. Default 90 s, after which a node counts as silent. */
  readonly holdMs?: number | undefined;
  /** Most characters of lines that wait. With more, the oldest do not wait. */
  readonly maxLength: number;
  /** The reader gets what was stored from this time on. Default: from the first message. */
  readonly startMs?: number | undefined;
  /** Receives what makes the order doubtful. */
  readonly onProblem?: ((text: string) => void) | undefined;
}

/** A complete batch. */
interface Arrival {
  readonly storedMs: number;
  readonly arrivedMs: number;
  /** True when the last of its lines was taken. */
  isTaken: boolean;
}

/** The messages of a batch are published together. After this part of the window, the rest is late. */
const BATCH_PART = 4;
const HOLD_MS = 90_000;
/** An agent never sends so many lines in a batch. */
const BATCH_LINES_MAX = 100_000;

export class Merger {
  readonly #options: MergerOptions;
  readonly #nodes = new Map<string, NodeNumberings>();
  /** The batches in the order in which they became complete. */
  readonly #arrivals: Arrival[] = [];
  /** Those with batches that are not complete, the oldest first: `held` are late. */
  readonly #open = new Set<Numbering>();
  readonly #held = new Set<Numbering>();
  readonly #heap = new LineHeap();
  /** The complete batches by the `order` of their last lines. */
  readonly #byLast = new Map<number, Arrival>();
  #order = 0;
  #length = 0;
  #newestMs = 0;
  #startMs: number | undefined;
  /** Messages that the stream had twice. */
  duplicates = 0;

  constructor(options: MergerOptions) {
    this.#options = options;
    this.#startMs = options.startMs;
  }

  /** `now` is a monotonic time in milliseconds. */
  add(message: MergedMessage, now: number): void {
    const { node, boot, batch, parts, numbers, lines, storedMs } = message;
    let numberings = this.#nodes.get(node);
    if (numberings === undefined) this.#nodes.set(node, (numberings = new NodeNumberings(node)));
    const numbering = numberings.find(boot, (ended) => this.#complete(ended));
    if (batch > numbering.batch) this.#begin(numbering, batch);
    const { seen } = numbering;
    const isOld = batch < numbering.batch;
    const isNew = numbers.map((number) => !isOld && !seen.has(number) && seen.add(number) === seen);
    if (!isNew.includes(true)) {
      this.duplicates += 1;
      return;
    }
    if (seen.size > BATCH_LINES_MAX) return this.#report(node, 'lines are left out, because a batch has too many');
    if (numberings.noticeSharing(numbering)) this.#report(node, 'two agents use this name at the same time');
    if (numbering.isParted) this.#report(node, `${lines.length} lines come late, because of an outage`);
    this.#startMs ??= storedMs;
    this.#newestMs = Math.max(this.#newestMs, storedMs);
    numbering.open ??= { lines: [], storedMs, arrivedMs: now };
    numbering.messages += 1;
    for (const [i, text] of lines.entries()) {
      if (isNew[i] !== true) continue;
      numbering.open.lines.push({ number: numbers[i] ?? 0, text });
      this.#length += text.length;
    }
    if (parts !== undefined && numbering.messages >= parts) return this.#complete(numbering);
    // what was stored before the messages of this reader does not come
    numbering.isAwaited = parts !== undefined && storedMs > this.#startMs + this.#options.windowMs;
    if (!this.#held.has(numbering)) this.#open.add(numbering);
  }

  #report(node: string, text: string): void {
    this.#options.onProblem?.(`node ${unescapeToken(node.slice(node.indexOf('.') + 1))}: ${text}`);
  }

  #begin(numbering: Numbering, batch: number): void {
    this.#complete(numbering);
    numbering.batch = batch;
    numbering.seen.clear();
    numbering.messages = 0;
    numbering.isParted = false;
  }

  /** The order of the lines of a batch is known, or they do not wait for the rest of it. */
  #complete(numbering: Numbering): void {
    const { node, open } = numbering;
    if (open === undefined) return;
    numbering.open = undefined;
    this.#open.delete(numbering);
    this.#held.delete(numbering);
    const { lines, storedMs, arrivedMs } = open;
    lines.sort((a, b) => a.number - b.number);
    for (const { text } of lines) {
      const time = readTime(text);
      if (time > numbering.lastTime) numbering.lastTime = time;
      this.#heap.push({ node, text, time: numbering.lastTime, order: this.#order++ });
    }
    const arrival = { storedMs, arrivedMs, isTaken: false };
    this.#arrivals.push(arrival);
    this.#byLast.set(this.#order - 1, arrival);
  }

  #part(numbering: Numbering): void {
    numbering.isParted = true;
    this.#complete(numbering);
  }

  /** Finds batches that have waited for long enough. Of each set, the first one is the oldest. */
  #completeOld(now: number): void {
    const { windowMs, holdMs = HOLD_MS } = this.#options;
    const [openMs, storedMs] = [now - windowMs / BATCH_PART, this.#newestMs - windowMs / BATCH_PART];
    for (const numbering of this.#open) {
      const { open, isAwaited } = numbering;
      if (open === undefined || (open.arrivedMs > openMs && open.storedMs > storedMs)) break;
      this.#open.delete(numbering);
      if (isAwaited) this.#held.add(numbering);
      else this.#part(numbering);
    }
    for (const numbering of this.#held) {
      if (numbering.open === undefined || numbering.open.arrivedMs > now - holdMs) break;
      this.#part(numbering);
    }
  }

  /** Without room, nothing waits for the rest of its batch. */
  #completeOne(): boolean {
    const [held] = this.#held;
    const [open] = this.#open;
    const oldest = held ?? open;
    if (oldest !== undefined) this.#part(oldest);
    return oldest !== undefined;
  }

  /** Returns the lines that have waited long enough. */
  take(now: number): MergedLine[] {
    const { windowMs, maxLength } = this.#options;
    const lines: MergedLine[] = [];
    this.#completeOld(now);
    for (;;) {
      const [arrival] = this.#arrivals;
      const isOld =
        arrival !== undefined && (arrival.storedMs <= this.#newestMs - windowMs || arrival.arrivedMs <= now - windowMs);
      if (!isOld && this.#length <= maxLength) return lines;
      if (arrival !== undefined) this.#takeUntil(arrival, lines);
      else if (!this.#completeOne()) return lines;
    }
  }

  /** Returns all lines, because no more will come for now. */
  takeAll(): MergedLine[] {
    const lines: MergedLine[] = [];
    for (const numbering of [...this.#held, ...this.#open]) this.#complete(numbering);
    for (let arrival = this.#arrivals[0]; arrival !== undefined; arrival = this.#arrivals[0]) {
      this.#takeUntil(arrival, lines);
    }
    return lines;
  }

  /** The milliseconds until `take` has something to return; undefined if nothing waits. */
  waitMs(now: number): number | undefined {
    const { windowMs, holdMs = HOLD_MS } = this.#options;
    const [open] = this.#open;
    const [held] = this.#held;
    const times = [
      (this.#arrivals[0]?.arrivedMs ?? Infinity) + windowMs,
      (open?.open?.arrivedMs ?? Infinity) + windowMs,
      (held?.open?.arrivedMs ?? Infinity) + holdMs,
    ];
    const first = Math.min(...times);
    return first === Infinity ? undefined : Math.max(0, first - now);
  }

  /** Takes the lines of the oldest batch, and those of others with earlier times. */
  #takeUntil(arrival: Arrival, lines: MergedLine[]): void {
    this.#arrivals.shift();
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
