/** Makes alerts of the events of hooks, keeps the last ones for clients, and delivers them to receivers. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentEvent, Redactor } from 'polytrace';
import { SEVERITIES, type Severity } from 'polytrace/protocol';
import { ConfigError } from '../config/problems.js';
import type { ReceiverSettings } from '../config/receivers.js';
import { parseDuration } from '../config/setting-kinds.js';
import type { AgentOptions, SettingKey } from '../config/settings.js';
import { Delivery, type DeliveryStats } from '../delivery/delivery.js';
import { Spool } from '../delivery/spool.js';
import type { Log } from '../log/log.js';
import {
  AlertMaker,
  alertSeverity,
  annotatedSeverity,
  formatAlertLoss,
  hookName,
  isHookEvent,
  reportedAlertLoss,
  type Alert,
  type HookEvent,
} from './alert.js';
import { AlertSender, type Channel } from './channel.js';
import { Deduplicator } from './deduplicator.js';
import { HttpChannel } from './http-channel.js';
import { JournaldChannel, SyslogChannel } from './log-channels.js';
import { RecentAlerts } from './recent-alerts.js';
import { compileRoute, type Route } from './routing.js';
import { SecretFileError } from './secret-file.js';

/** Maximum bytes of alerts in memory for a receiver. */
const QUEUE_BYTES = 1024 * 1024;
/** Maximum alerts that are sent before the next look at the queue. They may arrive twice if the agent ends. */
const CHUNK_ALERTS = 16;
const TICK_MS = 1000;
const MEBIBYTE = 1024 * 1024;
/** Time for the receivers to take the remaining alerts when the agent stops. */
const CLOSE_MS = 2000;
/** Alertmanager keeps an alert until a repeated one would have come. */
const RESOLVE_MS = 5 * 60_000;
const REPEAT_MARGIN_MS = 60_000;

interface Receiver {
  readonly settings: ReceiverSettings;
  readonly route: Route;
  readonly delivery: Delivery;
}

export interface ReceiverStats extends DeliveryStats {
  readonly name: string;
  readonly type: ReceiverSettings['type'];
}

/** The loaded policies. */
export interface AlertPolicies {
  /** Counts the changes. */
  readonly generation: number;
  findAnnotations(policyName: string): readonly Readonly<Record<string, string>>[];
}

export interface AlertsHost {
  readonly log: Log;
  readonly nodeName: string;
  readonly redact: Redactor | undefined;
  /** For tests: divides the delays of deliveries, and replaces the timeout of a receiver. */
  readonly speedup?: number;
  readonly timeoutMs?: number;
}

type Sources = Readonly<Record<SettingKey, string>>;
export type AlertOptions = Pick<
  AgentOptions,
  'alerts' | 'alertsDeduplicate' | 'alertsSpoolDir' | 'alertsSpoolMaxSizeMb'
>;

export class Alerts {
  readonly recent = new RecentAlerts();
  readonly #receivers: readonly Receiver[];
  readonly #maker: AlertMaker;
  readonly #deduplicator: Deduplicator;
  readonly #timer: NodeJS.Timeout;
  readonly #counts = new Map<Severity, number>(SEVERITIES.map((severity) => [severity, 0]));
  #policies: AlertPolicies = { generation: 0, findAnnotations: () => [] };
  /** The severities of policies, as long as they do not change. */
  readonly #ofPolicies = new Map<string, Severity | undefined>();
  #generation = -1;
  #lastId = 0;
  /** Events that are in alerts. */
  events = 0;

  private constructor(receivers: readonly Receiver[], options: AlertOptions, { nodeName, redact }: AlertsHost) {
    this.#receivers = receivers;
    this.#maker = new AlertMaker(nodeName, redact);
    this.#deduplicator = new Deduplicator({
      windowMs: parseDuration(options.alertsDeduplicate),
      emit: (alert) => this.#emit(alert),
      repeat: (alert, count, firstEventTime, lastEventTime) => {
        return { ...alert, id: ++this.#lastId, time: this.#maker.formatNow(), count, firstEventTime, lastEventTime };
      },
    });
    this.#timer = setInterval(() => {
      this.#deduplicator.tick();
      this.#flush();
    }, TICK_MS);
    this.#timer.unref();
  }

  /** Throws ConfigError. */
  static async open(options: AlertOptions, sources: Sources, host: AlertsHost): Promise<Alerts> {
    const channels = await openChannels(options, sources);
    await warnAboutFolders(options, host.log);
    const receivers: Receiver[] = [];
    try {
      for (const [settings, channel] of channels)
        receivers.push(await openReceiver(settings, channel, options, sources, host));
    } catch (error) {
      for (const { delivery } of receivers) await delivery.close(0);
      throw error;
    }
    return new Alerts(receivers, options, host);
  }

  /** Events that come before have no annotations. */
  start(policies: AlertPolicies): void {
    this.#policies = policies;
  }

  get stats(): readonly ReceiverStats[] {
    return this.#receivers.map(({ settings: { name, type }, delivery }) => ({ name, type, ...delivery.stats }));
  }

  /** Alerts since the start, by their severity. */
  get counts(): ReadonlyMap<Severity, number> {
    return this.#counts;
  }

  get failingCount(): number {
    return this.#receivers.reduce((sum, { delivery }) => sum + Number(delivery.stats.isFailing), 0);
  }

  add(batch: readonly AgentEvent[]): void {
    for (const event of batch) if (isHookEvent(event)) this.#addEvent(event);
    this.#flush();
  }

  #addEvent(event: HookEvent): void {
    const severity = alertSeverity(event, this.#policySeverity(event.policyName));
    if (severity === undefined) return;
    this.events += 1;
    const { policyName, process, message = '', time } = event;
    const group = `${policyName}\0${hookName(event)}\0${message}\0${severity}`;
    const { pod } = process;
    const place =
      pod === undefined ? (process.container?.id ?? '') : `${pod.namespace}/${pod.name}/${pod.container?.id ?? ''}`;
    this.#deduplicator.add(group, `${process.binary}\0${place}`, time, () => {
      return this.#maker.make(++this.#lastId, event, severity, this.#policies.findAnnotations(policyName));
    });
  }

  #policySeverity(name: string): Severity | undefined {
    const { generation } = this.#policies;
    if (generation !== this.#generation) this.#ofPolicies.clear();
    this.#generation = generation;
    if (!this.#ofPolicies.has(name))
      this.#ofPolicies.set(name, annotatedSeverity(this.#policies.findAnnotations(name)));
    return this.#ofPolicies.get(name);
  }

  #emit(alert: Alert): void {
    this.#counts.set(alert.severity, (this.#counts.get(alert.severity) ?? 0) + 1);
    const receivers = this.#receivers.filter(({ route }) => route(alert));
    this.recent.add(
      alert,
      receivers.map(({ settings }) => settings.name),
    );
    const line = receivers.length === 0 ? '' : JSON.stringify(alert);
    for (const { delivery } of receivers) delivery.add(line);
  }

  #flush(): void {
    for (const { delivery } of this.#receivers) delivery.flush();
  }

  /** Repeated events are alerts before the end. What cannot be sent stays in the spool, or is counted as lost. */
  async close(waitMs = CLOSE_MS): Promise<void> {
    clearInterval(this.#timer);
    this.#deduplicator.close();
    this.#flush();
    await Promise.all(this.#receivers.map(({ delivery }) => delivery.close(waitMs)));
  }
}

/** Checks the files of the receivers. Throws ConfigError with all that cannot be used. */
export async function checkReceivers(options: AlertOptions, sources: Sources): Promise<void> {
  for (const [, channel] of await openChannels(options, sources)) channel.close();
}

async function openChannels(
  options: AlertOptions,
  sources: Sources,
): Promise<(readonly [ReceiverSettings, Channel])[]> {
  const channels: (readonly [ReceiverSettings, Channel])[] = [];
  const problems: ConfigError['problems'][number][] = [];
  for (const settings of options.alerts) {
    const channel = createChannel(settings, parseDuration(options.alertsDeduplicate));
    channels.push([settings, channel]);
    try {
      if ('checkFiles' in channel) await channel.checkFiles();
    } catch (error) {
      if (!(error instanceof SecretFileError)) throw error;
      problems.push({
        code: 'CONFIG_FILE',
        source: sources.alerts,
        message: `alerts: ${settings.name}: ${error.message}`,
      });
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return channels;
}

function createChannel(settings: ReceiverSettings, windowMs: number): HttpChannel | SyslogChannel | JournaldChannel {
  if (settings.type === 'syslog') return new SyslogChannel(settings);
  if (settings.type === 'journald') return new JournaldChannel(settings);
  return new HttpChannel(settings, { resolveMs: Math.max(RESOLVE_MS, windowMs + REPEAT_MARGIN_MS) });
}

async function openReceiver(
  settings: ReceiverSettings,
  channel: Channel,
  { alertsSpoolDir: folder, alertsSpoolMaxSizeMb: maxMebibytes }: AlertOptions,
  sources: Sources,
  { log, nodeName, speedup, timeoutMs }: AlertsHost,
): Promise<Receiver> {
  const { name } = settings;
  const sender = new AlertSender(channel, timeoutMs);
  const delivery = new Delivery({
    sender,
    spool: folder === undefined ? undefined : await openSpool(join(folder, name), maxMebibytes * MEBIBYTE, sources),
    maxBytes: QUEUE_BYTES,
    countEvents: () => 1,
    reportedLoss: reportedAlertLoss,
    formatLoss: (count) => formatAlertLoss(count, nodeName),
    log,
    words: { receiver: 'the receiver', lines: 'alerts' },
    receiver: name,
    chunkLines: CHUNK_ALERTS,
    ...(speedup === undefined ? {} : { speedup }),
  });
  return { settings, route: compileRoute(settings), delivery };
}

/** Alerts that wait for a receiver whose name is gone would be forgotten. */
async function warnAboutFolders({ alerts, alertsSpoolDir: folder }: AlertOptions, log: Log): Promise<void> {
  if (folder === undefined) return;
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isDirectory() || alerts.some(({ name }) => name === entry.name)) continue;
    log.warn({ folder: join(folder, entry.name) }, 'there is no receiver for the alerts of this folder');
  }
}

async function openSpool(folder: string, maxBytes: number, sources: Sources): Promise<Spool> {
  const countAlerts = (lines: readonly string[]): number =>
    lines.filter((line) => reportedAlertLoss(line) === undefined).length;
  try {
    return await Spool.open(folder, maxBytes, countAlerts);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    throw new ConfigError([
      { code: 'CONFIG_VALUE', source: sources.alertsSpoolDir, message: `alerts-spool-dir: ${error.message}` },
    ]);
  }
}
