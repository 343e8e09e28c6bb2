/** Checks CEL expressions and reports the place of each mistake in the text. */
import { CelError, compileExpression } from '../cel/cel.js';
import { scopeOf, type FilterList } from '../model/slots.js';
import { CEL_STEPS_MAX } from '../language/limits.js';
import type { Hook, ValueFilter } from '../model/model.js';
import type { Report } from '../parse/report.js';

interface Expressions {
  readonly list: FilterList;
  readonly filter: ValueFilter;
}

/** Checks each filter once, even if several selectors have it through a macro. Too many expressions are refused. */
export function checkExpressions(hook: Hook, report: Report): void {
  const all = expressionsOf(hook);
  const count = all.reduce((sum, { filter }) => sum + (filter.values ?? []).length, 0);
  if (count > CEL_STEPS_MAX) {
    const message = `this hook has ${count} expressions; together they can have at most ${CEL_STEPS_MAX} steps`;
    const hint = 'use InRange, InMap or Mask, or split the hook into two';
    report.add('LIMIT_CEL', report.places.key(hook.data, 'selectors'), message, hint);
    return;
  }
  for (const { list, filter } of all) checkFilter(hook, list, filter, report);
}

function expressionsOf(hook: Hook): Expressions[] {
  const found = new Map<ValueFilter, Expressions>();
  for (const selector of hook.selectors) {
    for (const list of ['matchArgs', 'matchData', 'matchReturnArgs'] as const) {
      for (const filter of selector[list] ?? []) {
        if (filter.operator === 'CelExpr') found.set(filter, { list, filter });
      }
    }
  }
  return [...found.values()];
}

function checkFilter(hook: Hook, list: FilterList, filter: ValueFilter, report: Report): void {
  const { values = [] } = filter;
  const scope = scopeOf(hook, list);
  values.forEach((text, i) => {
    try {
      compileExpression(text, scope);
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      const span = report.places.inside(report.places.value(values, i), text, error.start, error.end);
      report.add(error.code, span, error.message, error.hint);
    }
  });
}
