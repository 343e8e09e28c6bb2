/** Makes the lines of exported events, once for all exports. Equal events of a window can become one line with their number. */
import type { TracerEvent } from 'polytrace';
import type { Shape } from './shape.js';

/** Where lines go. */
export interface LineConsumer {
  add(line: string, isLoss: boolean): void;
  /** Called when the lines of a batch are added. */
  flush(): void;
}

export interface AggregationOptions {
  readonly windowMs: number;
  /** Most distinct lines, and most bytes of them, in a window. With more of them, it ends early. */
  readonly most: number;
  readonly mostBytes: number;
}

export class ExportLines {
  readonly #shape: Shape;
  readonly #consumers: readonly LineConsumer[];
  readonly #window: Window | undefined;

  constructor(shape: Shape, consumers: readonly LineConsumer[], aggregation?: AggregationOptions) {
    this.#shape = shape;
    this.#consumers = consumers;
    if (aggregation === undefined) return;
    this.#window = new Window(
      aggregation,
      (line) => this.#send(line, false),
      () => this.#flush(),
    );
  }

  /** A loss is reported at once. */
  give(batch: readonly TracerEvent[]): void {
    const { wants, lineOf } = this.#shape;
    for (const event of batch) {
      if (event.type === 'lost') this.#send(lineOf(event), true);
      else if (wants === undefined || wants(event)) {
        if (this.#window === undefined) this.#send(lineOf(event), false);
        else this.#window.add(lineOf(event), event.time);
      }
    }
    this.#flush();
  }

  #send(line: string, isLoss: boolean): void {
    for (const consumer of this.#consumers) consumer.add(line, isLoss);
  }

  #flush(): void {
    for (const consumer of this.#consumers) consumer.flush();
  }

  /** Sends what the window has. */
  close(): void {
    this.#window?.close();
  }
}

interface Group {
  readonly line: string;
  count: number;
}

/** Lines are equal when they differ in nothing but the time. The first one of them is kept. */
class Window {
  readonly #options: AggregationOptions;
  readonly #send: (line: string) => void;
  readonly #flush: () => void;
  readonly #timer: NodeJS.Timeout;
  readonly #groups = new Map<string, Group>();
  #bytes = 0;

  constructor(options: AggregationOptions, send: (line: string) => void, flush: () => void) {
    this.#options = options;
    this.#send = send;
    this.#flush = flush;
    this.#timer = setInterval(() => this.#end(), options.windowMs);
  }

  add(line: string, time: string): void {
    const at = line.lastIndexOf(time);
    const key = line.slice(0, at) + line.slice(at + time.length);
    const group = this.#groups.get(key);
    if (group !== undefined) {
      group.count += 1;
      return;
    }
    const { most, mostBytes } = this.#options;
    // the line and its key
    this.#bytes += 2 * line.length;
    if (this.#groups.size >= most || this.#bytes > mostBytes) {
      this.#end();
      this.#bytes = 2 * line.length;
    }
    this.#groups.set(key, { line, count: 1 });
  }

  #end(): void {
    for (const { line, count } of this.#groups.values()) this.#send(withCount(line, count));
    this.#groups.clear();
    this.#bytes = 0;
    this.#flush();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#end();
  }
}

function withCount(line: string, count: number): string {
  return `${line.slice(0, -1)},"aggregation_info":{"count":"${count}"}}`;
}

const COUNT = /,"aggregation_info":\{"count":"(\d+)"\}\}$/;

/** How the line of a loss begins. */
const LOSS = '{"lost":';

/** The number of lost events that a line reports; undefined for an event. */
export function lossIn(line: string): number | undefined {
  if (!line.startsWith(LOSS)) return undefined;
  return (JSON.parse(line) as { readonly lost: { readonly count: number } }).lost.count;
}

/** The number of events that a line stands for. */
export function eventsIn(line: string): number {
  return Number(COUNT.exec(line)?.[1] ?? 1);
}
