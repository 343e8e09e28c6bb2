/** Matches events with the patterns of a policy test. */
import type { Api } from './context.js';
import type { EventPattern, PlainEvent } from '../../types/index.js';

/** True for an event of a hook. The events of the base sensor and reports of lost events have no hook. */
export function isHookEvent(event: PlainEvent): boolean {
  return 'policyName' in event && 'process' in event;
}

export function matchesPattern(pattern: EventPattern, event: PlainEvent, api: Pick<Api, 'eventPath'>): boolean {
  if (!('process' in event)) return false;
  if (pattern.type === undefined ? !isHookEvent(event) : event.type !== pattern.type) return false;
  const message = 'message' in event ? event.message : undefined;
  const path = api.eventPath(event);
  const { binary } = event.process;
  return (
    matchesValue(pattern.policy, 'policyName' in event ? event.policyName : undefined) &&
    matchesValue(pattern.function, hookedFunction(event)) &&
    matchesValue(pattern.message, message) &&
    matchesRegex(pattern.messageMatches, message) &&
    matchesValue(pattern.selector, 'selector' in event ? event.selector : undefined) &&
    (pattern.action === undefined || hasAction(event, pattern.action)) &&
    (pattern.mark === undefined || hasMark(event, pattern.mark)) &&
    matchesValue(pattern.binary, binary) &&
    matchesRegex(pattern.binaryMatches, binary) &&
    matchesValue(pattern.path, path) &&
    matchesRegex(pattern.pathMatches, path)
  );
}

function matchesValue<T>(expected: T | undefined, actual: T | undefined): boolean {
  return expected === undefined || expected === actual;
}

function matchesRegex(pattern: string | undefined, text: string | undefined): boolean {
  return pattern === undefined || (text !== undefined && new RegExp(pattern).test(text));
}

function hookedFunction(event: PlainEvent): string | undefined {
  switch (event.type) {
    case 'process_kprobe':
    case 'process_lsm':
      return event.functionName;
    case 'process_tracepoint':
      return `${event.subsystem}/${event.event}`;
    case 'process_uprobe':
      return event.symbol;
    case 'process_usdt':
    case 'process_loader':
    case 'process_exec':
    case 'process_exit':
    case 'process_throttle':
    case 'change':
    case 'lost':
      return undefined;
  }
}

function hasAction(event: PlainEvent, name: string): boolean {
  return 'actions' in event && event.actions.some(({ action }) => action === name);
}

function hasMark(event: PlainEvent, name: string): boolean {
  return 'marks' in event && event.marks?.some(({ mark }) => mark === name) === true;
}

/** Describes the pattern for a message. */
export function describePattern({ position, count, ...members }: EventPattern): string {
  void position;
  const conditions = Object.entries(members).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  const event = conditions.length === 0 ? 'any event of a hook' : conditions.join(', ');
  return count === undefined ? event : `${count} times: ${event}`;
}
