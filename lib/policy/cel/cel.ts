/** Compiles the expressions of CelExpr: a subset of the Common Expression Language over the numbers of a hook. */
import { CEL_TEXT_MAX } from '../language/limits.js';
import { checkExpression, type CelScope } from './checker.js';
import { CelError } from './error.js';
import { parseExpression } from './parser.js';
import type { TypedExpression } from './typed-expression.js';

export type { CelName, CelScope } from './checker.js';
export { CelError };

/** Throws CelError with the range of the error in the expression. */
export function compileExpression(text: string, scope: CelScope): TypedExpression {
  if (text.length > CEL_TEXT_MAX) {
    const message = `the expression has ${text.length} characters; at most ${CEL_TEXT_MAX} are allowed`;
    throw new CelError('LIMIT_CEL', message, 'split it into several filters', 0, text.length);
  }
  return checkExpression(parseExpression(text), scope);
}
