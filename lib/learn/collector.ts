/**
 * Collects the alerts of a policy in groups: the same hook, process and numbers. Its memory is bounded, whatever the number
 * of events is. Pure.
 */
import type { CompiledPolicy } from '../compiled/compiled-policy.js';
import { isSystemProgram } from '../generalize/trust.js';
import { identify, type HookEvent, type Identity, type Refusal } from './identity.js';
import { readValues, type LearnedValue } from './values.js';

/** Groups, and different values of all groups together. */
const GROUPS_MAX = 4096;
const VALUES_MAX = 50_000;
/** Different values of one argument of a group. */
const GROUP_VALUES_MAX = 2048;
/** Refused or cut alerts that are described; others are counted. */
const REMAINING_MAX = 256;
/** Processes of a group that are counted. */
const PROCESSES_MAX = 256;
const EXAMPLE_MAX = 200;

/** How often something was seen, and by whom. */
export interface Evidence {
  events: number;
  readonly processes: Set<string>;
  /** RFC 3339. */
  first: string;
  last: string;
  readonly users: Set<number>;
  /** The command line and the values of the first event. */
  readonly example: string;
}

/** A hook, a process, and the numbers of the event. */
export interface Group {
  readonly hook: number;
  readonly identity: Identity;
  readonly numbers: readonly LearnedValue[];
  /** The other values: how often each was seen, by the position of the argument. */
  readonly values: Map<
    number,
    { readonly kind: LearnedValue['kind']; readonly isExecuted: boolean; readonly seen: Map<string, number> }
  >;
  readonly evidence: Evidence;
}

/** Alerts that stay. */
export interface Remaining {
  readonly hook: number;
  readonly program: string;
  readonly reason: Refusal | 'limit';
  readonly evidence: Evidence;
}

/** True if the event has the identity, numbers and kinds of values of a group, and which of its values. */
export type Reading =
  { readonly refusal: Refusal } | { readonly identity: Identity; readonly values: readonly LearnedValue[] };

export function readEvent(policy: CompiledPolicy, hook: number, event: HookEvent): Reading {
  const compiled = policy.hooks[hook];
  if (compiled === undefined || compiled.kind === 'loader') return { refusal: 'loader' };
  const identity = identify(event);
  if (typeof identity === 'string') return { refusal: identity };
  const values = readValues(compiled, event.args);
  if (typeof values === 'string') return { refusal: values };
  // what the administrator has not installed is never excepted
  if (values.some(({ isExecuted, text }) => isExecuted === true && !isSystemProgram(text)))
    return { refusal: 'executed_file' };
  const isCompared = values.some(({ kind }) => kind !== 'number');
  // a call without any value, such as a change of the time, is described by its hook
  if (!isCompared && identity.container !== undefined) return { refusal: 'no_condition' };
  return { identity, values };
}

export const identityKey = ({ programs, script, ancestor, container }: Identity): string =>
  JSON.stringify([programs, script ?? '', ancestor ?? '', container?.key ?? '', container?.value ?? '']);

export class Collector {
  readonly #policy: CompiledPolicy;
  readonly #groups = new Map<string, Group>();
  readonly #remaining = new Map<string, Remaining>();
  #values = 0;
  events = 0;
  /** Alerts that stay and are not described. */
  more = 0;

  constructor(policy: CompiledPolicy) {
    this.#policy = policy;
  }

  get groups(): readonly Group[] {
    return [...this.#groups.values()];
  }

  get remaining(): readonly Remaining[] {
    return [...this.#remaining.values()];
  }

  add(hook: number, event: HookEvent): void {
    this.events++;
    const reading = readEvent(this.#policy, hook, event);
    if ('refusal' in reading) return this.#leave(hook, event, reading.refusal);
    const { identity, values } = reading;
    const numbers = values.filter(({ kind }) => kind === 'number');
    const others = values.filter(({ kind }) => kind !== 'number');
    const shape = others.map(({ position, kind }) => [position, kind]);
    const key = JSON.stringify([hook, identityKey(identity), numbers.map(({ text }) => text), shape]);
    const known = this.#groups.get(key);
    if (known === undefined && this.#groups.size >= GROUPS_MAX) return this.#leave(hook, event, 'limit');
    const group = known ?? { hook, identity, numbers, values: new Map(), evidence: startEvidence(event) };
    if (!this.#addValues(group, others)) return this.#leave(hook, event, 'limit');
    this.#groups.set(key, group);
    countEvent(group.evidence, event);
  }

  /** Adds none of the values if one of them finds no room. */
  #addValues(group: Group, values: readonly LearnedValue[]): boolean {
    const fresh = values.filter(({ position, text }) => group.values.get(position)?.seen.has(text) !== true);
    const isFull = fresh.some(({ position }) => (group.values.get(position)?.seen.size ?? 0) >= GROUP_VALUES_MAX);
    if (isFull || this.#values + fresh.length > VALUES_MAX) return false;
    this.#values += fresh.length;
    for (const { position, kind, text, isExecuted = false } of values) {
      const slot = group.values.get(position) ?? { kind, isExecuted, seen: new Map<string, number>() };
      slot.seen.set(text, (slot.seen.get(text) ?? 0) + 1);
      group.values.set(position, slot);
    }
    return true;
  }

  #leave(hook: number, event: HookEvent, reason: Remaining['reason']): void {
    const program = event.process.executable;
    const key = JSON.stringify([hook, program, reason]);
    const known = this.#remaining.get(key);
    if (known === undefined && this.#remaining.size >= REMAINING_MAX) {
      this.more++;
      return;
    }
    const added = known ?? { hook, program, reason, evidence: startEvidence(event) };
    this.#remaining.set(key, added);
    countEvent(added.evidence, event);
  }
}

function startEvidence(event: HookEvent): Evidence {
  return {
    events: 0,
    processes: new Set(),
    first: event.time,
    last: event.time,
    users: new Set(),
    example: formatExample(event),
  };
}

function countEvent(evidence: Evidence, { process, time, suppressed }: HookEvent): void {
  evidence.events += 1 + suppressed;
  if (evidence.processes.size < PROCESSES_MAX) evidence.processes.add(process.execId);
  if (evidence.users.size < PROCESSES_MAX) evidence.users.add(process.uid);
  evidence.last = time;
}

function formatExample({ process, parent, args }: HookEvent): string {
  const texts = args.flatMap((argument) => {
    if ('path' in argument) return [argument.path];
    if ('destinationAddress' in argument) return [`${argument.destinationAddress}:${argument.destinationPort}`];
    if ('value' in argument && typeof argument.value !== 'object') return [String(argument.value)];
    return [];
  });
  const started = parent === undefined ? '' : `, started by ${parent.executable.slice(0, EXAMPLE_MAX)}`;
  const command = `${process.binary} ${process.arguments}`.trim().slice(0, EXAMPLE_MAX);
  return `${command} (pid ${process.pid}, uid ${process.uid}${started}): ${texts.join(' ').slice(0, EXAMPLE_MAX)}`;
}
