/**
 * Decides whether a container or the host is in a scope.
 *
 * Unknown labels never exclude a container from the events of a policy. A container whose labels are not known is treated as one
 * without labels: NotIn and DoesNotExist match, In and Exists do not. In a scope that exempts its members, such a container is
 * not a member.
 */
import type { ContainerInfo } from '../../types/containers.js';
import { identifyContainer } from '../containers/identify.js';
import type { LabelCondition, Scope } from '../compiled/compiled-policy.js';

type Labels = Readonly<Record<string, string>>;

const NONE: Labels = Object.freeze(Object.create(null) as Labels);
const POD_NAMESPACE = 'k8s:io.kubernetes.pod.namespace';
const CONTAINER_LABEL = 'label:';

/** A container whose name and labels are not known: only its cgroup exists. */
export const UNNAMED: ContainerInfo = Object.freeze({ id: '' });

export function containsContainer(scope: Scope, info: ContainerInfo): boolean {
  const { namespace, pods, containers, exempts } = scope;
  if (namespace === undefined && pods === undefined && containers === undefined) return false;
  const isKnown = isDescribed(info);
  if (namespace !== undefined && info.pod?.namespace !== namespace) return false;
  if (pods !== undefined) {
    const inPod = isInPod(info) ?? (isKnown ? false : undefined);
    if (inPod === false || (inPod === undefined && exempts)) return false;
    const labels = info.pod?.labels ?? NONE;
    const readPodLabel = (key: string): string | undefined =>
      key === POD_NAMESPACE ? info.pod?.namespace : getOwnLabel(labels, key);
    if (!matchesAll(pods, readPodLabel, isKnown || !exempts)) return false;
  }
  return matchesAll(containers ?? [], (key) => containerField(info, key), isKnown || !exempts);
}

/** True if the scope contains processes outside of containers, on a node with these labels. */
export function containsHost({ host }: Scope, nodeLabels: Labels): boolean {
  return host !== undefined && matchesNode(host, nodeLabels);
}

/** True if all conditions match the labels of the node, which are always known. */
export function matchesNode(conditions: readonly LabelCondition[], nodeLabels: Labels): boolean {
  return matchesAll(conditions, (key) => getOwnLabel(nodeLabels, key), true);
}

/** True if the scope needs data that only a runtime or the cluster has. */
export function needsSource({ namespace, pods, containers = [] }: Scope): boolean {
  return (
    namespace !== undefined || pods !== undefined || containers.some(({ key }) => key !== 'runtime' && key !== 'id')
  );
}

/** True if the scope needs labels of pods. */
export function needsPods({ pods = [] }: Scope): boolean {
  return pods.some(({ key }) => key !== POD_NAMESPACE);
}

/** `absent` is the result of NotIn and DoesNotExist for a label that does not exist. */
function matchesAll(
  conditions: readonly LabelCondition[],
  readLabel: (key: string) => string | undefined,
  absent: boolean,
): boolean {
  return conditions.every(({ key, operator, values }) => {
    const value = readLabel(key);
    if (value === undefined) return absent && (operator === 'NotIn' || operator === 'DoesNotExist');
    switch (operator) {
      case 'In':
        return values.includes(value);
      case 'NotIn':
        return !values.includes(value);
      case 'Exists':
        return true;
      case 'DoesNotExist':
        return false;
    }
  });
}

/** True if a source has reported more than the cgroup, and nothing was left out. */
function isDescribed({ name, image, pod, truncated }: ContainerInfo): boolean {
  return truncated !== true && (name !== undefined || image !== undefined || pod !== undefined);
}

/** Returns undefined if it is not known. */
function isInPod({ pod, cgroupPath }: ContainerInfo): true | undefined {
  if (pod !== undefined) return true;
  const found = cgroupPath === undefined ? undefined : identifyContainer(cgroupPath);
  return found?.podUid === undefined ? undefined : true;
}

function containerField(info: ContainerInfo, key: string): string | undefined {
  switch (key) {
    case 'name':
      return info.name;
    case 'repo':
      return info.image?.name === undefined ? undefined : imageRepository(info.image.name);
    case 'image':
      return info.image?.name;
    case 'runtime':
      return info.runtime;
    case 'id':
      return info.id === '' ? undefined : info.id;
    default:
      return getOwnLabel(info.labels ?? NONE, key.slice(CONTAINER_LABEL.length));
  }
}

/** Returns the name of an image without its tag and digest: `docker.io/library/nginx` for `docker.io/library/nginx:1.27`. */
function imageRepository(image: string): string {
  const [name = ''] = image.split('@', 1);
  const colon = name.lastIndexOf(':');
  return colon > name.lastIndexOf('/') ? name.slice(0, colon) : name;
}

function getOwnLabel(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
