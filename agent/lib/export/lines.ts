/**
 * Formats the lines of exported events, once for all exports. Equal events of a window can become one line with a
 * count.
 */
import type { AgentEvent } from 'polytrace';
import { Window, type WindowOptions } from '../streams/window.js';
import type { ExportFormat } from './format.js';

/** Describes the event of a line for a consumer. */
export interface LineSource {
  readonly type: string;
  readonly policyName?: string;
}

/** Receives the lines. */
export interface LineConsumer {
  add(line: string, isLoss: boolean, source: LineSource): void;
  /** Called after the lines of a batch were added. */
  flush(): void;
}

/** A line that waits for the end of its window. */
interface WaitingLine {
  readonly line: string;
  readonly length: number;
  readonly source: LineSource;
}

export interface AggregationOptions extends Pick<WindowOptions<WaitingLine>, 'windowMs' | 'maxMessages'> {
  readonly maxBytes: number;
}

export class ExportLines {
  readonly #format: ExportFormat;
  readonly #consumers: readonly LineConsumer[];
  readonly #window: Window<WaitingLine> | undefined;

  constructor(format: ExportFormat, consumers: readonly LineConsumer[], aggregation?: AggregationOptions) {
    this.#format = format;
    this.#consumers = consumers;
    if (aggregation === undefined) return;
    this.#window = new Window({
      ...aggregation,
      maxBytes: () => aggregation.maxBytes,
      send: ({ line, source }, count) => this.#send(addCount(line, count), false, source),
      flush: () => this.#flush(),
    });
  }

  /** Lost events do not wait for the end of the window. */
  add(batch: readonly AgentEvent[]): void {
    const { isExported, formatLine } = this.#format;
    for (const event of batch) {
      if (event.type === 'lost') this.#send(formatLine(event), true, event);
      else if (isExported === undefined || isExported(event)) {
        if (event.type === 'change') {
          this.#send(formatLine(event), true, event);
          continue;
        }
        const line = formatLine(event);
        if (this.#window === undefined) this.#send(line, false, event);
        else this.#window.add(removeTime(line, event.time), () => waitingLine(line, event));
      }
    }
    this.#flush();
  }

  #send(line: string, isLoss: boolean, source: LineSource): void {
    for (const consumer of this.#consumers) consumer.add(line, isLoss, source);
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

/** Keeps what is needed of the event, and not the event. */
function waitingLine(line: string, { type, policyName = '' }: LineSource): WaitingLine {
  return { line, length: line.length, source: { type, policyName } };
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
