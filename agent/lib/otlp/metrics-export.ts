/**
 * Exports the numbers that policies count to an OpenTelemetry collector, at intervals. They are cumulative: an export that
 * failed loses nothing, because the next one has the same numbers and later ones. So nothing is kept for a retry.
 */
import type { PolicyCounts } from '../counts/policy-counts.js';
import type { CountedSample } from '../counts/count-series.js';
import { LogInterval } from '../log/log-interval.js';
import type { Log } from '../log/log.js';
import { openExporter, type Exporter, type ExporterOptions } from './exporters.js';
import { encodeRequests, type MetricRequest, type RequestOptions } from './metric-requests.js';
import { routeDiagnostics } from './diagnostics.js';
import { METRICS } from './signals.js';

export interface MetricsExportOptions extends ExporterOptions, RequestOptions {
  readonly intervalMs: number;
  /** For tests: divides the times between retries. */
  readonly speedup?: number;
}

export interface MetricsExportStats {
  /** Values that the collector has taken: data points. */
  readonly sent: number;
  /** Requests that failed. */
  readonly failures: number;
  /** Intervals at whose end the collector had not taken their numbers. */
  readonly missed: number;
  readonly isFailing: boolean;
}

const RETRY_MS = 1000;
const RETRY_MAX_MS = 30_000;

export class MetricsExport {
  readonly #options: MetricsExportOptions;
  readonly #log: Log;
  readonly #exporter: Exporter<Uint8Array>;
  readonly #isRefusal: (code: unknown) => boolean;
  #counts: Pick<PolicyCounts, 'readSeries'> | undefined;
  #sent = 0;
  #failures = 0;
  #missed = 0;
  #isFailing = false;
  readonly #logInterval = new LogInterval();
  #timer: NodeJS.Timeout | undefined;
  #retryMs = RETRY_MS;
  /** When the numbers of the running interval are due, by performance.now(). */
  #due = Infinity;
  #running: Promise<void> = Promise.resolve();
  #isClosed = false;

  private constructor(
    options: MetricsExportOptions,
    log: Log,
    exporter: Exporter<Uint8Array>,
    isRefusal: (code: unknown) => boolean,
  ) {
    this.#options = options;
    this.#log = log;
    this.#exporter = exporter;
    this.#isRefusal = isRefusal;
  }

  /** The packages are loaded only when they are needed. */
  static async open(options: MetricsExportOptions, log: Log): Promise<MetricsExport> {
    await routeDiagnostics(log);
    const { exporter, isRefusal } = await openExporter(options, METRICS);
    const resource = { 'service.name': 'polytrace-agent', 'service.version': options.version, ...options.resource };
    return new MetricsExport({ ...options, resource }, log, exporter, isRefusal);
  }

  get stats(): MetricsExportStats {
    return { sent: this.#sent, failures: this.#failures, missed: this.#missed, isFailing: this.#isFailing };
  }

  start(counts: Pick<PolicyCounts, 'readSeries'>): void {
    this.#counts = counts;
    this.#due = performance.now() + this.#options.intervalMs;
    this.#schedule(this.#options.intervalMs);
  }

  #schedule(ms: number): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#exportAndSchedule();
    }, ms);
  }

  async #exportAndSchedule(): Promise<void> {
    const { intervalMs, speedup = 1 } = this.#options;
    const outcome = await this.#export();
    if (outcome !== 'failed') this.#retryMs = RETRY_MS;
    if (outcome === 'refused') this.#missed += 1;
    const now = performance.now();
    const late = Math.floor((now - this.#due) / intervalMs);
    if (outcome === 'failed') {
      if (late > 0) this.#missed += late;
      this.#due += Math.max(late, 0) * intervalMs;
      this.#schedule(Math.min(this.#retryMs / speedup, intervalMs));
      this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MAX_MS);
      return;
    }
    this.#due += (Math.max(late, 0) + 1) * intervalMs;
    this.#schedule(this.#due - now);
  }

  async #export(): Promise<'sent' | 'failed' | 'refused'> {
    try {
      const sample = await this.#counts?.readSeries();
      if (sample !== undefined) await this.#sendAll(sample);
    } catch (error) {
      this.#failures += 1;
      this.#isFailing = true;
      const { message, code } = error as { readonly message: string; readonly code?: unknown };
      const isRefused = this.#isRefusal(code);
      if (this.#logInterval.isDue()) {
        const text = isRefused ? 'the collector refused metrics' : 'the collector takes no metrics: it is asked again';
        this.#log.error({ reason: message, failures: this.#failures }, text);
      }
      return isRefused ? 'refused' : 'failed';
    }
    if (this.#isFailing) this.#log.info('the collector takes metrics again');
    this.#isFailing = false;
    return 'sent';
  }

  async #sendAll(sample: CountedSample): Promise<void> {
    let since = performance.now();
    for (const request of encodeRequests(sample, this.#options)) {
      if (request !== undefined) await this.#send(request);
      else if (performance.now() - since < SLICE_MS) continue;
      else await new Promise((resolve) => void setImmediate(resolve));
      since = performance.now();
    }
  }

  async #send({ bytes, points }: MetricRequest): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#exporter.export(bytes, ({ code, error }) => {
        if ((code as number) === SUCCESS) resolve();
        else reject(error ?? new Error('the collector did not answer'));
      });
    });
    this.#sent += points;
  }

  /** Exports the last numbers, for at most `waitMs`. The tracer must still be open. */
  async close(waitMs: number): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    let timer: NodeJS.Timeout | undefined;
    const last = this.#running.then(() => this.#export());
    await Promise.race([last, new Promise((resolve) => (timer = setTimeout(resolve, waitMs)))]);
    clearTimeout(timer);
    // it waits for a request that is on its way
    void this.#exporter.shutdown().catch(() => undefined);
  }
}

/** ExportResultCode.SUCCESS of OpenTelemetry. */
const SUCCESS = 0;
/** Longest time that the encoding runs without a pause, in milliseconds. */
const SLICE_MS = 5;
