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
import { isLibraryPolicy } from '../names/policy-library.js';
import { compilePatterns } from './container-options.js';
import { OUTPUT_LOST, STOP_SIGNALS, SUCCESS, UsageError, type Context } from './context.js';
import { joinBatches } from './joined-batches.js';
import { checkNotJson, compactOptions, jsonOptions } from './json-options.js';
import { loadProtocol } from '../protocol/load.js';
import { printMessage, type Output } from './output.js';
import { createPrinter, standardOutput, type Printer, type PrinterOptions, type EventDestination } from './printer.js';
import { RecordingFile } from './record.js';
import { setParameters } from './parameters.js';
import { StopSignals } from './stop-signals.js';

export interface GetEventsOptions extends PrinterOptions {
  readonly policy?: readonly string[];
  readonly policyDir?: string;
  /** Parameters of the policies. */
  readonly set?: readonly string[];
  /** Regular expressions: of JavaScript for a tracer in this process, of RE2 for an agent. */
  readonly process?: readonly string[];
  readonly eventTypes?: readonly EventType[];
  readonly policyNames?: readonly string[];
  readonly pods?: readonly string[];
  readonly namespaces?: readonly string[];
  readonly containers?: readonly string[];
  readonly labels?: readonly string[];
  readonly host?: boolean;
  readonly filter?: readonly string[];
  /** CEL expressions, together with `filter`. At least one of them has to be true. */
  readonly celExpression?: readonly string[];
  readonly containerSources?: readonly (ContainerSourceName | 'none')[];
  readonly duration?: number;
  readonly enforcement?: boolean;
  readonly allowMissedCalls?: boolean;
  readonly allowRequests?: boolean;
  /** False without rewriting of programs. */
  readonly optimize?: boolean;
  /** False without a cache of paths. */
  readonly cachePaths?: boolean;
  /** Hooks of several policies share a program. */
  readonly groupPolicies?: boolean;
  readonly mode?: PolicyMode;
  readonly persist?: string;
  /** File with the types of this kernel. */
  readonly btf?: string;
  readonly keep?: boolean;
  /** File for a recording. */
  readonly record?: string;
}

/** Nobody reads lines faster, and fewer reads of the ring buffer cost less. */
const LINES_COALESCE_MS = 50;

/** Prints events until a signal, the end of `--duration`, or the closing of the output. Always closes the tracer. */
export async function getEvents(
  options: GetEventsOptions,
  context: Context,
  target?: EventDestination<TracerEvent>,
): Promise<number> {
  const paths = options.policy ?? [];
  const missing = paths.find((path) => !isLibraryPolicy(path) && !existsSync(path));
  if (missing !== undefined) throw new UsageError(`no such file or folder: ${missing}`);
  if (options.keep === true && options.persist === undefined) throw new UsageError('--keep needs --persist');
  if (options.filterEnvironmentVariables !== undefined && options.enableProcessEnvironmentVariables !== true)
    throw new UsageError('--filter-environment-variables needs --enable-process-environment-variables');
  checkLabels(options, context);
  const binaries = compilePatterns('--process', options.process, JAVASCRIPT_PATTERNS);
  const filters = [
    binaries === undefined ? undefined : context.api.eventFilter({ binaries }),
    compileExpressions(options, context),
  ].filter((filter) => filter !== undefined);
  const eventsOptions = toEventsOptions(options);
  const { printer, open } = target ?? standardOutput(tracerPrinter(options, context), context);
  const named = [...paths, ...folderPolicies(options.policyDir, context)];
  const policies = options.set === undefined ? named : setParameters(named, options.set, context);
  for (const { meaning, remedy } of context.api.hostGaps()) printMessage(context, `warning: ${meaning}: ${remedy}`);

  if (options.record !== undefined && options.redactionFilters !== undefined) {
    throw new UsageError('--record writes all values, which --redaction-filters excludes');
  }
  const stop = new TracerStop(context, options.keep === true ? { keep: true } : {});
  let recording: RecordingFile | undefined;
  try {
    if (options.record !== undefined) {
      recording = await RecordingFile.create(options.record, context, (message) =>
        printMessage(context, `polytrace: ${message}`),
      );
    }
    const output = open({
      shouldContinue: () => stop.enforces,
      onEnd: () => stop.request(),
      report: (message) => printMessage(context, `polytrace: ${message}`),
    });
    const tracer = await context.api.openTracer({
      policies,
      onProgress: progressReporter(context),
      coalesceMs: LINES_COALESCE_MS,
      ...tracerOptions(options),
    });
    stop.closeOnRequest(tracer);
    const filterBatch =
      filters.length === 0
        ? undefined
        : (batch: readonly TracerEvent[]): readonly TracerEvent[] =>
            batch.filter((event) => filters.every((isWanted) => isWanted(event)));
    await printEvents(tracer, options, context, output, stop, { eventsOptions, printer, filterBatch, recording });
    const status = (await recording?.close()) ?? SUCCESS;
    recording = undefined;
    return output.lostEvents === 0 ? status : OUTPUT_LOST;
  } finally {
    await stop.finish();
    await recording?.close();
  }
}

/** Compiles the CEL expressions. */
function compileExpressions(
  options: GetEventsOptions,
  context: Context,
): ((event: TracerEvent) => boolean) | undefined {
  const { celExpression: expressions } = options;
  if (expressions === undefined) return undefined;
  const { celFilter } = loadProtocol();
  try {
    return celFilter(expressions, jsonOptions(options, context));
  } catch (error) {
    throw new UsageError(`--filter: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const PROGRESS_MS = 2000;

/** Returns a callback that reports the progress of loading, at most every two seconds. */
function progressReporter(context: Context): NonNullable<TracerOptions['onProgress']> {
  let last = performance.now();
  return ({ loaded, total }) => {
    if (loaded === total || performance.now() - last < PROGRESS_MS) return;
    last = performance.now();
    printMessage(context, `loading: ${loaded} of ${total} policies`);
  };
}

/**
 * Returns the folder of `--policy-dir` if it has policies. In a container image, the folder is empty until a policy is
 * mounted.
 */
function folderPolicies(folder: string | undefined, context: Context): readonly string[] {
  if (folder === undefined) return [];
  try {
    if (existsSync(folder) && context.api.expandPolicyPaths(folder).length > 0) return [folder];
  } catch (error) {
    if (!(error instanceof context.api.PolicyError) || error.code !== 'FOLDER_EMPTY') throw error;
  }
  printMessage(context, `note: there are no policies in ${folder}`);
  return [];
}

function checkLabels({ labels }: GetEventsOptions, { api }: Context): void {
  try {
    if (labels !== undefined) api.eventFilter({ labels });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function tracerOptions({
  enforcement,
  allowMissedCalls,
  allowRequests,
  optimize,
  cachePaths,
  groupPolicies,
  mode,
  persist,
  btf,
  containerSources,
  enableProcessEnvironmentVariables: hasEnvironment,
  filterEnvironmentVariables: variables,
}: GetEventsOptions): TracerOptions {
  const sources = containerSources?.filter((name) => name !== 'none');
  return {
    containers: sources === undefined ? true : sources.length > 0 && { sources },
    ...(enforcement === true ? { enforcement } : {}),
    ...(allowMissedCalls === true ? { allowMissedCalls } : {}),
    ...(allowRequests === true ? { allowRequests } : {}),
    ...(optimize === false ? { optimize } : {}),
    ...(cachePaths === false ? { cachePaths } : {}),
    ...(groupPolicies === false ? { groupPolicies } : {}),
    ...(mode === undefined ? {} : { mode }),
    ...(persist === undefined ? {} : { persist }),
    ...(btf === undefined ? {} : { btf }),
    ...(hasEnvironment === true ? { environment: variables ?? true } : {}),
  };
}

interface PrintOptions {
  readonly eventsOptions: EventsOptions;
  readonly printer: Printer<TracerEvent>;
  /** Undefined: all events are printed. */
  readonly filterBatch: ((batch: readonly TracerEvent[]) => readonly TracerEvent[]) | undefined;
  readonly recording: RecordingFile | undefined;
}

async function printEvents(
  tracer: Tracer,
  options: GetEventsOptions,
  context: Context,
  output: Output,
  stop: TracerStop,
  { eventsOptions, printer, filterBatch, recording }: PrintOptions,
): Promise<void> {
  if (stop.requested) return;
  const lines = recording === undefined && filterBatch === undefined ? printer.lines : undefined;
  const chunks = lines && tracer.lines(lines, eventsOptions);
  const batches = chunks === undefined ? tracer.batches(eventsOptions) : undefined;
  const policies = tracer.policies();
  for (const { name, skipped, warnings } of policies) {
    for (const { line, column, code, message } of warnings) {
      printMessage(context, `warning: ${name}: ${line}:${column} ${code}: ${message}`);
    }
    for (const call of skipped) {
      printMessage(context, `warning: ${name}: ${call} is left out, because this kernel does not have it`);
    }
  }
  printMessage(context, readyLine(policies));
  if (options.duration !== undefined) stop.requestAfter(options.duration * 1000);
  if (printer.start !== '' && !(await output.write(printer.start))) return;
  for await (const chunk of chunks ?? []) if (!(await output.write(chunk))) return;
  for await (const batch of batches === undefined ? [] : joinBatches(batches)) {
    const events = filterBatch === undefined ? batch : filterBatch(batch);
    await recording?.write(events);
    const text = printer.format(events);
    if (text.length > 0 && !(await output.write(text))) return;
  }
  const end = printer.end();
  if (end !== '') await output.write(end);
}

function tracerPrinter(options: GetEventsOptions, context: Context): Printer<TracerEvent> {
  if (options.output !== 'json') checkNotJson(options);
  const json = jsonOptions(options, context);
  return createPrinter(options, context, {
    view: (event: TracerEvent) => event,
    json: (event) => context.api.toJson(event, json),
    lines: (output) =>
      output === 'json' ? context.api.jsonLines(json) : context.api.compactLines(compactOptions(options, context)),
  });
}

/** Follows the reason why a pattern is refused. */
const JAVASCRIPT_PATTERNS = '. Without an agent, patterns are those of JavaScript';

function toEventsOptions(options: GetEventsOptions): EventsOptions {
  const { eventTypes: types, policyNames, namespaces, labels, host } = options;
  const pods = compilePatterns('--pods', options.pods, JAVASCRIPT_PATTERNS);
  const containers = compilePatterns('--containers', options.containers, JAVASCRIPT_PATTERNS);
  const all = { types, policyNames, pods, namespaces, containers, labels, host };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** Returns the message that all hooks are attached. It is one line, so that the parent process can wait for it. */
function readyLine(policies: readonly PolicyStatus[]): string {
  const parts = policies.map(({ name, hooks, enforcing, mode }) => {
    const title = enforcing ? `${name} [${mode}]` : name;
    const names = hooks.map((hook) => `${hook.functionName} (${hook.attach})`);
    return `${title}: ${names.length === 0 ? 'no hooks on this kernel' : names.join(', ')}`;
  });
  return `ready: ${['base sensor: exec, exit, fork', ...parts].join('; ')}`;
}

/**
 * Closes the tracer at a signal, or after a time: the hooks are detached, the events in the ring buffer are still
 * delivered, and then the iteration ends. No event is lost. A second request exits immediately.
 */
class TracerStop {
  readonly #closeOptions: CloseOptions;
  #tracer: Tracer | undefined;
  #closing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #signals: StopSignals;
  requested = false;

  constructor(context: Context, how: CloseOptions) {
    this.#closeOptions = how;
    const names = ignoresHangup() ? (['SIGINT', 'SIGTERM'] as const) : STOP_SIGNALS;
    this.#signals = new StopSignals(context, () => this.request(), names);
  }

  /** True while policies signal processes, override functions or change programs. */
  get enforces(): boolean {
    if (this.requested) return false;
    return this.#tracer?.policies().some(({ enforcing, mode }) => enforcing && mode === 'enforce') ?? false;
  }

  request(): void {
    this.requested = true;
    if (this.#tracer === undefined) return;
    this.#closing ??= this.#tracer.close(this.#closeOptions);
    // finish() reports the failure.
    this.#closing.catch(() => undefined);
  }

  /** Sets the tracer to close. Closes it now if a request came before the tracer was open. */
  closeOnRequest(tracer: Tracer): void {
    this.#tracer = tracer;
    if (this.requested) this.request();
  }

  requestAfter(milliseconds: number): void {
    this.#timer = setTimeout(() => this.request(), milliseconds);
  }

  async finish(): Promise<void> {
    clearTimeout(this.#timer);
    this.request();
    try {
      await this.#closing;
    } finally {
      this.#signals.end();
    }
  }
}

/** True if SIGHUP is ignored, as under nohup. A listener would make the signal stop the command. */
function ignoresHangup(): boolean {
  try {
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
    return (BigInt(`0x${mask}`) & 1n) !== 0n;
  } catch {
    return false;
  }
}
