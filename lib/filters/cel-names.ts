/** Checks the names of an expression against the messages of events, so that a misspelt field is no silent mismatch. */
import type { parse } from '@bufbuild/cel';
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { findNearestName } from '../names/nearest-name.js';

type Expr = NonNullable<ReturnType<typeof parse>['expr']>;

/** The messages that a value can have; undefined if they are not known. */
type Messages = readonly DescMessage[] | undefined;

export interface ExpressionNames {
  /** The variables of an expression, with the messages that each can have. */
  readonly variables: ReadonlyMap<string, Messages>;
}

/** Throws an Error that names the first unknown name and the most similar one. */
export function checkNames(
  expr: Expr | undefined,
  names: ExpressionNames,
  own: ReadonlySet<string> = new Set(),
): Messages {
  if (expr === undefined) return undefined;
  const check = (each: Expr | undefined): Messages => checkNames(each, names, own);
  const { exprKind: kind } = expr;
  switch (kind.case) {
    case 'identExpr': {
      const { name } = kind.value;
      if (own.has(name)) return undefined;
      if (!names.variables.has(name)) throw new Error(`no event has the field '${name}'${suggest(name, [...names.variables.keys()])}`); // prettier-ignore
      return names.variables.get(name);
    }
    case 'selectExpr': {
      const messages = check(kind.value.operand);
      return messages === undefined ? undefined : selectField(messages, kind.value.field);
    }
    case 'callExpr':
      for (const each of [kind.value.target, ...kind.value.args]) check(each);
      return undefined;
    case 'listExpr':
      kind.value.elements.forEach(check);
      return undefined;
    case 'comprehensionExpr': {
      const { iterRange, accuInit, loopCondition, loopStep, result, iterVar, iterVar2, accuVar } = kind.value;
      check(iterRange);
      check(accuInit);
      const inner = new Set([...own, iterVar, iterVar2, accuVar]);
      for (const each of [loopCondition, loopStep, result]) checkNames(each, names, inner);
      return undefined;
    }
    case 'structExpr':
    case 'constExpr':
    case undefined:
      return undefined;
  }
}

/** One of the messages must have the field. */
function selectField(messages: readonly DescMessage[], name: string): Messages {
  const fields = messages.flatMap((message) => message.fields.filter((field) => field.name === name));
  if (fields.length > 0) return fieldMessages(fields);
  const known = [...new Set(messages.flatMap((message) => message.fields.map((field) => field.name)))];
  const types = [...new Set(messages.map((message) => message.name))];
  const verb = types.length === 1 ? 'has' : 'have';
  throw new Error(`${types.join(', ')} ${verb} no field '${name}'${suggest(name, known)}`);
}

/** Undefined for lists, maps, numbers and texts, and for the wrappers of protobuf, which an expression sees as values. */
function fieldMessages(fields: readonly DescField[]): Messages {
  const messages = fields.map((field) => (field.fieldKind === 'message' ? field.message : undefined));
  const known = messages.filter((message) => message !== undefined);
  const isPlain =
    known.length < messages.length || known.some(({ typeName }) => typeName.startsWith('google.protobuf.'));
  return isPlain ? undefined : known;
}

/** The variables of expressions: the types of events, and the fields of their messages. */
export function collectVariables(
  events: readonly { readonly name: string; readonly message: DescMessage }[],
  others: readonly string[],
): Map<string, Messages> {
  const variables = new Map<string, Messages>(others.map((name) => [name, undefined]));
  for (const field of new Set(events.flatMap(({ message }) => message.fields.map(({ name }) => name)))) {
    const found = events.flatMap(({ message }) => message.fields.filter(({ name }) => name === field));
    variables.set(field, fieldMessages(found));
  }
  for (const { name, message } of events) variables.set(name, [message]);
  return variables;
}

function suggest(name: string, names: readonly string[]): string {
  if (names.length === 0) return '';
  const found = findNearestName(name, names, Math.ceil(name.length / 2));
  return found === undefined ? `, only ${names.slice(0, 12).join(', ')}` : `: did you mean '${found}'?`;
}
