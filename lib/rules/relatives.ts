/** Knows the processes of earlier events: which execs are one process, and who its parent and grandparent are. */
import type { PlainProcess } from '../../types/events.js';
import type { ProcessRuleEvent } from '../../types/rules.js';
import { RecentMap } from './recent-map.js';

const PROCESSES_MAX = 16_384;

type Described = Pick<PlainProcess, 'execId' | 'parentExecId' | 'formerExecId' | 'pid' | 'forked'>;

interface Known {
  /** `execId` of the first exec of the process. */
  readonly key: string;
  readonly parentExecId: string;
  readonly pid: number;
  readonly forked: boolean;
}

export class Relatives {
  readonly #byExecId = new RecentMap<string, Known>(PROCESSES_MAX);
  readonly #byPid = new RecentMap<string, Known>(PROCESSES_MAX);

  /** Must be called for each event, in their order. */
  learn({ nodeName, process, parent, former, ancestors }: ProcessRuleEvent): void {
    if (this.#byExecId.get(process.execId) !== undefined) return;
    for (const each of [...ancestors].reverse()) this.#add(each, nodeName);
    if (parent !== undefined) this.#add(parent, nodeName);
    if (former !== undefined) this.#add(former, nodeName);
    this.#add(process, nodeName);
  }

  processKey({ process }: ProcessRuleEvent): string {
    return this.#byExecId.get(process.execId)?.key ?? process.execId;
  }

  /** The process, its parent and its grandparent, but not process 1. */
  familyKeys(event: ProcessRuleEvent): string[] {
    const keys = [this.processKey(event)];
    let { parentExecId } = event.process;
    for (let generation = 0; generation < 2 && parentExecId !== ''; generation++) {
      const parent = this.#byExecId.get(parentExecId);
      if ((parent?.pid ?? parsePid(parentExecId)) <= 1) break;
      keys.push(parent?.key ?? parentExecId);
      parentExecId = parent?.parentExecId ?? '';
    }
    return keys;
  }

  #add({ execId, parentExecId, formerExecId, pid, forked }: Described, nodeName: string): void {
    if (execId === '' || this.#byExecId.get(execId) !== undefined) return;
    const place = `${nodeName}:${pid}`;
    const before = this.#byPid.get(place);
    // the first exec after a fork does not name the process before it
    const continues = before?.forked === true && !forked && before.parentExecId === parentExecId;
    const former = formerExecId === undefined ? (continues ? before : undefined) : this.#byExecId.get(formerExecId);
    const known = { key: former?.key ?? formerExecId ?? execId, parentExecId, pid, forked };
    this.#byExecId.set(execId, known);
    this.#byPid.set(place, known);
  }
}

/** An exec id is base64 of `node:start_ns:pid`. */
function parsePid(execId: string): number {
  const text = Buffer.from(execId, 'base64').toString('latin1');
  const digits = /:(\d+)$/.exec(text)?.[1];
  return digits === undefined ? Infinity : Number(digits);
}
