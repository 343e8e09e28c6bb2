/**
 * Finds the members of events that are not in their records: the functions of stack traces, and the build ids of mapped
 * files. Events wait for them, within limits. A member that is not found in time stays unknown.
 */
import { findFileBuildId } from './build-ids.js';
import { resolveAddresses, type ResolvedFrame } from './mapped-files.js';

/** An event with addresses of a process. */
export interface AwaitsFrames {
  readonly pid: number;
  readonly addresses: readonly bigint[];
  readonly setFrames: (frames: ReadonlyMap<bigint, ResolvedFrame>) => void;
}

/** An event of a mapped file. */
export interface AwaitsBuildId {
  readonly pid: number;
  readonly file: Parameters<typeof findFileBuildId>[1];
  readonly setBuildId: (id: string | undefined) => void;
}

/** Finds the members of the events of one tracer. */
export class LateMembers {
  readonly #onStart: (work: Promise<void>) => void;
  /** The stack traces of the records that are decoded now, by process. */
  #stacks: Map<number, AwaitsFrames[]> | undefined;

  /** `onStart` is called with work for which the events of the same read wait. */
  constructor(onStart: (work: Promise<void>) => void) {
    this.#onStart = onStart;
  }

  /** All stack traces of one process in one read are resolved together. */
  addStack(event: AwaitsFrames): void {
    if (this.#stacks === undefined) {
      this.#stacks = new Map();
      this.#onStart(this.#resolveStacks());
    }
    const same = this.#stacks.get(event.pid);
    if (same === undefined) this.#stacks.set(event.pid, [event]);
    else same.push(event);
  }

  async #resolveStacks(): Promise<void> {
    await Promise.resolve(); // after all records of this read
    const stacks = this.#stacks ?? new Map<number, AwaitsFrames[]>();
    this.#stacks = undefined;
    await Promise.all([...stacks.values()].map(resolveProcess));
  }

  addFile({ pid, file, setBuildId }: AwaitsBuildId): void {
    this.#onStart(findFileBuildId(pid, file).then(setBuildId));
  }
}

async function resolveProcess(events: readonly AwaitsFrames[]): Promise<void> {
  const addresses = [...new Set(events.flatMap((event) => event.addresses))];
  const frames = await resolveAddresses(events[0]?.pid ?? 0, addresses);
  for (const { setFrames } of events) setFrames(frames);
}
