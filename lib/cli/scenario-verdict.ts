/** Compares the events of a scenario with those that the test wants. */
import type { Uncertainty, EventPattern, PlainEvent, PolicyTest, Scenario } from '../../types/index.js';
import type { Context } from './context.js';
import { describe, isOfHook, matches } from './event-pattern.js';

/** The events of one scenario, and its troubles. */
export interface Outcome {
  readonly events: readonly PlainEvent[];
  /** Events that the policies may have reported; a recording does not tell. */
  readonly uncertain: readonly { readonly event: PlainEvent; readonly doubts: readonly Uncertainty[] }[];
  /** Mistakes on the way: `CODE: message`. */
  readonly troubles: readonly string[];
}

/** The reasons why the scenario fails, with their places: none if it passes. */
export function reasonsOf({ file }: PolicyTest, scenario: Scenario, outcome: Outcome, context: Context): string[] {
  const { events, uncertain, troubles } = outcome;
  const { api } = context;
  const at = ({ line, column }: Scenario['position']): string => `${file}:${line}:${column}: `;
  const found = (pattern: EventPattern): readonly PlainEvent[] =>
    events.filter((event) => matches(pattern, event, api));
  const unknownFor = (pattern: EventPattern): string | undefined => {
    const { doubts } = uncertain.find(({ event }) => matches(pattern, event, api)) ?? {};
    return doubts && `${at(pattern.position)}ANSWER_UNKNOWN: ${describe(pattern)}: ${doubts.map(({ code, about, meaning }) => `${code} ${about}: ${meaning}`).join('; ')}`; // prettier-ignore
  };
  const shown = (event: PlainEvent): string => api.formatCompact(event, { who: true });
  const missing = scenario.expect.flatMap((pattern) => {
    const { length } = found(pattern);
    if (pattern.count === undefined ? length > 0 : length === pattern.count) return [];
    const came = pattern.count === undefined ? 'no such event came' : `${length} came`;
    return [unknownFor(pattern) ?? `${at(pattern.position)}EVENT_MISSING: ${describe(pattern)}: ${came}`];
  });
  const forbidden = scenario.never.flatMap((pattern) => {
    const came = found(pattern).map((event) => `${at(pattern.position)}EVENT_FORBIDDEN: ${shown(event)}`);
    return came.length > 0 ? came : (unknownFor(pattern) ?? []);
  });
  const wanted = (event: PlainEvent): boolean => scenario.expect.some((pattern) => matches(pattern, event, api));
  const others = scenario.exact ? events.filter((event) => isOfHook(event) && !wanted(event)) : [];
  return [
    ...troubles.map((trouble) => at(scenario.position) + trouble),
    ...missing,
    ...forbidden,
    ...others.map((event) => `${at(scenario.position)}EVENT_UNEXPECTED: ${shown(event)}`),
  ];
}
