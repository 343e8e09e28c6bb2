/** Checks CEL expressions, and reports each error with its position in the expression. */
import { CelError, compileExpression } from '../cel/cel.js';
import { expressionScope, type FilterList } from '../model/slots.js';
import { CEL_STEPS_MAX } from '../language/limits.js';
import { operatorRule } from '../language/vocabulary.js';
import type { Hook, ValueFilter } from '../model/model.js';
import type { Report } from '../parse/report.js';

interface ExpressionFilter {
  readonly list: FilterList;
  readonly filter: ValueFilter;
}

/** Checks each filter once, even if several selectors have it from a macro. Refuses too many expressions. */
export function checkExpressions(hook: Hook, report: Report): void {
  const all = collectExpressions(hook);
  const count = all.reduce((sum, { filter }) => sum + (filter.values ?? []).length, 0);
  if (count > CEL_STEPS_MAX) {
    const message = `this hook has ${count} expressions; together they can have at most ${CEL_STEPS_MAX} steps`;
    const hint = 'use InRange, InMap or Mask, or split the hook into two';
    report.add('LIMIT_CEL', report.positions.key(hook.data, 'selectors'), message, hint);
    return;
  }
  for (const { list, filter } of all) checkFilterExpressions(hook, list, filter, report);
}

function collectExpressions(hook: Hook): ExpressionFilter[] {
  const found = new Map<ValueFilter, ExpressionFilter>();
  for (const selector of hook.selectors) {
    for (const list of ['matchArgs', 'matchData', 'matchReturnArgs'] as const) {
      for (const filter of selector[list] ?? []) {
        if (filter.operator !== undefined && operatorRule(filter.operator).compares === 'named')
          found.set(filter, { list, filter });
      }
    }
  }
  return [...found.values()];
}

function checkFilterExpressions(hook: Hook, list: FilterList, filter: ValueFilter, report: Report): void {
  const { values = [] } = filter;
  const scope = expressionScope(hook, list);
  values.forEach((text, i) => {
    try {
      compileExpression(text, scope);
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      const span = report.positions.part(report.positions.value(values, i), text, error.start, error.end);
      report.add(error.code, span, error.message, error.hint);
    }
  });
}
