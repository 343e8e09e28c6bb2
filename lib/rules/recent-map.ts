/**
 * A map of limited size whose oldest entry is evicted, and counted. An iterator stays at the oldest entry, because a new
 * one would pass all places of entries that were deleted.
 */
export class RecentMap<K extends string | number | object, V> {
  readonly #map = new Map<K, V>();
  #iterator: Iterator<K> | undefined;
  /** The key that the iterator has returned, while its entry is the oldest. */
  #oldest: K | undefined;
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
    this.delete(key);
    this.#map.set(key, value);
    if (this.#map.size <= this.limit) return;
    this.evicted++;
    this.#removeOldest(this.onEvict);
  }

  delete(key: K): void {
    if (this.#oldest === key) this.#oldest = undefined;
    this.#map.delete(key);
  }

  /** Removes the oldest entries as long as they are over. The entries must end in the order in which they were set. */
  removeOver(isOver: (value: V) => boolean, onRemove: (value: V) => void = () => undefined): void {
    while (this.#map.size > 0) {
      const value = this.#map.get(this.#findOldest() as K);
      if (!isOver(value as V)) return;
      this.#removeOldest(onRemove);
    }
  }

  #removeOldest(onRemove: (value: V) => void): void {
    const key = this.#findOldest() as K;
    const value = this.#map.get(key) as V;
    this.delete(key);
    onRemove(value);
  }

  /** Undefined if the map is empty. */
  #findOldest(): K | undefined {
    if (this.#oldest !== undefined) return this.#oldest;
    let next = this.#iterator?.next();
    if (next === undefined || next.done === true) {
      this.#iterator = this.#map.keys();
      next = this.#iterator.next();
    }
    this.#oldest = next.done === true ? undefined : next.value;
    return this.#oldest;
  }
}
