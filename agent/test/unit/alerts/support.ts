/** Helpers of the tests of alerts: events of hooks, a receiver over HTTP, and the agent's part between them. */
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import type { AgentEvent, PlainProcess } from 'polytrace';
import { kprobeEvent, plainProcess } from '../../../../test/unit/output/events.js';
import type { Alert } from '../../../lib/alerts/alert.js';
import { Alerts, type AlertOptions } from '../../../lib/alerts/alerts.js';
import { SETTINGS, SETTING_KEYS, type SettingKey } from '../../../lib/config/settings.js';
import { openLog, type Log } from '../../../lib/log/log.js';

export { waitUntil } from '../grpc/server.js';

/** Returns an event of a hook. The binary tells it from others. */
export function hookEvent(binary: string, fields: object = {}, process: Partial<PlainProcess> = {}): AgentEvent {
  const own = {
    message: 'Something happened',
    policyName: 'files',
    process: plainProcess({ binary, ...process }),
    ...fields,
  };
  return kprobeEvent('sys_read', [], own) as unknown as AgentEvent;
}

/** An alert with the texts that matter to a test. */
export function alertWith(fields: Partial<Alert> = {}): Alert {
  const time = '2026-01-31T12:00:00.123456789Z';
  return {
    id: 1,
    time,
    firstEventTime: time,
    lastEventTime: time,
    count: 1,
    severity: 'high',
    policy: 'files',
    hook: 'sys_read',
    message: 'Something happened',
    tags: ['mitre.T1611'],
    links: ['https://attack.mitre.org/techniques/T1611/'],
    pid: 7,
    execId: 'aWQ=',
    binary: '/usr/bin/cat',
    arguments: '/etc/shadow',
    user: 'root',
    namespace: '',
    pod: '',
    container: '',
    image: '',
    node: 'node',
    detail: 'a line',
    ...fields,
  };
}

export interface Posted {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

/** A receiver that can be stopped and started again on the same port. */
export class TestReceiver {
  readonly posts: Posted[] = [];
  /** The statuses of the next answers. Later requests get 200. 0: no answer at all. */
  readonly statuses: number[] = [];
  readonly headers: Record<string, string> = {};
  answer = '';
  readonly #tls: ServerOptions | undefined;
  #server: Server | undefined;
  #port = 0;

  constructor(tls?: ServerOptions) {
    this.#tls = tls;
  }

  get url(): string {
    return `${this.#tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<this> {
    const listener: RequestListener = (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const status = this.statuses.shift() ?? 200;
        if (status === 0) return;
        const body = JSON.parse(Buffer.concat(chunks).toString()) as unknown;
        this.posts.push({ url: request.url ?? '', headers: request.headers, body });
        response.writeHead(status, this.headers).end(this.answer);
      });
    };
    const server = this.#tls === undefined ? createServer(listener) : createTlsServer(this.#tls, listener);
    await once(server.listen(this.#port, '127.0.0.1'), 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  /** The bodies that were accepted: alerts in their own form. */
  get alerts(): Alert[] {
    return this.posts.map(({ body }) => body as Alert);
  }
}

const SOURCES = Object.fromEntries(SETTING_KEYS.map((key) => [key, 'agent.yaml:1:1'])) as Record<SettingKey, string>;

/** Returns the settings as a file has them. */
export function alertOptions(receivers: readonly object[], more: Partial<AlertOptions> = {}): AlertOptions {
  return {
    alerts: SETTINGS.alerts.parse(receivers),
    alertsDeduplicate: '5m',
    alertsSpoolDir: undefined,
    alertsSpoolMaxSizeMb: 16,
    ...more,
  };
}

/** A log whose lines can be read. */
export class TestLog {
  text = '';
  readonly log: Log = openLog(
    { level: 'debug', format: 'json' },
    new Writable({
      write: (chunk: Buffer, _, done) => {
        this.text += chunk.toString();
        done();
      },
    }),
  );
}

/** Opens alerts with short delays. */
export function openAlerts(options: AlertOptions, log = new TestLog().log, timeoutMs = 5000): Promise<Alerts> {
  return Alerts.open(options, SOURCES, { log, nodeName: 'node', redact: undefined, speedup: 50, timeoutMs });
}
