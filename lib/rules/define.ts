/** Checks rules. */
import { inspect } from 'node:util';
import type { Rule, RuleDefinition, RuleStep } from '../../types/rules.js';
import { PolytraceError } from '../errors.js';

const LIMIT_DEFAULT = 4096;
const LIMIT_MAX = 1_000_000;
const THRESHOLD_MAX = 100_000;
const KEYS = ['process', 'family', 'container', 'all'];
const COMMON = ['name', 'by', 'message', 'tags', 'suppress', 'limit'];
const NS = { ms: 1_000_000n, s: 1_000_000_000n, m: 60_000_000_000n, h: 3_600_000_000_000n, d: 86_400_000_000_000n };

/** The members of each kind of rule, by the member that makes it one. */
const KINDS = {
  sequence: ['sequence', 'within', 'until'],
  threshold: ['when', 'threshold', 'within', 'distinct'],
  firstSeen: ['when', 'firstSeen', 'learn'],
  listed: ['when', 'listed', 'list'],
  when: ['when'],
} as const;
export type RuleKind = keyof typeof KINDS;

const defined = new WeakSet<object>();

export function ruleKind(rule: RuleDefinition): RuleKind {
  const kinds = Object.keys(KINDS) as RuleKind[];
  return kinds.find((kind) => Object.hasOwn(rule, kind)) ?? 'when';
}

export const ruleLimit = ({ limit = LIMIT_DEFAULT }: Pick<RuleDefinition, 'limit'>): number => limit;

export function defineRule(definition: RuleDefinition): Rule {
  if (typeof definition !== 'object' || definition === null) throw badRule('a rule', definition, 'pass an object');
  const rule = { ...definition, checked: true } as Rule;
  const { name } = definition;
  if (typeof name !== 'string' || name === '') throw badRule('name', name, 'give the rule a name');
  checkMembers(definition);
  checkCommon(definition);
  checkKind(definition as unknown as Readonly<Record<string, unknown>>, ruleKind(definition), name);
  Object.freeze(rule);
  defined.add(rule);
  return rule;
}

/** Throws for a rule that defineRule has not returned. */
export function requireRules(rules: readonly Rule[]): void {
  const isList: boolean = Array.isArray(rules);
  if (!isList) throw badRule('rules', rules, 'pass a list of rules');
  const names = new Set<string>();
  for (const rule of rules) {
    if (!defined.has(rule)) throw badRule('a rule', rule, 'pass what defineRule returned');
    if (names.has(rule.name)) throw badRule('the name of a rule', rule.name, 'give each rule a name of its own');
    names.add(rule.name);
  }
}

/** Parses a time into nanoseconds. `what` names it in the error. */
export function parseDuration(text: unknown, what: string): bigint {
  const [, digits, unit] = typeof text === 'string' ? (/^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? []) : [];
  if (digits === undefined) throw badRule(what, text, 'write a time like 500ms, 10s, 5m, 1h or 7d');
  return BigInt(Math.round(Number(digits) * 1000)) * (NS[unit as keyof typeof NS] / 1000n);
}

function checkMembers(definition: RuleDefinition): void {
  const allowed: readonly string[] = [...COMMON, ...KINDS[ruleKind(definition)]];
  const unknown = Object.keys(definition).find((member) => !allowed.includes(member));
  if (unknown === undefined) return;
  throw new PolytraceError(
    'BAD_OPTION',
    `rule ${definition.name}: ${unknown} is no member of such a rule`,
    `its members are ${allowed.join(', ')}`,
  );
}

function checkCommon({ name, by, suppress, limit, tags }: RuleDefinition): void {
  if (by !== undefined && typeof by !== 'function' && !KEYS.includes(by))
    throw badRule(`rule ${name}: by`, by, `use ${KEYS.join(', ')} or a function`);
  if (suppress !== undefined) parseDuration(suppress, `rule ${name}: suppress`);
  if (tags !== undefined && !Array.isArray(tags)) throw badRule(`rule ${name}: tags`, tags, 'use a list of words');
  if (limit !== undefined) checkNumber(limit, 1, LIMIT_MAX, `rule ${name}: limit`);
}

function checkKind(rule: Readonly<Record<string, unknown>>, kind: RuleKind, name: string): void {
  const label = (member: string): string => `rule ${name}: ${member}`;
  if (kind === 'sequence') {
    const steps = rule['sequence'];
    if (!Array.isArray(steps) || steps.length < 2) throw badRule(label('sequence'), steps, 'use at least two steps');
    for (const step of steps) checkStep(step, label('sequence'));
    if (rule['until'] !== undefined) checkStep(rule['until'], label('until'));
  } else {
    checkStep(rule['when'], label('when'));
  }
  if (kind === 'sequence' || kind === 'threshold') checkDuration(rule['within'], label('within'));
  if (kind === 'threshold') checkNumber(rule['threshold'], 2, THRESHOLD_MAX, label('threshold'));
  if (kind === 'firstSeen') checkFunction(rule['firstSeen'], label('firstSeen'));
  if (kind === 'firstSeen' && rule['learn'] !== undefined) parseDuration(rule['learn'], label('learn'));
  if (rule['distinct'] !== undefined) checkFunction(rule['distinct'], label('distinct'));
  if (kind !== 'listed') return;
  checkFunction(rule['listed'], label('listed'));
  if (!(rule['list'] instanceof Set) && !(rule['list'] instanceof Map))
    throw badRule(label('list'), rule['list'], 'use a Set or a Map');
}

function checkStep(step: unknown, what: string): asserts step is RuleStep {
  if (typeof (step as Partial<RuleStep> | undefined)?.matches !== 'function')
    throw badRule(what, step, 'use fromPolicy(NAME) or ofType(TYPE)');
}

function checkDuration(value: unknown, what: string): void {
  if (parseDuration(value, what) === 0n) throw badRule(what, value, 'use a time above 0');
}

function checkFunction(value: unknown, what: string): void {
  if (typeof value !== 'function') throw badRule(what, value, 'use a function that returns a text of the event');
}

function checkNumber(value: unknown, min: number, max: number, what: string): void {
  if (!Number.isInteger(value) || (value as number) < min || (value as number) > max)
    throw badRule(what, value, `use a whole number from ${min} to ${max}`);
}

function badRule(what: string, value: unknown, allowed: string): PolytraceError {
  return new PolytraceError('BAD_OPTION', `${what} is ${inspect(value, { depth: 0 })}`, allowed);
}
