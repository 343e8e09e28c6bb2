/** Sums by key, of a bounded number of keys. What has no room is summed under one other key, so the totals are exact. */
export class BoundedSums<S> {
  readonly #sums = new Map<string, S>();
  readonly #limit: number;
  readonly #make: (key: string) => S;
  #other: S | undefined;

  /** `make` returns the empty sum of a key. The key of everything that has no room is ''. */
  constructor(limit: number, make: (key: string) => S) {
    this.#limit = limit;
    this.#make = make;
  }

  /** Returns the sum of a key, which `make` makes if it is new. */
  get(key: string, make: () => S): S {
    const found = this.#sums.get(key);
    if (found !== undefined) return found;
    if (this.#sums.size >= this.#limit) return (this.#other ??= this.#make(''));
    const sum = make();
    this.#sums.set(key, sum);
    return sum;
  }

  /** Returns all sums, and begins again. */
  take(): S[] {
    const all = [...this.#sums.values(), ...(this.#other === undefined ? [] : [this.#other])];
    this.#sums.clear();
    this.#other = undefined;
    return all;
  }
}
