/** The server of a live report: access, and the effect of a slow reader. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { LiveReport } from '../../../lib/report/live.js';
import type { Row } from '../../../lib/report/row.js';

const formatRow = (detail: string): string =>
  `${JSON.stringify({ kind: 'event', time: 1, type: 'process_exec', label: 'x', detail })}\n`;

async function fetchReport(
  url: string,
  options: { headers?: Record<string, string>; method?: string } = {},
): Promise<IncomingMessage> {
  const outgoing = request(url, { ...options, agent: false });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return response;
}

async function readBody(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return text;
}

/** Reads the rows of a stream until one contains the text. */
async function readUntil(response: IncomingMessage, text: string): Promise<Row[]> {
  let all = '';
  for await (const chunk of response) {
    all += String(chunk);
    if (all.includes(text) && all.endsWith('\n\n')) break;
  }
  return [...all.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json ?? '') as Row);
}

describe('a live report', () => {
  let report: LiveReport;
  let missed = 0;
  beforeEach(async () => {
    missed = 0;
    report = await LiveReport.open({ port: 0, onMissed: () => (missed += 1) });
  });
  afterEach(() => report.close());

  it('is at 127.0.0.1 with a token of 128 bits, another one each time', async () => {
    const other = await LiveReport.open({ port: 0, onMissed: () => undefined });
    assert.match(report.url, /^http:\/\/127\.0\.0\.1:\d+\/[\w-]{22}\/$/);
    assert.notEqual(new URL(report.url).pathname, new URL(other.url).pathname);
    await other.close();
  });

  it('gives the page with its policy', async () => {
    const response = await fetchReport(report.url);
    assert.equal(response.statusCode, 200);
    assert.match(response.headers['content-security-policy'] as string, /connect-src 'self'.*frame-ancestors 'none'$/);
    assert.equal(response.headers['cache-control'], 'no-store');
    assert.equal(response.headers['referrer-policy'], 'no-referrer');
    assert.match(await readBody(response), /<html lang="en" data-live>/);
  });

  it('answers no other name, token, path or method', async () => {
    const { origin, pathname, port } = new URL(report.url);
    const token = pathname.slice(1, -1);
    const wrong = token.startsWith('A') ? `B${token.slice(1)}` : `A${token.slice(1)}`;
    for (const [url, status] of [
      [`${origin}/`, 403],
      [`${origin}/${wrong}/`, 403],
      [`${origin}/${token.slice(1)}/rows`, 403],
      [`${origin}/${token}x/rows`, 403],
      [`${origin}/${token}/other`, 404],
      [`${origin}/${token}`, 404],
    ] as const) {
      const response = await fetchReport(url);
      assert.equal(response.statusCode, status, url);
      assert.ok(!(await readBody(response)).includes(token));
    }
    for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1', `127.0.0.1:${Number(port) - 1}`]) {
      assert.equal((await fetchReport(report.url, { headers: { host } })).statusCode, 421, host);
    }
    assert.equal((await fetchReport(report.url, { headers: { host: `localhost:${port}` } })).statusCode, 200);
    assert.equal((await fetchReport(report.url, { method: 'POST' })).statusCode, 405);
  });

  it('a request without a name of the server is refused', async () => {
    const { port, pathname } = new URL(report.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.end(`GET ${pathname} HTTP/1.0\r\n\r\n`);
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    assert.match(answer, /^HTTP\/1\.1 421 /);
  });

  it('a browser gets what was before, and what comes', async () => {
    report.write(formatRow('before') + formatRow('also before'));
    const response = await fetchReport(`${report.url}rows`);
    assert.equal(response.headers['content-type'], 'text/event-stream');
    report.write(formatRow('after'));
    const rows = await readUntil(response, 'after');
    assert.deepEqual(
      rows.map((each) => each.kind === 'event' && each.detail),
      ['before', 'also before', 'after'],
    );
  });

  it('a browser that connects again gets only what it has not', async () => {
    report.write(formatRow('one'));
    report.write(formatRow('two'));
    const response = await fetchReport(`${report.url}rows`, { headers: { 'last-event-id': '1' } });
    report.write(formatRow('three'));
    const rows = await readUntil(response, 'three');
    assert.deepEqual(
      rows.map((each) => each.kind === 'event' && each.detail),
      ['two', 'three'],
    );
  });

  it('rows for a browser that does not read are bounded and counted', async () => {
    const response = await new Promise<IncomingMessage>((resolve) => get(`${report.url}rows`, resolve));
    response.pause();
    const text = formatRow('x'.repeat(100_000));
    for (let i = 0; i < 500; i += 1) report.write(text);
    assert.ok(report.missed > 100, String(report.missed));
    const before = report.missed;
    // when the queue has space again, the browser receives the number of its missed events
    response.resume();
    let received = '';
    response.on('data', (chunk: Buffer) => (received = (received + chunk.toString()).slice(-300_000)));
    while (!received.includes('"kind":"missed"')) {
      report.write(formatRow('next'));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(missed, 1);
    const [, count] = /"kind":"missed","count":(\d+)/.exec(received) ?? [];
    assert.ok(Number(count) >= before, count);
    response.destroy();
  });

  it('the history is bounded', async () => {
    const text = formatRow('x'.repeat(1_000_000));
    for (let i = 0; i < 100; i += 1) report.write(text);
    report.write(formatRow('the last one'));
    const response = await fetchReport(`${report.url}rows`);
    const rows = await readUntil(response, 'the last one');
    assert.ok(rows.length <= 17, String(rows.length));
  });

  it('no more than eight browsers', async () => {
    const open = await Promise.all(Array.from({ length: 8 }, () => fetchReport(`${report.url}rows`)));
    assert.deepEqual(
      open.map(({ statusCode }) => statusCode),
      new Array(8).fill(200),
    );
    assert.equal((await fetchReport(`${report.url}rows`)).statusCode, 503);
    open.forEach((each) => each.destroy());
  });

  it('a port that is in use is an error', async () => {
    const port = Number(new URL(report.url).port);
    await assert.rejects(LiveReport.open({ port, onMissed: () => undefined }), { code: 'EADDRINUSE' });
  });

  it('ends while a browser reads', async () => {
    const other = await LiveReport.open({ port: 0, onMissed: () => undefined });
    const response = await fetchReport(`${other.url}rows`);
    const read = readBody(response);
    other.write(formatRow('the last one'));
    await other.close();
    assert.match(await read, /the last one/);
  });
});
