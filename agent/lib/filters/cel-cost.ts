/**
 * An upper bound of the steps that an expression takes for one event. Macros such as `all` repeat their body for each element of a
 * list: of as many as the list has that is written in the expression, or of as many as the longest list of an event has.
 */
import type { parse } from '@bufbuild/cel';

type Expr = NonNullable<ReturnType<typeof parse>['expr']>;

/** Arguments, capabilities, tags and ancestors. */
const ELEMENTS = 64;

export function costOf(expr: Expr | undefined): number {
  if (expr === undefined) return 0;
  const { exprKind: kind } = expr;
  switch (kind.case) {
    case 'selectExpr':
      return 1 + costOf(kind.value.operand);
    case 'callExpr':
      return 1 + costOf(kind.value.target) + sum(kind.value.args);
    case 'listExpr':
      return 1 + sum(kind.value.elements);
    case 'structExpr':
      return kind.value.entries.reduce((cost, { keyKind, value }) => {
        return cost + costOf(value) + (keyKind.case === 'mapKey' ? costOf(keyKind.value) : 0);
      }, 1);
    case 'comprehensionExpr': {
      const { iterRange, accuInit, loopCondition, loopStep, result } = kind.value;
      const body = costOf(loopCondition) + costOf(loopStep);
      return costOf(iterRange) + costOf(accuInit) + costOf(result) + elementsOf(iterRange) * Math.max(body, 1);
    }
    default:
      return 1;
  }
}

function sum(exprs: readonly Expr[]): number {
  return exprs.reduce((cost, expr) => cost + costOf(expr), 0);
}

/** A list that is made of others can be as long as all of them. */
function elementsOf(expr: Expr | undefined): number {
  const kind = expr?.exprKind;
  switch (kind?.case) {
    case 'listExpr':
      return kind.value.elements.length;
    case 'structExpr':
      return kind.value.entries.length;
    case 'callExpr':
      return Math.max(
        ELEMENTS,
        kind.value.args.reduce((all, each) => all + elementsOf(each), elementsOf(kind.value.target)),
      );
    case 'comprehensionExpr':
      return Math.max(ELEMENTS, elementsOf(kind.value.iterRange));
    case undefined:
      return 0;
    default:
      return ELEMENTS;
  }
}
