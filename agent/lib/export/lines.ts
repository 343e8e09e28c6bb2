/**
 * Formats the lines of exported events, once for all exports. Equal events of a window can become one line with a
 * count.
 */
import type { AgentEvent } from 'polytrace';
import { Window, type WindowOptions } from '../streams/window.js';
import type { ExportFormat } from './format.js';

/** Receives the lines. */
export interface LineConsumer {
  add(line: string, isLoss: boolean): void;
  /** Called after the lines of a batch were added. */
  flush(): void;
}

export interface AggregationOptions extends Pick<WindowOptions<string>, 'windowMs' | 'maxMessages'> {
  readonly maxBytes: number;
}

export class ExportLines {
  readonly #format: ExportFormat;
  readonly #consumers: readonly LineConsumer[];
  readonly #window: Window<string> | undefined;

  constructor(format: ExportFormat, consumers: readonly LineConsumer[], aggregation?: AggregationOptions) {
    this.#format = format;
    this.#consumers = consumers;
    if (aggregation === undefined) return;
    this.#window = new Window({
      ...aggregation,
      maxBytes: () => aggregation.maxBytes,
      send: (line, count) => this.#send(addCount(line, count), false),
      flush: () => this.#flush(),
    });
  }

  /** Lost events do not wait for the end of the window. */
  add(batch: readonly AgentEvent[]): void {
    const { isExported, formatLine } = this.#format;
    for (const event of batch) {
      if (event.type === 'lost') this.#send(formatLine(event), true);
      else if (isExported === undefined || isExported(event)) {
        if (event.type === 'change') {
          this.#send(formatLine(event), true);
          continue;
        }
        const line = formatLine(event);
        if (this.#window === undefined) this.#send(line, false);
        else this.#window.add(removeTime(line, event.time), () => line);
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

  /** Sends the events of the current window. */
  close(): void {
    this.#window?.stop();
    this.#flush();
  }
}

/** Two lines are equal when they differ only in the time. */
function removeTime(line: string, time: string): string {
  const at = line.lastIndexOf(time);
  return line.slice(0, at) + line.slice(at + time.length);
}

function addCount(line: string, count: number): string {
  return `${line.slice(0, -1)},"aggregation_info":{"count":"${count}"}}`;
}

const COUNT = /,"aggregation_info":\{"count":"(\d+)"\}\}$/;

/** The beginning of a line that reports a loss. */
const LOSS = '{"lost":';

/** Returns the number of lost events that a line reports, or undefined for another line. */
export function reportedLoss(line: string): number | undefined {
  if (!line.startsWith(LOSS)) return undefined;
  return (JSON.parse(line) as { readonly lost: { readonly count: number } }).lost.count;
}

/** Returns the number of events that a line stands for. */
export function countEvents(line: string): number {
  return Number(COUNT.exec(line)?.[1] ?? 1);
}
