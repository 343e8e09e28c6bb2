/** The state of each numbering of a node: its last batch, and the numbers of this batch that have come. */

/** A batch whose lines wait until all of its messages have come. */
interface OpenBatch {
  readonly lines: { readonly number: number; readonly text: string }[];
  /** When its first message was stored, in milliseconds, and when it came here. */
  readonly storedMs: number;
  readonly arrivedMs: number;
}

export interface Numbering {
  readonly node: string;
  readonly boot: string;
  batch: number;
  /** The numbers of the batch that have come, and the number of messages. */
  readonly seen: Set<number>;
  messages: number;
  /** Undefined: no line of the batch waits for others. */
  open: OpenBatch | undefined;
  /** The rest of the batch will come. */
  isAwaited: boolean;
  /** True when lines of the batch have gone on without the others. */
  isParted: boolean;
  /** The greatest time of a line. */
  lastTime: string;
}

/** A node has a new numbering after each start of its machine. Older ones are forgotten. */
const NUMBERINGS_MAX = 8;

export class NodeNumberings {
  readonly #node: string;
  readonly #numberings = new Map<string, Numbering>();
  #newest: Numbering | undefined;
  /** True if a numbering went on after another one had begun: two agents have the name of the node. */
  isShared = false;

  constructor(node: string) {
    this.#node = node;
  }

  /** Returns the numbering, also a new one. `onEnd` gets those that end by it. */
  find(boot: string, onEnd: (numbering: Numbering) => void): Numbering {
    let numbering = this.#numberings.get(boot);
    if (numbering === undefined) {
      // an agent sends all of an old numbering before the first event of a new one
      if (this.#newest !== undefined && !this.isShared) onEnd(this.#newest);
      const first = { batch: -1, messages: 0, open: undefined, isAwaited: false, isParted: false, lastTime: '' };
      numbering = { node: this.#node, boot, seen: new Set(), ...first };
      this.#newest = numbering;
    } else this.#numberings.delete(boot);
    this.#numberings.set(boot, numbering);
    const [oldest] = this.#numberings.values();
    if (this.#numberings.size > NUMBERINGS_MAX && oldest !== undefined) {
      this.#numberings.delete(oldest.boot);
      onEnd(oldest);
    }
    return numbering;
  }

  /** Called for new lines. Returns true when they show for the first time that agents share the name. */
  noticeSharing(numbering: Numbering): boolean {
    if (numbering === this.#newest || this.isShared) return false;
    return (this.isShared = true);
  }
}
