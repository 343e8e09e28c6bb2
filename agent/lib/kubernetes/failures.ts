/** Creates Kubernetes events about policies that a node could not load. */
import { createHash } from 'node:crypto';
import { ApiError, type Api } from './client.js';
import { GROUP_VERSION, type NodeState, type PolicyObject, type Resource } from './resources.js';

/** Creates one event for each generation of a policy. Resolves if the event exists already. */
export async function reportFailure(
  api: Api,
  { kind }: Resource,
  { metadata }: PolicyObject,
  { name: node, generation = 0, error = '' }: NodeState,
): Promise<void> {
  // an event has to be in the namespace of its object, or in `default`
  const namespace = metadata.namespace ?? 'default';
  const suffix = createHash('sha256').update(`${node}\n${metadata.uid}\n${generation}`).digest('hex').slice(0, 16);
  const now = new Date().toISOString();
  const event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${metadata.name.slice(0, 200)}.${suffix}`, namespace },
    involvedObject: { apiVersion: GROUP_VERSION, kind, ...toObjectReference(metadata) },
    type: 'Warning',
    reason: 'PolicyNotLoaded',
    message: error,
    source: { component: 'polytrace', host: node },
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  };
  try {
    await api.call('POST', `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`, { body: event });
  } catch (failure) {
    if (!(failure instanceof ApiError && failure.status === 409)) throw failure;
  }
}

function toObjectReference({ name, namespace, uid }: PolicyObject['metadata']): object {
  return { name, ...(namespace && { namespace }), ...(uid && { uid }) };
}
