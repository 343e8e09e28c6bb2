/**
 * Computes an upper bound of the steps that an expression takes for one event. A macro such as `all` repeats its body
 * for each element. The bound is the length of the list in the expression, or that of the longest list of an event.
 */
import type { parse } from '@bufbuild/cel';

type Expr = NonNullable<ReturnType<typeof parse>['expr']>;

/** Maximum elements of a list of an event: arguments, capabilities, tags, ancestors. */
const ELEMENTS = 64;

export function expressionCost(expr: Expr | undefined): number {
  if (expr === undefined) return 0;
  const { exprKind: kind } = expr;
  switch (kind.case) {
    case 'selectExpr':
      return 1 + expressionCost(kind.value.operand);
    case 'callExpr':
      return 1 + expressionCost(kind.value.target) + sumCosts(kind.value.args);
    case 'listExpr':
      return 1 + sumCosts(kind.value.elements);
    case 'structExpr':
      return kind.value.entries.reduce((cost, { keyKind, value }) => {
        return cost + expressionCost(value) + (keyKind.case === 'mapKey' ? expressionCost(keyKind.value) : 0);
      }, 1);
    case 'comprehensionExpr': {
      const { iterRange, accuInit, loopCondition, loopStep, result } = kind.value;
      const body = expressionCost(loopCondition) + expressionCost(loopStep);
      return (
        expressionCost(iterRange) +
        expressionCost(accuInit) +
        expressionCost(result) +
        maxElements(iterRange) * Math.max(body, 1)
      );
    }
    case 'constExpr':
    case 'identExpr':
    case undefined:
      return 1;
  }
}

function sumCosts(exprs: readonly Expr[]): number {
  return exprs.reduce((cost, expr) => cost + expressionCost(expr), 0);
}

/** A list that is made from other lists can have all their elements. */
function maxElements(expr: Expr | undefined): number {
  const kind = expr?.exprKind;
  switch (kind?.case) {
    case 'listExpr':
      return kind.value.elements.length;
    case 'structExpr':
      return kind.value.entries.length;
    case 'callExpr':
      return Math.max(
        ELEMENTS,
        kind.value.args.reduce((all, each) => all + maxElements(each), maxElements(kind.value.target)),
      );
    case 'comprehensionExpr':
      return Math.max(ELEMENTS, maxElements(kind.value.iterRange));
    case undefined:
      return 0;
    case 'constExpr':
    case 'identExpr':
    case 'selectExpr':
      return ELEMENTS;
  }
}
