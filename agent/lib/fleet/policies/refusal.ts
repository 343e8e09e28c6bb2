/** The reasons why a record of the bucket is not used. docs/diagnostics.md explains each code. */

export type RefusalCode =
  /** The signature is missing or wrong, or no trusted key made it. */
  | 'FLEET_SIGNATURE'
  /** The record is not one of this format. */
  | 'FLEET_RECORD'
  /** The record is signed for another cluster. */
  | 'FLEET_CLUSTER'
  /** The record is older than one that this node has accepted. */
  | 'FLEET_OLDER'
  /** A signed record in another place, or a second one with the same version. */
  | 'FLEET_REPLAYED'
  /** The signed list of versions names a version that the server does not give. */
  | 'FLEET_WITHHELD'
  /** There are more policies than a node keeps. */
  | 'FLEET_LIMIT';

/** A record is refused: nothing of it is used. */
export class Refusal extends Error {
  constructor(
    readonly code: RefusalCode,
    message: string,
  ) {
    super(message);
  }
}

/** A refused record as the node reports it. */
export interface ReportedRefusal {
  readonly code: RefusalCode;
  /** The key in the bucket, or the file of the last good state. */
  readonly place: string;
  readonly message: string;
  /** How often the same happened. */
  readonly count: number;
}

/** Different refusals that are kept; the others are only counted by their codes. */
const KEPT_MAX = 16;
/** A place may come from the server. */
const TEXT_MAX = 256;

/** The refusals of a node: the newest ones, and counters by code. */
export class Refusals {
  readonly #kept = new Map<string, ReportedRefusal>();
  readonly counts = new Map<RefusalCode, number>();

  /** Returns true when it is not yet known. */
  add({ code, message: text }: Refusal, givenPlace: string): boolean {
    const place = givenPlace.slice(0, TEXT_MAX);
    const message = text.slice(0, TEXT_MAX);
    this.counts.set(code, (this.counts.get(code) ?? 0) + 1);
    const key = `${code} ${place} ${message}`;
    const known = this.#kept.get(key);
    this.#kept.delete(key);
    this.#kept.set(key, { code, place, message, count: (known?.count ?? 0) + 1 });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT_MAX && oldest !== undefined) this.#kept.delete(oldest);
    return known === undefined;
  }

  list(): ReportedRefusal[] {
    return [...this.#kept.values()];
  }
}
