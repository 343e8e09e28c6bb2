/** Evaluates rules over events, in the order and with the time of the events. */
import type {
  Alert,
  ProcessRuleEvent,
  Rule,
  RuleEngine,
  RuleEngineOptions,
  RuleEngineStats,
  RuleEvent,
} from '../../types/rules.js';
import { parseDuration, requireRules, ruleLimit } from './define.js';
import { RecentMap } from './recent-map.js';
import { Relatives } from './relatives.js';
import { makeState, type Finding, type RuleState } from './states.js';
import { isProcessEvent } from './steps.js';

/** Most events that are held for sorting. More are evaluated before their time. */
const HELD_MAX = 65_536;

export function ruleEngine(rules: readonly Rule[], options: RuleEngineOptions = {}): RuleEngine {
  requireRules(rules);
  return new Engine(rules, parseDuration(options.lateness ?? '0s', 'option lateness'));
}

export async function* detect(
  events: AsyncIterable<RuleEvent> | Iterable<RuleEvent>,
  rules: readonly Rule[],
  options?: RuleEngineOptions,
): AsyncGenerator<Alert, void, undefined> {
  const engine = ruleEngine(rules, options);
  for await (const event of events) yield* engine.push(event);
  yield* engine.flush();
}

class Engine implements RuleEngine {
  readonly #rules: readonly RunningRule[];
  readonly #relatives = new Relatives();
  /** Sorted by time; equal times in the order of their arrival. */
  readonly #held: ProcessRuleEvent[] = [];
  #newest = 0n;
  /** Time of the last evaluated event. It never goes back. */
  #now = 0n;
  #events = 0;
  #late = 0;
  #lost = 0;

  constructor(
    rules: readonly Rule[],
    private readonly lateness: bigint,
  ) {
    this.#rules = rules.map((rule) => new RunningRule(rule, this.#relatives));
  }

  push(event: RuleEvent): Alert[] {
    if (event.type === 'lost') this.#lost += event.count;
    if (!isProcessEvent(event)) return [];
    this.#events++;
    if (this.lateness === 0n) return this.#evaluate(event);
    this.#hold(event);
    if (event.timeNs > this.#newest) this.#newest = event.timeNs;
    let due = Math.max(0, this.#held.length - HELD_MAX);
    while (due < this.#held.length && (this.#held[due]?.timeNs ?? 0n) <= this.#newest - this.lateness) due++;
    return this.#held.splice(0, due).flatMap((each) => this.#evaluate(each));
  }

  flush(): Alert[] {
    return this.#held.splice(0).flatMap((each) => this.#evaluate(each));
  }

  stats(): RuleEngineStats {
    return {
      events: this.#events,
      late: this.#late,
      held: this.#held.length,
      lost: this.#lost,
      rules: this.#rules.map((each) => each.stats()),
    };
  }

  #hold(event: ProcessRuleEvent): void {
    let at = this.#held.length;
    while (at > 0 && (this.#held[at - 1]?.timeNs ?? 0n) > event.timeNs) at--;
    this.#held.splice(at, 0, event);
  }

  #evaluate(event: ProcessRuleEvent): Alert[] {
    if (event.timeNs < this.#now) this.#late++;
    else this.#now = event.timeNs;
    this.#relatives.learn(event);
    return this.#rules.flatMap((rule) => rule.push(event, this.#now) ?? []);
  }
}

interface Suppression {
  readonly until: bigint;
  count: number;
}

/** A rule with its state. */
class RunningRule {
  readonly #state: RuleState;
  readonly #suppressNs: bigint;
  readonly #quiet: RecentMap<string, Suppression>;
  #alerts = 0;
  #suppressed = 0;

  constructor(
    private readonly rule: Rule,
    private readonly relatives: Relatives,
  ) {
    this.#state = makeState(rule);
    this.#suppressNs = rule.suppress === undefined ? 0n : parseDuration(rule.suppress, 'suppress');
    this.#quiet = new RecentMap(ruleLimit(rule));
  }

  push(event: ProcessRuleEvent, now: bigint): Alert | undefined {
    const finding = this.#state.push(event, now, () => this.#listKeys(event));
    return finding && this.#alert(finding, event, now);
  }

  stats(): RuleEngineStats['rules'][number] {
    return {
      name: this.rule.name,
      alerts: this.#alerts,
      suppressed: this.#suppressed,
      remembered: this.#state.remembered + this.#quiet.size,
      evicted: this.#state.evicted + this.#quiet.evicted,
    };
  }

  #listKeys(event: ProcessRuleEvent): readonly string[] {
    const { by = 'process' } = this.rule;
    if (by === 'family') return this.relatives.familyKeys(event);
    if (by === 'process') return [this.relatives.processKey(event)];
    if (by === 'all') return [''];
    const key = by === 'container' ? event.process.container?.id : by(event);
    return key === undefined ? [] : [key];
  }

  #alert({ keys, events, count, text, row }: Finding, event: ProcessRuleEvent, now: bigint): Alert | undefined {
    const { name, message, tags = [] } = this.rule;
    const key = keys[0] ?? '';
    let suppressed = 0;
    if (this.#suppressNs > 0n) {
      const quiet = keys.map((each) => this.#quiet.get(each)).find((each) => each !== undefined);
      if (quiet !== undefined && now < quiet.until) {
        quiet.count++;
        this.#suppressed++;
        return undefined;
      }
      suppressed = quiet?.count ?? 0;
      const next = { until: now + this.#suppressNs, count: 0 };
      for (const each of keys) this.#quiet.set(each, next);
    }
    this.#alerts++;
    const { time, timeNs } = event;
    const facts = { ...(text !== undefined && { text }), ...(row !== undefined && { row }) };
    return { rule: name, ...(message !== undefined && { message }), tags, key, time, timeNs, events, count, suppressed, ...facts }; // prettier-ignore
  }
}
