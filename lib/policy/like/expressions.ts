/** Expressions of CelExpr that Tetragon refuses. */
import { parseExpression, type Expression } from '../cel/parser.js';
import { CelError, type CelScope } from '../cel/cel.js';
import type { ValueFilter } from '../model/model.js';
import { expressionScope } from '../model/slots.js';
import type { Positions, Span } from '../parse/positions.js';
import { listFilters, type ComparedPolicy, type DifferenceTable, type PlacedFilter } from './difference.js';

const OPERATORS: ReadonlySet<string> = new Set(['+', '-', '&&', '||', '==', '!=', '<', '<=', '>', '>=']);
/** The functions with the type of their result. Undefined is the type of their first operand. */
const FUNCTIONS: Readonly<Record<string, string | undefined>> = {
  int32: 'int32',
  uint32: 'uint32',
  and: undefined,
  or: undefined,
  xor: undefined,
  not: undefined,
};

export const EXPRESSION_DIFFERENCES = {
  expressionSyntax: {
    code: 'TETRAGON_REFUSES',
    message:
      'Tetragon refuses this part of the expression: it has + - && || ! and comparisons, arg0, arg1, …, in matchCEL also data0, data1, …, and the functions int32, uint32, and, or, xor and not; polytrace has more',
    hint: 'write the expression with these, or use other operators',
    find: (policy) => findParts(policy, isForeign),
  },
  uncastNumber: {
    code: 'TETRAGON_REFUSES',
    message:
      'Tetragon refuses operands of two types, and a number is an int of 64 bits; in polytrace, a number takes the type of the other operand',
    hint: 'write a cast, such as `arg0 == int32(5)`, which both accept',
    find: (policy) => findParts(policy, isMixed),
  },
} satisfies DifferenceTable;

type PartTest = (part: Expression, scope: CelScope, filter: ValueFilter) => boolean;

function findParts(policy: ComparedPolicy, test: PartTest): Span[] {
  return listFilters(policy).flatMap((placed) =>
    placed.filter.operator === 'CelExpr' ? findFilterParts(placed, test, policy.positions) : [],
  );
}

function findFilterParts({ hook, list, filter }: PlacedFilter, test: PartTest, positions: Positions): Span[] {
  const { values = [] } = filter;
  const scope = expressionScope(hook, list);
  return values.flatMap((text, i) =>
    listParts(text)
      .filter((part) => test(part, scope, filter))
      .map(({ start, end }) => positions.part(positions.value(values, i), text, start, end)),
  );
}

/** Returns all parts of an expression; none if it has a mistake, which another check reports. */
function listParts(text: string): Expression[] {
  try {
    return withParts(parseExpression(text));
  } catch (error) {
    if (error instanceof CelError) return [];
    throw error;
  }
}

function withParts(expression: Expression): Expression[] {
  return [expression, ...operands(expression).flatMap(withParts)];
}

function operands(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'number':
    case 'boolean':
    case 'name':
      return [];
    case 'unary':
      return [expression.operand];
    case 'binary':
      return [expression.left, expression.right];
    case 'in':
      return [expression.value, ...expression.list];
    case 'conditional':
      return [expression.condition, expression.then, expression.otherwise];
    case 'call':
      return expression.args;
  }
}

function isForeign(part: Expression, _scope: CelScope, { fromMatchCel }: ValueFilter): boolean {
  switch (part.kind) {
    case 'in':
    case 'conditional':
      return true;
    case 'unary':
      return part.operator === '~';
    case 'binary':
      return !OPERATORS.has(part.operator);
    case 'call':
      return !Object.hasOwn(FUNCTIONS, part.name);
    case 'name':
      return !(fromMatchCel === true ? /^(arg|data)\d+$/ : /^arg\d+$/).test(part.name);
    case 'number':
    case 'boolean':
      return false;
  }
}

function isMixed(part: Expression, scope: CelScope): boolean {
  if (part.kind !== 'binary' || !OPERATORS.has(part.operator)) return false;
  const [left, right] = [numberType(part.left, scope), numberType(part.right, scope)];
  return left !== undefined && right !== undefined && left !== right;
}

/** Returns the type that Tetragon gives to a number; undefined if it is not known, or not a number. */
function numberType(expression: Expression, scope: CelScope): string | undefined {
  switch (expression.kind) {
    case 'number':
      return expression.unsigned ? 'uint' : 'int';
    case 'name': {
      const name = scope.get(expression.name);
      return name !== undefined && 'type' in name ? name.type : undefined;
    }
    case 'unary':
      return expression.operator === '-' ? numberType(expression.operand, scope) : undefined;
    case 'binary':
      return expression.operator === '+' || expression.operator === '-'
        ? numberType(expression.left, scope)
        : undefined;
    case 'call': {
      const [first] = expression.args;
      const result = Object.hasOwn(FUNCTIONS, expression.name) ? FUNCTIONS[expression.name] : undefined;
      return result ?? (first === undefined ? undefined : numberType(first, scope));
    }
    case 'boolean':
    case 'in':
    case 'conditional':
      return undefined;
  }
}
