/**
 * `--processes matched`: prints exec and exit events only for processes with an event of a policy, and for their
 * ancestors.
 */
import type { PlainEvent } from '../../types/index.js';
import type { PlainProcessEvent } from './plain-event.js';

/** Limit of the processes that are tracked. Few machines run more. */
const PROCESSES_MAX = 65_536;

interface PendingStart {
  readonly text: string;
  /** Exec ids of the previous exec of the process and of its parent. An agent may leave out the ancestors. */
  readonly earlierExecIds: readonly string[];
}

/** Delays the output of each exec event until a policy reports an event of the process or of a descendant. */
export class MatchedProcesses {
  readonly #pending = new Map<string, PendingStart>();
  /** Exec ids of processes whose exit will be printed. */
  readonly #shown = new Set<string>();

  /** Returns the output for an event: the delayed exec events that it releases and its own text, or an empty string. */
  take(event: PlainEvent, text: string): string {
    switch (event.type) {
      case 'process_throttle':
      case 'change':
      case 'lost':
        return text;
      case 'process_exec':
        return this.#isShownAgain(event) ? text : this.#addPending(event, text);
      case 'process_exit':
        this.#pending.delete(event.process.execId);
        return this.#shown.delete(event.process.execId) ? text : '';
      case 'process_kprobe':
      case 'process_tracepoint':
      case 'process_uprobe':
      case 'process_usdt':
      case 'process_lsm':
      case 'process_loader':
        return this.#takeStarts(event) + text;
    }
  }

  /** True if the process was shown before this exec. Then its exit will also be shown. */
  #isShownAgain({ process: { execId, formerExecId } }: PlainProcessEvent): boolean {
    if (formerExecId === undefined || !this.#shown.delete(formerExecId)) return false;
    this.#show(execId);
    return true;
  }

  #addPending(event: PlainProcessEvent, text: string): '' {
    const { execId, parentExecId, formerExecId } = event.process;
    this.#pending.set(execId, {
      text,
      earlierExecIds: formerExecId === undefined ? [parentExecId] : [formerExecId, parentExecId],
    });
    if (this.#pending.size > PROCESSES_MAX) removeOldest(this.#pending);
    return '';
  }

  #show(execId: string): void {
    this.#shown.add(execId);
    if (this.#shown.size > PROCESSES_MAX) removeOldest(this.#shown);
  }

  /** Removes and returns the delayed exec events of the process and of its ancestors, the oldest first. */
  #takeStarts({ process, former, parent, ancestors }: PlainProcessEvent): string {
    const starts: string[] = [];
    const execIds = [process, former, parent, ...ancestors].map((exec) => exec?.execId);
    const queue = [...execIds, process.parentExecId].filter((id): id is string => id !== undefined && id !== '');
    for (const id of queue) {
      this.#show(id);
      const start = this.#pending.get(id);
      if (start === undefined) continue;
      this.#pending.delete(id);
      starts.unshift(start.text);
      queue.push(...start.earlierExecIds);
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
