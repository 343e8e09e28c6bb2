/** GetUrl and DnsLookup with servers of the test on the loopback device. Nothing else is contacted. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProcessTracepointEvent, Tracer, TracerOptions } from '../../types/index.js';
import { syscallPolicy } from '../syscall-policy.js';
import { collectEvents, isTracepoint, needsRoot, openTracer, runScript } from './support.js';

/** A copy of setsid that only this test starts. It makes one system call number 112. */
const folder = mkdtempSync(join(tmpdir(), 'polytrace-requests-'));
const SETSID = join(folder, 'setsid');

/** A policy for this system call. */
function requestPolicy(actions: readonly string[], options = ''): { yaml: string } {
  const filters = `matchArgs: [{ args: [0], operator: Equal, values: ["112"] }]
matchBinaries: [{ operator: In, values: [${SETSID}] }]
matchActions: [${actions.map((action) => `{ ${action} }`).join(', ')}]`;
  return { yaml: syscallPolicy('asks', [filters], { options, type: 'int64' }) };
}

const trigger = (): unknown => spawnSync(SETSID, ['/bin/true']);

/** A name server that answers every query for an address. */
async function startNameServer(asked: string[]): Promise<Socket> {
  const server = createSocket('udp4');
  server.on('message', (query, { port, address }) => {
    const name: string[] = [];
    let at = 12;
    for (let length = query[at] ?? 0; length > 0; at += length + 1, length = query[at] ?? 0) {
      name.push(query.toString('latin1', at + 1, at + 1 + length));
    }
    const type = query.readUInt16BE(at + 1);
    asked.push(`${name.join('.')} ${type}`);
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(0x8180, 2);
    header.writeUInt16BE(1, 6);
    header.writeUInt32BE(0, 8);
    const data = type === 1 ? Buffer.from([127, 0, 0, 1]) : Buffer.concat([Buffer.alloc(15), Buffer.from([1])]);
    const answer = Buffer.concat([Buffer.from([0xc0, 12]), query.subarray(at + 1, at + 5), Buffer.alloc(6), data]);
    answer.writeUInt16BE(data.length, 10);
    server.send(Buffer.concat([header, query.subarray(12, at + 5), answer]), port, address);
  });
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/**
 * A web server. `/body` never ends, `/round` redirects to itself, `/away` to another protocol, `/there` to `/found`;
 * `/silent` never answers.
 */
async function startWebServer(asked: string[], onRequest: () => void): Promise<Server> {
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const to: Record<string, string> = { '/round': '/round', '/away': 'file:///etc/shadow', '/there': '/found' };
    const location = to[request.url ?? ''];
    if (location !== undefined) response.writeHead(302, { location }).end();
    else if (request.url === '/body') response.writeHead(200).write('more and more');
    else if (request.url !== '/silent') response.writeHead(404).end();
    onRequest();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

describe('requests of policies', function () {
  this.timeout(60_000);
  before(needsRoot);
  before(() => copyFileSync('/usr/bin/setsid', SETSID));
  after(() => rmSync(folder, { recursive: true, force: true }));
  let web: Server;
  let names: Socket;
  let base: string;
  let nameServers: string[];
  const asked: string[] = [];
  let onRequest = (): void => undefined;

  before(async () => {
    web = await startWebServer(asked, () => onRequest());
    names = await startNameServer(asked);
    base = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
    nameServers = [`127.0.0.1:${names.address().port}`];
  });
  after(() => {
    web?.closeAllConnections();
    web?.close();
    names?.close();
  });
  beforeEach(() => asked.splice(0));

  async function traceRequests(
    actions: readonly string[],
    options: TracerOptions,
    check: (events: ProcessTracepointEvent[], tracer: Tracer) => void | Promise<void>,
  ): Promise<void> {
    const tracer = await openTracer({ policies: [requestPolicy(actions)], ...options });
    try {
      await check((await collectEvents(tracer, trigger)).filter(isTracepoint), tracer);
    } finally {
      await tracer.close();
    }
  }

  /** Waits until every request has ended. */
  async function waitForAnswers(tracer: Tracer): Promise<Record<string, number>> {
    for (;;) {
      const { started = 0, answered = 0, failed = 0, dropped = 0 } = tracer.policies()[0]?.requests ?? {};
      if (answered + failed === started) return { started, answered, failed, dropped };
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  it('are made, reported in the event, and counted', async () => {
    const actions = [`action: GetUrl, argUrl: "${base}/body"`, 'action: DnsLookup, argFqdn: canary.test'];
    await traceRequests(actions, { allowRequests: { nameServers } }, async ([event, ...more], tracer) => {
      assert.deepEqual(more, []);
      assert.deepEqual(event?.actions, [
        { action: 'getUrl', url: `${base}/body`, outcome: 'started' },
        { action: 'dnsLookup', name: 'canary.test', outcome: 'started' },
        { action: 'post' },
      ]);
      assert.equal(event?.action, 'dnsLookup');
      assert.equal(event?.policyMode, 'enforce');
      assert.deepEqual(await waitForAnswers(tracer), { started: 2, answered: 2, failed: 0, dropped: 0 });
    });
    assert.deepEqual(asked.sort(), ['GET /body', 'canary.test 1', 'canary.test 28']);
  });

  it('a few redirects are followed, but not to another protocol', async () => {
    const actions = ['round', 'away', 'there'].map((path) => `action: GetUrl, argUrl: "${base}/${path}"`);
    await traceRequests(actions, { allowRequests: true }, async (_, tracer) => {
      assert.deepEqual(await waitForAnswers(tracer), { started: 3, answered: 2, failed: 1, dropped: 0 });
    });
    assert.deepEqual(asked.sort(), [
      ...['GET /away', 'GET /found'],
      ...Array.from({ length: 4 }, () => 'GET /round'),
      'GET /there',
    ]);
  });

  it('with NoPost: requests are made without an event', async () => {
    const actions = [`action: GetUrl, argUrl: "${base}/quiet"`, 'action: NoPost'];
    await traceRequests(actions, { allowRequests: true }, async (events, tracer) => {
      assert.deepEqual(events, []);
      assert.equal((await waitForAnswers(tracer))['answered'], 1);
    });
    assert.deepEqual(asked, ['GET /quiet']);
  });

  it('without permission: refused with a code, or only reported in monitor mode', async () => {
    const action = `action: GetUrl, argUrl: "${base}/never"`;
    const isNotAllowed = (error: Error & { code?: string }): boolean => error.code === 'REQUESTS_NOT_ALLOWED';
    await assert.rejects(openTracer({ policies: [requestPolicy([action])] }), isNotAllowed);
    await traceRequests([action], { mode: 'monitor' }, async ([event], tracer) => {
      assert.deepEqual(event?.actions[0], { action: 'getUrl', url: `${base}/never`, outcome: 'monitored' });
      assert.equal(event?.policyMode, 'monitor');
      assert.equal(event?.action, 'getUrl');
      assert.deepEqual(await waitForAnswers(tracer), { started: 0, answered: 0, failed: 0, dropped: 0 });
      await assert.rejects(tracer.setPolicyMode('asks', 'enforce'), isNotAllowed);
    });
    assert.deepEqual(asked, []);
  });

  it('policy-mode: monitor_only is monitor for good: whoever loads it, and whatever is asked of it later', async () => {
    const source = requestPolicy([`action: GetUrl, argUrl: "${base}/never"`], '{ name: policy-mode, value: monitor_only }');
    const tracer = await openTracer({ policies: [source], mode: 'enforce', allowRequests: true });
    try {
      assert.equal(tracer.policies()[0]?.mode, 'monitor_only');
      for (const mode of ['enforce', 'monitor'] as const) {
        await assert.rejects(tracer.setPolicyMode('asks', mode), { code: 'POLICY_MONITOR_ONLY' });
      }
      const [event] = (await collectEvents(tracer, trigger)).filter(isTracepoint);
      assert.equal(event?.actions[0]?.action === 'getUrl' && event.actions[0].outcome, 'monitored');
      assert.equal(event?.policyMode, 'monitor');
      const [replaced] = await tracer.replacePolicy(requestPolicy([`action: GetUrl, argUrl: "${base}/never"`]), { mode: 'monitor' });
      assert.equal(replaced?.mode, 'monitor');
      await tracer.setPolicyMode('asks', 'enforce');
      assert.equal(tracer.policies()[0]?.mode, 'enforce');
    } finally {
      await tracer.close();
    }
    assert.deepEqual(asked, []);
    await (await openTracer({ policies: [source] })).close(); // needs no permission: it makes no request
  });

  it('when too many wait, requests are dropped and counted; closing ends running requests', async () => {
    const action = `action: GetUrl, argUrl: "${base}/silent"`;
    const tracer = await openTracer({ policies: [requestPolicy([action])], allowRequests: true });
    const all = (await collectEvents(tracer, () => {
      // 16 requests run at once, and 256 can wait.
      spawnSync('/bin/bash', ['-c', 'for i in {1..280}; do "$0" /bin/true; done', SETSID]);
    })) as ProcessTracepointEvent[];
    const outcomes = all.filter(isTracepoint).map(({ actions }) => 'outcome' in (actions[0] ?? {}) && actions[0]);
    const count = (outcome: string): number => outcomes.filter((each) => each && 'outcome' in each && each.outcome === outcome).length; // prettier-ignore
    const { requests } = tracer.policies()[0] ?? {};
    assert.deepEqual([count('started'), count('dropped')], [272, 8]);
    assert.deepEqual([requests?.started, requests?.dropped], [272, 8]);
    await tracer.close();
    assert.equal(asked.length <= 16, true);
  });

  it('a request without an answer does not keep the process from exiting', async () => {
    const { yaml } = requestPolicy([`action: GetUrl, argUrl: "${base}/silent"`]);
    const arrived = new Promise<void>((resolve) => (onRequest = resolve));
    const body = `
      // a tracer that nothing refers to is closed, with a warning
      const tracer = (globalThis.tracer = await polytrace.openTracer({ policies: [{ yaml: ${JSON.stringify(yaml)} }], allowRequests: true }));
      const events = tracer.events({ types: ['process_tracepoint'] });
      const next = events.next();
      require('node:child_process').spawnSync(${JSON.stringify(SETSID)}, ['/bin/true']);
      out((await next).value.actions[0].outcome);
      await events.return();`;
    const { status, stdout, stderr } = await runScript(body, { timeout: 20_000 });
    await arrived;
    onRequest = () => undefined;
    assert.deepEqual({ status, stdout: stdout.trim(), stderr }, { status: 0, stdout: '"started"', stderr: '' });
  });

  for (const [what, value] of [
    ['another name', { servers: [] }],
    ['no address', { nameServers: ['localhost'] }],
    ['a text', 'yes'],
  ] as const) {
    it(`allowRequests with ${what}`, async () => {
      await assert.rejects(
        openTracer({ allowRequests: value as never }),
        (error: Error & { code?: string }) => error.code === 'BAD_OPTION' && /allowRequests/.test(error.message),
      );
    });
  }
});
