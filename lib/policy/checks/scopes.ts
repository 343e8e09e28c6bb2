/** Checks what limits a policy or a selector to some pods, containers or nodes. */
import { CONTAINER_FIELDS, CONTAINER_LABEL, POD_NAMESPACE } from '../language/containers.js';
import type { LabelSelectorData, PolicyData, WorkloadData } from '../model/model.js';
import { nearestHint } from '../parse/nearest.js';
import type { Span } from '../parse/places.js';
import { quote, type Report } from '../parse/report.js';

export function checkScopes(policy: PolicyData, report: Report): void {
  const { spec = {}, metadata, kind } = policy;
  checkWorkloads(spec, report);
  checkLabels(spec.nodeSelector ?? {}, report, checkKubernetesKey);
  if (kind !== 'TracingPolicyNamespaced') return;
  const isHost = metadata?.namespace === '';
  const others = isHost ? (['podSelector', 'containerSelector'] as const) : (['hostSelector'] as const);
  for (const other of others) {
    if (spec[other] === undefined) continue;
    const message = isHost
      ? `an empty namespace stands for the processes in no container, and ${other} selects containers`
      : 'a policy for one namespace cannot apply to processes in no container';
    const hint = isHost ? 'name a namespace' : 'use kind TracingPolicy, or remove hostSelector';
    report.add('SCOPE_CONTRADICTS', report.places.key(spec, other), message, hint);
  }
}

/** The selectors of a policy, or those of matchWorkloads. */
export function checkWorkloads(selectors: WorkloadData, report: Report): void {
  checkLabels(selectors.podSelector ?? {}, report, checkPodKey);
  checkLabels(selectors.hostSelector ?? {}, report, checkKubernetesKey);
  checkLabels(selectors.containerSelector ?? {}, report, checkContainerKey);
}

/** Checks a key. Returns whether its values are values of labels of Kubernetes. */
type CheckKey = (key: string, span: Span, report: Report) => boolean;

function checkLabels(labels: LabelSelectorData, report: Report, checkKey: CheckKey): void {
  const { matchLabels = {}, matchExpressions = [] } = labels;
  for (const [key, value] of Object.entries(matchLabels)) {
    if (checkKey(key, report.places.key(matchLabels, key), report)) {
      checkValue(value, report.places.value(matchLabels, key), report);
    }
  }
  for (const expression of matchExpressions) {
    const { key, operator, values = [] } = expression;
    const isLabel = key !== undefined && checkKey(key, report.places.value(expression, 'key'), report);
    if (isLabel) values.forEach((value, i) => checkValue(value, report.places.value(values, i), report));
    const wants = operator === 'In' || operator === 'NotIn';
    if (operator === undefined || wants === values.length > 0 || report.places.isIncomplete(values)) continue;
    const message = wants ? `${operator} needs values` : `${operator} does not take values`;
    report.add(
      'LABEL_VALUES',
      report.places.value(expression, 'operator'),
      message,
      wants ? 'add `values`' : 'remove `values`, or use In',
    );
  }
}

const NAME = /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

/** The rules of Kubernetes: `NAME` or `PREFIX/NAME`. */
function checkKubernetesKey(key: string, span: Span, report: Report): boolean {
  const parts = key.split('/');
  const [prefix, name = ''] = parts.length > 1 ? parts : [undefined, key];
  const hasPrefix = prefix === undefined || (prefix.length <= 253 && PREFIX.test(prefix));
  if (parts.length <= 2 && hasPrefix && NAME.test(name)) return true;
  const hint = 'write NAME or PREFIX/NAME: letters, digits, -, _ and . for the name, a domain for the prefix';
  report.add('LABEL_INVALID', span, `${quote(key)} cannot be the name of a label`, hint);
  return false;
}

function checkPodKey(key: string, span: Span, report: Report): boolean {
  return key !== POD_NAMESPACE && checkKubernetesKey(key, span, report);
}

function checkContainerKey(key: string, span: Span, report: Report): boolean {
  const isLabel = key.startsWith(CONTAINER_LABEL) && key.length > CONTAINER_LABEL.length;
  if (isLabel || (CONTAINER_FIELDS as readonly string[]).includes(key)) return false;
  const hint = nearestHint(
    key,
    CONTAINER_FIELDS,
    `use ${CONTAINER_FIELDS.join(', ')}, or \`${CONTAINER_LABEL}${key || 'NAME'}\` for a label of the container`,
  );
  report.add('CONTAINER_FIELD_UNKNOWN', span, `a container has no field ${quote(key)}`, hint);
  return false;
}

function checkValue(value: string, span: Span, report: Report): void {
  if (value === '' || NAME.test(value)) return;
  const hint = 'use at most 63 letters, digits, -, _ and ., with a letter or digit at both ends';
  report.add('LABEL_INVALID', span, `${quote(value)} cannot be the value of a label`, hint);
}
