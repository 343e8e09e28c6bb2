/** Describes in words which processes a scope contains, and which nodes a policy is for. */
import type { LabelCondition, Scope } from '../../compiled/compiled-policy.js';
import { CONTAINER_LABEL, POD_NAMESPACE } from '../language/containers.js';
import { listValues } from './words.js';

/** One text for the containers and one for the host, as far as the scope contains them. */
export function scopeWords({ namespace, pods, containers, host }: Scope): string[] {
  const inPods = namespace !== undefined || pods !== undefined;
  const place = namespace === undefined ? 'any pod' : `a pod of the namespace ${JSON.stringify(namespace)}`;
  const conditions = [
    ...(pods ?? []).map((condition) => conditionWords('the pod', condition)),
    ...(containers ?? []).map((condition) => conditionWords('the container', condition)),
  ];
  const container = `processes in a container${inPods ? ` of ${place}` : ''}${where(conditions)}`;
  const node = (host ?? []).map((condition) => conditionWords('the node', condition));
  return [
    ...(inPods || containers !== undefined ? [container] : []),
    ...(host === undefined ? [] : [`processes in no container${where(node)}`]),
  ];
}

export function nodeWords(conditions: readonly LabelCondition[]): string[] {
  return conditions.map((condition) => conditionWords('the node', condition));
}

function where(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : `, where ${conditions.join(' and ')}`;
}

function conditionWords(whose: string, { key, operator, values }: LabelCondition): string {
  const what = `${whose}'s ${keyWords(whose, key)}`;
  switch (operator) {
    case 'In':
      return `${what} is ${listValues(values)}`;
    case 'NotIn':
      return `not (${what} is ${listValues(values)})`;
    case 'Exists':
      return `${what} exists`;
    case 'DoesNotExist':
      return `${what} does not exist`;
  }
}

function keyWords(whose: string, key: string): string {
  if (key === POD_NAMESPACE) return 'namespace';
  if (whose !== 'the container') return `label ${JSON.stringify(key)}`;
  return key.startsWith(CONTAINER_LABEL) ? `label ${JSON.stringify(key.slice(CONTAINER_LABEL.length))}` : key;
}
