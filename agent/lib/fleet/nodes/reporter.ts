/** Writes the report of a node into the bucket of nodes: again and again, and soon after a change. */
import { jetstream } from '@nats-io/jetstream';
import type { Log } from '../../log/log.js';
import type { FleetConnection } from '../connection.js';
import { explainFailure } from '../errors.js';
import { bucketKey, NODES_BUCKET } from '../names.js';
import { REPORT_MS, ROLLOUT_REPORT_MS, type NodeReport } from './report.js';

export interface ReporterOptions {
  readonly connection: Pick<FleetConnection, 'current' | 'listen'>;
  readonly cluster: string;
  readonly nodeName: string;
  /** `isInterval`: the report is one of those at regular times. */
  readonly makeReport: (isInterval: boolean) => NodeReport;
  /** True while a rollout waits for the reports of its nodes. */
  readonly isInRollout: () => boolean;
  readonly log: Log;
}

/** All nodes change at the same time: their reports are spread. */
const CHANGE_MS = 1000;
const PUBLISH_MS = 5000;

export class NodeReporter {
  readonly #options: ReporterOptions;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #stopListening: () => void = () => undefined;
  #lastProblem: string | undefined;
  #isStopped = false;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#stopListening = this.#options.connection.listen((state) => {
      if (state === 'connected') this.reportSoon();
    });
    this.#schedule();
    this.reportSoon();
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopListening();
    clearTimeout(this.#timer);
    clearTimeout(this.#soon);
  }

  /** Reports a change. Changes within a short time are one report. */
  reportSoon(): void {
    if (this.#soon !== undefined || this.#isStopped) return;
    this.#soon = setTimeout(() => {
      this.#soon = undefined;
      void this.#publish(false);
    }, CHANGE_MS * Math.random());
    this.#soon.unref();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    const ms = (this.#options.isInRollout() ? ROLLOUT_REPORT_MS : REPORT_MS) * (0.75 + Math.random() / 2);
    this.#timer = setTimeout(() => {
      void this.#publish(true);
      this.#schedule();
    }, ms);
    this.#timer.unref();
  }

  async #publish(isInterval: boolean): Promise<void> {
    const { connection, cluster, nodeName, makeReport, log } = this.#options;
    const nc = connection.current;
    if (nc === undefined) return;
    try {
      const report = JSON.stringify(makeReport(isInterval));
      const subject = `$KV.${NODES_BUCKET}.${bucketKey(cluster, nodeName)}`;
      await jetstream(nc).publish(subject, report, { timeout: PUBLISH_MS });
      this.#lastProblem = undefined;
    } catch (error) {
      const reason = explainFailure(error, `bucket ${NODES_BUCKET}`);
      if (reason !== this.#lastProblem) log.warn({ reason }, 'the state of this node cannot be reported to the fleet');
      this.#lastProblem = reason;
    }
  }
}
