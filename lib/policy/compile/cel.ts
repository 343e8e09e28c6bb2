/** Compiles CelExpr and CapabilitiesGained: instructions for all selectors of a hook. */
import { compileExpression } from '../cel/cel.js';
import { generate } from '../cel/generate.js';
import { constant, isLate, operation, type Typed } from '../cel/typed.js';
import { filteredSlots, isLateValue, scopeOf, type FilterList } from '../model/slots.js';
import type { CelStep, CompiledHook } from '../../compiled/compiled-policy.js';
import { CEL_STEPS_MAX } from '../language/limits.js';
import type { Hook, ValueFilter } from '../model/model.js';
import { capabilityBits } from '../../names/capabilities.js';
import type { Report } from '../parse/report.js';
import { shared } from './filters.js';

interface Item {
  readonly late: boolean;
  readonly steps: readonly CelStep[];
}

export function celSteps(hook: Hook, report: Report): CompiledHook['cel'] {
  // Several selectors can have the same filter through a macro.
  const known = new Map<ValueFilter, Item | undefined>();
  const itemOf = (list: FilterList, filter: ValueFilter): Item[] => {
    if (!known.has(filter)) known.set(filter, condition(hook, list, filter, report));
    const item = known.get(filter);
    return item === undefined ? [] : [item];
  };
  const conditions = hook.selectors.flatMap((data, selector) =>
    (['matchArgs', 'matchData', 'matchReturnArgs'] as const).flatMap((list) =>
      (data[list] ?? []).flatMap((filter) => itemOf(list, filter).map((item) => ({ selector, item }))),
    ),
  );
  const all = shared(conditions);
  const stepsOf = (late: boolean): CelStep[] =>
    all.filter((each) => each.late === late).flatMap(({ steps, selectors }) => [...steps, filterStep(selectors)]);
  const cel = { entry: stepsOf(false), returned: stepsOf(true) };
  const count = Math.max(cel.entry.length, cel.returned.length);
  if (count > CEL_STEPS_MAX) {
    const message = `the expressions of this hook have ${count} steps; at most ${CEL_STEPS_MAX} are allowed`;
    const hint = 'use InRange, InMap or Mask, or split the hook into two';
    report.add('LIMIT_CEL', report.places.key(hook.data, 'selectors'), message, hint);
  }
  return cel;
}

function filterStep(selectors: readonly number[]): CelStep {
  return { op: 'filter', to: 0, a: 0, b: 0, imm: 0n, selectors };
}

function condition(hook: Hook, list: FilterList, filter: ValueFilter, report: Report): Item | undefined {
  const tree =
    filter.operator === 'CelExpr'
      ? expression(hook, list, filter)
      : filter.operator === 'CapabilitiesGained'
        ? gained(hook, list, filter)
        : undefined;
  if (tree === undefined) return undefined;
  const steps = generate(tree);
  if (steps !== undefined) return { late: isLate(tree), steps };
  const span = report.places.value(filter, 'values');
  report.add('LIMIT_CEL', span, 'the expression needs more than eight values at once', 'split it into several filters');
  return undefined;
}

/** Each value is an expression, and one that is true is enough. Mistakes have been reported before. */
function expression(hook: Hook, list: FilterList, filter: ValueFilter): Typed | undefined {
  const scope = scopeOf(hook, list);
  const trees = (filter.values ?? []).map((text) => compileExpression(text, scope));
  return trees.length === 0 ? undefined : trees.reduce((any, tree) => operation('either', 'bool', [any, tree]));
}

/**
 * True if the second set has a capability that the first does not have. If capabilities are named, only those count.
 */
function gained(hook: Hook, list: FilterList, filter: ValueFilter): Typed | undefined {
  const [before, after] = filteredSlots(hook, list, filter).map((slot): Typed | undefined =>
    slot === undefined
      ? undefined
      : { kind: 'value', type: 'uint', slot: slot.slot, late: isLateValue(slot, hook.data) },
  );
  if (before === undefined || after === undefined) return undefined;
  const news = operation('and', 'uint', [after, operation('invert', 'uint', [before])]);
  const names = filter.values ?? [];
  return names.length === 0 ? news : operation('and', 'uint', [news, constant('uint', capabilityBits(names))]);
}
