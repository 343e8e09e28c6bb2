/** What the API server says about this node and the number of nodes. */
import type { Api } from './client.js';
import { Watch, type KubeObject } from './watch.js';

interface NodeList {
  readonly metadata: { readonly remainingItemCount?: number };
  readonly items: readonly KubeObject[];
}

/** Rejects with ApiError, or the error of the connection. */
export async function nodeLabels(api: Api, name: string): Promise<Readonly<Record<string, string>>> {
  const { metadata } = await api.call<KubeObject>('GET', `/api/v1/nodes/${encodeURIComponent(name)}`);
  return metadata.labels ?? {};
}

/** The number of nodes of the cluster: one node is read, and the server says how many there are besides. */
export async function countNodes(api: Api): Promise<number> {
  const { metadata, items } = await api.call<NodeList>('GET', '/api/v1/nodes', { query: { limit: 1 } });
  return items.length + (metadata.remainingItemCount ?? 0);
}

/** Calls `changed` when the labels of the node are others than `known`, until it has resolved for them. */
export function watchLabels(
  api: Api,
  name: string,
  known: Readonly<Record<string, string>>,
  changed: (labels: Readonly<Record<string, string>>) => Promise<void>,
): Watch<KubeObject> {
  let last = textOf(known);
  const set = async ({ metadata: { labels = {} } }: KubeObject): Promise<void> => {
    const text = textOf(labels);
    if (text === last) return;
    await changed(labels);
    last = text;
  };
  return new Watch<KubeObject>(
    api,
    '/api/v1/nodes',
    { fieldSelector: `metadata.name=${name}` },
    {
      all: async (nodes) => {
        for (const node of nodes) await set(node);
      },
      set,
      remove: () => undefined,
      state: () => undefined,
    },
  );
}

function textOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
