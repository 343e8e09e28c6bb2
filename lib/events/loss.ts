/** The event of records that were lost. */
import type { JsonOf, LossReason, LostEvent, PlainOf } from '../../types/events.js';
import { formatTime } from '../process/clock.js';
import { toJsonValue } from '../process/plain-data.js';

/** It stores its values itself, because it has no record. */
export class LossEvent implements LostEvent {
  readonly type = 'lost' as const;
  readonly time: string;

  constructor(
    readonly hook: string,
    readonly policyName: string,
    readonly reason: LossReason,
    readonly count: number,
    readonly nodeName: string,
    readonly timeNs: bigint,
  ) {
    this.time = formatTime(timeNs);
    Object.freeze(this);
  }

  toObject(): PlainOf<LostEvent> {
    return Object.freeze({ ...this });
  }

  toJSON(): JsonOf<PlainOf<LostEvent>> {
    return toJsonValue({ ...this }) as JsonOf<PlainOf<LostEvent>>;
  }
}
