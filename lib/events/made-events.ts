/** Makes events of plain data: events of an agent, of a file, or of a test. They have the methods of a tracer's events. */
import type { PlainEvent, TracerEvent } from '../../types/events.js';
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
  return Object.assign(Object.create(METHODS) as object, plain) as T;
}

/** Each member of the event is an own property. */
export function makeTracerEvent(plain: PlainEvent): TracerEvent {
  if (plain.type === 'lost') return withMethods(plain) as TracerEvent;
  const { process, parent, former, ancestors } = plain;
  return withMethods({
    ...plain,
    process: withMethods(process),
    ...(parent === undefined ? {} : { parent: withMethods(parent) }),
    ...(former === undefined ? {} : { former: withMethods(former) }),
    ancestors: ancestors.map(withMethods),
  }) as unknown as TracerEvent;
}
