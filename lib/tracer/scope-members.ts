/**
 * Whether a container, or the host, is in a scope.
 *
 * What is not known never keeps a container out of what a policy reports. A container whose labels nobody has told is treated as
 * one without labels: NotIn and DoesNotExist hold, In and Exists do not. In a scope that exempts its members it is the other way
 * round: there, it is no member.
 */
import type { ContainerInfo } from '../../types/containers.js';
import { containerOf } from '../containers/identify.js';
import type { LabelCondition, Scope } from '../compiled/compiled-policy.js';

type Labels = Readonly<Record<string, string>>;

const NONE: Labels = Object.freeze(Object.create(null) as Labels);
const POD_NAMESPACE = 'k8s:io.kubernetes.pod.namespace';
const CONTAINER_LABEL = 'label:';

/** A container of which only the cgroup is known. */
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
    const value = (key: string): string | undefined => (key === POD_NAMESPACE ? info.pod?.namespace : own(labels, key));
    if (!allHold(pods, value, isKnown || !exempts)) return false;
  }
  return allHold(containers ?? [], (key) => fieldOf(info, key), isKnown || !exempts);
}

/** Processes in no container, on a node with these labels. */
export function containsHost({ host }: Scope, nodeLabels: Labels): boolean {
  return host !== undefined && holdOnNode(host, nodeLabels);
}

/** The labels of a node are known. */
export function holdOnNode(conditions: readonly LabelCondition[], nodeLabels: Labels): boolean {
  return allHold(conditions, (key) => own(nodeLabels, key), true);
}

/** The scope asks for what only a runtime or the cluster knows. */
export function needsSource({ namespace, pods, containers = [] }: Scope): boolean {
  return (
    namespace !== undefined || pods !== undefined || containers.some(({ key }) => key !== 'runtime' && key !== 'id')
  );
}

/** The scope asks for labels of pods. */
export function needsPods({ pods = [] }: Scope): boolean {
  return pods.some(({ key }) => key !== POD_NAMESPACE);
}

/** `absent`: whether NotIn and DoesNotExist hold for a label that is not there. */
function allHold(
  conditions: readonly LabelCondition[],
  valueOf: (key: string) => string | undefined,
  absent: boolean,
): boolean {
  return conditions.every(({ key, operator, values }) => {
    const value = valueOf(key);
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

/** Somebody has told more than the name of the cgroup does, and nothing was left out. */
function isDescribed({ name, image, pod, truncated }: ContainerInfo): boolean {
  return truncated !== true && (name !== undefined || image !== undefined || pod !== undefined);
}

/** Undefined if it is not known. */
function isInPod({ pod, cgroupPath }: ContainerInfo): true | undefined {
  if (pod !== undefined) return true;
  const found = cgroupPath === undefined ? undefined : containerOf(cgroupPath);
  return found?.podUid === undefined ? undefined : true;
}

function fieldOf(info: ContainerInfo, key: string): string | undefined {
  switch (key) {
    case 'name':
      return info.name;
    case 'repo':
      return info.image?.name === undefined ? undefined : repositoryOf(info.image.name);
    case 'image':
      return info.image?.name;
    case 'runtime':
      return info.runtime;
    case 'id':
      return info.id === '' ? undefined : info.id;
    default:
      return own(info.labels ?? NONE, key.slice(CONTAINER_LABEL.length));
  }
}

/** The name of an image without its tag and digest: `docker.io/library/nginx:1.27` is of `docker.io/library/nginx`. */
function repositoryOf(image: string): string {
  const [name = ''] = image.split('@', 1);
  const colon = name.lastIndexOf(':');
  return colon > name.lastIndexOf('/') ? name.slice(0, colon) : name;
}

function own(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
