/**
 * Makes one alert of equal events. The first event is an alert at once. Equal ones within the window are counted, and are
 * one more alert at its end, which begins the next window.
 */
import type { Alert } from './alert.js';

/** Maximum of different alerts of a hook in a window. Further ones are one alert together. */
const HOOK_ALERTS_MAX = 32;
/** Maximum of different alerts in a window. With more, the oldest window ends early. */
const ALERTS_MAX = 4096;

/** In place of the binary of an alert that stands for those over HOOK_ALERTS_MAX. */
export const OTHERS = '(others)';

interface Open {
  readonly group: string;
  readonly alert: Alert;
  since: number;
  more: number;
  firstTime: string;
  lastTime: string;
}

export interface DeduplicatorOptions {
  /** 0: each event is an alert. */
  readonly windowMs: number;
  readonly emit: (alert: Alert) => void;
  /** Returns the alert for the events that were counted. */
  readonly repeat: (alert: Alert, count: number, firstTime: string, lastTime: string) => Alert;
  readonly now?: () => number;
}

export class Deduplicator {
  readonly #options: DeduplicatorOptions;
  readonly #now: () => number;
  /** In the order in which their windows began. */
  readonly #open = new Map<string, Open>();
  /** Number of open alerts of each hook. */
  readonly #sizes = new Map<string, number>();

  constructor(options: DeduplicatorOptions) {
    this.#options = options;
    this.#now = options.now ?? ((): number => performance.now());
  }

  /** `group`: the hook. `key`: equal for equal events of the hook. `make` is called only for a new alert. */
  add(group: string, key: string, time: string, make: () => Alert): void {
    const { windowMs, emit } = this.#options;
    if (windowMs === 0) return emit(make());
    if (this.#count(`${group}\0${key}`, time)) return;
    const isFull = (this.#sizes.get(group) ?? 0) >= HOOK_ALERTS_MAX;
    const name = `${group}\0${isFull ? `\0${OTHERS}` : key}`;
    if (isFull && this.#count(name, time)) return;
    const alert = isFull ? { ...make(), binary: OTHERS } : make();
    if (this.#open.size >= ALERTS_MAX) this.#endOldest();
    this.#open.set(name, { group, alert, since: this.#now(), more: 0, firstTime: time, lastTime: time });
    if (!isFull) this.#sizes.set(group, (this.#sizes.get(group) ?? 0) + 1);
    emit(alert);
  }

  #count(name: string, time: string): boolean {
    const open = this.#open.get(name);
    if (open === undefined) return false;
    if (open.more === 0) open.firstTime = time;
    open.more += 1;
    open.lastTime = time;
    return true;
  }

  /** Ends the windows whose time has come. */
  tick(): void {
    const now = this.#now();
    for (const [name, open] of this.#open) {
      if (now - open.since < this.#options.windowMs) return;
      const isOver = open.more === 0;
      this.#end(name, open);
      if (isOver) continue;
      // it goes on: the next window
      Object.assign(open, { since: now, more: 0 });
      this.#open.set(name, open);
      this.#resize(name, open, 1);
    }
  }

  #endOldest(): void {
    for (const [name, open] of this.#open) return this.#end(name, open);
  }

  #end(name: string, open: Open): void {
    const { emit, repeat } = this.#options;
    this.#open.delete(name);
    this.#resize(name, open, -1);
    if (open.more > 0) emit(repeat(open.alert, open.more, open.firstTime, open.lastTime));
  }

  #resize(name: string, { group }: Open, change: number): void {
    if (name === `${group}\0\0${OTHERS}`) return;
    const size = (this.#sizes.get(group) ?? 0) + change;
    if (size > 0) this.#sizes.set(group, size);
    else this.#sizes.delete(group);
  }

  /** Ends all windows, so that each event is in an alert. */
  close(): void {
    for (const [name, open] of this.#open) this.#end(name, open);
  }
}
