/** The admission webhook: what it answers to the API server, and what it refuses to read. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { reviewPolicy } from '../../../lib/kubernetes/admission-review.js';
import { openLog } from '../../../lib/log/log.js';
import { AdmissionServer } from '../../../lib/main/admission-server.js';
import { createCertificates, type Certificates } from '../grpc/server.js';

const kprobe = (index: number, more: object): object => ({
  kprobes: [
    {
      call: 'f',
      syscall: false,
      args: [{ index: 0, type: 'int' }],
      selectors: [{ matchArgs: [{ index, ...more }] }],
    },
  ],
});
const GOOD = kprobe(0, { operator: 'Equal', values: ['1'] });
const WRONG = kprobe(3, { operator: 'Equal', values: ['1'] });
const ODD = kprobe(0, { operator: 'Mask', values: ['4000'] });

function makeReview(spec: unknown, kind = 'TracingPolicy', more: object = {}): string {
  const object = { apiVersion: 'cilium.io/v1alpha1', kind, metadata: { name: 'shadow', uid: 'u' }, spec };
  const asked = { uid: 'r1', kind: { group: 'cilium.io', version: 'v1alpha1', kind }, operation: 'CREATE', object };
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: { ...asked, ...more },
  });
}

describe('the review of a policy', () => {
  const review = (...args: Parameters<typeof makeReview>): object => reviewPolicy(makeReview(...args)).response;

  it('allows a policy without mistakes, for the cluster and for a namespace', () => {
    assert.deepEqual(reviewPolicy(makeReview(GOOD)), {
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: 'r1', allowed: true },
    });
    assert.deepEqual(review(GOOD, 'TracingPolicyNamespaced'), { uid: 'r1', allowed: true });
  });

  it('refuses a mistake with its field, its code and the remedy', () => {
    assert.deepEqual(review(WRONG), {
      uid: 'r1',
      allowed: false,
      status: {
        code: 422,
        reason: 'Invalid',
        message:
          "spec.kprobes[0].selectors[0].matchArgs[0].index: INDEX_WITHOUT_ARG: no argument with index 3 in args (the hook's args have index 0)",
      },
    });
    assert.match(JSON.stringify(review(kprobe(0, { operator: 'GT', values: [2 ** 60] }))), /larger than 2\^53/);
  });

  it('allows what is only odd, with warnings that kubectl prints', () => {
    const { allowed, warnings } = review(ODD) as { allowed: boolean; warnings: string[] };
    assert.equal(allowed, true);
    assert.match(
      warnings.join('\n'),
      /^spec\.kprobes\[0\]\.selectors\[0\]\.matchArgs\[0\]\.values\[0\]: MASK_DECIMAL: .*write "04000"\)$/,
    );
  });

  it('a policy that takes long to check is allowed, with a warning that says so', () => {
    const spec = { ...WRONG, lists: [{ name: 'l', type: 'syscalls', values: ['x'.repeat(300_000)] }] };
    assert.deepEqual(review(spec), {
      uid: 'r1',
      allowed: true,
      warnings: ['the policy was not checked: it is larger than 262144 bytes'],
    });
  });

  it('has no opinion on other objects and deletions', () => {
    for (const [kind, more] of [
      ['PodInfo', {}],
      ['TracingPolicy', { object: null, operation: 'DELETE' }],
      ['TracingPolicy', { object: 7 }],
      ['TracingPolicy', { object: { apiVersion: 'cilium.io/v9', metadata: { name: 'a' } } }],
    ] as const) {
      assert.deepEqual(review(WRONG, kind, more), { uid: 'r1', allowed: true });
    }
  });

  it('is not given for anything but an AdmissionReview', () => {
    for (const wrong of [
      '',
      'null',
      '{}',
      '[1]',
      makeReview(GOOD).replace('k8s.io/v1"', 'k8s.io/v9"'),
      makeReview(GOOD, 'x', { uid: 1 }),
    ]) {
      assert.throws(() => reviewPolicy(wrong), Error, wrong);
    }
  });
});

describe('the server of the admission webhook', () => {
  let folder: string;
  let files: Certificates;
  let server: AdmissionServer;
  let port: number;
  const log = openLog({ level: 'fatal', format: 'json' }, process.stderr);
  const open = (address: string, cert = files.cert): AdmissionServer =>
    new AdmissionServer({ address, cert, key: files.key }, log, () => undefined);
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-admission-'));
    files = createCertificates(folder, 'admission');
    server = open('127.0.0.1:0');
    port = Number((await server.listen()).split(':')[1]);
  });
  after(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });

  async function send(method: string, path: string, body: string, to = port): Promise<[number | undefined, string]> {
    const ca = readFileSync(files.ca);
    return new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port: to, path, method, ca, agent: false }, (response) => {
        text(response).then((answer) => resolve([response.statusCode, answer]), reject);
      });
      asked.on('error', reject).end(body);
    });
  }

  it('answers with the review', async () => {
    const [status, answer] = await send('POST', '/validate?timeout=5s', makeReview(WRONG));
    assert.equal(status, 200);
    assert.deepEqual(JSON.parse(answer), reviewPolicy(makeReview(WRONG)));
  });

  it('refuses everything else', async () => {
    assert.deepEqual(await send('GET', '/validate', ''), [405, 'only POST\n']);
    assert.deepEqual(await send('POST', '/', '{}'), [404, 'there is /validate\n']);
    const [status, answer] = await send('POST', '/validate', '{"apiVersion":');
    assert.equal(status, 400);
    assert.match(answer, /JSON/);
  });

  it('does not read more than a policy can have', async () => {
    // the connection may be closed before the body was sent
    const answered = send('POST', '/validate', 'x'.repeat(5 * 2 ** 20)).then(
      ([status]) => status,
      (error: NodeJS.ErrnoException) => error.code,
    );
    assert.ok([413, 'ECONNRESET', 'EPIPE'].includes((await answered) ?? ''));
  });

  it('a request that runs keeps its connection, however many others are opened', async () => {
    const ca = readFileSync(files.ca);
    const running = request({ host: '127.0.0.1', port, path: '/validate', method: 'POST', ca, agent: false });
    const answered = once(running, 'response') as Promise<[IncomingMessage]>;
    const body = makeReview(GOOD);
    running.write(body.slice(0, 10));
    // the server has read the head of the request when it answers a later connection
    assert.equal((await send('GET', '/', ''))[0], 404);
    const others = Array.from({ length: 40 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
    await Promise.all(others.map((each) => once(each, 'close').catch(() => undefined)).slice(0, 20));
    running.end(body.slice(10));
    const [response] = await answered;
    assert.equal(response.statusCode, 200);
    response.resume();
    for (const each of others) each.destroy();
  });

  it('logs requests that it cannot answer together, once a minute', async () => {
    const lines = new PassThrough();
    const own = new AdmissionServer({ address: '127.0.0.1:0', cert: files.cert, key: files.key }, openLog({ level: 'info', format: 'json' }, lines), () => undefined); // prettier-ignore
    const ownPort = Number((await own.listen()).split(':')[1]);
    for (let i = 0; i < 3; i += 1) assert.equal((await send('POST', '/validate', '{}', ownPort))[0], 400);
    await own.close();
    lines.end();
    assert.equal((await text(lines)).match(/cannot answer requests/g)?.length, 1);
  });

  it('does not start on a used address or without its certificate', async () => {
    const used = open(`127.0.0.1:${port}`);
    await assert.rejects(used.listen(), /admission-server: .*EADDRINUSE/);
    await used.close();
    await assert.rejects(open('127.0.0.1:0', join(folder, 'none')).listen(), /admission-tls-cert: .*there is no file/);
  });
});
