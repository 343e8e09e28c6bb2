/** Tokens: a TCP address of an agent asks for one, a Unix socket does not. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Metadata, status as Code, type ServiceError } from '@grpc/grpc-js';
import { connect } from '../../../../lib/index.js';
import { AddressError } from '../../../lib/grpc/address.js';
import { ProtocolClient } from '../../native/support.js';
import { createCertificates, TestServer, waitUntil } from './server.js';

const [FIRST, SECOND] = ['a'.repeat(32), 'b'.repeat(32)] as const;
const STATS = { events: 0, lost: 0, lostByHook: [], processes: 0, bufferSize: 0, bufferUsed: 0 };
const TIMES = { refreshMs: 20, handshakeMs: 1000 };

describe('tokens of clients', () => {
  let folder: string;
  let file: string;
  let server: TestServer;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-token-'));
    file = join(folder, 'token');
    writeFileSync(file, `${FIRST}\n`, { mode: 0o600 });
    server = new TestServer(undefined, { stats: () => STATS });
  });
  afterEach(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });

  const listen = async (more: object = {}): Promise<string> => {
    const settings = { insecureClients: false, tokenFile: file, tlsTimes: TIMES, ...more };
    const [, tcp = ''] = await server.listen({ addresses: [server.address, '127.0.0.1:0'], ...settings });
    return tcp;
  };
  /** Calls with the metadata of any client. Resolves with the code of gRPC. */
  const callWith = (address: string, value?: string): Promise<Code> => {
    const client = new ProtocolClient(address);
    const metadata = new Metadata();
    if (value !== undefined) metadata.set('authorization', value);
    const method = (client.client as unknown as Record<string, (...args: unknown[]) => unknown>)['GetVersion'];
    return new Promise((resolve) => {
      method?.call(client.client, {}, metadata, (error: ServiceError | null) => {
        client.close();
        resolve(error?.code ?? Code.OK);
      });
    });
  };

  it('each call over TCP needs one, and a Unix socket needs none', async () => {
    const tcp = await listen();
    assert.equal(await callWith(tcp, `Bearer ${FIRST}`), Code.OK);
    assert.equal(await callWith(tcp, `bearer ${FIRST}`), Code.OK);
    for (const wrong of [undefined, '', FIRST, `Basic ${FIRST}`, `Bearer ${SECOND}`, `Bearer ${FIRST}x`, 'Bearer ']) {
      assert.equal(await callWith(tcp, wrong), Code.UNAUTHENTICATED, wrong);
    }
    assert.equal(await callWith(server.address), Code.OK);
    assert.ok(server.log.some((line) => line.includes('calls without a valid token were refused')));
    assert.ok(!server.log.some((line) => line.includes(FIRST)));
    const client = new ProtocolClient(tcp);
    const events = client.events();
    assert.equal((await events.ended)?.code, Code.UNAUTHENTICATED);
    client.close();
  });

  it('connect shows it, also for its streams, and never to another machine in the clear', async () => {
    const tcp = await listen();
    const connection = await connect(tcp, { token: FIRST });
    const events = connection.events();
    await server.waitForStreams(1);
    await events.return();
    await connection.close();
    await assert.rejects(connect(tcp, { token: SECOND }), { code: 'AGENT_TOKEN', message: /token is not valid/ });
    await assert.rejects(connect(tcp), { code: 'AGENT_TOKEN', message: /needs a token: --token-file/ });
    await assert.rejects(connect('192.0.2.1:1', { token: FIRST }), { code: 'BAD_OPTION', message: /needs TLS/ });
    await assert.rejects(connect(tcp, { token: 'a\nb' }), (error: Error) => !error.message.includes('a\nb'));
    await assert.rejects(connect(tcp, { token: 5 as never }), { code: 'BAD_OPTION' });
  });

  it('with TLS, also for addresses of other machines', async () => {
    const tls = createCertificates(folder, 'ours');
    const address = '127.0.0.1:0';
    const settings = { insecureClients: false, tokenFile: file, tls: { cert: tls.cert, key: tls.key } };
    const [tcp = ''] = await server.listen({ addresses: [address], ...settings });
    const secure = { tls: { ca: tls.ca } };
    await assert.rejects(connect(tcp, secure), { code: 'AGENT_TOKEN' });
    const warnings: Error[] = [];
    const onWarning = (warning: Error): number => warnings.push(warning);
    process.on('warning', onWarning);
    await (await connect(tcp, { ...secure, token: FIRST })).close();
    process.off('warning', onWarning);
    assert.deepEqual(warnings, []);
    const elsewhere = new TestServer();
    const [other = ''] = await elsewhere.listen({ addresses: ['127.0.0.2:0'], ...settings });
    const wrongName = connect(other, { ...secure, token: FIRST });
    await assert.rejects(wrongName, { code: 'AGENT_UNAVAILABLE', message: /127\.0\.0\.2 is not in the cert/ });
    await elsewhere.close();
    const others = createCertificates(folder, 'others');
    await assert.rejects(connect(tcp, { tls: { ca: others.ca }, token: FIRST }), { code: 'AGENT_UNAVAILABLE' });
  });

  it('a changed file is read again, and one that cannot be used changes nothing', async () => {
    const changes: string[] = [];
    const tcp = await listen({ onChange: (setting: string, path: string) => changes.push(`${setting} ${path}`) });
    writeFileSync(file, `${SECOND}\n${FIRST}\n`);
    await waitUntil(async () => (await callWith(tcp, `Bearer ${SECOND}`)) === Code.OK);
    assert.equal(await callWith(tcp, `Bearer ${FIRST}`), Code.OK);
    assert.deepEqual(changes, [`server-token-file ${file}`]);
    chmodSync(file, 0o644);
    await waitUntil(() => server.log.some((line) => line.includes('the tokens were not read again')));
    assert.equal(await callWith(tcp, `Bearer ${SECOND}`), Code.OK);
    chmodSync(file, 0o600);
    writeFileSync(file, `${SECOND}\n`);
    await waitUntil(async () => (await callWith(tcp, `Bearer ${FIRST}`)) === Code.UNAUTHENTICATED);
  });

  it('a file that others can read or change, without a token, or that is none is refused with the cure', async () => {
    const refused = async (reason: RegExp): Promise<void> => {
      await assert.rejects(listen(), (error: Error) => {
        assert.ok(error instanceof AddressError);
        assert.match(error.message, reason);
        return true;
      });
      await server.close();
      server = new TestServer();
    };
    for (const mode of [0o604, 0o620, 0o602]) {
      chmodSync(file, mode);
      await refused(/others may read or change it \(mode 06\d\d\) \(chmod 0600 /);
    }
    chmodSync(file, 0o640);
    await listen();
    await server.close();
    server = new TestServer();
    for (const [text, reason] of [
      ['\n', /it has no token \(\(umask 077; openssl rand -hex 32 > /],
      ['short\n', /line 1 is no token/],
      [`${FIRST}\n${'c d'.repeat(10)}\n`, /line 2 is no token/],
    ] as const) {
      writeFileSync(file, text);
      await refused(reason);
    }
    if (process.geteuid?.() === 0) {
      writeFileSync(file, FIRST);
      chownSync(file, 12345, 0);
      await refused(/user 12345 owns it \(chown root /);
    }
    rmSync(file);
    await refused(/ENOENT.*openssl rand/);
    file = folder;
    await refused(/it is no regular file/);
  });
});
