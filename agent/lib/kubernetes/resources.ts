/** Describes the resources: their API paths, and the objects of policies. */
import type { KubeObject } from './watch.js';

export const GROUP_VERSION = 'cilium.io/v1alpha1';

export interface Resource {
  readonly kind: 'TracingPolicy' | 'TracingPolicyNamespaced';
  readonly plural: string;
}

/** The resource with the addresses of pods. */
export const POD_INFO = { plural: 'podinfo' } as const;

export const RESOURCES: readonly Resource[] = [
  { kind: 'TracingPolicy', plural: 'tracingpolicies' },
  { kind: 'TracingPolicyNamespaced', plural: 'tracingpoliciesnamespaced' },
];

export interface PolicyObject extends KubeObject {
  readonly spec?: unknown;
  readonly status?: PolicyObjectStatus;
}

/** A list is null when no field manager owns it any more. */
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

/** The state of a policy on one node, in the status. */
export interface NodeState {
  readonly name: string;
  readonly state: 'enabled' | 'disabled' | 'failed';
  /** The generation that the node tried last. */
  readonly generation?: number;
  /** The generation that runs on the node. */
  readonly loadedGeneration?: number;
  readonly mode?: string;
  /** Number of attached hooks. */
  readonly hooks?: number;
  readonly error?: string;
}

export function resourcePath({ plural }: Resource): string {
  return `/apis/${GROUP_VERSION}/${plural}`;
}

export function objectPath(
  { plural }: Pick<Resource, 'plural'>,
  { metadata: { name, namespace } }: KubeObject,
): string {
  const folder = namespace === undefined ? '' : `namespaces/${encodeURIComponent(namespace)}/`;
  return `/apis/${GROUP_VERSION}/${folder}${plural}/${encodeURIComponent(name)}`;
}

/** Returns the origin of a policy, for messages and for the store. */
export function policyOrigin({ plural }: Resource, { metadata: { name, namespace } }: KubeObject): string {
  return `kubernetes:${plural}/${namespace === undefined ? '' : `${namespace}/`}${name}`;
}
