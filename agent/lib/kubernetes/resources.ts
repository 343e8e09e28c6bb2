/** The resources of policies: their paths in the API, and their objects. */
import type { KubeObject } from './watch.js';

export const GROUP_VERSION = 'cilium.io/v1alpha1';

export interface Resource {
  readonly kind: 'TracingPolicy' | 'TracingPolicyNamespaced';
  readonly plural: string;
}

export const RESOURCES: readonly Resource[] = [
  { kind: 'TracingPolicy', plural: 'tracingpolicies' },
  { kind: 'TracingPolicyNamespaced', plural: 'tracingpoliciesnamespaced' },
];

export interface PolicyObject extends KubeObject {
  readonly spec?: unknown;
  readonly status?: PolicyObjectStatus;
}

/** A list is null when its last owner has given it up. */
export interface PolicyObjectStatus {
  readonly conditions?: readonly Condition[] | null;
  readonly nodes?: readonly NodeState[] | null;
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime?: string;
}

/** State of a policy on one node, as in its status. */
export interface NodeState {
  readonly name: string;
  readonly state: 'enabled' | 'disabled' | 'failed';
  /** Generation that the node has tried last. */
  readonly generation?: number;
  /** Generation that runs on the node. */
  readonly loadedGeneration?: number;
  readonly mode?: string;
  /** Number of attached hooks. */
  readonly hooks?: number;
  readonly error?: string;
}

export function pathOfAll({ plural }: Resource): string {
  return `/apis/${GROUP_VERSION}/${plural}`;
}

export function pathOf({ plural }: Resource, { metadata: { name, namespace } }: KubeObject): string {
  const folder = namespace === undefined ? '' : `namespaces/${encodeURIComponent(namespace)}/`;
  return `/apis/${GROUP_VERSION}/${folder}${plural}/${encodeURIComponent(name)}`;
}

/** Name for messages, and where the store says that the policy comes from. */
export function originOf({ plural }: Resource, { metadata: { name, namespace } }: KubeObject): string {
  return `kubernetes:${plural}/${namespace === undefined ? '' : `${namespace}/`}${name}`;
}
