/** `polytrace getevents`: loads policies and prints events until it is stopped. */
import { existsSync, readFileSync } from 'node:fs';
import type {
  CloseOptions,
  ContainerSourceName,
  EventsOptions,
  EventType,
  PolicyMode,
  PolicyStatus,
  Tracer,
  TracerEvent,
  TracerOptions,
} from '../../types/index.js';
import { isOfLibrary } from '../names/policy-library.js';
import { loadAgentPackage } from './agent-package.js';
import { GOOD, INTERRUPTED, OUTPUT_LOST, UsageError, type Context } from './context.js';
import { checkNotJson, jsonOptions } from './json-options.js';
import type { Output } from './output.js';
import { printerOf, standardOutput, type Printer, type PrinterOptions, type Target } from './printer.js';
import { RecordingFile } from './record.js';
import { oneLine } from './text.js';

export interface GetEventsOptions extends PrinterOptions {
  readonly policy?: readonly string[];
  readonly policyDir?: string;
  /** Patterns: those of JavaScript for a tracer of its own, of RE2 for an agent. */
  readonly process?: readonly string[];
  readonly eventTypes?: readonly EventType[];
  readonly policyNames?: readonly string[];
  readonly pods?: readonly string[];
  readonly namespaces?: readonly string[];
  readonly containers?: readonly string[];
  readonly labels?: readonly string[];
  readonly host?: boolean;
  readonly filter?: readonly string[];
  /** CEL, with those of `filter`. One of them has to be true. */
  readonly celExpression?: readonly string[];
  readonly containerSources?: readonly (ContainerSourceName | 'none')[];
  readonly duration?: number;
  readonly enforcement?: boolean;
  readonly allowRequests?: boolean;
  readonly mode?: PolicyMode;
  readonly persist?: string;
  readonly keep?: boolean;
  /** File for a recording. */
  readonly record?: string;
}

/** Runs until a signal, the end of `--duration`, or the end of the output's reader. Always closes the tracer. */
export async function getEvents(
  options: GetEventsOptions,
  context: Context,
  target?: Target<TracerEvent>,
): Promise<number> {
  const named = options.policy ?? [];
  const missing = named.find((path) => !isOfLibrary(path) && !existsSync(path));
  if (missing !== undefined) throw new UsageError(`no such file or folder: ${missing}`);
  if (options.keep === true && options.persist === undefined) throw new UsageError('--keep needs --persist');
  checkLabels(options, context);
  const binaries = patternsOf('--process', options.process);
  const ofBinary = context.api.eventFilter(binaries === undefined ? {} : { binaries });
  const ofExpression = expressionOf(options, context);
  const wanted = (event: TracerEvent): boolean => ofBinary(event) && ofExpression(event);
  const reading = eventsOptions(options);
  const { printer, open } = target ?? standardOutput(tracerPrinter(options, context), context);
  const policies = [...named, ...policiesOf(options.policyDir, context)];
  for (const { meaning, remedy } of context.api.hostGaps()) say(context, `warning: ${meaning}: ${remedy}`);

  if (options.record !== undefined && options.redactionFilters !== undefined) {
    throw new UsageError('--record writes all values, which --redaction-filters excludes');
  }
  const stop = new Stop(context, options.keep === true ? { keep: true } : {});
  let recording: RecordingFile | undefined;
  try {
    if (options.record !== undefined) {
      recording = await RecordingFile.create(options.record, context, (text) => say(context, text));
    }
    const output = open({
      goesOn: () => stop.enforces,
      onEnd: () => stop.request(),
      report: (message) => say(context, `polytrace: ${message}`),
    });
    const tracer = await context.api.openTracer({ policies, onProgress: progress(context), ...loading(options) });
    stop.whenRequested(tracer);
    const wantedOf = (batch: readonly TracerEvent[]): readonly TracerEvent[] => batch.filter(wanted);
    await printEvents(tracer, options, context, output, stop, { reading, printer, wantedOf, recording });
    const recorded = (await recording?.close()) ?? GOOD;
    recording = undefined;
    return output.lost === 0 ? recorded : OUTPUT_LOST;
  } finally {
    await stop.finish();
    await recording?.close();
  }
}

/** The package with CEL is loaded only for this. */
function expressionOf(options: GetEventsOptions, context: Context): (event: TracerEvent) => boolean {
  const { celExpression: expressions } = options;
  if (expressions === undefined) return () => true;
  const { celFilter } = loadAgentPackage(context);
  try {
    return celFilter(expressions, jsonOptions(options, context));
  } catch (error) {
    throw new UsageError(`--filter: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function say({ stderr }: Context, text: string): void {
  stderr.write(`${oneLine(text)}\n`);
}

const PROGRESS_MS = 2000;

/** Says how far loading is, every two seconds. */
function progress(context: Context): NonNullable<TracerOptions['onProgress']> {
  let last = performance.now();
  return ({ loaded, total }) => {
    if (loaded === total || performance.now() - last < PROGRESS_MS) return;
    last = performance.now();
    say(context, `loading: ${loaded} of ${total} policies`);
  };
}

/** The policies of `--policy-dir`. The folder of a container image is empty until somebody mounts a policy into it. */
function policiesOf(folder: string | undefined, context: Context): readonly string[] {
  if (folder === undefined) return [];
  try {
    if (existsSync(folder) && context.api.expandPolicyPaths(folder).length > 0) return [folder];
  } catch (error) {
    if (!(error instanceof context.api.PolicyError) || error.code !== 'FOLDER_EMPTY') throw error;
  }
  say(context, `note: there are no policies in ${folder}`);
  return [];
}

function checkLabels({ labels }: GetEventsOptions, { api }: Context): void {
  try {
    if (labels !== undefined) api.eventFilter({ labels });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function loading({ enforcement, allowRequests, mode, persist, containerSources }: GetEventsOptions): TracerOptions {
  const sources = containerSources?.filter((name) => name !== 'none');
  return {
    containers: sources === undefined ? true : sources.length > 0 && { sources },
    ...(enforcement === true ? { enforcement } : {}),
    ...(allowRequests === true ? { allowRequests } : {}),
    ...(mode === undefined ? {} : { mode }),
    ...(persist === undefined ? {} : { persist }),
  };
}

interface Printing {
  readonly reading: EventsOptions;
  readonly printer: Printer<TracerEvent>;
  readonly wantedOf: (batch: readonly TracerEvent[]) => readonly TracerEvent[];
  readonly recording: RecordingFile | undefined;
}

async function printEvents(
  tracer: Tracer,
  options: GetEventsOptions,
  context: Context,
  output: Output,
  stop: Stop,
  { reading, printer, wantedOf, recording }: Printing,
): Promise<void> {
  if (stop.requested) return;
  const batches = tracer.batches(reading);
  const policies = tracer.policies();
  for (const { name, skipped, warnings } of policies) {
    for (const { line, column, code, message } of warnings) {
      context.stderr.write(`${oneLine(`warning: ${name}: ${line}:${column} ${code}: ${message}`)}\n`);
    }
    for (const call of skipped) {
      say(context, `warning: ${name}: ${call} is left out, because this kernel does not have it`);
    }
  }
  say(context, readyLine(policies));
  if (options.duration !== undefined) stop.after(options.duration * 1000);
  if (printer.start !== '' && !(await output.write(printer.start))) return;
  for await (const batch of batches) {
    const events = wantedOf(batch);
    await recording?.take(events);
    const text = printer.text(events);
    if (text !== '' && !(await output.write(text))) return;
  }
  const end = printer.end();
  if (end !== '') await output.write(end);
}

function tracerPrinter(options: GetEventsOptions, context: Context): Printer<TracerEvent> {
  if (options.output !== 'json') checkNotJson(options);
  const json = jsonOptions(options, context);
  return printerOf(options, context, {
    view: (event: TracerEvent) => event,
    json: (event) => context.api.toJson(event, json),
  });
}

function eventsOptions(options: GetEventsOptions): EventsOptions {
  const { eventTypes: types, policyNames, namespaces, labels, host } = options;
  const pods = patternsOf('--pods', options.pods);
  const containers = patternsOf('--containers', options.containers);
  const all = { types, policyNames, pods, namespaces, containers, labels, host };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function patternsOf(option: string, patterns: readonly string[] | undefined): RegExp[] | undefined {
  return patterns?.map((pattern) => {
    try {
      return new RegExp(pattern);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new UsageError(`${option} '${pattern}': ${reason}. Without an agent, patterns are those of JavaScript`);
    }
  });
}

/** Always one line, so that a program that started this one can wait for it. */
function readyLine(policies: readonly PolicyStatus[]): string {
  const parts = policies.map(({ name, hooks, enforcing, mode }) => {
    const title = enforcing ? `${name} [${mode}]` : name;
    const names = hooks.map((hook) => `${hook.functionName} (${hook.attach})`);
    return `${title}: ${names.length === 0 ? 'no hooks on this kernel' : names.join(', ')}`;
  });
  return `ready: ${['base sensor: exec, exit, fork', ...parts].join('; ')}`;
}

/**
 * A request to stop. It closes the tracer: the hooks are detached, the recorded events are still delivered, and then
 * the iteration ends. No event is lost. A second signal exits without waiting for this.
 */
class Stop {
  readonly #context: Context;
  readonly #how: CloseOptions;
  #tracer: Tracer | undefined;
  #closing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #signals = 0;
  readonly #names = ignoresHangup() ? ['SIGINT', 'SIGTERM'] : ['SIGINT', 'SIGTERM', 'SIGHUP'];
  requested = false;

  constructor(context: Context, how: CloseOptions) {
    this.#context = context;
    this.#how = how;
    for (const name of this.#names) context.signals.on(name, this.#onSignal);
  }

  readonly #onSignal = (name: keyof typeof INTERRUPTED): void => {
    this.#signals += 1;
    if (this.#signals > 1) this.#context.exit(INTERRUPTED[name] ?? INTERRUPTED.SIGINT);
    this.request();
  };

  /** True while policies signal processes, override functions or change programs. */
  get enforces(): boolean {
    if (this.requested) return false;
    return this.#tracer?.policies().some(({ enforcing, mode }) => enforcing && mode === 'enforce') ?? false;
  }

  request(): void {
    this.requested = true;
    if (this.#tracer === undefined) return;
    this.#closing ??= this.#tracer.close(this.#how);
    // finish() reports the failure.
    this.#closing.catch(() => undefined);
  }

  /** Also handles a request that came before the tracer was open. */
  whenRequested(tracer: Tracer): void {
    this.#tracer = tracer;
    if (this.requested) this.request();
  }

  after(milliseconds: number): void {
    this.#timer = setTimeout(() => this.request(), milliseconds);
  }

  async finish(): Promise<void> {
    clearTimeout(this.#timer);
    this.request();
    try {
      await this.#closing;
    } finally {
      for (const name of this.#names) this.#context.signals.off(name, this.#onSignal);
    }
  }
}

/** True under nohup, which wants the command to outlive its terminal. A listener would end that. */
function ignoresHangup(): boolean {
  try {
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
    return (BigInt(`0x${mask}`) & 1n) !== 0n;
  } catch {
    return false;
  }
}
