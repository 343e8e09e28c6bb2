/** The addresses of the server: TLS, mutual TLS, changed certificates, and sockets in the file system. */
import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, status as Code, type ChannelCredentials } from '@grpc/grpc-js';
import { execEvent } from '../../../../test/unit/output/events.js';
import { AddressError } from '../../../lib/grpc/address.js';
import { ProtocolClient } from '../../native/support.js';
import { createCertificates, TestServer, waitUntil, type Certificates } from './server.js';

describe('the addresses of the server', function () {
  this.timeout(60_000);
  let server: TestServer;
  let ours: Certificates;
  let others: Certificates;

  const folder = mkdtempSync(join(tmpdir(), 'polytrace-certificates-'));

  before(() => {
    ours = createCertificates(folder, 'ours');
    others = createCertificates(folder, 'others');
  });
  after(() => rmSync(folder, { recursive: true }));
  beforeEach(() => {
    server = new TestServer();
  });
  afterEach(() => server.close());

  function createCredentials(ca: Certificates, own?: Certificates): ChannelCredentials {
    const [key, cert] = own === undefined ? [null, null] : [readFileSync(own.key), readFileSync(own.cert)];
    return credentials.createSsl(readFileSync(ca.ca), key, cert);
  }

  async function readVersion(address: string, secret?: ChannelCredentials): Promise<unknown> {
    const client = new ProtocolClient(address, secret);
    try {
      return (await client.call('GetVersion'))['version'];
    } finally {
      client.close();
    }
  }

  const refused = { code: Code.UNAVAILABLE };

  it('TLS: a client that trusts the authority gets an answer, another one and one without TLS do not', async () => {
    const [, tcp = ''] = await server.listen({ addresses: [server.address, 'localhost:0'], tls: ours });
    assert.equal(await readVersion(tcp, createCredentials(ours)), '1.2.3');
    await assert.rejects(readVersion(tcp, createCredentials(others)), refused);
    await assert.rejects(readVersion(tcp), refused);
    // the socket is protected by the file system
    assert.equal(await readVersion(server.address), '1.2.3');
  });

  it('mutual TLS: a client needs a certificate of the authority', async () => {
    const tls = { cert: ours.cert, key: ours.key, clientCa: others.ca };
    const [tcp = ''] = await server.listen({ addresses: ['localhost:0'], tls });
    assert.equal(await readVersion(tcp, createCredentials(ours, others)), '1.2.3');
    await assert.rejects(readVersion(tcp, createCredentials(ours)), refused);
    await assert.rejects(readVersion(tcp, createCredentials(ours, ours)), refused);
  });

  it('certificates that change are used for the next connection; streams go on', async () => {
    const tls = { cert: join(server.folder, 'cert.pem'), key: join(server.folder, 'key.pem') };
    const installCertificate = ({ cert, key }: Certificates): void => {
      for (const [from, to] of [
        [cert, tls.cert],
        [key, tls.key],
      ] as const) {
        copyFileSync(from, `${to}.new`);
        renameSync(`${to}.new`, to);
      }
    };
    installCertificate(ours);
    const [tcp = ''] = await server.listen({ addresses: ['localhost:0'], tls, tlsTimes: { refreshMs: 50 } });
    const client = new ProtocolClient(tcp, createCredentials(ours));
    const events = client.events();
    await events.open;
    installCertificate(others);
    await waitUntil(() => readVersion(tcp, createCredentials(others)).catch(() => false));
    await assert.rejects(readVersion(tcp, createCredentials(ours)), refused);
    server.dispatch([execEvent()]);
    await events.waitFor(({ event }) => event === 'process_exec');
    client.close();
  });

  it('without TLS, only addresses of this machine are allowed', async () => {
    for (const address of ['0.0.0.0:0', '[::]:0', '192.0.2.1:1', 'example.org:54321']) {
      await assert.rejects(server.listen({ addresses: [server.address, address] }), (error: Error) => {
        assert.ok(error instanceof AddressError);
        assert.match(error.message, /can be reached from other machines: that needs --tls-cert and --tls-key/);
        return true;
      });
      assert.ok(!existsSync(server.socket), 'nothing is opened');
    }
    const [tcp = ''] = await server.listen({ addresses: ['127.0.0.1:0'] });
    assert.equal(await readVersion(tcp), '1.2.3');
  });

  it('clients of a TCP address, also of this machine, need a certificate unless --insecure-clients says otherwise', async () => {
    const address = '127.0.0.1:0';
    const identity =
      /everybody who reaches 127\.0\.0\.1:0 could change policies: use .*--tls-client-ca.*--insecure-clients/;
    for (const tls of [undefined, ours]) {
      await assert.rejects(
        server.listen({
          addresses: [server.address, address],
          insecureClients: false,
          tls: tls && { cert: tls.cert, key: tls.key },
        }),
        identity,
      );
      assert.ok(!existsSync(server.socket), 'nothing is opened');
    }
    const tls = { cert: ours.cert, key: ours.key, clientCa: others.ca };
    const [tcp = ''] = await server.listen({ addresses: ['localhost:0'], insecureClients: false, tls });
    assert.equal(await readVersion(tcp, createCredentials(ours, others)), '1.2.3');
  });

  it('an address that makes no sense, a port in use and a missing certificate say so', async () => {
    for (const text of ['unix:relative', 'localhost', 'localhost:99999', 'a b:1', '']) {
      await assert.rejects(server.listen({ addresses: [text] }), /is no address/, text);
    }
    const tls = { ...ours, cert: '/nothing/cert.pem' };
    await assert.rejects(server.listen({ addresses: ['localhost:0'], tls }), /there is no file \/nothing\/cert\.pem/);
    const other = createServer();
    await once(other.listen(0, '127.0.0.1'), 'listening');
    const { port } = other.address() as { port: number };
    await assert.rejects(server.listen({ addresses: [`127.0.0.1:${port}`] }), AddressError);
    other.close();
  });

  const fileMode = (path: string): number => statSync(path).mode & 0o777;

  it('the socket is for its owner, or for a group', async () => {
    await server.listen();
    assert.equal(fileMode(server.socket), 0o600);
    const second = new TestServer();
    const group = process.getgid?.() ?? 0;
    await second.listen({ group: String(group) });
    assert.deepEqual([fileMode(second.socket), statSync(second.socket).gid], [0o660, group]);
    assert.equal(await readVersion(second.address), '1.2.3');
    await second.close();
    const third = new TestServer();
    await assert.rejects(third.listen({ group: 'no-such-group' }), /there is no group 'no-such-group'/);
    await third.close();
  });

  /** Creates a socket whose server died without removing it. */
  async function createStaleSocket(path: string): Promise<void> {
    const dead: Server = createServer();
    await once(dead.listen(`${path}.dead`), 'listening');
    // closing removes the file under the old name, so the socket is renamed
    renameSync(`${path}.dead`, path);
    await new Promise((resolve) => dead.close(resolve));
    assert.ok(statSync(path).isSocket());
  }

  it('a socket that nobody serves is replaced, one that answers is left alone, and another file as well', async () => {
    await createStaleSocket(server.socket);
    await server.listen();
    assert.equal(await readVersion(server.address), '1.2.3');
    const second = new TestServer();
    await assert.rejects(second.listen({ addresses: [server.address] }), /another server uses /);
    assert.equal(await readVersion(server.address), '1.2.3');
    writeFileSync(second.socket, 'precious');
    await assert.rejects(second.listen(), /exists and is no socket/);
    assert.equal(readFileSync(second.socket, 'utf8'), 'precious');
    rmSync(second.socket);
    await second.close();
  });

  it('a folder that cannot be made is named, with the remedy', async () => {
    const address = 'unix:///proc/none/polytrace.sock';
    const message =
      /^the folder of the socket \S+ cannot be made: .* \(mount a volume at \/proc\/none, or use another --server-address\)$/;
    await assert.rejects(
      server.listen({ addresses: [address] }),
      (error: Error) => error instanceof AddressError && message.test(error.message),
    );
  });

  it('a socket that somebody removed is made again, and streams go on', async () => {
    await server.listen({ socketCheckMs: 20 });
    const client = new ProtocolClient(server.address);
    const events = client.events();
    await events.open;
    for (let time = 0; time < 3; time++) {
      unlinkSync(server.socket);
      await waitUntil(() => existsSync(server.socket));
      await waitUntil(() => readVersion(server.address).catch(() => false));
      assert.equal(fileMode(server.socket), 0o600);
    }
    server.dispatch([execEvent()]);
    await events.waitFor(({ event }) => event === 'process_exec');
    assert.ok(server.log.some((line) => line.includes('the socket was removed: it was made again')));
    client.close();
  });
});
