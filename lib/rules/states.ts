/** The memory of a rule, and the decision whether it finds something. Each kind of rule has its class. */
import type {
  FirstSeenRule,
  ListRule,
  ProcessRuleEvent,
  RuleDefinition,
  RuleStep,
  SequenceRule,
  ThresholdRule,
} from '../../types/rules.js';
import { parseDuration, ruleKind, ruleLimit } from './define.js';
import { RecentMap } from './recent-map.js';

/** Something that a rule has found. */
export interface Finding {
  /** The keys of the first event. The first one names the finding. */
  readonly keys: readonly string[];
  readonly events: readonly ProcessRuleEvent[];
  readonly count: number;
  readonly text?: string;
  readonly row?: unknown;
}

/** `listKeys` is called only for events that the rule is about. */
export interface RuleState {
  push(event: ProcessRuleEvent, now: bigint, listKeys: () => readonly string[]): Finding | undefined;
  readonly remembered: number;
  readonly evicted: number;
}

export function makeState(rule: RuleDefinition): RuleState {
  switch (ruleKind(rule)) {
    case 'sequence':
      return new SequenceState(rule as SequenceRule);
    case 'threshold':
      return new ThresholdState(rule as ThresholdRule);
    case 'firstSeen':
      return new FirstSeenState(rule as FirstSeenRule);
    case 'listed':
      return listState(rule as ListRule);
    case 'when':
      return eventState((rule as { readonly when: RuleStep }).when);
  }
}

function eventState({ matches }: RuleStep): RuleState {
  return {
    push: (event, _now, listKeys) => (matches(event) ? found(event, listKeys()) : undefined),
    remembered: 0,
    evicted: 0,
  };
}

function listState({ when, listed, list }: ListRule): RuleState {
  return {
    push(event, _now, listKeys) {
      const text = when.matches(event) ? listed(event) : undefined;
      if (text === undefined || !list.has(text)) return undefined;
      const finding = found(event, listKeys());
      return finding && { ...finding, text, ...('get' in list && { row: list.get(text) }) };
    },
    remembered: 0,
    evicted: 0,
  };
}

/** Undefined for an event that has no key. */
function found(event: ProcessRuleEvent, keys: readonly string[], count = 1): Finding | undefined {
  return keys.length === 0 ? undefined : { keys, events: [event], count };
}

/** A sequence that has begun. */
interface Started {
  readonly at: bigint;
  readonly keys: readonly string[];
  readonly events: readonly ProcessRuleEvent[];
}

/** For each key and step, the sequence that began last is kept. */
class SequenceState implements RuleState {
  readonly #steps: readonly RuleStep[];
  readonly #until: RuleStep | undefined;
  readonly #within: bigint;
  /** By the step that is next: the sequences by each of their keys. */
  readonly #waiting: readonly Map<string, Started>[];
  /** All of them, the oldest first. The entry of a sequence that goes on stays where it is. */
  readonly #started: RecentMap<object, { current: Started; step: number; readonly at: bigint }>;
  readonly #entries = new WeakMap<Started, { current: Started; step: number; readonly at: bigint }>();

  constructor(rule: SequenceRule) {
    this.#steps = rule.sequence;
    this.#until = rule.until;
    this.#within = parseDuration(rule.within, 'within');
    this.#waiting = rule.sequence.map(() => new Map<string, Started>());
    this.#started = new RecentMap(ruleLimit(rule), ({ current, step }) => this.#forgetKeys(current, step));
  }

  get remembered(): number {
    return this.#started.size;
  }

  get evicted(): number {
    return this.#started.evicted;
  }

  push(event: ProcessRuleEvent, now: bigint, listKeys: () => readonly string[]): Finding | undefined {
    this.#started.removeOver(
      ({ at }) => now - at > this.#within,
      ({ current, step }) => this.#forgetKeys(current, step),
    );
    let finding: Finding | undefined;
    // the last step first, so that an event fulfils only one step of a sequence
    for (let step = this.#steps.length - 1; step > 0 && finding === undefined; step--) {
      if (this.#waiting[step]?.size === 0 || this.#steps[step]?.matches(event) !== true) continue;
      finding = this.#advance(event, step, listKeys());
    }
    if (this.#until?.matches(event) === true) for (const key of listKeys()) this.#end(key);
    if (finding === undefined && this.#steps[0]?.matches(event) === true) this.#start(event, now, listKeys());
    return finding;
  }

  #start(event: ProcessRuleEvent, at: bigint, keys: readonly string[]): void {
    if (keys.length === 0) return;
    const own = this.#waiting[1]?.get(keys[0] ?? '');
    if (own?.keys[0] === keys[0] && own !== undefined) this.#remove(own);
    const started = { at, keys, events: [event] };
    const entry = { current: started, step: 1, at };
    this.#entries.set(started, entry);
    for (const key of keys) this.#waiting[1]?.set(key, started);
    this.#started.set(entry, entry);
  }

  #advance(event: ProcessRuleEvent, step: number, keys: readonly string[]): Finding | undefined {
    const key = keys.find((each) => this.#waiting[step]?.has(each) === true);
    const started = key === undefined ? undefined : this.#waiting[step]?.get(key);
    const entry = started && this.#entries.get(started);
    if (started === undefined || entry === undefined) return undefined;
    const events = [...started.events, event];
    if (step === this.#steps.length - 1) {
      this.#remove(started);
      return { keys: started.keys, events, count: 1 };
    }
    this.#forgetKeys(started, step);
    const next = { ...started, events };
    const own = this.#waiting[step + 1]?.get(next.keys[0] ?? '');
    if (own !== undefined && own.keys[0] === next.keys[0]) this.#remove(own);
    entry.current = next;
    entry.step = step + 1;
    this.#entries.set(next, entry);
    for (const each of next.keys) this.#waiting[step + 1]?.set(each, next);
    return undefined;
  }

  #end(key: string): void {
    for (const waiting of this.#waiting) {
      const started = waiting.get(key);
      if (started !== undefined) this.#remove(started);
    }
  }

  #remove(started: Started): void {
    const entry = this.#entries.get(started);
    if (entry === undefined) return;
    this.#forgetKeys(started, entry.step);
    this.#started.delete(entry);
  }

  #forgetKeys(started: Started, step: number): void {
    const waiting = this.#waiting[step];
    for (const key of started.keys) if (waiting?.get(key) === started) waiting.delete(key);
  }
}

/** The last events of a key, or its last different texts, each with its time. The oldest comes first. */
interface Window {
  last: bigint;
  readonly times: RecentMap<string, bigint>;
}

class ThresholdState implements RuleState {
  readonly #within: bigint;
  readonly #windows: RecentMap<string, Window>;
  #sequence = 0;

  constructor(private readonly rule: ThresholdRule) {
    this.#within = parseDuration(rule.within, 'within');
    this.#windows = new RecentMap(ruleLimit(rule));
  }

  get remembered(): number {
    return this.#windows.size;
  }

  get evicted(): number {
    return this.#windows.evicted;
  }

  push(event: ProcessRuleEvent, now: bigint, listKeys: () => readonly string[]): Finding | undefined {
    const { when, distinct, threshold } = this.rule;
    this.#windows.removeOver(({ last }) => now - last > this.#within);
    if (!when.matches(event)) return undefined;
    const text = distinct === undefined ? String(this.#sequence++) : distinct(event);
    if (text === undefined) return undefined;
    const keys = listKeys();
    const full = keys.filter((key) => this.#count(key, text, now) >= threshold);
    if (full.length === 0) return undefined;
    for (const key of keys) this.#windows.delete(key);
    return found(event, [...full, ...keys.filter((key) => !full.includes(key))], threshold);
  }

  #count(key: string, text: string, now: bigint): number {
    const window = this.#windows.get(key) ?? { last: now, times: new RecentMap<string, bigint>(this.rule.threshold) };
    window.last = now;
    window.times.set(text, now);
    window.times.removeOver((time) => now - time > this.#within);
    this.#windows.set(key, window);
    return window.times.size;
  }
}

class FirstSeenState implements RuleState {
  readonly #texts: RecentMap<string, true>;
  readonly #learn: bigint;
  #learnsUntil: bigint | undefined;

  constructor(private readonly rule: FirstSeenRule) {
    this.#learn = parseDuration(rule.learn ?? '0s', 'learn');
    this.#texts = new RecentMap(ruleLimit(rule));
  }

  get remembered(): number {
    return this.#texts.size;
  }

  get evicted(): number {
    return this.#texts.evicted;
  }

  push(event: ProcessRuleEvent, now: bigint, listKeys: () => readonly string[]): Finding | undefined {
    this.#learnsUntil ??= now + this.#learn;
    const text = this.rule.when.matches(event) ? this.rule.firstSeen(event) : undefined;
    if (text === undefined) return undefined;
    const keys = listKeys();
    const isKnown = keys.map((key) => this.#see(`${key}\0${text}`)).some(Boolean);
    if (isKnown || now < this.#learnsUntil) return undefined;
    const finding = found(event, keys);
    return finding && { ...finding, text };
  }

  /** Remembers a text as the newest. Returns true if it was known. */
  #see(text: string): boolean {
    const isKnown = this.#texts.get(text) === true;
    this.#texts.set(text, true);
    return isKnown;
  }
}
