/** The expressions of CelExpr: a subset of the Common Expression Language, about the numbers of a hook. */
import { CEL_TEXT_MAX } from '../language/limits.js';
import { check, type CelScope } from './checker.js';
import { CelError } from './error.js';
import { parseExpression } from './parser.js';
import type { Typed } from './typed.js';

export type { CelName, CelScope } from './checker.js';
export { CelError };

/** Throws CelError with the place of the mistake in the text. */
export function compileExpression(text: string, scope: CelScope): Typed {
  if (text.length > CEL_TEXT_MAX) {
    const message = `${text.length} characters; an expression has at most ${CEL_TEXT_MAX}`;
    throw new CelError('LIMIT_CEL', message, 'make several filters of it', 0, text.length);
  }
  return check(parseExpression(text), scope);
}
