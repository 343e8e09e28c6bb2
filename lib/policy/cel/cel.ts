/** Compiles the expressions of CelExpr: a subset of the Common Expression Language over the numbers of a hook. */
import { CEL_TEXT_MAX } from '../language/limits.js';
import { check, type CelScope } from './checker.js';
import { CelError } from './error.js';
import { parseExpression } from './parser.js';
import type { Typed } from './typed.js';

export type { CelName, CelScope } from './checker.js';
export { CelError };

/** Throws CelError, which contains the place of the mistake in the text. */
export function compileExpression(text: string, scope: CelScope): Typed {
  if (text.length > CEL_TEXT_MAX) {
    const message = `the expression has ${text.length} characters; at most ${CEL_TEXT_MAX} are allowed`;
    throw new CelError('LIMIT_CEL', message, 'split it into several filters', 0, text.length);
  }
  return check(parseExpression(text), scope);
}
