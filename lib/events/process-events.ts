/** The events of the base sensor: a process executed a program, or ended. */
import { signalName } from '../names/signals.js';
import { EventExit } from '../wire/layout.gen.js';
import { RecordEvent, slabOf, startOf } from './record.js';

export class ExecEvent extends RecordEvent {
  get type(): 'process_exec' {
    return 'process_exec';
  }
}

export class ExitEvent extends RecordEvent {
  get type(): 'process_exit' {
    return 'process_exit';
  }

  get status(): number {
    return (waitStatusOf(this) >> 8) & 0xff;
  }

  get signal(): string | undefined {
    const number = waitStatusOf(this) & 0x7f;
    return number === 0 ? undefined : signalName(number);
  }

  get coreDumped(): boolean {
    return (waitStatusOf(this) & 0x80) !== 0;
  }
}

/** In the form of wait(2). */
function waitStatusOf(event: ExitEvent): number {
  return slabOf(event).u32(startOf(event) + EventExit.status);
}
