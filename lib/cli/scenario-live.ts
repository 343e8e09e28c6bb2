/** Runs the commands of scenarios, and collects the events of their processes and descendants. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Metric, Process, Scenario, Tracer, TracerEvent } from '../../types/index.js';
import { subtractMetrics } from './scenario-metrics.js';
import type { ScenarioOutcome } from './scenario-outcome.js';

type TracerProcessEvent = Extract<TracerEvent, { readonly process: unknown }>;

/** The shell reports its start and waits for a line. The scenario begins after that line. */
const WAIT = 'echo >&3; read -r _ <&4; exec 3>&- 4<&-\n';

/** Runs scenarios with the events of one tracer, one scenario at a time. */
export class LiveScenarios {
  readonly #ended: Promise<void>;
  readonly #listeners = new Set<(event: TracerEvent) => void>();
  #marks = 0;

  constructor(readonly tracer: Tracer) {
    this.#ended = this.#read();
    // close() reports the failure
    this.#ended.catch(() => undefined);
  }

  async #read(): Promise<void> {
    for await (const batch of this.tracer.batches()) {
      for (const event of batch) this.#listeners.forEach((listener) => listener(event));
    }
  }

  /**
   * Events arrive in the order of the kernel. All events from before the scenario arrive before the exit of a marker
   * process, and all events of the commands arrive before the exit of their shell.
   */
  async run({ run = '', timeout, status, metrics }: Scenario): Promise<ScenarioOutcome> {
    const events: TracerProcessEvent[] = [];
    const problems: string[] = [];
    const child = spawn('/bin/sh', ['-c', WAIT + run], { detached: true, stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] }); // prettier-ignore
    const exited = waitForExit(child);
    const { pid = 0, stdio } = child;
    let giveUp: () => void = () => undefined;
    const timedOut = new Promise<void>((resolve) => (giveUp = resolve));
    const timer = setTimeout(() => {
      problems.push(`SCENARIO_TIMEOUT: the commands and their events took more than ${timeout} seconds`);
      killGroup(child);
      giveUp();
    }, timeout * 1000);
    const collect = (event: TracerEvent): void => {
      if ('process' in event && isFromProcess(pid, event)) events.push(event);
    };
    // also those before the commands: the end of a process may be what was lost
    const collectLosses = (event: TracerEvent): void => {
      if (event.type === 'lost') problems.push(`EVENTS_LOST: ${event.count} events of ${event.hook} (${event.reason})`);
    };
    this.#listeners.add(collectLosses);
    await Promise.race([stdio[3] && once(stdio[3], 'data'), exited]);
    await Promise.race([this.#waitForMarker(), timedOut]);
    const shellEnded = this.#waitForEvent((event) => event.type === 'process_exit' && event.process.pid === pid);
    const readMetrics = async (): Promise<readonly Metric[]> =>
      metrics.length === 0 ? [] : (await this.tracer.metrics()).metrics;
    const countedBefore = await readMetrics();
    this.#listeners.add(collect);
    const start = stdio[4] as NodeJS.WritableStream | undefined;
    start?.once('error', () => undefined);
    start?.end('\n');
    const exit = await exited;
    await Promise.race([shellEnded, timedOut]);
    const counted = subtractMetrics(await readMetrics(), countedBefore);
    this.#listeners.delete(collect);
    this.#listeners.delete(collectLosses);
    clearTimeout(timer);
    killGroup(child);
    if (status !== undefined && exit !== status) {
      problems.push(`SCENARIO_STATUS: the commands ended with ${String(exit)}, not ${status}`);
    }
    return { events: events.map((event) => event.toObject()), uncertain: [], metrics: counted, problems };
  }

  #waitForEvent(isWanted: (event: TracerEvent) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (event: TracerEvent): void => {
        if (!isWanted(event)) return;
        this.#listeners.delete(check);
        resolve();
      };
      this.#listeners.add(check);
    });
  }

  /** Resolves when all earlier events have arrived. */
  async #waitForMarker(): Promise<void> {
    const mark = `polytrace-mark-${++this.#marks}`;
    const markerSeen = this.#waitForEvent(
      (event) => event.type === 'process_exit' && event.process.argv.at(-1) === mark,
    );
    await waitForExit(spawn('/bin/sh', ['-c', ':', mark], { stdio: 'ignore' }));
    await markerSeen;
  }

  async close(): Promise<void> {
    await this.tracer.close();
    await this.#ended;
  }
}

/** True for an event of this process or of a descendant. */
function isFromProcess(pid: number, event: TracerProcessEvent): boolean {
  const hasPid = (process: Process | undefined): boolean => process?.pid === pid;
  return hasPid(event.process) || hasPid(event.parent) || event.ancestors.some(hasPid);
}

/** Resolves to the exit status, or to the name of the signal. */
function waitForExit(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 0));
  });
}

/** Kills the background processes of the commands. */
function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // no process of the group is left
  }
}
