/** Checks Count actions: their names, labels and values, and that equal names mean equal metrics. */
import { isDeepStrictEqual } from 'node:util';
import { COUNTS_MAX } from '../language/limits.js';
import { hasReturn, HOOK_KINDS } from '../language/vocabulary.js';
import { findCountedValue, findLabel, isNameFailure } from '../model/counts.js';
import { parseDuration } from '../model/duration.js';
import type { ActionData, Hook, SelectorData } from '../model/model.js';
import { quote, type Report } from '../parse/report.js';

const RETURNING_KINDS = HOOK_KINDS.filter(hasReturn).join(', ');

export function checkCounts(hook: Hook, selector: SelectorData, report: Report): void {
  for (const action of selector.matchActions ?? []) if (action.action === 'Count') checkCount(hook, action, report);
  for (const action of selector.matchReturnActions ?? []) {
    if (action.action !== 'Count') continue;
    const span = report.positions.value(action, 'action');
    const hint = 'move it to matchActions; it counts there when the function returns, too';
    report.add('COUNT_PLACE', span, 'Count is not supported under matchReturnActions', hint);
  }
  checkDurationFilter(hook, selector, report);
}

function checkCount(hook: Hook, action: ActionData, report: Report): void {
  const { positions } = report;
  const { metric, by = [], folders } = action;
  if (metric !== undefined && !/^[a-zA-Z_][a-zA-Z0-9_]{0,99}$/.test(metric)) {
    const hint = 'use letters, digits and _, at most 100, such as bytes_written';
    report.add(
      'METRIC_NAME',
      positions.value(action, 'metric'),
      `${quote(metric)} cannot be the name of a metric`,
      hint,
    );
  }
  const isPath = by.map((text, i) => {
    const found = findLabel(hook.data, text);
    if (by.indexOf(text) !== i) {
      report.add('COUNT_LABEL', positions.value(by, i), `${quote(text)} is written twice`, 'keep one of the two');
    } else if (isNameFailure(found)) {
      report.add('COUNT_LABEL', positions.value(by, i), found.message, found.hint);
    }
    return typeof found === 'object' && 'part' in found && found.part === 'text';
  });
  if (folders !== undefined && folders > 0 && !isPath.includes(true)) {
    const message = 'folders has no effect, because no label is a path of args, data or return';
    report.add('ACTION_ARGUMENT_UNUSED', positions.key(action, 'folders'), message, 'remove it');
  }
  checkValue(hook, action, report);
}

function checkValue(hook: Hook, action: ActionData, report: Report): void {
  const { positions } = report;
  const { kind = 'counter', value } = action;
  const span = positions.value(action, positions.hasField(action, 'value') ? 'value' : 'kind');
  if (value === 'duration' && !hasReturn(hook.kind)) {
    const hint = `a duration ends at a return: use one of ${RETURNING_KINDS}`;
    report.add('DURATION_NOT_POSSIBLE', span, `hooks under ${hook.kind} have no duration`, hint);
    return;
  }
  const found = findCountedValue(hook.data, action);
  if (found !== undefined && isNameFailure(found)) {
    report.add('COUNT_VALUE', span, found.message, found.hint);
  } else if (kind === 'counter' && found !== undefined) {
    const message = `a counter counts calls; it does not add up ${value ?? ''}`;
    report.add('COUNT_VALUE', span, message, 'write `kind: sum` or `kind: histogram`, or remove value');
  } else if (kind !== 'counter' && found === undefined && !(value !== undefined && value !== '1')) {
    report.add(
      'COUNT_VALUE',
      span,
      `a ${kind} needs the value that it adds up`,
      'add value: an argument, return or duration',
    );
  }
}

function checkDurationFilter(hook: Hook, { matchDuration }: SelectorData, report: Report): void {
  if (matchDuration === undefined) return;
  const { positions } = report;
  if (!hasReturn(hook.kind)) {
    const hint = `a duration ends at a return: use one of ${RETURNING_KINDS}`;
    const message = `hooks under ${hook.kind} have no duration`;
    report.add('DURATION_NOT_POSSIBLE', positions.value(matchDuration), message, hint);
  }
  const { values = [] } = matchDuration;
  values.forEach((text, i) => {
    if (parseDuration(text) !== undefined) return;
    const hint = 'write a whole number with a unit: ns, us, ms, s or m, such as 10ms';
    report.add('DURATION_INVALID', positions.value(values, i), `${quote(text)} is not a duration`, hint);
  });
}

/** What makes two Count actions parts of one metric. Labels have the names of their texts. */
const metricShape = ({ by = [], kind = 'counter' }: ActionData): unknown => ({ by, kind });

/** Checks that all Count actions with one name have the same labels and kind, and the number of those of a hook. */
export function checkMetrics(hooks: readonly Hook[], report: Report): void {
  const known = new Map<string, ActionData>();
  for (const hook of hooks) {
    const counts = hook.selectors
      .flatMap(({ matchActions = [] }) => matchActions)
      .filter(({ action }) => action === 'Count');
    const different = counts.filter((count, i) => counts.findIndex((other) => isDeepStrictEqual(other, count)) === i);
    const extra = different[COUNTS_MAX];
    if (extra !== undefined) {
      const message = `this hook has ${different.length} different Count actions; at most ${COUNTS_MAX} are allowed`;
      const hint = 'make a second hook for the others; equal Count actions of several selectors are one';
      report.add('LIMIT_COUNTS', report.positions.value(extra), message, hint);
    }
    for (const count of counts) {
      const { metric } = count;
      if (metric === undefined) continue;
      const first = known.get(metric);
      if (first === undefined) known.set(metric, count);
      else if (!isDeepStrictEqual(metricShape(first), metricShape(count))) {
        const message = `another Count of this policy has the name ${metric} with other labels or another kind`;
        report.add('METRIC_CONFLICT', report.positions.value(count, 'metric'), message, 'use another name');
      }
    }
  }
}
