/** Compares the events of a scenario with the expectations of its test. */
import type { EventPattern, PlainEvent, PolicyTest, Scenario, Uncertainty } from '../../types/index.js';
import type { Context } from './context.js';
import { describePattern, isHookEvent, matchesPattern } from './event-pattern.js';
import { findMetricFailures, type CountedMetric } from './scenario-metrics.js';

export interface ScenarioOutcome {
  readonly events: readonly PlainEvent[];
  /** Events that the policies may have reported. The recording does not contain enough to decide. */
  readonly uncertain: readonly { readonly event: PlainEvent; readonly uncertainties: readonly Uncertainty[] }[];
  /** What the policies have counted during the scenario. */
  readonly metrics: readonly CountedMetric[];
  /** Problems while the scenario ran: `CODE: message`. */
  readonly problems: readonly string[];
}

/** Returns the reasons why the scenario fails, with their positions. The list is empty if the scenario passes. */
export function findFailures(
  { file }: PolicyTest,
  scenario: Scenario,
  outcome: ScenarioOutcome,
  context: Context,
): string[] {
  const { events, uncertain, metrics, problems } = outcome;
  const { api } = context;
  const formatPosition = ({ line, column }: Scenario['position']): string => `${file}:${line}:${column}: `;
  const findMatches = (pattern: EventPattern): readonly PlainEvent[] =>
    events.filter((event) => matchesPattern(pattern, event, api));
  const describeUncertainty = (pattern: EventPattern): string | undefined => {
    const { uncertainties } = uncertain.find(({ event }) => matchesPattern(pattern, event, api)) ?? {};
    return uncertainties && `${formatPosition(pattern.position)}ANSWER_UNKNOWN: ${describePattern(pattern)}: ${uncertainties.map(({ code, about, meaning }) => `${code} ${about}: ${meaning}`).join('; ')}`; // prettier-ignore
  };
  const formatEvent = (event: PlainEvent): string => api.formatCompact(event, { who: true });
  const missing = scenario.expect.flatMap((pattern) => {
    const { length } = findMatches(pattern);
    if (pattern.count === undefined ? length > 0 : length === pattern.count) return [];
    const came = pattern.count === undefined ? 'no such event came' : `${length} came`;
    return [
      describeUncertainty(pattern) ??
        `${formatPosition(pattern.position)}EVENT_MISSING: ${describePattern(pattern)}: ${came}`,
    ];
  });
  const forbidden = scenario.never.flatMap((pattern) => {
    const came = findMatches(pattern).map(
      (event) => `${formatPosition(pattern.position)}EVENT_FORBIDDEN: ${formatEvent(event)}`,
    );
    return came.length > 0 ? came : (describeUncertainty(pattern) ?? []);
  });
  const isExpected = (event: PlainEvent): boolean =>
    scenario.expect.some((pattern) => matchesPattern(pattern, event, api));
  const others = scenario.exact ? events.filter((event) => isHookEvent(event) && !isExpected(event)) : [];
  return [
    ...problems.map((problem) => formatPosition(scenario.position) + problem),
    ...missing,
    ...forbidden,
    ...findMetricFailures(scenario.metrics, metrics, formatPosition),
    ...others.map((event) => `${formatPosition(scenario.position)}EVENT_UNEXPECTED: ${formatEvent(event)}`),
  ];
}
