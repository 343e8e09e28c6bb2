/** The members of events that toObject() copies. */
import type { EventType, PlainOf, TracerEvent } from '../../types/events.js';

const OF_RECORDS = ['type', 'time', 'timeNs', 'nodeName', 'process', 'parent', 'former', 'ancestors', 'tid'] as const;
const OF_HOOKS = [
  ...OF_RECORDS, 'policyName', 'args', 'action', 'actions', 'policyMode', 'ofSocketOwner', 'suppressed', 'kernelStack',
  'userStack', 'message', 'tags', 'selector',
] as const; // prettier-ignore
const OF_FUNCTIONS = [...OF_HOOKS, 'data', 'return', 'returnAction'] as const;
const OF_UPROBES = [...OF_FUNCTIONS, 'path', 'symbol', 'offset', 'address', 'refCtrOffset'] as const;

/** The members of each kind. */
export const MEMBERS = {
  process_exec: OF_RECORDS,
  process_exit: [...OF_RECORDS, 'status', 'signal', 'coreDumped'],
  process_kprobe: [...OF_FUNCTIONS, 'functionName'],
  process_tracepoint: [...OF_HOOKS, 'subsystem', 'event'],
  process_lsm: [...OF_HOOKS, 'functionName', 'imaHash'],
  process_uprobe: OF_UPROBES,
  process_usdt: [...OF_HOOKS, 'path', 'provider', 'name'],
  process_loader: [...OF_RECORDS, 'policyName', 'path', 'buildId', 'inode', 'device'],
} as const satisfies { readonly [T in Exclude<EventType, 'lost'>]: readonly KeyOf<T>[] };

type KeyOf<T> = keyof PlainOf<Extract<TracerEvent, { readonly type: T }>>;
/** Names the members that the table above lacks. It must be empty. */
export type Missing = {
  [T in keyof typeof MEMBERS]: Exclude<KeyOf<T>, (typeof MEMBERS)[T][number]>;
}[keyof typeof MEMBERS];
