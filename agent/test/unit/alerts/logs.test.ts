/** Alerts to syslog over the network, and the messages of syslog and journald. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import type { Alerts } from '../../../lib/alerts/alerts.js';
import { formatJournal, formatSyslog } from '../../../lib/alerts/log-formats.js';
import { createCertificates } from '../grpc/server.js';
import { alertOptions, alertWith, hookEvent, openAlerts, TestReceiver, waitUntil } from './support.js';

describe('a message of an alert', () => {
  it('for syslog has the severity, and structured data from which no value escapes', () => {
    const alert = alertWith({ binary: '/a"]\\b', node: 'a node', policy: 'files', namespace: 'shop', pod: 'web-1' });
    const text = formatSyslog(alert, 'authpriv', 42);
    assert.ok(
      text.startsWith(
        '<83>1 2026-01-31T12:00:00.123456Z a_node polytrace 42 files [alert@32473 severity="high" policy="files"',
      ),
      text,
    );
    assert.ok(text.includes(' binary="/a\\"\\]\\\\b" '), text);
    assert.ok(text.endsWith('] [high] Something happened: a line'), text);
    assert.ok(
      formatSyslog(alertWith({ severity: 'critical', policy: '' }), 'kern', 1).startsWith(
        '<2>1 2026-01-31T12:00:00.123456Z node polytrace 1 - [',
      ),
    );
    assert.match(formatSyslog(alertWith({ firstEventTime: 'x' }), 'kern', 1), /^<3>1 - node/);
  });

  it('for journald has fields with their lengths', () => {
    const bytes = formatJournal(alertWith({ arguments: 'PRIORITY=0\nX=1', severity: 'info' }));
    const fields: Record<string, string> = {};
    for (let at = 0; at < bytes.length;) {
      const end = bytes.indexOf('\n', at);
      const length = Number(bytes.readBigUInt64LE(end + 1));
      fields[bytes.toString('utf8', at, end)] = bytes.toString('utf8', end + 9, end + 9 + length);
      assert.equal(bytes[end + 9 + length], 10);
      at = end + 10 + length;
    }
    assert.deepEqual(
      [fields['MESSAGE'], fields['PRIORITY'], fields['SYSLOG_IDENTIFIER']],
      ['[info] Something happened: a line', '6', 'polytrace'],
    );
    assert.deepEqual([fields['POLYTRACE_ARGUMENTS'], fields['POLYTRACE_POLICY']], ['PRIORITY=0\nX=1', 'files']);
    for (const name of Object.keys(fields)) assert.match(name, /^[A-Z][A-Z0-9_]{0,63}$/);
  });
});

/** Splits frames with their lengths. */
function readFrames(text: string): string[] {
  const frames: string[] = [];
  for (let rest = Buffer.from(text); rest.length > 0;) {
    const end = rest.indexOf(' ');
    const length = Number(rest.toString('utf8', 0, end));
    frames.push(rest.toString('utf8', end + 1, end + 1 + length));
    rest = rest.subarray(end + 1 + length);
  }
  return frames;
}

describe('alerts to syslog', function () {
  this.timeout(30_000);
  const open: Alerts[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-syslog-'));
  afterEach(async () => {
    for (const each of open.splice(0)) await each.close(1);
  });
  after(() => rmSync(folder, { recursive: true }));

  const start = async (address: string, more: object = {}): Promise<Alerts> => {
    const alerts = await openAlerts(alertOptions([{ name: 'log', type: 'syslog', address, ...more }]));
    open.push(alerts);
    return alerts;
  };

  it('are datagrams over UDP', async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    try {
      const messages: string[] = [];
      socket.on('message', (bytes) => messages.push(bytes.toString()));
      const alerts = await start(`udp://127.0.0.1:${socket.address().port}`);
      alerts.add([hookEvent('/a'), hookEvent('/b')]);
      await waitUntil(() => messages.length === 2);
      assert.match(messages[1] ?? '', /^<84>1 .* binary="\/b"/);
    } finally {
      socket.close();
    }
  });

  it('are frames over TCP, and wait while the receiver is away', async () => {
    let texts: string[] = [];
    const sockets = new Set<Socket>();
    const listen = async (port: number): Promise<Server> => {
      const server = createServer((socket) => {
        sockets.add(socket);
        const index = texts.push('') - 1;
        socket.on('data', (chunk: Buffer) => (texts[index] += chunk.toString()));
        socket.on('error', () => undefined);
      }).listen(port, '127.0.0.1');
      await once(server, 'listening');
      return server;
    };
    const first = await listen(0);
    const { port } = first.address() as AddressInfo;
    const alerts = await start(`tcp://127.0.0.1:${port}`);
    alerts.add([hookEvent('/a'), hookEvent('/b\u00e9')]);
    await waitUntil(() => readFrames(texts.join('')).length === 2);
    assert.equal(texts.length, 1);
    const closed = once(first, 'close');
    first.close();
    for (const socket of sockets) socket.destroy();
    await closed;
    texts = [];
    alerts.add([hookEvent('/c')]);
    await waitUntil(() => alerts.failingCount === 1);
    const second = await listen(port);
    try {
      await waitUntil(() => readFrames(texts.join('')).length === 1);
      assert.match(texts.join(''), / binary="\/c"/);
    } finally {
      second.close();
      for (const socket of sockets) socket.destroy();
    }
  });

  it('are encrypted over TLS, by certificates of both sides', async () => {
    const server = createCertificates(folder, 'server');
    const client = createCertificates(folder, 'client');
    const files = { cert: readFileSync(server.cert), key: readFileSync(server.key), ca: readFileSync(client.ca) };
    let text = '';
    const listener = createTlsServer({ ...files, requestCert: true, rejectUnauthorized: true }, (socket) => {
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.on('error', () => undefined);
    }).listen(0, '127.0.0.1');
    listener.on('tlsClientError', () => undefined);
    await once(listener, 'listening');
    try {
      const address = `tls://127.0.0.1:${(listener.address() as AddressInfo).port}`;
      const trusted = await start(address, { ca: server.ca, cert: client.cert, key: client.key });
      trusted.add([hookEvent('/a')]);
      await waitUntil(() => readFrames(text).length === 1);
      const untrusted = await start(address, { ca: client.ca });
      untrusted.add([hookEvent('/b')]);
      await waitUntil(() => untrusted.failingCount === 1);
      assert.match(untrusted.stats[0]?.reason ?? '', /certificate/);
      await untrusted.close(1);
      await trusted.close(1);
      open.length = 0;
    } finally {
      listener.close();
    }
  });
});

describe('alerts over HTTPS', function () {
  this.timeout(30_000);
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-https-'));
  after(() => rmSync(folder, { recursive: true }));

  it('need a certificate that the authority of the file has signed, and show their own', async () => {
    const server = createCertificates(folder, 'server');
    const client = createCertificates(folder, 'client');
    const files = { cert: readFileSync(server.cert), key: readFileSync(server.key), ca: readFileSync(client.ca) };
    const receiver = await new TestReceiver({ ...files, requestCert: true, rejectUnauthorized: true }).start();
    const base = { name: 'r', type: 'webhook', format: 'json', url: receiver.url };
    const trusted = await openAlerts(alertOptions([{ ...base, ca: server.ca, cert: client.cert, key: client.key }]));
    const untrusted = await openAlerts(alertOptions([{ ...base, cert: client.cert, key: client.key }]));
    const anonymous = await openAlerts(alertOptions([{ ...base, ca: server.ca }]));
    try {
      for (const each of [trusted, untrusted, anonymous]) each.add([hookEvent('/a')]);
      await waitUntil(() => receiver.posts.length === 1 && untrusted.failingCount + anonymous.failingCount === 2);
      assert.match(untrusted.stats[0]?.reason ?? '', /certificate/);
    } finally {
      for (const each of [trusted, untrusted, anonymous]) await each.close(1);
      await receiver.stop();
    }
  });
});
