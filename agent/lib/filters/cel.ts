/**
 * CEL expressions of clients, over the events of the protocol: `process_exec.process.binary == "/usr/bin/cat"`. An event has the
 * variable of its type, and a variable for each field of its message: `process.binary == "/usr/bin/cat"`. An expression that asks
 * for another one is no match, unless `||` or `&&` decides without it.
 */
import { CelScalar, celEnv, objectType, parse, plan, type CelInput } from '@bufbuild/cel';
import { createRegistry, fromBinary, type DescMessage } from '@bufbuild/protobuf';
import type { TracerEvent } from 'polytrace';
import { RE2JS } from 're2js';
import type { ProcessEvent } from '../encode/process-parts.js';
import { file_tetragon_events, GetEventsResponseSchema } from '../proto/tetragon/events.gen.js';
import { file_tetragon_tetragon } from '../proto/tetragon/tetragon.gen.js';
import { costOf } from './cel-cost.js';
import { FilterError, LIMITS, type Budget } from './limits.js';

const EVENTS = GetEventsResponseSchema.oneofs
  .flatMap(({ fields }) => fields)
  .flatMap(({ name, message }) => (message === undefined ? [] : [{ name, message }]));

/** The type of the event, such as `process_exec`. */
const TYPE = 'event_type';

const VARIABLES = {
  ...Object.fromEntries(EVENTS.flatMap(({ message }) => message.fields).map(({ name }) => [name, CelScalar.DYN])),
  ...Object.fromEntries(EVENTS.map(({ name, message }) => [name, objectType(message)])),
  [TYPE]: CelScalar.STRING,
};

const ENVIRONMENT = celEnv({
  variables: VARIABLES,
  registry: createRegistry(file_tetragon_events, file_tetragon_tetragon),
  re2: { compile: compileRe2 },
});

/** An expression can make a pattern from an event's text, so its size is limited where it is compiled. */
function compileRe2(pattern: string): { test(text: string): boolean } {
  if (pattern.length > LIMITS.patternLength) throw new Error('the pattern is too long');
  const compiled = RE2JS.compile(pattern);
  if (compiled.programSize() > LIMITS.patternSize) throw new Error('the pattern is too large');
  return { test: (text) => compiled.matcher(text).find() };
}

type Run = (variables: Record<string, CelInput>) => unknown;

export function compileExpressions(
  expressions: readonly string[],
  field: string,
  budget: Budget,
  encoded: (event: TracerEvent) => Uint8Array,
): (event: ProcessEvent) => boolean {
  const runs = expressions.map((expression, i) => compile(expression, `${field}[${i}]`, budget));
  return (event) => {
    if (decodedEvent !== event) {
      const { value } = fromBinary(GetEventsResponseSchema, encoded(event)).event;
      decoded = variablesOf(event.type, value as Message);
      decodedEvent = event;
    }
    return runs.some((run) => isTrue(run, decoded));
  };
}

type Message = Readonly<Record<string, CelInput | undefined>>;

function variablesOf(type: string, message: Message): Record<string, CelInput> {
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

/** The event that was decoded last: all clients' expressions are asked about it before the next one. */
let decodedEvent: ProcessEvent | undefined;
let decoded: Record<string, CelInput> = {};

function compile(expression: string, field: string, budget: Budget): Run {
  budget.expression(field);
  if (expression.length > LIMITS.expressionLength) {
    throw new FilterError(field, `the expression has more than ${LIMITS.expressionLength} characters`);
  }
  try {
    const parsed = parse(expression);
    const cost = costOf(parsed.expr);
    if (cost > LIMITS.expressionCost) throw new Error('the expression can take too many steps');
    return plan(ENVIRONMENT, parsed) as unknown as Run;
  } catch (error) {
    throw new FilterError(field, error instanceof Error ? error.message : String(error));
  }
}

/** An error, such as a variable that the event does not have, is no match. */
function isTrue(run: Run, variables: Record<string, CelInput>): boolean {
  try {
    return run(variables) === true;
  } catch {
    return false;
  }
}
