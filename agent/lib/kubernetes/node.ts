/** Reads the labels of this node and the number of nodes from the API server. */
import type { Api } from './client.js';
import { Watch, type KubeObject } from './watch.js';

interface NodeList {
  readonly metadata: { readonly remainingItemCount?: number };
  readonly items: readonly KubeObject[];
}

/** Rejects with ApiError, or the error of the connection. */
export async function readNodeLabels(api: Api, name: string): Promise<Readonly<Record<string, string>>> {
  const { metadata } = await api.call<KubeObject>('GET', `/api/v1/nodes/${encodeURIComponent(name)}`);
  return metadata.labels ?? {};
}

/** Counts the nodes: the request reads one node, and the answer has the number of the others. */
export async function countNodes(api: Api): Promise<number> {
  const { metadata, items } = await api.call<NodeList>('GET', '/api/v1/nodes', { query: { limit: 1 } });
  return items.length + (metadata.remainingItemCount ?? 0);
}

/** Calls `onChange` when the labels of the node differ from `known`, and repeats that until it resolves. */
export function watchLabels(
  api: Api,
  name: string,
  known: Readonly<Record<string, string>>,
  onChange: (labels: Readonly<Record<string, string>>) => Promise<void>,
): Watch<KubeObject> {
  let last = labelsKey(known);
  const update = async ({ metadata: { labels = {} } }: KubeObject): Promise<void> => {
    const text = labelsKey(labels);
    if (text === last) return;
    await onChange(labels);
    last = text;
  };
  return new Watch<KubeObject>(
    api,
    '/api/v1/nodes',
    { fieldSelector: `metadata.name=${name}` },
    {
      replaceAll: async (nodes) => {
        for (const node of nodes) await update(node);
      },
      set: update,
      remove: () => undefined,
      setConnection: () => undefined,
    },
  );
}

function labelsKey(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
