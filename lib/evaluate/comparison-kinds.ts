/** Narrows arguments by the way in which filters compare them. */
import type { ArgumentOf, HookArgument } from '../../types/events.js';
import { ARG_TYPES, COMPARED_AS, type ClassComparedAs, type TypeOfClass, type ValueClass } from '../names/arg-types.js';

type ComparisonKind = (typeof COMPARED_AS)[ValueClass];

/** The arguments that filters compare in one of these ways. */
export type ArgumentComparedAs<K extends ComparisonKind> = ArgumentOf<
  TypeOfClass<ClassComparedAs<K>> & HookArgument['type']
>;

export function isComparedAs<K extends ComparisonKind>(
  argument: HookArgument,
  ...kinds: readonly K[]
): argument is ArgumentComparedAs<K> {
  return (kinds as readonly ComparisonKind[]).includes(COMPARED_AS[ARG_TYPES[argument.type].class]);
}
