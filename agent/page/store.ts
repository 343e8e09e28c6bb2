/** The events of the page, and which of them the filters leave. */
import type { EndRow, EventRow, ProcessRow, Row } from '../lib/report/row.js';

/** A live page keeps this many events; the oldest are dropped. */
const LIVE_EVENTS_MAX = 100_000;

export interface Criteria {
  /** Words that all have to be in the event; those after a minus must not be. */
  readonly words: string;
  readonly from: number;
  readonly to: number;
  /** Undefined: every group of the time line. */
  readonly group?: string | undefined;
  readonly file?: string | undefined;
  readonly address?: string | undefined;
  readonly binary?: string | undefined;
}

export const EVERYTHING: Criteria = { words: '', from: -Infinity, to: Infinity };

/** Groups of events that are those of no policy. */
export const STARTS = 'starts and ends';
export const LOST = 'lost';

export function groupOf({ type, policy }: EventRow): string {
  if (type === 'lost') return LOST;
  return policy ?? (type === 'process_exec' || type === 'process_exit' ? STARTS : '(no policy)');
}

export class Store {
  readonly events: EventRow[] = [];
  readonly processes = new Map<string, ProcessRow>();
  end: EndRow | undefined;
  /** Events that the server could not send, and those that are too old for this page. */
  missed = 0;
  dropped = 0;
  readonly #texts = new Map<string, string>();
  readonly #haystacks = new WeakMap<EventRow, string>();

  add(row: Row, isLive: boolean): void {
    switch (row.kind) {
      case 'process':
        this.processes.set(row.id, row);
        return;
      case 'event':
        this.#insert(this.#shared(row));
        if (isLive && this.events.length > LIVE_EVENTS_MAX * 1.1) this.#drop();
        return;
      case 'missed':
        this.missed += row.count;
        return;
      default:
        this.end = row;
    }
  }

  processOf(event: EventRow): ProcessRow | undefined {
    return event.process === undefined ? undefined : this.processes.get(event.process);
  }

  /** Indexes of the events that the criteria leave, in the order of time. */
  matching(criteria: Criteria): number[] {
    const { from, to, group, file, address, binary } = criteria;
    const words = criteria.words
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== '' && word !== '-');
    const wanted = words.filter((word) => !word.startsWith('-'));
    const unwanted = words.filter((word) => word.startsWith('-')).map((word) => word.slice(1));
    const found: number[] = [];
    this.events.forEach((event, i) => {
      if (event.time < from || event.time > to) return;
      if (group !== undefined && groupOf(event) !== group) return;
      if (file !== undefined && event.files?.includes(file) !== true) return;
      if (address !== undefined && event.addresses?.includes(address) !== true) return;
      if (binary !== undefined && this.processOf(event)?.binary !== binary) return;
      if (words.length > 0) {
        const text = this.#haystack(event);
        if (!wanted.every((word) => text.includes(word)) || unwanted.some((word) => text.includes(word))) return;
      }
      found.push(i);
    });
    return found;
  }

  /** Everything of an event that can be searched. It is made when somebody searches. */
  #haystack(event: EventRow): string {
    const known = this.#haystacks.get(event);
    if (known !== undefined) return known;
    const { label, detail, message, actions, policy, hook, tags, values } = event;
    const process = this.processOf(event);
    const ofProcess =
      process === undefined
        ? ''
        : `${process.binary} ${process.arguments} ${process.pid} ${process.user ?? ''} ${process.pod ?? ''} ${process.container ?? ''}`;
    const ofValues = values?.map(([, value]) => value).join(' ');
    const text = [label, detail, message, actions, policy, hook, tags?.join(' '), ofValues, ofProcess].join('\n');
    const lower = text.toLowerCase();
    this.#haystacks.set(event, lower);
    return lower;
  }

  /** Events come nearly in the order of time. */
  #insert(event: EventRow): void {
    let at = this.events.length;
    while (at > 0 && (this.events[at - 1]?.time ?? 0) > event.time) at -= 1;
    if (at === this.events.length) this.events.push(event);
    else this.events.splice(at, 0, event);
  }

  /** One copy of texts that come again and again. */
  #shared(row: EventRow): EventRow {
    const event: { -readonly [K in keyof EventRow]: EventRow[K] } = row;
    for (const key of ['type', 'process', 'label', 'message', 'actions', 'policy', 'hook'] as const) {
      const text = event[key];
      if (text !== undefined) (event[key] as string) = this.#text(text);
    }
    return event;
  }

  #text(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    this.#texts.set(text, text);
    return text;
  }

  /** Also forgets the processes that no event names any more. */
  #drop(): void {
    const count = this.events.length - LIVE_EVENTS_MAX;
    this.events.splice(0, count);
    this.dropped += count;
    this.#texts.clear();
    const used = new Set<string>();
    for (const { process } of this.events) {
      for (let id = process; id !== undefined && !used.has(id); id = this.processes.get(id)?.parent) used.add(id);
    }
    for (const id of this.processes.keys()) if (!used.has(id)) this.processes.delete(id);
  }
}
