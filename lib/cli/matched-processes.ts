/** `--processes matched`: starts and ends only of processes that an event of a policy is about, and of their ancestors. */
import type { PlainEvent } from '../../types/index.js';

/** More processes run on few machines. */
const PROCESSES_MAX = 65_536;

interface Start {
  readonly text: string;
  /** `execId` of the former image of the process, and of its parent: an agent need not send the ancestors. */
  readonly before: readonly string[];
}

type ProcessEvent = Exclude<PlainEvent, { readonly type: 'lost' }>;

/** Holds the text of each start until the process, or a descendant of it, is in an event of a policy. */
export class MatchedProcesses {
  readonly #held = new Map<string, Start>();
  /** Processes that are shown until they end. */
  readonly #shown = new Set<string>();

  /** Returns what is to be written: the event's own text after the starts that it makes interesting, or nothing. */
  take(event: PlainEvent, text: string): string {
    switch (event.type) {
      case 'lost':
        return text;
      case 'process_exec':
        return this.#isShownAgain(event) ? text : this.#hold(event, text);
      case 'process_exit':
        this.#held.delete(event.process.execId);
        return this.#shown.delete(event.process.execId) ? text : '';
      default:
        return this.#startsOf(event) + text;
    }
  }

  /** A process that is shown goes on with another program: its end will be shown. */
  #isShownAgain({ process: { execId, formerExecId } }: ProcessEvent): boolean {
    if (formerExecId === undefined || !this.#shown.delete(formerExecId)) return false;
    this.#show(execId);
    return true;
  }

  #hold(event: ProcessEvent, text: string): '' {
    const { execId, parentExecId, formerExecId } = event.process;
    this.#held.set(execId, {
      text,
      before: formerExecId === undefined ? [parentExecId] : [formerExecId, parentExecId],
    });
    if (this.#held.size > PROCESSES_MAX) removeOldest(this.#held);
    return '';
  }

  #show(execId: string): void {
    this.#shown.add(execId);
    if (this.#shown.size > PROCESSES_MAX) removeOldest(this.#shown);
  }

  /** The starts of the process and of its ancestors, the oldest first. */
  #startsOf({ process, former, parent, ancestors }: ProcessEvent): string {
    const starts: string[] = [];
    const images = [process, former, parent, ...ancestors].map((image) => image?.execId);
    const open = [...images, process.parentExecId].filter((id): id is string => id !== undefined && id !== '');
    for (const id of open) {
      this.#show(id);
      const start = this.#held.get(id);
      if (start === undefined) continue;
      this.#held.delete(id);
      starts.unshift(start.text);
      open.push(...start.before);
    }
    return starts.join('');
  }
}

function removeOldest(entries: Map<string, unknown> | Set<string>): void {
  for (const oldest of entries.keys()) {
    entries.delete(oldest);
    return;
  }
}
