/** `polytrace replay`: prints what policies would have reported of a recording. */
import type {
  CompiledPolicy,
  PlainEvent,
  RecordedEvent,
  RecordingReader,
  ReplayedMetric,
  Replayer,
  Uncertainty,
} from '../../types/index.js';
import { OUTPUT_LOST, POLICY_ERRORS, SUCCESS, UNKNOWN, type Context } from './context.js';
import { FORMATS } from './event-lines.js';
import { checkNotJson, jsonOptions } from './json-options.js';
import type { KernelOptions } from './kernel.js';
import { formatMetrics } from './metrics-table.js';
import { EventOutput, printMessage } from './output.js';
import { createPrinter, type PrinterOptions } from './printer.js';
import { compilePolicies, readHooks, readRecordedEvents } from './recorded-calls.js';
import { metricsJson } from './stat-json.js';

export interface ReplayOptions extends PrinterOptions, KernelOptions {
  readonly policy: readonly string[];
}

export async function replay(path: string, options: ReplayOptions, context: Context): Promise<number> {
  if (options.output !== 'json') checkNotJson(options);
  const ended = new AbortController();
  const recordedHooks = await readHooks(path, context);
  printMessage(context, `${path}: ${FORMATS.recording}`);
  const summary = new ReplaySummary(
    compilePolicies(options.policy, options, recordedHooks, context),
    recordedHooks,
    context,
  );
  const json = jsonOptions(options, context);
  const printer = createPrinter<PlainEvent>(options, context, {
    view: (event) => event,
    json: (event) => context.api.toJson(event, json),
  });
  const output = new EventOutput(context, {
    shouldContinue: () => false,
    onEnd: () => ended.abort(),
    report: (message) => printMessage(context, `polytrace: ${message}`),
  });
  await output.write(printer.start);
  let invalidLines = 0;
  const onError = (text: string): void => {
    invalidLines += 1;
    printMessage(context, text);
  };
  for await (const item of readRecordedEvents(path, context, onError)) {
    if (ended.signal.aborted) break;
    await output.write(printer.format(summary.replayEvent(item)));
  }
  await output.write(printer.end());
  if (ended.signal.aborted) return output.lostEvents > 0 ? OUTPUT_LOST : SUCCESS;
  const metrics = summary.metrics();
  if (metrics.length > 0) {
    const isJson = options.output === 'json';
    await output.write(isJson ? `${metricsJson({ time: summary.lastTime, metrics })}\n` : formatMetrics(metrics)); // prettier-ignore
  }
  for (const line of summary.formatLines()) printMessage(context, line);
  if (output.lostEvents > 0) return OUTPUT_LOST;
  if (invalidLines > 0) return POLICY_ERRORS;
  return summary.unknown > 0 ? UNKNOWN : SUCCESS;
}

/** Replays events with all policies, and counts the verdicts for the summary. */
class ReplaySummary {
  readonly #policies: readonly { readonly compiled: CompiledPolicy; readonly replayer: Replayer }[];
  readonly #uncertainties = new Map<string, number>();
  readonly #filtered: ReadonlySet<string>;
  #calls = 0;
  #reported = 0;
  unknown = 0;
  /** Time of the last event. */
  lastTime: Date | undefined;

  constructor(policies: readonly CompiledPolicy[], { hooks }: RecordingReader, { api }: Context) {
    this.#policies = policies.map((compiled) => ({ compiled, replayer: api.replayer(compiled, hooks) }));
    const filtered = hooks.filter(({ isFiltered }) => isFiltered);
    this.#filtered = new Set(filtered.map(({ policyName, call }) => `${policyName} ${call}`));
  }

  /** Returns what the policies report for an event of a hook. Other events are returned unchanged. */
  replayEvent(recorded: RecordedEvent): PlainEvent[] {
    this.lastTime = new Date(recorded.event.time);
    if (recorded.hook === undefined) return [recorded.event];
    return this.#policies.flatMap(({ compiled, replayer }) =>
      replayer.replay(recorded).flatMap(({ hook, verdict, event }) => {
        this.#calls += 1;
        if (verdict.reported === 'unknown')
          this.#countUnknown(`${compiled.name} ${compiled.hooks[hook]?.call ?? ''}`, verdict.doubts);
        if (verdict.reported !== 'yes' || event === undefined) return [];
        this.#reported += 1;
        return [event];
      }),
    );
  }

  metrics(): ReplayedMetric[] {
    return this.#policies.flatMap(({ replayer }) => replayer.metrics());
  }

  #countUnknown(hook: string, uncertainties: readonly Uncertainty[]): void {
    this.unknown += 1;
    for (const { code, about, meaning } of uncertainties) {
      const key = `${hook}: ${code} ${about}: ${meaning}`;
      this.#uncertainties.set(key, (this.#uncertainties.get(key) ?? 0) + 1);
    }
  }

  *formatLines(): Generator<string> {
    for (const { compiled, replayer } of this.#policies) {
      for (const { call } of replayer.uncovered)
        yield `note: ${compiled.name} ${call}: no hook of the recording has its calls`;
    }
    for (const name of this.#filtered)
      yield `note: ${name} was recorded with filters: other calls are not in the recording`;
    for (const [uncertainty, count] of this.#uncertainties) yield `unknown: ${uncertainty} (${count} calls)`;
    const unreported = this.#calls - this.#reported - this.unknown;
    yield `${this.#calls} calls: ${this.#reported} reported, ${unreported} not, ${this.unknown} unknown`;
  }
}
