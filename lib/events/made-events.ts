/** Makes events of plain data: events of an agent, of a file, or of a test. They have the methods of a tracer's events. */
import type { AgentEvent, PlainEvent } from '../../types/events.js';
import { COPY, copyMembers, toJsonValue, toObject } from '../process/plain-data.js';

/** The methods of events and processes. As members of a prototype, they are not part of `{ ...event }`. */
const METHODS = {
  [COPY](): unknown {
    return copyMembers(this, Object.keys(this));
  },
  toObject,
  toJSON(): unknown {
    return toJsonValue(copyMembers(this, Object.keys(this)));
  },
};

function withMethods<T extends object>(plain: T): T {
  return Object.assign<T, T>(Object.create(METHODS) as T, plain);
}

/** Each member of the event is an own property. */
export function makeAgentEvent(plain: PlainEvent): AgentEvent {
  const event = withMethods(plain);
  if (!('process' in plain)) return event as AgentEvent;
  const { process, parent, former, ancestors } = plain;
  const processes: Record<string, unknown> = { process: withMethods(process), ancestors: ancestors.map(withMethods) };
  if (parent !== undefined) processes['parent'] = withMethods(parent);
  if (former !== undefined) processes['former'] = withMethods(former);
  return Object.assign(event, processes) as unknown as AgentEvent;
}
