/** An alert, and how it is made from an event of a hook. */
import {
  formatCompact,
  toJson,
  type AgentEvent,
  type CompactOptions,
  type JsonOptions,
  type PlainEvent,
  type Redactor,
} from 'polytrace';
import {
  isRunbook,
  isSeverity,
  RUNBOOK_ANNOTATION,
  SEVERITY_ANNOTATION,
  SEVERITY_TAG,
  SEVERITIES,
  type Severity,
} from 'polytrace/protocol';
import { escapeText, shortenText } from './text.js';

/** Plain data: an alert waits as a line of JSON. All texts are safe to show, and limited. */
export interface Alert {
  /** Number of alerts that were lost, which this alert reports. */
  readonly lost?: number;
  /** Number of the alert since the agent has started, from 1; 0 for a report of a loss. */
  readonly id: number;
  /** When the agent made the alert: RFC 3339, UTC. */
  readonly time: string;
  readonly firstEventTime: string;
  readonly lastEventTime: string;
  /** Number of events that the alert stands for. */
  readonly count: number;
  readonly severity: Severity;
  readonly policy: string;
  readonly hook: string;
  readonly message: string;
  readonly tags: readonly string[];
  readonly links: readonly string[];
  readonly pid: number;
  readonly execId: string;
  readonly binary: string;
  readonly arguments: string;
  readonly user: string;
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly image: string;
  readonly node: string;
  /** The event as a line. */
  readonly detail: string;
}

/** An event of a hook. */
export type HookEvent = Extract<
  AgentEvent,
  { readonly policyName: string; readonly process: unknown; readonly tags: unknown }
>;

/** The annotations of the loaded policies with this name. */
export type FindAnnotations = (policyName: string) => readonly Readonly<Record<string, string>>[];

const TEXT_MAX = 1024;
const NAME_MAX = 256;
const ARGUMENTS_MAX = 512;

export function isHookEvent(event: AgentEvent): event is HookEvent {
  return 'tags' in event && 'policyName' in event && 'process' in event;
}

/**
 * Returns the severity of the event's alert, or undefined for an event that is no alert. A tag of the hook comes before
 * the annotation of the policy, and that before the default for hooks with a message.
 */
export function alertSeverity(event: HookEvent, ofPolicy: Severity | undefined): Severity | undefined {
  for (const tag of event.tags) {
    if (!tag.startsWith(SEVERITY_TAG)) continue;
    const severity = tag.slice(SEVERITY_TAG.length);
    if (isSeverity(severity)) return severity;
  }
  return ofPolicy ?? (event.message === undefined || event.message === '' ? undefined : 'medium');
}

/** Returns the most serious annotation: policies of different namespaces can have one name. */
export function annotatedSeverity(annotations: ReturnType<FindAnnotations>): Severity | undefined {
  const found = new Set(annotations.map((each) => each[SEVERITY_ANNOTATION]));
  return SEVERITIES.find((severity) => found.has(severity));
}

/** Returns the runbook and the pages of MITRE ATT&CK. */
export function alertLinks(tags: readonly string[], annotations: ReturnType<FindAnnotations>): string[] {
  const runbooks = annotations
    .map((each) => each[RUNBOOK_ANNOTATION] ?? '')
    .filter((url) => isRunbook(url) && url.length <= TEXT_MAX);
  const techniques = tags.flatMap((tag) => {
    const [, technique, part] = /^mitre\.(T\d{4})(?:\.(\d{3}))?$/.exec(tag) ?? [];
    if (technique === undefined) return [];
    return `https://attack.mitre.org/techniques/${technique}/${part === undefined ? '' : `${part}/`}`;
  });
  return [...new Set([...runbooks, ...techniques])];
}

/** Returns the name of the hook, such as `sys_read`, or `sched/sched_process_exec`. */
export function hookName(event: HookEvent): string {
  switch (event.type) {
    case 'process_tracepoint':
      return `${event.subsystem}/${event.event}`;
    case 'process_uprobe':
      return event.symbol === '' ? event.path : event.symbol;
    case 'process_usdt':
      return `${event.provider}:${event.name}`;
    case 'process_kprobe':
    case 'process_lsm':
      return event.functionName;
  }
}

type Json = Readonly<Record<string, unknown>>;

function asObject(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function safeText(value: unknown, max = NAME_MAX): string {
  return shortenText(escapeText(typeof value === 'string' ? value : ''), max);
}

export class AlertMaker {
  readonly #json: JsonOptions;
  readonly #compact: CompactOptions;
  readonly #node: string;
  readonly #now: () => Date;

  constructor(node: string, redact: Redactor | undefined, now = (): Date => new Date()) {
    this.#json = { redact };
    this.#compact = { color: false, timestamps: false, who: false, redact };
    this.#node = node;
    this.#now = now;
  }

  /** The texts are those of the JSON export, so that redacted parts stay hidden. */
  make(id: number, event: HookEvent, severity: Severity, annotations: ReturnType<FindAnnotations>): Alert {
    const plain = event as unknown as PlainEvent;
    const fields = asObject(asObject(JSON.parse(toJson(plain, this.#json)))[event.type]);
    const process = asObject(fields['process']);
    const { tags, time } = event;
    const message = safeText(event.message, TEXT_MAX);
    const { pid, user, pod } = event.process;
    const container = { ...event.process.container, ...pod?.container };
    const { uid } = process;
    return {
      id,
      time: this.formatNow(),
      firstEventTime: time,
      lastEventTime: time,
      count: 1,
      severity,
      policy: safeText(event.policyName),
      hook: safeText(hookName(event)),
      message: message === '' ? `the policy ${safeText(event.policyName)} reports an event` : message,
      tags: tags.map((tag) => safeText(tag)),
      links: alertLinks(tags, annotations),
      pid,
      execId: safeText(process['exec_id']),
      binary: safeText(process['binary']),
      arguments: safeText(process['arguments'], ARGUMENTS_MAX),
      user: safeText(user ?? (typeof uid === 'number' ? String(uid) : '')),
      namespace: safeText(pod?.namespace),
      pod: safeText(pod?.name),
      container: safeText(container.name ?? container.id),
      image: safeText(container.image?.name ?? container.image?.id),
      node: this.#node,
      detail: safeText(formatCompact(plain, this.#compact), TEXT_MAX),
    };
  }

  formatNow(): string {
    return this.#now().toISOString();
  }
}

const LOSS = '{"lost":';

/** Returns the line of an alert that reports lost alerts. */
export function formatAlertLoss(count: number, node: string): string {
  const time = new Date().toISOString();
  const texts = { policy: '', hook: 'alerts', message: `${count} alerts were lost`, tags: [], links: [] };
  const process = {
    pid: 0,
    execId: '',
    binary: '',
    arguments: '',
    user: '',
    namespace: '',
    pod: '',
    container: '',
    image: '',
  };
  const detail = 'The receiver did not take them, and no more could wait. The log of the agent has the reason.';
  const times = { time, firstEventTime: time, lastEventTime: time };
  const alert: Alert = { lost: count, id: 0, ...times, count, severity: 'high', ...texts, ...process, node, detail };
  return JSON.stringify(alert);
}

/** Returns the number of lost alerts that a line reports, or undefined for another line. */
export function reportedAlertLoss(line: string): number | undefined {
  return line.startsWith(LOSS) ? parseAlert(line)?.lost : undefined;
}

/** Returns undefined for a line that is no alert: a file of the spool may be damaged, or of another version. */
export function parseAlert(line: string): Alert | undefined {
  try {
    const alert = JSON.parse(line) as Partial<Alert>;
    const { severity, message, policy, tags, links, time } = alert;
    const isWhole = isSeverity(severity) && typeof message === 'string' && typeof policy === 'string';
    return isWhole && Array.isArray(tags) && Array.isArray(links) && typeof time === 'string'
      ? (alert as Alert)
      : undefined;
  } catch {
    return undefined;
  }
}
