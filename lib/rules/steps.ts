/** Selects the events that a rule is about. */
import type { HookArgument } from '../../types/events.js';
import type { ProcessRuleEvent, RuleEvent, RuleInput, RuleStep } from '../../types/rules.js';

type Values = Readonly<Record<string, HookArgument | undefined>>;
type Where = (input: RuleInput<Values>) => boolean;

/** True for an event of a process. */
export function isProcessEvent(event: RuleEvent): event is ProcessRuleEvent {
  return event.type !== 'lost' && event.type !== 'change' && event.type !== 'process_throttle';
}

export function fromPolicy(policy: string | { readonly name: string }, where?: Where): RuleStep {
  const name = typeof policy === 'string' ? policy.replace(/^polytrace:/, '') : policy.name;
  return { matches: (event) => findPolicyName(event) === name && satisfies(event, where) };
}

export function ofType(type: ProcessRuleEvent['type'], where?: Where): RuleStep {
  return { matches: (event) => event.type === type && satisfies(event, where) };
}

function findPolicyName(event: ProcessRuleEvent): string | undefined {
  return 'policyName' in event ? event.policyName : undefined;
}

function satisfies(event: ProcessRuleEvent, where: Where | undefined): boolean {
  return where === undefined || where({ event, args: labelledValues(event) });
}

function labelledValues(event: ProcessRuleEvent): Values {
  const values: Record<string, HookArgument | undefined> = Object.create(null) as Record<string, undefined>;
  const lists = ['args' in event ? event.args : [], 'data' in event ? event.data : []];
  for (const list of lists) for (const value of list) if (value.label !== undefined) values[value.label] = value;
  return values;
}
