import type { AgentEvent, EventType, HookArgument, PlainEvent } from './events.js';
import type { LabelledPolicy } from './policy.js';

/** An event of a tracer, of an agent or of a recording. */
export type RuleEvent = AgentEvent | PlainEvent;

/** An event of a process: every type but `lost` and `change`, and `process_throttle`, which is about a cgroup. */
export type ProcessRuleEvent<T extends EventType = EventType> = Extract<
  RuleEvent,
  { readonly type: Exclude<T, 'lost' | 'change' | 'process_throttle'> }
>;

/** What `where` of a step receives. */
export interface RuleInput<V = Readonly<Record<string, HookArgument | undefined>>, E = ProcessRuleEvent> {
  readonly event: E;
  /** The values of the event by their `label` in the policy. */
  readonly args: V;
}

/** Selects events. `fromPolicy` and `ofType` make it. */
export interface RuleStep {
  /** Returns true if the event is one of those that the step selects. */
  readonly matches: (event: ProcessRuleEvent) => boolean;
}

/** Selects the events of a policy, given by its name or by what `definePolicy` returned, for which `where` is true. */
export function fromPolicy<V = Readonly<Record<string, HookArgument | undefined>>>(
  policy: LabelledPolicy<V> | string,
  where?: (input: RuleInput<V>) => boolean,
): RuleStep;

/** Selects the events of a type for which `where` is true. */
export function ofType<T extends ProcessRuleEvent['type']>(
  type: T,
  where?: (input: RuleInput<Readonly<Record<string, HookArgument | undefined>>, ProcessRuleEvent<T>>) => boolean,
): RuleStep;

/** A time: `500ms`, `10s`, `5m`, `1h` or `7d`. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

/**
 * Which events belong together:
 * - `process`: those of one process, also after further execs
 * - `family`: those of processes of which one is the other, or its parent or grandparent, or which share a parent or
 *   grandparent. Process 1 is no relative.
 * - `container`: those of one container; events outside of containers do not count
 * - `all`: all
 * - a function: those with the same text; an event without a text does not count
 */
export type RuleKey = 'process' | 'family' | 'container' | 'all' | ((event: ProcessRuleEvent) => string | undefined);

interface RuleBase {
  /** Name of the rule in alerts. */
  readonly name: string;
  /** Default `process`. */
  readonly by?: RuleKey;
  /** Text for people, which alerts repeat. */
  readonly message?: string;
  /** Words that alerts repeat, such as `mitre.T1048`. */
  readonly tags?: readonly string[];
  /** After an alert, further ones of the same key are only counted for this time. Default: none is suppressed. */
  readonly suppress?: Duration;
  /** Most keys, started sequences or remembered texts of the rule. The oldest is evicted and counted. Default 4,096, at most 1,000,000. */
  readonly limit?: number;
}

/** Alerts for each event. */
export interface EventRule extends RuleBase {
  readonly when: RuleStep;
}

/** Alerts when one event of each step happens, in this order, within a time. */
export interface SequenceRule extends RuleBase {
  /** At least two steps. Other events may come between them. An event fulfils one step. */
  readonly sequence: readonly RuleStep[];
  /** From the first to the last event. */
  readonly within: Duration;
  /** An event of this step ends started sequences of its key. */
  readonly until?: RuleStep;
}

/** Alerts when so many events, or events with so many different texts, happen within a time. The count then begins again. */
export interface ThresholdRule extends RuleBase {
  readonly when: RuleStep;
  /** 2 to 100,000. */
  readonly threshold: number;
  readonly within: Duration;
  /** Counts different texts of events instead of events. An event without a text does not count. */
  readonly distinct?: (event: ProcessRuleEvent) => string | undefined;
}

/** Alerts when a text appears for the first time for its key. */
export interface FirstSeenRule extends RuleBase {
  readonly when: RuleStep;
  readonly firstSeen: (event: ProcessRuleEvent) => string | undefined;
  /** For this time after the first event, texts are learned without alerts. Default `0s`. */
  readonly learn?: Duration;
}

/** Alerts when a list has the text of an event. The list may change while the rule runs. */
export interface ListRule extends RuleBase {
  readonly when: RuleStep;
  readonly listed: (event: ProcessRuleEvent) => string | undefined;
  /** A Set, or a Map whose value becomes `row` of the alert. */
  readonly list: ReadonlySet<string> | ReadonlyMap<string, unknown>;
}

/** A rule about events, for what one event alone cannot decide. */
export type RuleDefinition = EventRule | SequenceRule | ThresholdRule | FirstSeenRule | ListRule;

/** A rule that was checked. */
export type Rule = RuleDefinition & { readonly checked: true };

/** Checks a rule. Throws a PolytraceError `BAD_OPTION` that names the wrong member. */
export function defineRule(definition: RuleDefinition): Rule;

/** What a rule has found. The same events in the same order give the same alerts. */
export interface Alert {
  /** Name of the rule. */
  readonly rule: string;
  readonly message?: string;
  readonly tags: readonly string[];
  /** The key of the events: `execId` of the first exec for `process` and `family`, the container's id, or the function's text. */
  readonly key: string;
  /** Time of the last event. */
  readonly time: string;
  readonly timeNs: bigint;
  /** The events of a sequence, one for each step; otherwise the last event. */
  readonly events: readonly ProcessRuleEvent[];
  /** Number of events, or of different texts, that the rule counted. 1 for other rules. */
  readonly count: number;
  /** Alerts of this key that were suppressed since the last one. */
  readonly suppressed: number;
  /** The text of `firstSeen` or `listed`. */
  readonly text?: string;
  /** The row of the list, if it is a Map. */
  readonly row?: unknown;
}

/** Options of `ruleEngine` and `detect`. */
export interface RuleEngineOptions {
  /**
   * Events are held for this time of events and sorted, because events of several processors or machines can arrive in
   * another order. Default `0s`: each event is evaluated at once.
   */
  readonly lateness?: Duration;
}

/** Counters of a rule. */
export interface RuleStats {
  readonly name: string;
  readonly alerts: number;
  readonly suppressed: number;
  /** Keys, started sequences or texts that the rule remembers now. */
  readonly remembered: number;
  /** Those that were forgotten before their time, because of `limit`. An alert may be missing, or come twice. */
  readonly evicted: number;
}

/** Counters of an engine. */
export interface RuleEngineStats {
  readonly events: number;
  /** Events that came later than `lateness` allows. They are evaluated as if they had just happened. */
  readonly late: number;
  /** Events that were held and are not evaluated yet. */
  readonly held: number;
  /** Events that the source reported as lost: alerts may be missing. */
  readonly lost: number;
  readonly rules: readonly RuleStats[];
}

/** Evaluates rules over events. Its time is that of the events. */
export interface RuleEngine {
  /** Returns the alerts of an event, in the order of the rules. */
  push(event: RuleEvent): Alert[];
  /** Evaluates the events that are still held. */
  flush(): Alert[];
  stats(): RuleEngineStats;
}

/** Makes an engine with a state of its own. Throws a PolytraceError `BAD_OPTION`. */
export function ruleEngine(rules: readonly Rule[], options?: RuleEngineOptions): RuleEngine;

/** Evaluates rules over a tracer, an agent, `readEvents` or a list of events, and yields the alerts. */
export function detect(
  events: AsyncIterable<RuleEvent> | Iterable<RuleEvent>,
  rules: readonly Rule[],
  options?: RuleEngineOptions,
): AsyncGenerator<Alert, void, undefined>;
