/** `polytrace replay`: prints what policies would have reported of a recording. */
import type {
  Uncertainty,
  PlainEvent,
  CompiledPolicy,
  RecordedEvent,
  RecordingReader,
  Replayer,
} from '../../types/index.js';
import { GOOD, OUTPUT_LOST, POLICY_ERRORS, UNKNOWN, type Context } from './context.js';
import { checkNotJson, jsonOptions } from './json-options.js';
import type { KernelOptions } from './kernel.js';
import { EventOutput } from './output.js';
import { printerOf, type PrinterOptions } from './printer.js';
import { compiled, readHooks, recordedItems } from './recorded-calls.js';
import { oneLine } from './text.js';

export interface ReplayOptions extends PrinterOptions, KernelOptions {
  readonly policy: readonly string[];
}

export async function replay(path: string, options: ReplayOptions, context: Context): Promise<number> {
  if (options.output !== 'json') checkNotJson(options);
  const end = new AbortController();
  const known = await readHooks(path, context);
  const report = new Report(compiled(options.policy, options, known, context), known, context);
  const json = jsonOptions(options, context);
  const printer = printerOf<PlainEvent>(options, context, {
    view: (event) => event,
    json: (event) => context.api.toJson(event, json),
  });
  const output = new EventOutput(context, {
    goesOn: () => false,
    onEnd: () => end.abort(),
    report: (message) => say(context, `polytrace: ${message}`),
  });
  await output.write(printer.start);
  let wrong = 0;
  const onMistake = (text: string): void => {
    wrong += 1;
    say(context, text);
  };
  for await (const item of recordedItems(path, context, onMistake)) {
    if (end.signal.aborted) break;
    await output.write(printer.text(report.answersTo(item)));
  }
  await output.write(printer.end());
  for (const line of report.lines()) say(context, line);
  if (output.lost > 0) return OUTPUT_LOST;
  if (wrong > 0) return POLICY_ERRORS;
  return report.unknown > 0 ? UNKNOWN : GOOD;
}

/** The answers of all policies, and what has to be said about them at the end. */
class Report {
  readonly #policies: readonly { readonly image: CompiledPolicy; readonly replayer: Replayer }[];
  readonly #doubts = new Map<string, number>();
  readonly #filtered: ReadonlySet<string>;
  #calls = 0;
  #reported = 0;
  unknown = 0;

  constructor(images: readonly CompiledPolicy[], { hooks }: RecordingReader, { api }: Context) {
    this.#policies = images.map((image) => ({ image, replayer: api.replayer(image, hooks) }));
    const filtered = hooks.filter(({ isFiltered }) => isFiltered);
    this.#filtered = new Set(filtered.map(({ policyName, call }) => `${policyName} ${call}`));
  }

  /** Events of hooks become those that the policies report. The others stay. */
  answersTo(recorded: RecordedEvent): PlainEvent[] {
    if (recorded.hook === undefined) return [recorded.event];
    return this.#policies.flatMap(({ image, replayer }) =>
      replayer.replay(recorded).flatMap(({ hook, verdict, event }) => {
        this.#calls += 1;
        if (verdict.reported === 'unknown')
          this.#note(`${image.name} ${image.hooks[hook]?.call ?? ''}`, verdict.doubts);
        if (verdict.reported !== 'yes' || event === undefined) return [];
        this.#reported += 1;
        return [event];
      }),
    );
  }

  #note(hook: string, doubts: readonly Uncertainty[]): void {
    this.unknown += 1;
    for (const { code, about, meaning } of doubts) {
      const key = `${hook}: ${code} ${about}: ${meaning}`;
      this.#doubts.set(key, (this.#doubts.get(key) ?? 0) + 1);
    }
  }

  *lines(): Generator<string> {
    for (const { image, replayer } of this.#policies) {
      for (const { call } of replayer.uncovered)
        yield `note: ${image.name} ${call}: no hook of the recording has its calls`;
    }
    for (const name of this.#filtered)
      yield `note: ${name} was recorded with filters: other calls are not in the recording`;
    for (const [doubt, count] of this.#doubts) yield `unknown: ${doubt} (${count} calls)`;
    const not = this.#calls - this.#reported - this.unknown;
    yield `${this.#calls} calls: ${this.#reported} reported, ${not} not, ${this.unknown} unknown`;
  }
}

function say({ stderr }: Context, text: string): void {
  stderr.write(`${oneLine(text)}\n`);
}
