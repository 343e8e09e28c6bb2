/** Checks the selectors that limit a policy, or a selector, to some pods, containers or nodes. */
import { CONTAINER_FIELDS, CONTAINER_LABEL, POD_NAMESPACE } from '../language/containers.js';
import type { LabelSelectorData, PolicyData, WorkloadData } from '../model/model.js';
import { nearestHint } from '../parse/nearest-name.js';
import type { Span } from '../parse/positions.js';
import { quote, type Report } from '../parse/report.js';

export function checkScopes(policy: PolicyData, report: Report): void {
  const { spec = {}, metadata, kind } = policy;
  checkWorkloads(spec, report);
  checkLabelSelector(spec.nodeSelector ?? {}, report, checkKubernetesKey);
  if (kind !== 'TracingPolicyNamespaced') return;
  const isHost = metadata?.namespace === '';
  const others = isHost ? (['podSelector', 'containerSelector'] as const) : (['hostSelector'] as const);
  for (const other of others) {
    if (spec[other] === undefined) continue;
    const message = isHost
      ? `an empty namespace stands for the processes in no container, and ${other} selects containers`
      : 'a policy for one namespace cannot apply to processes in no container';
    const hint = isHost ? 'name a namespace' : 'use kind TracingPolicy, or remove hostSelector';
    report.add('SCOPE_CONTRADICTS', report.positions.key(spec, other), message, hint);
  }
}

/** Checks the workload selectors of a policy or of matchWorkloads. */
export function checkWorkloads(selectors: WorkloadData, report: Report): void {
  checkLabelSelector(selectors.podSelector ?? {}, report, checkPodKey);
  checkLabelSelector(selectors.hostSelector ?? {}, report, checkKubernetesKey);
  checkLabelSelector(selectors.containerSelector ?? {}, report, checkContainerKey);
}

/** Checks a key. Returns true if its values must be values of Kubernetes labels. */
type KeyCheck = (key: string, span: Span, report: Report) => boolean;

function checkLabelSelector(labels: LabelSelectorData, report: Report, checkKey: KeyCheck): void {
  const { matchLabels = {}, matchExpressions = [] } = labels;
  for (const [key, value] of Object.entries(matchLabels)) {
    if (checkKey(key, report.positions.key(matchLabels, key), report)) {
      checkLabelValue(value, report.positions.value(matchLabels, key), report);
    }
  }
  for (const expression of matchExpressions) {
    const { key, operator, values = [] } = expression;
    const isLabel = key !== undefined && checkKey(key, report.positions.value(expression, 'key'), report);
    if (isLabel) values.forEach((value, i) => checkLabelValue(value, report.positions.value(values, i), report));
    const wants = operator === 'In' || operator === 'NotIn';
    if (operator === undefined || wants === values.length > 0 || report.positions.isIncomplete(values)) continue;
    const message = wants ? `${operator} needs values` : `${operator} does not take values`;
    report.add(
      'LABEL_VALUES',
      report.positions.value(expression, 'operator'),
      message,
      wants ? 'add `values`' : 'remove `values`, or use In',
    );
  }
}

const LABEL_NAME = /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const LABEL_PREFIX = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

/** Checks a key by the rules of Kubernetes: `NAME` or `PREFIX/NAME`. */
function checkKubernetesKey(key: string, span: Span, report: Report): boolean {
  const parts = key.split('/');
  const [prefix, name = ''] = parts.length > 1 ? parts : [undefined, key];
  const hasPrefix = prefix === undefined || (prefix.length <= 253 && LABEL_PREFIX.test(prefix));
  if (parts.length <= 2 && hasPrefix && LABEL_NAME.test(name)) return true;
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

function checkLabelValue(value: string, span: Span, report: Report): void {
  if (value === '' || LABEL_NAME.test(value)) return;
  const hint = 'use at most 63 letters, digits, -, _ and ., with a letter or digit at both ends';
  report.add('LABEL_INVALID', span, `${quote(value)} cannot be the value of a label`, hint);
}
