/** All claims of the store, by their sources. */
import { Claim, type SourceKind } from './claim.js';

export class Claims {
  readonly #all = new Map<string, Claim>();
  #nextId = 1;

  /** Makes a claim that is not in the list yet. */
  create(kind: SourceKind, origin: string, wanted: string | Error): Claim {
    return new Claim(this.#nextId, kind, origin, wanted);
  }

  /** `origin` of a client's claim is the name of its policy. */
  insert(origin: string, claim: Claim): void {
    this.#nextId += 1;
    this.#all.set(claimKey(claim.kind, origin), claim);
  }

  find(kind: SourceKind, origin: string): Claim | undefined {
    return this.#all.get(claimKey(kind, origin));
  }

  delete(kind: SourceKind, origin: string): void {
    this.#all.delete(claimKey(kind, origin));
  }

  listFiles(): Claim[] {
    return [...this.#all.values()].filter(({ kind }) => kind === 'file');
  }
}

function claimKey(kind: SourceKind, origin: string): string {
  return `${kind}:${origin}`;
}
