/** The events of processes: every event except a report of lost events. */
import type { PlainEvent } from '../../types/index.js';

export type PlainProcessEvent = Extract<PlainEvent, { readonly process: unknown }>;
