import type { ArgumentOf, EventOf, EventType, HookArgument, PlainOf, PlainProcess } from './events.js';

/** A value of a hook for `makeEvent`: its type and any of its other members. */
export type ArgumentMembers = {
  [T in HookArgument['type']]: { readonly type: T } & Partial<ArgumentOf<T>>;
}[HookArgument['type']];

/** Members of an event for `makeEvent`. Any of them may be absent, also those of processes and of values. */
export type EventMembers<T extends EventType> = MembersOf<PlainOf<EventOf<T>>>;

type MembersOf<E> = E extends unknown
  ? { readonly [K in keyof E as Exclude<K, 'type'>]?: K extends keyof ChangedMembers ? ChangedMembers[K] : E[K] }
  : never;

interface ChangedMembers {
  readonly process: Partial<PlainProcess>;
  readonly parent: Partial<PlainProcess>;
  readonly former: Partial<PlainProcess>;
  readonly ancestors: readonly Partial<PlainProcess>[];
  readonly args: readonly ArgumentMembers[];
  readonly data: readonly ArgumentMembers[];
  readonly return: ArgumentMembers;
}

/**
 * Makes an event for tests of programs that handle events. It has the members and methods of a tracer's events, but its
 * members are own properties. Absent members get defaults: empty text, 0, or what other given members imply (`time` and
 * `timeNs`; `executable`, `arguments` and `execId` of a process; `index` of a value). The defaults do not depend on the
 * time or the machine. Throws a PolytraceError (`BAD_OPTION`) for an unknown type of event or value.
 */
export function makeEvent<T extends EventType>(type: T, members?: EventMembers<T>): EventOf<T>;
