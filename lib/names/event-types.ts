/** The types of events, for the options that select them (`events({ types })`, `--event-types`). */
import type { EventType } from '../../types/events.js';

/** A record instead of a list, so that the TypeScript compiler reports a missing type. */
const TYPE_TABLE: Readonly<Record<EventType, true>> = {
  process_exec: true,
  process_exit: true,
  process_kprobe: true,
  process_tracepoint: true,
  process_uprobe: true,
  process_usdt: true,
  process_lsm: true,
  process_loader: true,
  process_throttle: true,
  change: true,
  lost: true,
};

export const EVENT_TYPES = Object.keys(TYPE_TABLE) as readonly EventType[];
