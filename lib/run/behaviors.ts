/** Collects what was seen: equal behaviors are counted, and their number is limited. */
import type { Behavior, BehaviorKind } from '../../types/run.js';
import type { Origin } from './attribution.js';

/** The kinds, the worst first. */
export const BEHAVIOR_KINDS: readonly BehaviorKind[] = [
  'killed', 'secret', 'memory', 'kernel', 'privilege', 'mount', 'signal', 'unseen', 'write', 'remove', 'rename', 'mode', 'connect',
  'dns', 'listen', 'exec', 'read',
]; // prettier-ignore

const BEHAVIORS_MAX = 20_000;

type Counted = { -readonly [K in keyof Behavior]: Behavior[K] };

export interface Seen {
  readonly kind: BehaviorKind;
  readonly subject: string;
  readonly fact: string;
  readonly origin: Origin | undefined;
  readonly process: () => readonly string[];
  readonly refused?: boolean;
}

export class Behaviors {
  readonly #all = new Map<string, Counted>();
  /** Behaviors that found no room. */
  more = 0;

  /** Returns the behavior with its count; undefined beyond the limit. */
  add({ kind, subject, fact, origin, process, refused = false }: Seen): Counted | undefined {
    const key = formatBehaviorKey(kind, origin, fact, refused);
    const known = this.#all.get(key);
    if (known !== undefined) {
      known.count++;
      return known;
    }
    if (this.#all.size >= BEHAVIORS_MAX) {
      this.more++;
      return undefined;
    }
    const added: Counted = {
      kind,
      ...origin,
      subject,
      fact,
      count: 1,
      ...(refused ? { refused } : {}),
      process: process(),
    };
    this.#all.set(key, added);
    return added;
  }

  find(kind: BehaviorKind, origin: Origin | undefined, fact: string): Counted | undefined {
    return this.#all.get(formatBehaviorKey(kind, origin, fact));
  }

  /** The worst kinds first; of a kind, those of packages first, then by their texts. */
  sorted(): Behavior[] {
    const order = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);
    return [...this.#all.values()].sort(
      (one, other) =>
        BEHAVIOR_KINDS.indexOf(one.kind) - BEHAVIOR_KINDS.indexOf(other.kind) ||
        Number(one.package === undefined) - Number(other.package === undefined) ||
        order(one.package ?? '', other.package ?? '') ||
        order(one.script ?? '', other.script ?? '') ||
        order(one.fact, other.fact),
    );
  }
}

function formatBehaviorKey(kind: BehaviorKind, origin: Origin | undefined, fact: string, refused = false): string {
  return [kind, origin?.package ?? '', origin?.script ?? '', refused ? '!' : '', fact].join('\0');
}
