/** Compiles CelExpr and CapabilitiesGained to the instructions of a hook, for all of its selectors. */
import { compileExpression } from '../cel/cel.js';
import { generateSteps } from '../cel/generate.js';
import { makeConstant, isEvaluatedAtReturn, makeOperation, type TypedExpression } from '../cel/typed-expression.js';
import { findFilteredSlots, isReadAtReturn, expressionScope, type FilterList } from '../model/slots.js';
import type { CelStep, CompiledHook } from '../../compiled/compiled-policy.js';
import { CEL_STEPS_MAX } from '../language/limits.js';
import { isExpressionOperator, type ExpressionOperator } from '../language/vocabulary.js';
import type { Hook, ValueFilter } from '../model/model.js';
import { capabilityBits } from '../../names/capabilities.js';
import type { Report } from '../parse/report.js';
import { mergeEqualItems } from './filters.js';

interface CompiledCondition {
  readonly atReturn: boolean;
  readonly steps: readonly CelStep[];
}

export function compileHookExpressions(hook: Hook, report: Report): CompiledHook['cel'] {
  // Several selectors can have the same filter through a macro.
  const known = new Map<ValueFilter, CompiledCondition | undefined>();
  const compileOnce = (list: FilterList, filter: ValueFilter): CompiledCondition[] => {
    if (!known.has(filter)) known.set(filter, compileCondition(hook, list, filter, report));
    const item = known.get(filter);
    return item === undefined ? [] : [item];
  };
  const conditions = hook.selectors.flatMap((data, selector) =>
    (['matchArgs', 'matchData', 'matchReturnArgs'] as const).flatMap((list) =>
      (data[list] ?? []).flatMap((filter) => compileOnce(list, filter).map((item) => ({ selector, item }))),
    ),
  );
  const all = mergeEqualItems(conditions);
  const collectSteps = (atReturn: boolean): CelStep[] =>
    all
      .filter((each) => each.atReturn === atReturn)
      .flatMap(({ steps, selectors }) => [...steps, makeFilterStep(selectors)]);
  const cel = { entry: collectSteps(false), returned: collectSteps(true) };
  const count = Math.max(cel.entry.length, cel.returned.length);
  if (count > CEL_STEPS_MAX) {
    const message = `the expressions of this hook have ${count} steps; at most ${CEL_STEPS_MAX} are allowed`;
    const hint = 'use InRange, InMap or Mask, or split the hook into two';
    report.add('LIMIT_CEL', report.positions.key(hook.data, 'selectors'), message, hint);
  }
  return cel;
}

function makeFilterStep(selectors: readonly number[]): CelStep {
  return { op: 'filter', to: 0, a: 0, b: 0, imm: 0n, selectors };
}

function compileCondition(
  hook: Hook,
  list: FilterList,
  filter: ValueFilter,
  report: Report,
): CompiledCondition | undefined {
  const { operator } = filter;
  if (operator === undefined || !isExpressionOperator(operator)) return undefined;
  const tree = compileTree(operator, hook, list, filter);
  if (tree === undefined) return undefined;
  const steps = generateSteps(tree);
  if (steps !== undefined) return { atReturn: isEvaluatedAtReturn(tree), steps };
  const span = report.positions.value(filter, 'values');
  report.add('LIMIT_CEL', span, 'the expression needs more than eight values at once', 'split it into several filters');
  return undefined;
}

function compileTree(
  operator: ExpressionOperator,
  hook: Hook,
  list: FilterList,
  filter: ValueFilter,
): TypedExpression | undefined {
  switch (operator) {
    case 'CelExpr':
      return compileCelFilter(hook, list, filter);
    case 'CapabilitiesGained':
      return compileCapabilitiesGained(hook, list, filter);
  }
}

/** Each value is an expression, and one that is true is enough. The checks have reported errors in them. */
function compileCelFilter(hook: Hook, list: FilterList, filter: ValueFilter): TypedExpression | undefined {
  const scope = expressionScope(hook, list);
  const trees = (filter.values ?? []).map((text) => compileExpression(text, scope));
  return trees.length === 0 ? undefined : trees.reduce((any, tree) => makeOperation('either', 'bool', [any, tree]));
}

/**
 * The expression is true if the second set has a capability that the first does not have. If the filter names
 * capabilities, only those count.
 */
function compileCapabilitiesGained(hook: Hook, list: FilterList, filter: ValueFilter): TypedExpression | undefined {
  const [before, after] = findFilteredSlots(hook, list, filter).map((slot): TypedExpression | undefined =>
    slot === undefined
      ? undefined
      : { kind: 'value', type: 'uint', slot: slot.slot, atReturn: isReadAtReturn(slot, hook.data) },
  );
  if (before === undefined || after === undefined) return undefined;
  const added = makeOperation('and', 'uint', [after, makeOperation('invert', 'uint', [before])]);
  const names = filter.values ?? [];
  return names.length === 0
    ? added
    : makeOperation('and', 'uint', [added, makeConstant('uint', capabilityBits(names))]);
}
