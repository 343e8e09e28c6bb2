/** The patterns of a test: which events they match. */
import type { Api } from './context.js';
import type { EventPattern, PlainEvent } from '../../types/index.js';

/** An event of a hook. Starts and ends of processes are not, nor are losses. */
export function isOfHook(event: PlainEvent): boolean {
  return 'policyName' in event && event.type !== 'lost';
}

export function matches(pattern: EventPattern, event: PlainEvent, api: Pick<Api, 'pathOf'>): boolean {
  if (event.type === 'lost') return false;
  if (pattern.type === undefined ? !isOfHook(event) : event.type !== pattern.type) return false;
  const message = 'message' in event ? event.message : undefined;
  const path = api.pathOf(event);
  const { binary } = event.process;
  return (
    equals(pattern.policy, 'policyName' in event ? event.policyName : undefined) &&
    equals(pattern.function, functionOf(event)) &&
    equals(pattern.message, message) &&
    fits(pattern.messageMatches, message) &&
    equals(pattern.selector, 'selector' in event ? event.selector : undefined) &&
    (pattern.action === undefined || hasAction(event, pattern.action)) &&
    equals(pattern.binary, binary) &&
    fits(pattern.binaryMatches, binary) &&
    equals(pattern.path, path) &&
    fits(pattern.pathMatches, path)
  );
}

function equals<T>(wanted: T | undefined, found: T | undefined): boolean {
  return wanted === undefined || wanted === found;
}

function fits(pattern: string | undefined, text: string | undefined): boolean {
  return pattern === undefined || (text !== undefined && new RegExp(pattern).test(text));
}

function functionOf(event: PlainEvent): string | undefined {
  if ('functionName' in event) return event.functionName;
  if (event.type === 'process_tracepoint') return `${event.subsystem}/${event.event}`;
  return event.type === 'process_uprobe' ? event.symbol : undefined;
}

function hasAction(event: PlainEvent, name: string): boolean {
  return 'actions' in event && event.actions.some(({ action }) => action === name);
}

/** The pattern in words, for a message. */
export function describe({ position, count, ...members }: EventPattern): string {
  void position;
  const words = Object.entries(members).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  const what = words.length === 0 ? 'any event of a hook' : words.join(', ');
  return count === undefined ? what : `${count} times: ${what}`;
}
