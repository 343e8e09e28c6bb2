/** Assigns colours to groups of events. A group keeps its colour. */
import { eventGroup, LOST, STARTS, type Store } from './store.js';

/** Number of colours in the style sheet: --group-0 and so on. All further groups share one. */
const COLORS = 8;

export class Colors {
  readonly #names: string[] = [];

  /** Groups with more events get their colours first. */
  assign(store: Store): void {
    const counts = new Map<string, number>();
    for (const event of store.events) {
      const name = eventGroup(event);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    const names = [...counts].sort((a, b) => b[1] - a[1]).map(([name]) => name);
    this.#names.push(...names.filter((name) => name !== STARTS && name !== LOST && !this.#names.includes(name)));
  }

  /** Returns the order in the timeline: starts and ends at the bottom, losses at the top. */
  groupRank(name: string): number {
    if (name === STARTS) return -1;
    return name === LOST ? Infinity : this.#names.indexOf(name);
  }

  /** Returns the colour as a CSS value. */
  groupColor(name: string): string {
    if (name === STARTS) return 'var(--group-starts)';
    if (name === LOST) return 'var(--group-lost)';
    const index = this.#names.indexOf(name);
    return `var(--group-${index >= 0 && index < COLORS ? index : 'others'})`;
  }
}
