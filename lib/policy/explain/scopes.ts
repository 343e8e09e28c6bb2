/** Describes in English which processes a scope contains, and for which nodes a policy is. */
import type { LabelCondition, Scope } from '../../compiled/compiled-policy.js';
import { CONTAINER_LABEL, POD_NAMESPACE } from '../language/containers.js';
import { formatValues } from './phrases.js';

/** Returns one phrase for the containers and one for the host, as far as the scope contains them. */
export function describeScope({ namespace, pods, containers, host }: Scope): string[] {
  const inPods = namespace !== undefined || pods !== undefined;
  const pod = namespace === undefined ? 'any pod' : `a pod of the namespace ${JSON.stringify(namespace)}`;
  const conditions = [
    ...(pods ?? []).map((condition) => describeCondition('the pod', condition)),
    ...(containers ?? []).map((condition) => describeCondition('the container', condition)),
  ];
  const container = `processes in a container${inPods ? ` of ${pod}` : ''}${formatWhereClause(conditions)}`;
  const node = (host ?? []).map((condition) => describeCondition('the node', condition));
  return [
    ...(inPods || containers !== undefined ? [container] : []),
    ...(host === undefined ? [] : [`processes in no container${formatWhereClause(node)}`]),
  ];
}

export function describeNodes(conditions: readonly LabelCondition[]): string[] {
  return conditions.map((condition) => describeCondition('the node', condition));
}

function formatWhereClause(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : `, where ${conditions.join(' and ')}`;
}

function describeCondition(whose: string, { key, operator, values }: LabelCondition): string {
  const what = `${whose}'s ${describeKey(whose, key)}`;
  switch (operator) {
    case 'In':
      return `${what} is ${formatValues(values)}`;
    case 'NotIn':
      return `not (${what} is ${formatValues(values)})`;
    case 'Exists':
      return `${what} exists`;
    case 'DoesNotExist':
      return `${what} does not exist`;
  }
}

function describeKey(whose: string, key: string): string {
  if (key === POD_NAMESPACE) return 'namespace';
  if (whose !== 'the container') return `label ${JSON.stringify(key)}`;
  return key.startsWith(CONTAINER_LABEL) ? `label ${JSON.stringify(key.slice(CONTAINER_LABEL.length))}` : key;
}
