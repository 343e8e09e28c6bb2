/** The events of the base sensor: a process executed a program, or ended. */
import { signalName } from '../names/signals.js';
import { EventExit } from '../wire/layout.gen.js';
import { RecordEvent, recordChunk, recordStart } from './record.js';

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
    return (readWaitStatus(this) >> 8) & 0xff;
  }

  get signal(): string | undefined {
    const number = readWaitStatus(this) & 0x7f;
    return number === 0 ? undefined : signalName(number);
  }

  get coreDumped(): boolean {
    return (readWaitStatus(this) & 0x80) !== 0;
  }
}

/** The status in the format of wait(2). */
function readWaitStatus(event: ExitEvent): number {
  return recordChunk(event).u32(recordStart(event) + EventExit.status);
}
