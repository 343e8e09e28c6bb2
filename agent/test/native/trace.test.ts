/** `polytrace trace` with an agent: it loads the policy there, shows the events, and removes the policy. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Machine, needsRoot, needsTracefs, runCommand, spawnCommand } from './support.js';

interface JsonRow {
  readonly process?: { readonly binary: string };
  readonly [field: string]: unknown;
}

describe('polytrace trace with an agent', function () {
  this.timeout(60_000);
  let machine: Machine;
  let cat: string;

  before(needsRoot);
  before(needsTracefs);
  before(async () => {
    machine = new Machine();
    await machine.start();
    cat = join(machine.folder, 'own-cat');
    copyFileSync('/bin/cat', cat);
  });
  after(() => machine?.remove());

  /** Returns the first row that is wanted, and the policies of the agent meanwhile. */
  async function traceRow(
    args: readonly string[],
    run: () => void,
    wanted: (row: JsonRow) => boolean,
  ): Promise<{ readonly row: JsonRow; readonly policies: string }> {
    const { child, stdout, stderr } = spawnCommand('trace', ...args, '-o', 'json', '--server', machine.address);
    try {
      await stderr.waitFor('ready');
      const { stdout: policies } = await runCommand('policy', 'list', '--server', machine.address);
      run();
      for (;;) {
        const lines = stdout.text.split('\n').slice(0, -1);
        const row = lines.map((line) => JSON.parse(line) as JsonRow).find(wanted);
        if (row !== undefined) return { row, policies };
        await once(child.stdout, 'data');
      }
    } finally {
      child.kill('SIGINT');
      const [status] = (await once(child, 'close')) as [number];
      assert.equal(status, 0, stderr.text);
    }
  }

  it('open: the agent has the policy until the command ends', async () => {
    const missing = join(machine.folder, 'missing');
    const { row, policies } = await traceRow(['open', '--binary', cat], () => void spawnSync(cat, [missing]), ({ path }) => path === missing); // prettier-ignore
    assert.equal(row['result'], 'ENOENT');
    assert.equal(row.process?.binary, cat);
    assert.match(policies, /trace-open-\d+/);
    const { stdout } = await runCommand('policy', 'list', '--server', machine.address);
    assert.doesNotMatch(stdout, /trace-open/);
  });

  it('files: an agent sends no inode, and the bytes are summed by path', async () => {
    const file = join(machine.folder, 'data');
    writeFileSync(file, 'x'.repeat(5000));
    const { row } = await traceRow(['files', '--interval', '1', '--binary', 'own-cat'], () => execFileSync(cat, [file]), ({ path }) => path === file); // prettier-ignore
    assert.equal(row['readBytes'], 5000);
  });

  it('latency: the agent counts, and the command reads the numbers of its own policy', async () => {
    const [libc = ''] = /\/\S+\/libc\.so\.6/.exec(readFileSync('/proc/self/maps', 'utf8')) ?? [];
    const run = (): void => void execFileSync(cat, ['/dev/null']);
    const args = ['latency', `${libc}:setlocale`, '--interval', '1', '--binary', cat];
    const { row, policies } = await traceRow(args, run, ({ binary }) => binary === cat);
    assert.equal(row['function'], `${libc}:setlocale`);
    assert.equal(row['calls'], 1);
    assert.ok(Number(row['totalNs']) > 0 && Number(row['p99Ns']) >= Number(row['medianNs']));
    assert.match(policies, /trace-latency-\d+/);
  });

  it('tcp: the address of the socket identifies a connection', async () => {
    const server = createServer((socket) => socket.end('y'.repeat(3000)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      const run = (): void => {
        for (let i = 0; i < 2; i++) connect(port, '127.0.0.1').end('x'.repeat(700)).resume();
      };
      const { row } = await traceRow(['tcp'], run, ({ remote }) => remote === `127.0.0.1:${port}`);
      assert.ok(Number(row['receivedBytes']) >= 3000);
      assert.equal(row['direction'], 'out');
      assert.notEqual(row['local'], '127.0.0.1:0');
    } finally {
      server.close();
    }
  });

  it('exec needs no policy', async () => {
    const run = (): void => void spawn(cat, ['/etc/hostname'], { stdio: 'ignore' });
    const { row } = await traceRow(['exec'], run, ({ process: of }) => of?.binary === cat);
    assert.equal(row['command'], `${cat} /etc/hostname`);
  });

  it('a kernel that cannot load a policy: the error of the agent has a code', async () => {
    const { status, stderr } = await runCommand('trace', 'tls', '--library', '/no/such/file', '--server', machine.address); // prettier-ignore
    assert.equal(status, 3, stderr);
    assert.match(stderr, /TRACER_UNSUPPORTED: this kernel cannot trace tls/);
  });
});
