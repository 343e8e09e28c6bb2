/** Runs scenarios in this kernel: their commands, and the events of these processes and their descendants. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Process, Scenario, Tracer, TracerEvent } from '../../types/index.js';
import type { Outcome } from './scenario-verdict.js';

type ProcessEvent = Exclude<TracerEvent, { type: 'lost' }>;

/** The shell says that it has started, and waits for a line. Its start is no part of the scenario. */
const WAIT = 'echo >&3; read -r _ <&4; exec 3>&- 4<&-\n';

/** The events of a tracer, for one scenario at a time. */
export class LiveScenarios {
  readonly #ended: Promise<void>;
  readonly #watching = new Set<(event: TracerEvent) => void>();
  #marks = 0;

  constructor(readonly tracer: Tracer) {
    this.#ended = this.#read();
    // close() reports the failure
    this.#ended.catch(() => undefined);
  }

  async #read(): Promise<void> {
    for await (const batch of this.tracer.batches()) {
      for (const event of batch) this.#watching.forEach((take) => take(event));
    }
  }

  /**
   * The stream has the order of the kernel. All events before the scenario come before the end of a marker process, and all
   * events of the commands before the end of their shell.
   */
  async run({ run = '', timeout, status }: Scenario): Promise<Outcome> {
    const events: ProcessEvent[] = [];
    const troubles: string[] = [];
    const child = spawn('/bin/sh', ['-c', WAIT + run], { detached: true, stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] }); // prettier-ignore
    const isOver = exitOf(child);
    const { pid = 0, stdio } = child;
    let giveUp: () => void = () => undefined;
    const isLate = new Promise<void>((resolve) => (giveUp = resolve));
    const timer = setTimeout(() => {
      troubles.push(`SCENARIO_TIMEOUT: the commands and their events took more than ${timeout} seconds`);
      endGroup(child);
      giveUp();
    }, timeout * 1000);
    const take = (event: TracerEvent): void => {
      if (event.type !== 'lost' && isOf(pid, event)) events.push(event);
      if (event.type === 'lost') troubles.push(`EVENTS_LOST: ${event.count} events of ${event.hook} (${event.reason})`);
    };
    await Promise.race([stdio[3] && once(stdio[3], 'data'), isOver]);
    await Promise.race([this.#settled(), isLate]);
    const hasEnded = this.#seen((event) => event.type === 'process_exit' && event.process.pid === pid);
    this.#watching.add(take);
    const start = stdio[4] as NodeJS.WritableStream | undefined;
    start?.once('error', () => undefined);
    start?.end('\n');
    const exit = await isOver;
    await Promise.race([hasEnded, isLate]);
    this.#watching.delete(take);
    clearTimeout(timer);
    endGroup(child);
    if (status !== undefined && exit !== status) {
      troubles.push(`SCENARIO_STATUS: the commands ended with ${String(exit)}, not ${status}`);
    }
    return { events: events.map((event) => event.toObject()), uncertain: [], troubles };
  }

  #seen(wanted: (event: TracerEvent) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (event: TracerEvent): void => {
        if (!wanted(event)) return;
        this.#watching.delete(look);
        resolve();
      };
      this.#watching.add(look);
    });
  }

  /** Resolves when the events of everything before have come. */
  async #settled(): Promise<void> {
    const mark = `polytrace-mark-${++this.#marks}`;
    const seen = this.#seen((event) => event.type === 'process_exit' && event.process.argv.at(-1) === mark);
    await exitOf(spawn('/bin/sh', ['-c', ':', mark], { stdio: 'ignore' }));
    await seen;
  }

  async close(): Promise<void> {
    await this.tracer.close();
    await this.#ended;
  }
}

/** The process of the commands, or one that it or a descendant has started. */
function isOf(pid: number, event: ProcessEvent): boolean {
  const is = (process: Process | undefined): boolean => process?.pid === pid;
  return is(event.process) || is(event.parent) || event.ancestors.some(is);
}

/** The exit status, or the name of the signal. */
function exitOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 0));
  });
}

/** Ends what the commands have left in the background. */
function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // there is none any more
  }
}
