/**
 * Compiles the CEL expressions of clients. An event has a variable for its type, such as `process_exec`, and one for
 * each field of its message: `process.binary == "/usr/bin/cat"`. An expression that uses another variable does not
 * match, unless `||` or `&&` decides without it.
 */
import { CelScalar, celEnv, objectType, parse, plan, type CelInput } from '@bufbuild/cel';
import { createRegistry, fromBinary, type DescMessage } from '@bufbuild/protobuf';
import type { AgentEvent } from '../../types/index.js';
import { RE2JS } from 're2js';
import { file_tetragon_events, GetEventsResponseSchema } from '../proto/tetragon/events.gen.js';
import { file_tetragon_tetragon } from '../proto/tetragon/tetragon.gen.js';
import { expressionCost } from './cel-cost.js';
import { checkNames, collectVariables } from './cel-names.js';
import { FilterError, LIMITS, type Budget } from './limits.js';

const EVENTS = GetEventsResponseSchema.oneofs
  .flatMap(({ fields }) => fields)
  .flatMap(({ name, message }) => (message === undefined ? [] : [{ name, message }]));

/** The variable for the type of the event, such as `process_exec`. */
const TYPE = 'event_type';

const VARIABLES = {
  ...Object.fromEntries(EVENTS.flatMap(({ message }) => message.fields).map(({ name }) => [name, CelScalar.DYN])),
  ...Object.fromEntries(EVENTS.map(({ name, message }) => [name, objectType(message)])),
  [TYPE]: CelScalar.STRING,
};

const NAMES = { variables: collectVariables(EVENTS, [TYPE]) };

const ENVIRONMENT = celEnv({
  variables: VARIABLES,
  registry: createRegistry(file_tetragon_events, file_tetragon_tetragon),
  re2: { compile: compileRe2 },
});

/** An expression can build a pattern from the event, so the limit applies when the pattern is compiled. */
function compileRe2(pattern: string): { test(text: string): boolean } {
  if (pattern.length > LIMITS.patternLength) throw new Error('the pattern is too long');
  const compiled = RE2JS.compile(pattern);
  if (compiled.programSize() > LIMITS.patternSize) throw new Error('the pattern is too large');
  return { test: (text) => compiled.matcher(text).find() };
}

type Evaluate = (variables: Record<string, CelInput>) => unknown;

export function compileExpressions(
  expressions: readonly string[],
  field: string,
  budget: Budget,
  eventBytes: (event: AgentEvent) => Uint8Array,
): (event: AgentEvent) => boolean {
  const runs = expressions.map((expression, i) => compileExpression(expression, `${field}[${i}]`, budget));
  return (event) => {
    if (decodedEvent !== event) {
      const { value } = fromBinary(GetEventsResponseSchema, eventBytes(event)).event;
      variablesOfEvent = celVariables(event.type, value as Message);
      decodedEvent = event;
    }
    return runs.some((run) => isTrueFor(run, variablesOfEvent));
  };
}

type Message = Readonly<Record<string, CelInput | undefined>>;

function celVariables(type: string, message: Message): Record<string, CelInput> {
  const fields = FIELDS.get(type) ?? [];
  const variables: Record<string, CelInput> = { [TYPE]: type, [type]: message as CelInput };
  for (const { name, localName } of fields) {
    const value = message[localName];
    if (value !== undefined) variables[name] = value;
  }
  return variables;
}

const FIELDS: ReadonlyMap<string, DescMessage['fields']> = new Map(
  EVENTS.map(({ name, message }) => [name, message.fields]),
);

/** The last decoded event. The expressions of all clients are evaluated on one event before the next one. */
let decodedEvent: AgentEvent | undefined;
let variablesOfEvent: Record<string, CelInput> = {};

function compileExpression(expression: string, field: string, budget: Budget): Evaluate {
  budget.addExpression(field);
  if (expression.length > LIMITS.expressionLength) {
    throw new FilterError(field, `the expression has more than ${LIMITS.expressionLength} characters`);
  }
  try {
    const parsed = parse(expression);
    checkNames(parsed.expr, NAMES);
    const cost = expressionCost(parsed.expr);
    if (cost > LIMITS.expressionCost) throw new Error('the expression can take too many steps');
    return plan(ENVIRONMENT, parsed) as unknown as Evaluate;
  } catch (error) {
    throw new FilterError(field, error instanceof Error ? error.message : String(error));
  }
}

/** An error counts as no match, for example a variable that the event does not have. */
function isTrueFor(run: Evaluate, variables: Record<string, CelInput>): boolean {
  try {
    return run(variables) === true;
  } catch {
    return false;
  }
}
