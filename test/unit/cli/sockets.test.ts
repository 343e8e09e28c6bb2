/** `polytrace sockets` and `polytrace ps`: the files of /proc, and the commands on this machine. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listProcesses } from '../../../lib/cli/proc.js';
import { parseSocketTable, parseUnixTable } from '../../../lib/cli/socket-tables.js';
import { FakeCommand } from './fake.js';

const TITLE = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const ID = 'a'.repeat(64);

describe('tables of sockets', () => {
  it('has addresses, states and queues', () => {
    const text = `${TITLE}   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 ffff 100\n   1: 0100007F:1F90 0200A8C0:C350 01 00000010:00000020 00:00000000 00000000     0        0 112 1 ffff 100\n`;
    assert.deepEqual(parseSocketTable('tcp', text, 1), [
      { protocol: 'tcp', state: 'LISTEN', local: '127.0.0.1:8080', remote: '-', receiveQueue: 0, sendQueue: 0, inode: 111, isWaiting: true, namespacePid: 1 },
      { protocol: 'tcp', state: 'ESTABLISHED', local: '127.0.0.1:8080', remote: '192.168.0.2:50000', receiveQueue: 32, sendQueue: 16, inode: 112, isWaiting: false, namespacePid: 1 },
    ]); // prettier-ignore
  });

  it('has IPv6, and IPv4 in IPv6', () => {
    const line = (local: string): string => `${TITLE} 0: ${local}:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 9 2 ffff 0\n`; // prettier-ignore
    const [loopback] = parseSocketTable('udp6', line('00000000000000000000000001000000'), 1);
    assert.equal(loopback?.local, '[::1]:53');
    assert.equal(loopback?.state, 'UNCONNECTED');
    assert.equal(loopback?.protocol, 'udp');
    const [mapped] = parseSocketTable('tcp6', line('0000000000000000FFFF00000100007F'), 1);
    assert.equal(mapped?.local, '[::ffff:127.0.0.1]:53');
  });

  it('leaves out lines of another form', () => {
    assert.deepEqual(parseSocketTable('tcp', `${TITLE}nonsense\n 0: 1:2 3:4 0A\n`, 1), []);
    assert.deepEqual(parseUnixTable('title\nnonsense\n', 1), []);
  });

  it('has local sockets', () => {
    const text = 'Num RefCount Protocol Flags Type St Inode Path\nffff: 00000002 00000000 00010000 0001 01 55 /run/a b\nffff: 00000003 00000000 00000000 0002 03 56\n'; // prettier-ignore
    assert.deepEqual(
      parseUnixTable(text, 1).map(({ state, local, inode }) => [state, local, inode]),
      [
        ['LISTEN', '/run/a b', 55],
        ['CONNECTED', '(dgram)', 56],
      ],
    );
  });
});

describe('polytrace sockets and ps', () => {
  let command: FakeCommand;
  let folder: string;
  beforeEach(() => {
    command = new FakeCommand();
    folder = mkdtempSync(join(tmpdir(), 'polytrace-proc-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('reads processes, with names that have parentheses, and their containers', () => {
    mkdirSync(join(folder, '12'));
    mkdirSync(join(folder, '13'));
    const files = {
      stat: `12 (a) b (c) S 1 12 12 0 -1 4194304 ${'0 '.repeat(12)}4242 0`,
      status: 'Name:\ta\nUid:\t4294967294\t0\t0\t0\n',
      cmdline: 'a\0b c\0\0',
      cgroup: `0::/system.slice/docker-${ID}.scope\n`,
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, '12', name), text);
    assert.deepEqual(listProcesses(folder), [
      {
        pid: 12,
        parentPid: 1,
        uid: 4_294_967_294,
        user: '4294967294',
        executable: '',
        command: 'a b c',
        startTicks: 4242,
        containerId: ID,
      },
    ]);
  });

  it('sockets finds the process that listens', async function () {
    if (process.platform !== 'linux') this.skip();
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      assert.equal(await command.run('sockets', '--listening', '-o', 'json', '--pid', String(process.pid)), 0);
      const rows = command.stdout.text.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>); // prettier-ignore
      const row = rows.find(({ local }) => local === `127.0.0.1:${port}`);
      assert.equal(row?.['pid'], process.pid);
      assert.equal(row?.['executable'], process.execPath);
    } finally {
      server.close();
    }
  });

  it('tables fit COLUMNS', async function () {
    if (process.platform !== 'linux') this.skip();
    for (const name of ['ps', 'sockets']) {
      command = new FakeCommand();
      command.env = { COLUMNS: '70' };
      assert.equal(await command.run(name), 0);
      const lines = command.stdout.text.split('\n');
      assert.match(lines[0] ?? '', /PID/);
      assert.ok(lines.every((line) => line.length <= 70));
    }
  });

  it('ps shows the process sets of policies that a process is in, and lists them', async function () {
    if (process.platform !== 'linux') this.skip();
    const policy = join(folder, 'p.yaml');
    writeFileSync(
      policy,
      `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: sets }
spec:
  kprobes:
    - call: tcp_connect
      syscall: false
      selectors:
        - matchBinaries: [{ operator: In, values: [${process.execPath}], followChildren: true }]
        - matchBinaries: [{ operator: Prefix, values: [/no/such/] }]
`,
    );
    assert.equal(await command.run('ps', '--policy', policy, '--pid', String(process.pid)), 0);
    assert.match(command.stdout.text, /sets#0/);
    assert.match(command.stdout.text, /\nsets#0: .*, and all descendants\nsets#1: \/no\/such\/…\n$/);
    command = new FakeCommand();
    assert.equal(await command.run('ps', '--policy', policy, '--pid', String(process.pid), '-o', 'json'), 0);
    assert.deepEqual((JSON.parse(command.stdout.text) as { sets: string[] }).sets, ['sets#0']);
  });

  it('refuses wrong options', async () => {
    assert.equal(await command.run('ps', '--pods', '['), 2);
    assert.equal(await command.run('sockets', '--pid', '-1'), 2);
  });
});
