/** Knows which nodes have the wanted labels, from what the nodes report of themselves, while it changes. */
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { NODES_BUCKET } from '../names.js';
import type { Labels } from '../nodes/labels.js';
import { parseNodeSelector } from '../nodes/selector.js';

export class NodeLabels {
  readonly #isWanted: (labels: Labels) => boolean;
  /** The nodes with the labels, as in subjects. A node that is silent keeps those that it had. */
  readonly #wanted = new Set<string>();
  #stop: () => void = () => undefined;

  private constructor(isWanted: (labels: Labels) => boolean) {
    this.#isWanted = isWanted;
  }

  /** Resolves when all nodes that report themselves are known. */
  static async open(connection: NatsConnection, selector: string): Promise<NodeLabels> {
    const nodes = new NodeLabels(parseNodeSelector(selector));
    const bucket = await new Kvm(connection).open(NODES_BUCKET, { allow_direct: true });
    let finish: () => void = () => undefined;
    const known = new Promise<void>((resolve) => (finish = resolve));
    const entries = await bucket.watch({ ignoreDeletes: true });
    void (async () => {
      for await (const { key, value, isUpdate, delta } of entries) {
        nodes.#add(key, value);
        if (isUpdate || delta === 0) finish();
      }
    })();
    const { values } = await bucket.status();
    if (values === 0) finish();
    nodes.#stop = () => entries.stop();
    await known;
    return nodes;
  }

  #add(key: string, value: Uint8Array): void {
    try {
      const { labels } = JSON.parse(Buffer.from(value).toString()) as { readonly labels?: unknown };
      const isWanted = typeof labels === 'object' && labels !== null && this.#isWanted(labels as Labels);
      if (isWanted) this.#wanted.add(key);
      else this.#wanted.delete(key);
    } catch {
      // no report of a node
    }
  }

  /** `node` is `CLUSTER.NODE` of a subject. */
  has(node: string): boolean {
    return this.#wanted.has(node);
  }

  close(): void {
    this.#stop();
  }
}
