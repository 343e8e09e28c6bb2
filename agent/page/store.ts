/** Keeps the events and processes of the page, and filters them. */
import { compileQuery } from './query.js';
import type { EndRow, EventRow, ProcessRow, Row } from '../../lib/report/row.js';

/** Maximum of events of a live page. The oldest are dropped. */
const LIVE_EVENTS_MAX = 100_000;

export interface Criteria {
  /** The text of the search field, see query.ts. */
  readonly query: string;
  readonly from: number;
  readonly to: number;
  /** Undefined: all groups of the timeline. */
  readonly group?: string | undefined;
  readonly file?: string | undefined;
  readonly address?: string | undefined;
  readonly binary?: string | undefined;
}

export const EVERYTHING: Criteria = { query: '', from: -Infinity, to: Infinity };

/** Groups of events without a policy. */
export const STARTS = 'starts and ends';
export const LOST = 'lost';
const CHANGES = 'changes of the agent';

export function eventGroup({ type, policy }: EventRow): string {
  switch (type) {
    case 'process_throttle':
    case 'lost':
      return LOST;
    case 'change':
      return CHANGES;
    case 'process_exec':
    case 'process_exit':
      return policy ?? STARTS;
    case 'process_kprobe':
    case 'process_tracepoint':
    case 'process_uprobe':
    case 'process_usdt':
    case 'process_lsm':
    case 'process_loader':
      return policy ?? '(no policy)';
  }
}

export class Store {
  readonly events: EventRow[] = [];
  readonly processes = new Map<string, ProcessRow>();
  end: EndRow | undefined;
  /** Number of events that the server could not send, and of old events that this page has dropped. */
  missed = 0;
  dropped = 0;
  readonly #strings = new Map<string, string>();
  readonly #searchTexts = new WeakMap<EventRow, string>();

  add(row: Row, isLive: boolean): void {
    switch (row.kind) {
      case 'process':
        this.processes.set(row.id, row);
        return;
      case 'event':
        this.#insert(this.#internStrings(row));
        if (isLive && this.events.length > LIVE_EVENTS_MAX * 1.1) this.#drop();
        return;
      case 'missed':
        this.missed += row.count;
        return;
      case 'end':
        this.end = row;
    }
  }

  findProcess(event: EventRow): ProcessRow | undefined {
    return event.process === undefined ? undefined : this.processes.get(event.process);
  }

  /** Returns the indexes of the events that match the criteria, ordered by time. */
  findEvents(criteria: Criteria): number[] {
    const { from, to, group, file, address, binary } = criteria;
    const matches = compileQuery(criteria.query, (event) => this.#searchText(event));
    const found: number[] = [];
    this.events.forEach((event, i) => {
      if (event.time < from || event.time > to) return;
      if (group !== undefined && eventGroup(event) !== group) return;
      if (file !== undefined && event.files?.includes(file) !== true) return;
      if (address !== undefined && event.addresses?.includes(address) !== true) return;
      if (binary !== undefined && this.findProcess(event)?.binary !== binary) return;
      if (matches?.(event, this.findProcess(event)) === false) return;
      found.push(i);
    });
    return found;
  }

  /** Returns the searchable text of an event. It is built at the first search. */
  #searchText(event: EventRow): string {
    const known = this.#searchTexts.get(event);
    if (known !== undefined) return known;
    const { label, detail, message, actions, policy, hook, tags, values } = event;
    const process = this.findProcess(event);
    const ofProcess =
      process === undefined
        ? ''
        : `${process.binary} ${process.arguments} ${process.pid} ${process.user ?? ''} ${process.pod ?? ''} ${process.container ?? ''}`;
    const ofValues = values?.map(([, value]) => value).join(' ');
    const text = [label, detail, message, actions, policy, hook, tags?.join(' '), ofValues, ofProcess].join('\n');
    const lower = text.toLowerCase();
    this.#searchTexts.set(event, lower);
    return lower;
  }

  /** Events arrive almost in the order of time. */
  #insert(event: EventRow): void {
    let at = this.events.length;
    while (at > 0 && (this.events[at - 1]?.time ?? 0) > event.time) at -= 1;
    if (at === this.events.length) this.events.push(event);
    else this.events.splice(at, 0, event);
  }

  /** Interns strings that are repeated in many events. */
  #internStrings(row: EventRow): EventRow {
    const event: { -readonly [K in keyof EventRow]: EventRow[K] } = row;
    for (const key of ['type', 'process', 'label', 'message', 'actions', 'policy', 'hook'] as const) {
      const text = event[key];
      if (text !== undefined) (event[key] as string) = this.#intern(text);
    }
    return event;
  }

  #intern(text: string): string {
    const known = this.#strings.get(text);
    if (known !== undefined) return known;
    this.#strings.set(text, text);
    return text;
  }

  /** Drops the oldest events, and the processes that no event refers to any more. */
  #drop(): void {
    const count = this.events.length - LIVE_EVENTS_MAX;
    this.events.splice(0, count);
    this.dropped += count;
    this.#strings.clear();
    const used = new Set<string>();
    for (const { process } of this.events) {
      for (let id = process; id !== undefined && !used.has(id); id = this.processes.get(id)?.parent) used.add(id);
    }
    for (const id of this.processes.keys()) if (!used.has(id)) this.processes.delete(id);
  }
}
