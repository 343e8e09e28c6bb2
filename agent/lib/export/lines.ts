/** Makes the lines of exported events, once for all exports. Equal events of a window can become one line with their number. */
import type { TracerEvent } from 'polytrace';
import { Window, type WindowOptions } from '../streams/window.js';
import type { Shape } from './shape.js';

/** Where lines go. */
export interface LineConsumer {
  add(line: string, isLoss: boolean): void;
  /** Called when the lines of a batch are added. */
  flush(): void;
}

export interface AggregationOptions extends Pick<WindowOptions<string>, 'windowMs' | 'most'> {
  readonly mostBytes: number;
}

export class ExportLines {
  readonly #shape: Shape;
  readonly #consumers: readonly LineConsumer[];
  readonly #window: Window<string> | undefined;

  constructor(shape: Shape, consumers: readonly LineConsumer[], aggregation?: AggregationOptions) {
    this.#shape = shape;
    this.#consumers = consumers;
    if (aggregation === undefined) return;
    this.#window = new Window({
      ...aggregation,
      mostBytes: () => aggregation.mostBytes,
      send: (line, count) => this.#send(withCount(line, count), false),
      flush: () => this.#flush(),
    });
  }

  /** A loss is reported at once. */
  give(batch: readonly TracerEvent[]): void {
    const { wants, lineOf } = this.#shape;
    for (const event of batch) {
      if (event.type === 'lost') this.#send(lineOf(event), true);
      else if (wants === undefined || wants(event)) {
        const line = lineOf(event);
        if (this.#window === undefined) this.#send(line, false);
        else this.#window.add(withoutTime(line, event.time), () => line);
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
    this.#window?.stop();
    this.#flush();
  }
}

/** Lines are equal when they differ in nothing but the time. */
function withoutTime(line: string, time: string): string {
  const at = line.lastIndexOf(time);
  return line.slice(0, at) + line.slice(at + time.length);
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
