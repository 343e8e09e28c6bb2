/** Checks CEL expressions, with the place of each mistake in the text. */
import { CelError, compileExpression } from '../cel/cel.js';
import { scopeOf, type FilterList } from '../expressions.js';
import type { Hook, ValueFilter } from '../model.js';
import type { Report } from '../report.js';

export function checkExpressions(hook: Hook, list: FilterList, filter: ValueFilter, report: Report): void {
  const { values = [] } = filter;
  const scope = scopeOf(hook, list, filter);
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
