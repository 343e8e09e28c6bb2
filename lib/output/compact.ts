/**
 * The compact output: one line per event, `EMOJI LABEL SOURCE BINARY DETAIL`. File hashes and stack traces follow on
 * indented lines.
 */
import type { PlainOf, LostEvent, PlainProcess, StackFrame, PlainEvent } from '../../types/events.js';
import type { CompactOptions, EventSummary, Redactor } from '../../types/output.js';
import { capabilityBits } from '../names/capabilities.js';
import { columns, quoteUnsafe } from './escape.js';
import { firstText, isSystemCall, lookOf } from './functions.js';
import { hideInArguments } from './redact.js';
import { uprobeName } from '../names/places.js';
import { valueWords, words } from './words.js';

const LABEL_COLUMNS = 7;
const LINE_COLUMNS = 120;
/** Indentation of the lines after the first. */
const INDENT = '   ';
const CAP_SYS_ADMIN = capabilityBits(['CAP_SYS_ADMIN']);
const CAPABILITY = '🛑 CAP_SYS_ADMIN';

type Color = 'red' | 'green' | 'yellow' | 'blue' | 'dim';
const CODES: Readonly<Record<Color, number>> = { dim: 2, red: 31, green: 32, yellow: 33, blue: 34 };

/** Matches only our own colours: an escape character in a traced string is shown as `\x1b`. */
const ANSI = /\u001b\[\d+m/g;

type ProcessEvent = Exclude<PlainEvent, { readonly type: 'lost' }>;
type Acted = Extract<PlainEvent, { readonly actions: unknown }>;
type HookEvent = Extract<PlainEvent, { readonly args: unknown }>;

interface Parts {
  readonly emoji: string;
  readonly label: string;
  readonly color: Color;
  readonly detail: string;
}

export function summaryOf(event: PlainEvent, options: Pick<CompactOptions, 'redact'> = {}): EventSummary {
  if (event.type === 'lost') {
    return { emoji: '⚠️', label: 'lost', detail: lossWords(event), actions: '', reason: quoteName(event.policyName) };
  }
  const { emoji, label, detail } = partsOf(event, { redact: options.redact, reason: false });
  const isOfHook = 'actions' in event;
  return {
    emoji,
    label: quoteUnsafe(label),
    detail,
    actions: isOfHook ? actedWords(event) : '',
    reason: isOfHook ? quoteName(reasonOf(event)) : '',
  };
}

function quoteName(name: string): string {
  return name === '' ? '' : quoteUnsafe(name);
}

export function formatCompact(event: PlainEvent, options: CompactOptions = {}): string {
  const line = formatLine(event, options);
  const hash = event.type === 'process_lsm' && event.imaHash !== undefined ? `\n${INDENT}${event.imaHash}` : '';
  return line + hash + ('actions' in event ? stackLines(event) : '');
}

function formatLine(event: PlainEvent, options: CompactOptions): string {
  const paint = options.color === true ? colored : plain;
  const time = options.timestamps === true ? `${paint(event.time, 'dim')} ` : '';
  if (event.type === 'lost') return time + formatLost(event, paint);
  const { emoji, label, color, detail } = partsOf(event, options);
  const { source, binary } = shown(event.process, event.nodeName);
  const head = `${emoji} ${paint(label.padEnd(LABEL_COLUMNS), color)} ${paint(source, 'dim')} ${binary}`;
  const acted = 'actions' in event ? actedWords(event) : '';
  const who = options.who === true ? whoWords(event) : '';
  const line = `${time}${head}${after(detail)}${painted(acted, 'red', paint)}${painted(who, 'dim', paint)}`;
  if (options.capabilities !== true || (event.process.capabilities.permitted & CAP_SYS_ADMIN) === 0n) return line;
  const width = columns(line.replace(ANSI, ''));
  return line + ' '.repeat(Math.max(1, LINE_COLUMNS - width - columns(CAPABILITY))) + paint(CAPABILITY, 'red');
}

function stackLines({ kernelStack, userStack }: Acted): string {
  return linesOf('Kernel', kernelStack) + linesOf('User space', userStack);
}

function linesOf(title: string, frames: readonly StackFrame[] | undefined): string {
  return frames === undefined
    ? ''
    : `\n${INDENT}${title}:${frames.map((frame) => `\n${INDENT}  ${frameWords(frame)}`).join('')}`;
}

/** `0xffff81234567: symbol+0x12 (module+0x3456)`; files and functions can have any name, so they are quoted. */
function frameWords({ address, symbol, offset, module, fileOffset }: StackFrame): string {
  const hex = (value: bigint): string => `0x${value.toString(16)}`;
  const place = symbol === undefined ? [] : [`${quoteUnsafe(symbol)}+${hex(offset ?? 0n)}`];
  const file =
    module === undefined ? [] : [`(${quoteUnsafe(module)}${fileOffset === undefined ? '' : `+${hex(fileOffset)}`})`];
  const words = [...(address === undefined ? [] : [`${hex(address)}:`]), ...place, ...file];
  return words.length === 0 ? '(unknown)' : words.join(' ');
}

interface PartsOptions extends CompactOptions {
  /** False: without the message of the hook or the name of the policy. */
  readonly reason?: boolean;
}

function partsOf(event: ProcessEvent, { redact, style = 'detailed', reason = true }: PartsOptions): Parts {
  const whole = reason ? hookDetail : valuesDetail;
  const ofHook = style === 'detailed' ? whole : shortHookDetail;
  switch (event.type) {
    case 'process_exec':
      return { emoji: '🚀', label: 'process', color: 'green', detail: shownArguments(event.process, redact) };
    case 'process_exit': {
      // The arguments keep their place when there are none, so the status is always the word after two fields.
      const detail = `${shownArguments(event.process, redact)} ${event.signal ?? String(event.status)}`;
      return { emoji: '💥', label: 'exit', color: 'yellow', detail };
    }
    case 'process_kprobe': {
      const look = lookOf(event.functionName, event.args);
      if (look !== undefined) return { emoji: look.emoji, label: look.label, color: 'blue', detail: look.detail };
      const label = style === 'tetragon' || isSystemCall(event.functionName) ? 'syscall' : 'kprobe';
      const detail = style === 'tetragon' ? quoteUnsafe(event.functionName) : whole(event.functionName, event);
      return { emoji: '❓', label, color: 'blue', detail };
    }
    case 'process_lsm':
      return { emoji: '🔒', label: 'lsm', color: 'blue', detail: ofHook(event.functionName, event) };
    case 'process_loader': {
      const words = [event.buildId ?? '', quoteUnsafe(event.path)].filter((word) => word !== '');
      return { emoji: '🧬', label: 'loader', color: 'blue', detail: words.join(' ') };
    }
    case 'process_uprobe':
      return { emoji: '🧷', label: 'uprobe', color: 'blue', detail: ofHook(uprobeName(event), event) };
    case 'process_usdt': {
      const detail = `${quoteUnsafe(event.path)} ${quoteUnsafe(event.provider)} ${ofHook(event.name, event)}`;
      return { emoji: '🕵️', label: 'usdt', color: 'blue', detail };
    }
    case 'process_tracepoint': {
      const detail = ofHook(`${event.subsystem}/${event.event}`, event);
      return { emoji: '📍', label: 'tracepoint', color: 'blue', detail };
    }
  }
}

/** The values that the hook read, the value that the function returned, and why the event is reported. */
function hookDetail(what: string, event: HookEvent): string {
  const why = reasonOf(event);
  return words(valuesDetail(what, event), why === '' ? '' : `# ${quoteUnsafe(why)}`);
}

function valuesDetail(what: string, event: HookEvent): string {
  const returned = 'return' in event && event.return !== undefined ? `= ${valueWords([event.return])}` : '';
  return words(quoteUnsafe(what), valueWords(event.args), returned);
}

function reasonOf({ message = '', policyName }: Pick<HookEvent, 'message' | 'policyName'>): string {
  return message === '' ? policyName : message;
}

function shortHookDetail(what: string, { args }: HookEvent): string {
  return words(quoteUnsafe(what), firstText(args));
}

function whoWords({ process, parent }: ProcessEvent): string {
  const program = parent === undefined || parent.binary === '' ? '' : `, ${quoteUnsafe(baseName(parent.binary))}`;
  return `(pid ${process.pid}, uid ${process.uid}${program})`;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/**
 * Shows the actions that were performed (or would have been), and the number of events that a rate limit suppressed.
 */
function actedWords({ actions, suppressed }: Acted): string {
  let words = '';
  for (const each of actions) {
    if (!('outcome' in each)) continue;
    const isDone = each.outcome === 'done' || each.outcome === 'started';
    words += isDone ? ` [${each.action}]` : ` [${each.action}: ${each.outcome}]`;
  }
  if (suppressed > 0) words += ` [${suppressed} suppressed]`;
  return words.slice(1);
}

function after(text: string): string {
  return text === '' ? '' : ` ${text}`;
}

function painted(text: string, color: Color, paint: typeof colored): string {
  return text === '' ? '' : ` ${paint(text, color)}`;
}

function formatLost(event: PlainOf<LostEvent>, paint: typeof colored): string {
  return `⚠️  ${paint('lost'.padEnd(LABEL_COLUMNS), 'red')} ${paint(quoteUnsafe(event.nodeName), 'dim')} ${lossWords(event)}`;
}

function lossWords({ hook, count, reason }: PlainOf<LostEvent>): string {
  return `${quoteUnsafe(hook)} ${count} ${count === 1 ? 'event' : 'events'} (${reason})`;
}

/** The words for each process. A process appears in many lines, and its words do not change. */
const processes = new WeakMap<PlainProcess, Shown>();

interface Shown {
  readonly source: string;
  readonly binary: string;
  /** It can become known later. */
  readonly container: PlainProcess['container'];
}

function shown(process: PlainProcess, nodeName: string): Shown {
  const known = processes.get(process);
  const { pod, container } = process;
  if (known !== undefined && known.container === container) return known;
  const source = pod === undefined ? (container?.name ?? nodeName) : `${pod.namespace}/${pod.name}`;
  // Only a process whose exec was not seen has no binary.
  const binary = process.binary === '' ? '(unknown)' : quoteUnsafe(process.binary);
  const made = { source: quoteUnsafe(source), binary, container };
  processes.set(process, made);
  return made;
}

/** Uses argv instead of `arguments`, where a quote inside an argument could look like its end. */
function shownArguments({ argv, arguments: text, binary, flags }: PlainProcess, redact: Redactor | undefined): string {
  const shown = redact === undefined ? argv : hideInArguments(argv, redact(text, binary));
  const words = shown.map(quoteUnsafe);
  if (flags.split(' ').includes('truncArgs')) words.push('…');
  return words.join(' ');
}

function plain(text: string): string {
  return text;
}

function colored(text: string, color: Color): string {
  return `\u001b[${CODES[color]}m${text}\u001b[0m`;
}
