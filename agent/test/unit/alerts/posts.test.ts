/** Alerts over HTTP: the forms of the receivers, and what happens when they do not take alerts. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createNetServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Alert } from '../../../lib/alerts/alert.js';
import type { Alerts } from '../../../lib/alerts/alerts.js';
import { formatPost } from '../../../lib/alerts/post-formats.js';
import { alertOptions, alertWith, hookEvent, openAlerts, TestLog, TestReceiver, waitUntil } from './support.js';

describe('alerts over HTTP', function () {
  this.timeout(30_000);
  let folder: string;
  let receiver: TestReceiver;
  const open: Alerts[] = [];
  const receivers: TestReceiver[] = [];

  const startReceiver = async (): Promise<TestReceiver> => {
    const started = await new TestReceiver().start();
    receivers.push(started);
    return started;
  };
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-alerts-'));
    receiver = await startReceiver();
  });
  afterEach(async () => {
    for (const each of open.splice(0)) await each.close(1);
    for (const each of receivers.splice(0)) await each.stop();
    rmSync(folder, { recursive: true });
  });

  const start = async (
    given: readonly object[],
    more: object = {},
    log = new TestLog(),
    timeoutMs?: number,
  ): Promise<Alerts> => {
    const alerts = await openAlerts(alertOptions(given, more), log.log, timeoutMs);
    open.push(alerts);
    return alerts;
  };
  const json = (fields: object = {}): object => ({
    name: 'r',
    type: 'webhook',
    format: 'json',
    url: `${receiver.url}/hook`,
    ...fields,
  });
  const statsOf = (alerts: Alerts): Alerts['stats'][number] => alerts.stats[0] as Alerts['stats'][number];
  const names = (each = receiver): string[] => each.alerts.map(({ binary }) => binary);
  const programs = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `/p${from + i}`);
  const addEvents = (alerts: Alerts, ...binaries: readonly string[]): void =>
    alerts.add(binaries.map((each) => hookEvent(each)));

  describe('have the form of', () => {
    const post = (
      type: string,
      alert: Partial<Alert> = {},
      more: object = {},
    ): { path: string; body: Record<string, unknown> } => {
      const [settings] = alertOptions([{ name: 'r', type, url: 'http://x', ...more }]).alerts;
      return formatPost(alertWith(alert), settings as never, { resolveMs: 360_000 }) as never;
    };

    it('Alertmanager: labels without numbers, and an end', () => {
      const { path, body } = post('alertmanager', { namespace: 'shop', pod: 'web-1', count: 3 });
      assert.equal(path, '/api/v2/alerts');
      const [alert] = body as unknown as Record<string, Record<string, string>>[];
      assert.deepEqual(alert?.['labels'], {
        alertname: 'files',
        severity: 'high',
        policy: 'files',
        hook: 'sys_read',
        node: 'node',
        instance: 'node',
        binary: '/usr/bin/cat',
        namespace: 'shop',
        pod: 'web-1',
      });
      assert.equal(alert?.['annotations']?.['summary'], 'Something happened');
      assert.equal(alert['annotations']['events'], '3');
      assert.equal(alert['generatorURL'], 'https://attack.mitre.org/techniques/T1611/');
      assert.equal(alert['endsAt'], '2026-01-31T12:06:00.123Z');
    });

    it('falcosidekick: its fields, and flat texts', () => {
      const { body } = post('falcosidekick', { severity: 'critical' });
      const { output_fields: fields, ...rest } = body;
      assert.deepEqual(rest, {
        output: 'Something happened: a line',
        priority: 'Critical',
        rule: 'files: Something happened',
        time: '2026-01-31T12:00:00.123456789Z',
        source: 'polytrace',
        tags: ['mitre.T1611'],
        hostname: 'node',
      });
      assert.deepEqual(
        Object.values(fields as object).filter((value) => typeof value === 'object'),
        [],
      );
      assert.equal((fields as Record<string, unknown>)['proc.cmdline'], '/usr/bin/cat /etc/shadow');
      const priorities = (['high', 'medium', 'low', 'info'] as const).map(
        (severity) => post('falcosidekick', { severity }).body['priority'],
      );
      assert.deepEqual(priorities, ['Error', 'Warning', 'Notice', 'Informational']);
    });

    it('Slack, in which no text of a process is a link, a mention or a style', () => {
      const hostile = '<!channel> <http://x|y> @all *b* `c` & _d_';
      const { body } = post('webhook', {
        message: hostile,
        binary: `/${hostile}`,
        detail: hostile,
        severity: 'critical',
      });
      const [attachment] = body['attachments'] as Record<string, unknown>[];
      assert.match(String(body['text']), /^\[critical\] &lt;!channel&gt;/);
      assert.ok(!/@all|<|>|\*b\*|`c`/.test(String(body['text'])));
      const shown = [
        attachment?.['text'],
        ...(attachment?.['fields'] as { value: string }[]).map(({ value }) => value),
      ].map(String);
      for (const text of shown) assert.match(text, /^`[^`<>]*`$/);
      assert.equal(
        (attachment?.['actions'] as { url: string }[])[0]?.url,
        'https://attack.mitre.org/techniques/T1611/',
      );
    });

    it('the alert itself', () => {
      assert.deepEqual(post('webhook', {}, { format: 'json' }).body, alertWith());
    });
  });

  it('go to each receiver that wants them', async () => {
    const other = await startReceiver();
    const alerts = await start([
      json({ 'min-severity': 'high' }),
      json({ name: 'other', url: other.url, policies: ['fil*'], tags: ['severity.*'] }),
    ]);
    const tags = (severity: string): object => ({ tags: [`severity.${severity}`] });
    alerts.add([
      hookEvent('/a', tags('critical')),
      hookEvent('/b', tags('low')),
      hookEvent('/c', { ...tags('high'), policyName: 'x' }),
      hookEvent('/d'),
    ]);
    await waitUntil(() => receiver.posts.length === 2 && other.posts.length === 2);
    assert.deepEqual(
      [names(), names(other)],
      [
        ['/a', '/c'],
        ['/a', '/b'],
      ],
    );
    assert.deepEqual(
      alerts.recent.list({ minSeverity: undefined, acknowledged: false, limit: 0 }).map((each) => each.receivers),
      [['r', 'other'], ['other'], ['r'], []],
    );
    assert.equal(receiver.posts[0]?.url, '/hook');
  });

  it('of equal events are one', async () => {
    const alerts = await start([json()]);
    addEvents(alerts, ...Array<string>(1000).fill('/a'), '/b');
    await waitUntil(() => receiver.posts.length === 2);
    await alerts.close(1000);
    assert.deepEqual(
      receiver.alerts.map(({ binary, count }) => [binary, count]),
      [
        ['/a', 1],
        ['/b', 1],
        ['/a', 999],
      ],
    );
    assert.equal(alerts.events, 1001);
  });

  it('are sent again after 5xx, 429 and 403, each once, and lost after 400', async () => {
    receiver.statuses.push(200, 503, 429, 403, 200, 400);
    receiver.answer = 'no "alert" like this';
    const log = new TestLog();
    const alerts = await start([json()], {}, log);
    addEvents(alerts, ...programs(0, 3));
    await waitUntil(() => statsOf(alerts).lost === 1);
    addEvents(alerts, '/p3');
    await waitUntil(() => receiver.posts.length === 8);
    // the second one was tried four times, the third one was refused, and a report of the loss comes before the fourth
    assert.deepEqual(names(), ['/p0', '/p1', '/p1', '/p1', '/p1', '/p2', '', '/p3']);
    assert.equal(receiver.alerts[6]?.lost, 1);
    await waitUntil(() => statsOf(alerts).sent === 4);
    assert.equal(statsOf(alerts).failures, 4);
    assert.match(
      log.text,
      /"receiver":"r","reason":"the receiver answers with status 400: no \\"alert\\" like this","requests":1,"lost":1.*the receiver refuses alerts/,
    );
  });

  it('wait as long as the receiver says', async () => {
    receiver.statuses.push(429);
    receiver.headers['retry-after'] = '10';
    const alerts = await start([json()]);
    addEvents(alerts, '/a');
    await waitUntil(() => receiver.posts.length === 1);
    const before = performance.now();
    await waitUntil(() => receiver.posts.length === 2);
    // 10 seconds, 50 times as fast
    assert.ok(performance.now() - before > 150);
  });

  it('wait on the disk while the receiver is away, also for the next agent', async () => {
    await receiver.stop();
    const spool = { alertsSpoolDir: join(folder, 'spool') };
    const first = await start([json()], spool);
    addEvents(first, ...programs(0, 5));
    await waitUntil(() => statsOf(first).isFailing);
    addEvents(first, ...programs(5, 20));
    await first.close(50);
    assert.deepEqual([statsOf(first).lost, readdirSync(join(folder, 'spool'))], [0, ['r']]);
    const log = new TestLog();
    const renamed = await start([json({ name: 'other' })], spool, log);
    assert.match(log.text, /spool\/r","msg":"there is no receiver for the alerts of this folder"/);
    await renamed.close(1);
    rmSync(join(folder, 'spool/other'), { recursive: true });
    await receiver.start();
    const second = await start([json()], spool);
    await waitUntil(() => receiver.posts.length === 20);
    assert.deepEqual(names(), programs(0, 20));
    addEvents(second, '/p20');
    await waitUntil(() => receiver.posts.length === 21 && readdirSync(join(folder, 'spool/r')).length === 0);
  });

  it('that do not fit are counted, and the receiver gets their number when it is back', async () => {
    await receiver.stop();
    const log = new TestLog();
    const alerts = await start([json()], { alertsDeduplicate: '0' }, log);
    for (let i = 0; i < 4000; i++) addEvents(alerts, `/p${i}`);
    await waitUntil(() => statsOf(alerts).isFailing);
    const { lost, waiting } = statsOf(alerts);
    assert.ok(lost > 1000 && waiting <= 1024 * 1024, `${lost} ${waiting}`);
    await receiver.start();
    await waitUntil(() => receiver.alerts.some((each) => each.lost !== undefined));
    const reported = receiver.alerts.reduce((sum, each) => sum + (each.lost ?? 0), 0);
    assert.equal(receiver.alerts.filter((each) => each.lost === undefined).length + reported, 4000);
    assert.equal(reported, lost);
  });

  it('are not held up by a receiver that never answers, and memory stays limited', async () => {
    const hanging = createNetServer(() => undefined).listen(0, '127.0.0.1');
    await once(hanging, 'listening');
    try {
      const url = `http://127.0.0.1:${(hanging.address() as AddressInfo).port}`;
      const alerts = await start(
        [json({ name: 'hanging', url }), json()],
        { alertsDeduplicate: '0' },
        new TestLog(),
        300,
      );
      const before = performance.now();
      for (let i = 0; i < 3000; i++) addEvents(alerts, `/p${i}`);
      assert.ok(performance.now() - before < 5000);
      await waitUntil(() => receiver.posts.length > 100 && statsOf(alerts).isFailing);
      assert.match(statsOf(alerts).reason, /does not answer within 300 ms/);
      assert.ok(statsOf(alerts).waiting <= 1024 * 1024);
    } finally {
      hanging.close();
    }
  });

  it('carry the token and the URL of files, which can change; a file that others may read is not used', async () => {
    const token = join(folder, 'token');
    const url = join(folder, 'url');
    writeFileSync(token, 'first-token\n', { mode: 0o600 });
    writeFileSync(url, `${receiver.url}/services/T0/secret-path\n`, { mode: 0o600 });
    const log = new TestLog();
    const alerts = await start(
      [{ name: 'r', type: 'webhook', format: 'json', 'token-file': token, 'url-file': url }],
      {},
      log,
    );
    addEvents(alerts, '/a');
    await waitUntil(() => receiver.posts.length === 1);
    writeFileSync(token, 'second-token\n');
    addEvents(alerts, '/b');
    await waitUntil(() => receiver.posts.length === 2);
    assert.deepEqual(
      receiver.posts.map(({ headers, url: path }) => [headers.authorization, path]),
      [
        ['Bearer first-token', '/services/T0/secret-path'],
        ['Bearer second-token', '/services/T0/secret-path'],
      ],
    );
    chmodSync(token, 0o644);
    addEvents(alerts, '/c');
    await waitUntil(() => statsOf(alerts).isFailing);
    assert.match(statsOf(alerts).reason, /others may read or change .*token \(chmod 0600/);
    chmodSync(token, 0o600);
    receiver.statuses.push(500, 400);
    receiver.answer = 'bad second-token for /services/T0/secret-path';
    await waitUntil(() => statsOf(alerts).lost === 1);
    assert.ok(!/second-token|secret-path/.test(log.text + JSON.stringify(alerts.stats)), log.text);
    assert.match(log.text, /bad \*\*\*\*\* for \*\*\*\*\*/);
  });

  it('do not follow a redirection', async () => {
    const other = await startReceiver();
    receiver.statuses.push(302);
    receiver.headers['location'] = other.url;
    const alerts = await start([json()]);
    addEvents(alerts, '/a');
    await waitUntil(() => receiver.posts.length === 2);
    assert.deepEqual([other.posts.length, statsOf(alerts).failures], [0, 1]);
  });

  it('of damaged lines of the spool are counted as lost, and the others arrive', async () => {
    const spool = join(folder, 'spool');
    await receiver.stop();
    const first = await start([json()], { alertsSpoolDir: spool });
    addEvents(first, '/a', '/b');
    await waitUntil(() => statsOf(first).isFailing);
    await first.close(1);
    const [name = ''] = readdirSync(join(spool, 'r')).filter((each) => each.endsWith('.jsonl'));
    const lines = readFileSync(join(spool, 'r', name), 'utf8').split('\n');
    writeFileSync(join(spool, 'r', name), [lines[0]?.slice(0, 40), ...lines.slice(1)].join('\n'));
    await receiver.start();
    const second = await start([json()], { alertsSpoolDir: spool });
    await waitUntil(() => receiver.posts.length >= 1 && statsOf(second).lost === 1);
    assert.equal(names()[0], '/b');
  });
});
