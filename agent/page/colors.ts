/** The colours of the groups of events. A group keeps its colour. */
import { groupOf, LOST, STARTS, type Store } from './store.js';

/** Colours of the style sheet, --group-0 and so on; all further groups share one. */
const COLORS = 8;

export class Colors {
  readonly #known: string[] = [];

  /** Groups with more events come first. */
  learn(store: Store): void {
    const counts = new Map<string, number>();
    for (const event of store.events) {
      const name = groupOf(event);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    const names = [...counts].sort((a, b) => b[1] - a[1]).map(([name]) => name);
    this.#known.push(...names.filter((name) => name !== STARTS && name !== LOST && !this.#known.includes(name)));
  }

  /** Starts and ends are at the bottom of the time line, losses at the top. */
  rank(name: string): number {
    if (name === STARTS) return -1;
    return name === LOST ? Infinity : this.#known.indexOf(name);
  }

  /** As a value of a style. */
  of(name: string): string {
    if (name === STARTS) return 'var(--group-starts)';
    if (name === LOST) return 'var(--group-lost)';
    const place = this.#known.indexOf(name);
    return `var(--group-${place >= 0 && place < COLORS ? place : 'others'})`;
  }
}
