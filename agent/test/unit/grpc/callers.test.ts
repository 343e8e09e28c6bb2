/** Who makes a call, and what clients may do. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, Metadata, status as Code, type ChannelCredentials } from '@grpc/grpc-js';
import { ProtocolClient } from '../../native/support.js';
import { FakeTracer, policyText } from '../policies/support.js';
import { checkRole } from '../../../lib/grpc/roles.js';
import { createCertificates, TestServer, type Certificates } from './server.js';

const CHANGES: readonly (readonly [string, object])[] = [
  ['AddTracingPolicy', { yaml: policyText('p') }],
  ['ConfigureTracingPolicy', { name: 'p', mode: 'TP_MODE_MONITOR' }],
  ['DisableTracingPolicy', { name: 'p' }],
  ['EnableTracingPolicy', { name: 'p' }],
  ['DeleteTracingPolicy', { name: 'p' }],
  ['SetDebug', { flag: 'CONFIG_FLAG_LOG_LEVEL', level: 'LOG_LEVEL_INFO' }],
  ['RuntimeHook', { createContainer: {} }],
];

describe('the clients of the server', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-callers-'));
  let certificates: Certificates;
  let server: TestServer;
  const clients: ProtocolClient[] = [];

  before(() => (certificates = createCertificates(folder, 'ours')));
  after(() => rmSync(folder, { recursive: true }));
  beforeEach(() => {
    const known = { execId: 'exec-7', binary: '/usr/bin/tetra' };
    const tracer = Object.assign(new FakeTracer(), { process: (pid: number) => (pid === 7 ? known : undefined) });
    server = new TestServer(undefined, tracer);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await server.close();
  });

  function connectClient(address: string, secret?: ChannelCredentials): ProtocolClient {
    const client = new ProtocolClient(address, secret);
    clients.push(client);
    return client;
  }

  function ownCertificate(): ChannelCredentials {
    const [ca, key, cert] = [certificates.ca, certificates.key, certificates.cert].map((file) => readFileSync(file));
    return credentials.createSsl(ca, key, cert);
  }

  const listenWithTls = async (tlsAdmins: readonly string[]): Promise<ProtocolClient> => {
    const tls = { cert: certificates.cert, key: certificates.key, clientCa: certificates.ca };
    const [address = ''] = await server.listen({ addresses: ['localhost:0'], tls }, { tlsAdmins });
    return connectClient(address, ownCertificate());
  };

  function findChange(message: string): Record<string, unknown> {
    const line = server.log.find((each) => each.includes(`"${message}"`)) ?? assert.fail(`no line: ${message}`);
    return JSON.parse(line) as Record<string, unknown>;
  }

  it('over a Unix socket: the log names the process, as the kernel knows it', async () => {
    await server.listen();
    await connectClient(server.address).call('AddTracingPolicy', { yaml: policyText('p') });
    const by = { address: 'unix', pid: 7, uid: 1000, gid: 1001, execId: 'exec-7', binary: '/usr/bin/tetra' };
    assert.deepEqual(findChange('a client added a policy')['by'], by);
    // the addon needs the descriptor
    const [socket] = server.peers as { readonly _handle?: { readonly fd?: number } }[];
    assert.ok((socket?._handle?.fd ?? -1) >= 0, 'the socket of the connection is found');
  });

  it('over TLS: the log names the certificate', async () => {
    const client = await listenWithTls([]);
    await client.call('AddTracingPolicy', { yaml: policyText('p') });
    const by = findChange('a client added a policy')['by'] as { address: string; certificate: string };
    assert.equal(by.certificate, 'localhost');
    assert.match(by.address, /:\d+$/);
  });

  it('a read-only address refuses each change, and answers the rest', async () => {
    await server.listen({}, { readOnly: true });
    const client = connectClient(server.address);
    for (const [name, request] of CHANGES) {
      await assert.rejects(client.call(name, request), { code: Code.PERMISSION_DENIED }, name);
    }
    assert.equal((await client.call('GetVersion'))['version'], '1.2.3');
    await client.call('ListTracingPolicies');
    await client.events().open;
  });

  it('only the certificates of administrators may change something', async () => {
    const reader = await listenWithTls(['admin.example']);
    for (const [name, request] of CHANGES) {
      await assert.rejects(reader.call(name, request), /the certificate of 'localhost' may only read/, name);
    }
    assert.equal((await reader.call('GetVersion'))['version'], '1.2.3');
  });

  it('a certificate without a usable name is none of an administrator', () => {
    const check = (certificate: object): void => {
      const call = { getPeer: () => '', getAuthContext: () => ({ sslPeerCertificate: certificate as never }) };
      checkRole('addTracingPolicy', call, { readOnly: false, tlsAdmins: ['admin'] }, false);
    };
    const refused: readonly object[] = [
      { subject: { O: 'admin' } },
      { subject: {}, subjectaltname: 'IP Address:10.0.0.1' },
      { subject: {}, subjectaltname: 'DNS:"a, DNS:admin, b"' },
      { subject: { CN: 'a' }, subjectaltname: 'URI:"x\\", DNS:admin, y"' },
    ];
    for (const certificate of refused) assert.throws(() => check(certificate), { code: Code.PERMISSION_DENIED });
    check({ subject: { O: 'o' }, subjectaltname: 'DNS:"a, b", DNS:admin' });
  });

  it('a client of a TCP address that has gone already is no administrator', () => {
    // gRPC then has neither an address nor a certificate
    const call = { getPeer: () => 'unknown', getAuthContext: () => ({}) };
    const rules = { readOnly: false, tlsAdmins: ['admin'] };
    assert.throws(() => checkRole('addTracingPolicy', call, rules, false), { code: Code.PERMISSION_DENIED });
    checkRole('addTracingPolicy', call, rules, true);
  });

  it('a name of the certificate makes an administrator', async () => {
    const admin = await listenWithTls(['admin.example', 'localhost']);
    await admin.call('AddTracingPolicy', { yaml: policyText('p') });
  });

  it('with --tls-admins, clients by token may only read, and those of a Unix socket are administrators', async () => {
    const token = 't'.repeat(32);
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 });
    const settings = { addresses: [server.address, '127.0.0.1:0'], tokenFile, insecureClients: false };
    const [, address = ''] = await server.listen(settings, { tlsAdmins: ['admin.example'] });
    const calls = connectClient(address);
    const withToken = new Metadata();
    withToken.set('authorization', `Bearer ${token}`);
    for (const [name, request] of CHANGES) {
      await assert.rejects(calls.call(name, request, withToken), /a client without a certificate may only read/, name);
    }
    await calls.call('ListTracingPolicies', {}, withToken);
    await connectClient(server.address).call('AddTracingPolicy', { yaml: policyText('p') });
  });
});
