/**
 * The compact output: one line per event, `EMOJI LABEL SOURCE BINARY DETAIL`. File hashes and stack traces follow on
 * indented lines.
 */
import type {
  ChangeClient,
  ChangeEvent,
  MarkCause,
  PlainOf,
  LostEvent,
  PlainProcess,
  ProcessThrottleEvent,
  StackFrame,
  PlainEvent,
} from '../../types/events.js';
import type { CompactOptions, EventSummary, Redactor } from '../../types/output.js';
import { capabilityBits } from '../names/capabilities.js';
import { displayWidth, quoteUnsafe } from './escape.js';
import { formatFirstValue, isSystemCall, summarizeCall } from './known-functions.js';
import { hideInArguments } from './redact.js';
import { uprobeName } from '../names/attach-points.js';
import { formatValues, joinNonEmpty, quoteNonEmpty } from './format-values.js';

const LABEL_COLUMNS = 7;
const LINE_COLUMNS = 120;
/** Indentation of the lines after the first. */
const INDENT = '   ';
const CAP_SYS_ADMIN = capabilityBits(['CAP_SYS_ADMIN']);
const CAPABILITY_MARK = '🛑 CAP_SYS_ADMIN';

type Color = 'red' | 'green' | 'yellow' | 'blue' | 'dim';
const COLOR_CODES: Readonly<Record<Color, number>> = { dim: 2, red: 31, green: 32, yellow: 33, blue: 34 };

/** Matches only the colours of addColor(): an escape character in a traced string is shown as `\x1b`. */
const ANSI = /\u001b\[\d+m/g;

type PlainProcessEvent = Extract<PlainEvent, { readonly process: unknown }>;
type ActionEvent = Extract<PlainEvent, { readonly actions: unknown }>;
type PlainHookEvent = Extract<PlainEvent, { readonly args: unknown }>;

interface LineParts {
  readonly emoji: string;
  readonly label: string;
  readonly color: Color;
  readonly detail: string;
}

export function summarizeEvent(event: PlainEvent, options: Pick<CompactOptions, 'redact'> = {}): EventSummary {
  if (event.type === 'lost') {
    return {
      emoji: '⚠️',
      label: 'lost',
      detail: formatLossDetail(event),
      actions: '',
      reason: quoteNonEmpty(event.policyName),
    };
  }
  if (event.type === 'change')
    return {
      emoji: CHANGE.emoji,
      label: CHANGE.label,
      detail: formatChangeDetail(event),
      actions: '',
      reason: quoteNonEmpty(event.policyName),
    };
  const { emoji, label, detail } = lineParts(event, { redact: options.redact, reason: false });
  const isHookEvent = 'actions' in event;
  return {
    emoji,
    label: quoteUnsafe(label),
    detail: isHookEvent ? detail + prependSpace(formatMarks(event)) : detail,
    actions: isHookEvent ? formatActions(event) : '',
    reason: isHookEvent ? quoteNonEmpty(reportReason(event)) : '',
  };
}

export function formatCompact(event: PlainEvent, options: CompactOptions = {}): string {
  const line = formatEventLine(event, options);
  const hash = event.type === 'process_lsm' && event.imaHash !== undefined ? `\n${INDENT}${event.imaHash}` : '';
  return line + hash + ('actions' in event ? formatStacks(event) : '');
}

function formatEventLine(event: PlainEvent, options: CompactOptions): string {
  const paint = options.color === true ? addColor : keepPlain;
  const time = options.timestamps === true ? `${paint(event.time, 'dim')} ` : '';
  if (event.type === 'lost') return time + formatLost(event, paint);
  if (event.type === 'change') {
    const node = paint(quoteUnsafe(event.nodeName), 'dim');
    return `${time}${CHANGE.emoji} ${paint(CHANGE.label.padEnd(LABEL_COLUMNS), 'yellow')} ${node} ${formatChangeDetail(event)}`;
  }
  const { emoji, label, color, detail } = lineParts(event, options);
  // It is about a cgroup, not about one process.
  if (event.type === 'process_throttle')
    return `${time}${emoji} ${paint(label, color)} ${paint(quoteUnsafe(event.nodeName), 'dim')} ${detail}`;
  const actions = 'actions' in event ? formatActions(event) : '';
  const marks = 'actions' in event ? formatMarks(event) : '';
  const head = `${time}${emoji} ${paint(label.padEnd(LABEL_COLUMNS), color)} ${processText(event, paint)}`;
  const line = `${head}${prependSpace(detail)}${prependSpace(marks)}${paintPart(actions, 'red', paint)}${whoText(event, options.who, paint)}`;
  if (options.capabilities !== true || (event.process.capabilities.permitted & CAP_SYS_ADMIN) === 0n) return line;
  const width = displayWidth(line.replace(ANSI, ''));
  return (
    line + ' '.repeat(Math.max(1, LINE_COLUMNS - width - displayWidth(CAPABILITY_MARK))) + paint(CAPABILITY_MARK, 'red')
  );
}

/** The parts that all lines of a process share. */
export interface CompactProcess {
  readonly process: PlainProcess;
  readonly parent?: PlainProcess | undefined;
  readonly nodeName: string;
}

/** Returns the two texts that are the same in all lines of a process: before the values, and at the end of the line. */
export function compactProcessTexts(
  process: CompactProcess,
  { color, who }: Pick<CompactOptions, 'color' | 'who'>,
): readonly [before: string, end: string] {
  const paint = color === true ? addColor : keepPlain;
  return [processText(process, paint), whoText(process, who, paint)];
}

function processText({ process, nodeName }: CompactProcess, paint: typeof addColor): string {
  const { source, binary } = processStrings(process, nodeName);
  return `${paint(source, 'dim')} ${binary}`;
}

function whoText(process: CompactProcess, who: boolean | undefined, paint: typeof addColor): string {
  return who === true ? paintPart(formatWho(process), 'dim', paint) : '';
}

function formatStacks({ kernelStack, userStack }: ActionEvent): string {
  return formatFrames('Kernel', kernelStack) + formatFrames('User space', userStack);
}

function formatFrames(title: string, frames: readonly StackFrame[] | undefined): string {
  return frames === undefined
    ? ''
    : `\n${INDENT}${title}:${frames.map((frame) => `\n${INDENT}  ${formatFrame(frame)}`).join('')}`;
}

/** Formats `0xffff81234567: symbol+0x12 (module+0x3456)`. Files and functions can have any name, so they are quoted. */
function formatFrame({ address, symbol, offset, module, fileOffset }: StackFrame): string {
  const formatHex = (value: bigint): string => `0x${value.toString(16)}`;
  const location = symbol === undefined ? [] : [`${quoteUnsafe(symbol)}+${formatHex(offset ?? 0n)}`];
  const file =
    module === undefined
      ? []
      : [`(${quoteUnsafe(module)}${fileOffset === undefined ? '' : `+${formatHex(fileOffset)}`})`];
  const parts = [...(address === undefined ? [] : [`${formatHex(address)}:`]), ...location, ...file];
  return parts.length === 0 ? '(unknown)' : parts.join(' ');
}

interface LinePartsOptions extends CompactOptions {
  /** False: the message of the hook and the name of the policy are omitted. */
  readonly reason?: boolean;
}

function lineParts(
  event: PlainProcessEvent,
  { redact, style = 'detailed', reason = true }: LinePartsOptions,
): LineParts {
  const formatLong = reason ? formatHook : formatHookValues;
  const short = style === 'tetragon' ? tetragonLineParts(event) : undefined;
  if (short !== undefined) return short;
  switch (event.type) {
    case 'process_exec':
      return { emoji: '🚀', label: 'process', color: 'green', detail: formatArguments(event.process, redact) };
    case 'process_exit': {
      // The field of the arguments exists even if it is empty, so the status is always the field after it.
      const detail = `${formatArguments(event.process, redact)} ${event.signal ?? String(event.status)}`;
      return { emoji: '💥', label: 'exit', color: 'yellow', detail };
    }
    case 'process_kprobe': {
      const summary = summarizeCall(event.functionName, event.args);
      if (summary !== undefined)
        return { emoji: summary.emoji, label: summary.label, color: 'blue', detail: summary.detail };
      const label = isSystemCall(event.functionName) ? 'syscall' : 'kprobe';
      return { emoji: '❓', label, color: 'blue', detail: formatLong(event.functionName, event) };
    }
    case 'process_lsm':
      return { emoji: '🔒', label: 'lsm', color: 'blue', detail: formatLong(event.functionName, event) };
    case 'process_throttle':
      return { emoji: '🧬', label: 'throttle', color: 'red', detail: formatThrottle(event) };
    case 'process_loader': {
      const parts = [event.buildId ?? '', quoteUnsafe(event.path)].filter((word) => word !== '');
      return { emoji: '🧬', label: 'loader', color: 'blue', detail: parts.join(' ') };
    }
    case 'process_uprobe':
      return { emoji: '🧷', label: 'uprobe', color: 'blue', detail: formatLong(uprobeName(event), event) };
    case 'process_usdt': {
      const detail = `${quoteUnsafe(event.path)} ${quoteUnsafe(event.provider)} ${formatLong(event.name, event)}`;
      return { emoji: '🕵️', label: 'usdt', color: 'blue', detail };
    }
    case 'process_tracepoint': {
      const detail = formatLong(`${event.subsystem}/${event.event}`, event);
      return { emoji: '📍', label: 'tracepoint', color: 'blue', detail };
    }
  }
}

/** The lines of Tetragon for hooks that have no line of their own; undefined for all other events. */
function tetragonLineParts(event: PlainProcessEvent): LineParts | undefined {
  const parts = (emoji: string, label: string, ...names: readonly string[]): LineParts => ({
    emoji,
    label,
    color: 'blue',
    detail: names
      .filter((name) => name !== '')
      .map(quoteUnsafe)
      .join(' '),
  });
  switch (event.type) {
    case 'process_kprobe':
      if (summarizeCall(event.functionName, event.args) !== undefined) return undefined;
      return parts('❓', 'syscall', event.functionName);
    case 'process_lsm':
      return parts('🔒', 'LSM', event.functionName);
    case 'process_uprobe':
      return parts('🕵️', 'uprobe', event.path, event.symbol);
    case 'process_usdt':
      return parts('🕵️', 'usdt', event.path, event.provider, event.name);
    case 'process_tracepoint': {
      const isSystemCallEntry = event.subsystem === 'raw_syscalls' && event.event === 'sys_enter';
      if (isSystemCallEntry) return parts('☎', 'syscall', formatFirstValue(event.args));
      return parts('⁉️', 'tracepoint', event.subsystem, event.event);
    }
    case 'process_exec':
    case 'process_exit':
    case 'process_loader':
    case 'process_throttle':
      return undefined;
  }
}

function formatThrottle({ throttle, cgroup }: PlainOf<ProcessThrottleEvent>): string {
  return `${throttle.toUpperCase()} ${quoteUnsafe(cgroup)}`;
}

/** Formats the values that the hook read, the return value, and the reason of the event. */
function formatHook(name: string, event: PlainHookEvent): string {
  const reason = reportReason(event);
  return joinNonEmpty(formatHookValues(name, event), reason === '' ? '' : `# ${quoteUnsafe(reason)}`);
}

function formatHookValues(name: string, event: PlainHookEvent): string {
  const returned = 'return' in event && event.return !== undefined ? `= ${formatValues([event.return])}` : '';
  return joinNonEmpty(quoteUnsafe(name), formatValues(event.args), returned);
}

function reportReason({ message = '', policyName }: Pick<PlainHookEvent, 'message' | 'policyName'>): string {
  return message === '' ? policyName : message;
}

function formatWho({ process, parent }: CompactProcess): string {
  const program = parent === undefined || parent.binary === '' ? '' : `, ${quoteUnsafe(baseName(parent.binary))}`;
  return `(pid ${process.pid}, uid ${process.uid}${program})`;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Formats the actions with their outcomes, and the number of events that a rate limit suppressed. */
function formatActions({ actions, suppressed }: ActionEvent): string {
  let text = '';
  for (const each of actions) {
    if (!('outcome' in each)) continue;
    const isDone = each.outcome === 'done' || each.outcome === 'started';
    text += isDone ? ` [${each.action}]` : ` [${each.action}: ${each.outcome}]`;
  }
  if (suppressed > 0) text += ` [${suppressed} suppressed]`;
  return text.slice(1);
}

/** Formats `(marked secret-read 2.1 s ago by cat /etc/shadow, pid 171)`. */
function formatMarks({ marks = [] }: ActionEvent): string {
  return marks.length === 0 ? '' : `(${marks.map(formatMark).join('; ')})`;
}

function formatMark({ mark, scope, cause }: MarkCause): string {
  const what = `${scope === 'container' ? 'container ' : ''}marked ${quoteUnsafe(mark)}`;
  if (cause === undefined) return what;
  const { ageNs, pid, command, argument = '' } = cause;
  return `${what} ${formatAge(ageNs)} ago by ${joinNonEmpty(quoteUnsafe(command), quoteNonEmpty(argument))}, pid ${pid}`;
}

const SECOND_MS = 1000;
const AGE_UNITS = [
  { unit: 'd', seconds: 86_400 },
  { unit: 'h', seconds: 3600 },
  { unit: 'min', seconds: 60 },
] as const;

/** Formats `3 ms`, `2.1 s`, `5 min`, `2 h` or `3 d`. */
function formatAge(age: bigint): string {
  const ms = Number(age / 1_000_000n);
  if (ms < SECOND_MS) return `${ms} ms`;
  const seconds = ms / SECOND_MS;
  const large = AGE_UNITS.find((each) => seconds >= each.seconds);
  return large === undefined ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / large.seconds)} ${large.unit}`;
}

function prependSpace(text: string): string {
  return text === '' ? '' : ` ${text}`;
}

function paintPart(text: string, color: Color, paint: typeof addColor): string {
  return text === '' ? '' : ` ${paint(text, color)}`;
}

function formatLost(event: PlainOf<LostEvent>, paint: typeof addColor): string {
  return `⚠️  ${paint('lost'.padEnd(LABEL_COLUMNS), 'red')} ${paint(quoteUnsafe(event.nodeName), 'dim')} ${formatLossDetail(event)}`;
}

function formatLossDetail({ hook, count, reason }: PlainOf<LostEvent>): string {
  return `${quoteUnsafe(hook)} ${count} ${count === 1 ? 'event' : 'events'} (${reason})`;
}

const CHANGE = { emoji: '📝', label: 'change' };

/** Formats `OPERATION POLICY SETTINGS by WHO (WAY SOURCE)`. Hashes have their first 12 digits. */
function formatChangeDetail(event: PlainOf<ChangeEvent>): string {
  const { policyName, policyNamespace, setting = '', before, after, enabled, mode = '', way, source, client } = event;
  const policy = policyNamespace === '' ? policyName : `${policyNamespace}/${policyName}`;
  const texts = before === after ? '' : `${shortenHash(before)}→${shortenHash(after)}`;
  const from =
    way === 'client' && client !== undefined
      ? `by ${formatClient(client)}`
      : `(${joinNonEmpty(way, source === '' ? '' : quoteUnsafe(source))})`;
  return joinNonEmpty(
    event.operation,
    quoteNonEmpty(policy),
    quoteNonEmpty(setting),
    enabled === undefined ? '' : enabled ? 'enabled' : 'disabled',
    mode,
    texts,
    from,
  );
}

function shortenHash(text = '-'): string {
  return quoteUnsafe(text.slice(0, 12));
}

function formatClient({ address, pid, uid, binary, certificate }: ChangeClient): string {
  if (certificate !== undefined) return `certificate ${quoteUnsafe(certificate)}, ${quoteUnsafe(address)}`;
  if (pid === undefined) return quoteUnsafe(address);
  return joinNonEmpty(binary === undefined ? '' : quoteUnsafe(binary), `(pid ${pid}, uid ${uid ?? 0})`);
}

/** Formatted strings by process. A process appears in many lines, and its strings do not change. */
const cachedStrings = new WeakMap<PlainProcess, ProcessStrings>();

interface ProcessStrings {
  readonly source: string;
  readonly binary: string;
  /** The container that `source` names. It can become known after the process. */
  readonly container: PlainProcess['container'];
}

function processStrings(process: PlainProcess, nodeName: string): ProcessStrings {
  const known = cachedStrings.get(process);
  const { pod, container } = process;
  if (known !== undefined && known.container === container) return known;
  const source = pod === undefined ? (container?.name ?? nodeName) : `${pod.namespace}/${pod.name}`;
  // Only a process whose exec was not seen has no binary.
  const binary = process.binary === '' ? '(unknown)' : quoteUnsafe(process.binary);
  const strings = { source: quoteUnsafe(source), binary, container };
  cachedStrings.set(process, strings);
  return strings;
}

/** Formats argv and not `arguments`: there, a quote inside an argument could look like the end of the argument. */
function formatArguments({ argv, arguments: text, binary, flags }: PlainProcess, redact: Redactor | undefined): string {
  const visible = redact === undefined ? argv : hideInArguments(argv, redact(text, binary));
  const quoted = visible.map(quoteUnsafe);
  if (flags.split(' ').includes('truncArgs')) quoted.push('…');
  return quoted.join(' ');
}

function keepPlain(text: string): string {
  return text;
}

function addColor(text: string, color: Color): string {
  return `\u001b[${COLOR_CODES[color]}m${text}\u001b[0m`;
}
