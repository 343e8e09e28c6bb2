/** The events of the base sensor: a process executed a program, or ended. */
import type { EnvironmentVariable } from '../../types/events.js';
import { signalName } from '../names/signals.js';
import { getTrackedProcess } from '../process/view.js';
import { EventExec, EventExit, EventHeader } from '../wire/layout.gen.js';
import { RecordEvent, recordChunk, recordStart } from './record.js';

export class ExecEvent extends RecordEvent {
  get type(): 'process_exec' {
    return 'process_exec';
  }

  get environment(): readonly EnvironmentVariable[] | undefined {
    const { environment: names } = getTrackedProcess(this.process).context;
    if (names === undefined) return undefined;
    const all = parseEnvironment(readEnvironment(this));
    return names.size === 0 ? all : all.filter(({ name }) => names.has(name));
  }
}

/** Returns the end of the record. */
function readEnvironment(event: ExecEvent): string {
  const chunk = recordChunk(event);
  const start = recordStart(event);
  const size = chunk.u32(start + EventHeader.size);
  const length = chunk.u32(start + EventExec.environmentLength);
  return length <= size - EventExec.sizeof ? chunk.readString(start + size - length, length) : '';
}

function parseEnvironment(area: string): EnvironmentVariable[] {
  const texts = area.split('\0');
  if (texts.at(-1) === '') texts.pop();
  return texts.map((text) => {
    const end = text.indexOf('=');
    return end < 0 ? { name: text, value: '' } : { name: text.slice(0, end), value: text.slice(end + 1) };
  });
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
