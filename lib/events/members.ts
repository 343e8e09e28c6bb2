/** Lists the members of events that toObject() copies. */
import type { EventType, PlainOf, TracerEvent } from '../../types/events.js';

const RECORD_MEMBERS = [
  'type',
  'time',
  'timeNs',
  'nodeName',
  'process',
  'parent',
  'former',
  'ancestors',
  'tid',
] as const;
const HOOK_MEMBERS = [
  ...RECORD_MEMBERS, 'policyName', 'args', 'action', 'actions', 'policyMode', 'ofSocketOwner', 'suppressed', 'kernelStack',
  'userStack', 'marks', 'message', 'tags', 'selector',
] as const; // prettier-ignore
const FUNCTION_MEMBERS = [...HOOK_MEMBERS, 'data', 'return', 'returnAction'] as const;
const UPROBE_MEMBERS = [...FUNCTION_MEMBERS, 'path', 'symbol', 'offset', 'address', 'refCtrOffset'] as const;

/** The members by type of event. */
export const MEMBERS = {
  process_exec: [...RECORD_MEMBERS, 'environment'],
  process_exit: [...RECORD_MEMBERS, 'status', 'signal', 'coreDumped'],
  process_kprobe: [...FUNCTION_MEMBERS, 'functionName'],
  process_tracepoint: [...HOOK_MEMBERS, 'subsystem', 'event'],
  process_lsm: [...HOOK_MEMBERS, 'functionName', 'imaHash'],
  process_uprobe: UPROBE_MEMBERS,
  process_usdt: [...HOOK_MEMBERS, 'path', 'provider', 'name'],
  process_throttle: [...RECORD_MEMBERS, 'throttle', 'cgroup', 'cgroupId'],
  process_loader: [...RECORD_MEMBERS, 'policyName', 'path', 'buildId', 'inode', 'device'],
} as const satisfies { readonly [T in Exclude<EventType, 'change' | 'lost'>]: readonly KeyOf<T>[] };

type KeyOf<T> = keyof PlainOf<Extract<TracerEvent, { readonly type: T }>>;
/** Members that the table above lacks. It must be `never`. */
export type MissingMembers = {
  [T in keyof typeof MEMBERS]: Exclude<KeyOf<T>, (typeof MEMBERS)[T][number]>;
}[keyof typeof MEMBERS];
