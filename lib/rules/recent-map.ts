/** A map of limited size whose oldest entry is evicted, and counted. */
export class RecentMap<K, V> {
  readonly #map = new Map<K, V>();
  evicted = 0;

  constructor(
    private readonly limit: number,
    private readonly onEvict: (value: V) => void = () => undefined,
  ) {}

  get size(): number {
    return this.#map.size;
  }

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  /** Makes the entry the newest. */
  set(key: K, value: V): void {
    this.#map.delete(key);
    this.#map.set(key, value);
    if (this.#map.size <= this.limit) return;
    for (const [oldest, old] of this.#map) {
      this.#map.delete(oldest);
      this.evicted++;
      this.onEvict(old);
      return;
    }
  }

  delete(key: K): void {
    this.#map.delete(key);
  }

  /** Removes the oldest entries as long as they are over. The entries must end in the order in which they were set. */
  removeOver(isOver: (value: V) => boolean, onRemove: (value: V) => void = () => undefined): void {
    for (const [key, value] of this.#map) {
      if (!isOver(value)) return;
      this.#map.delete(key);
      onRemove(value);
    }
  }
}
