/** Tracers that need only tracepoints, and the command, on the running kernel. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OutputReader } from '../../agent/test/native/support.js';

const ROOT = join(__dirname, '../..');
const COMMAND = ['--require', require.resolve('tsx/cjs'), join(ROOT, 'lib/cli/main.ts')];

interface JsonRow {
  readonly process?: { readonly pid: number; readonly binary: string };
  readonly [field: string]: unknown;
}

describe('polytrace trace on this kernel', function () {
  this.timeout(60_000);
  let folder: string;
  /** Programs that nothing else on this machine runs. */
  let cat: string;

  before(function () {
    if (process.platform === 'linux' && process.getuid?.() === 0) return;
    if (process.env['REQUIRE_ALL'] === '1') throw new Error('these tests need root on Linux');
    console.warn('    skipped: these tests need root on Linux');
    this.skip();
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-trace-'));
    cat = join(folder, 'own-cat');
    copyFileSync('/bin/cat', cat);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Runs a tracer until `wanted` holds for one of its rows. Returns this row and the messages of the command. */
  async function traceRow(
    args: readonly string[],
    run: () => void,
    wanted: (row: JsonRow) => boolean,
  ): Promise<{ readonly row: JsonRow; readonly messages: string }> {
    const env = { ...process.env, POLYTRACE_SOCKET: '' };
    const child = spawn(process.execPath, [...COMMAND, 'trace', ...args, '-o', 'json'], { env, stdio: 'pipe' });
    const [stdout, stderr] = [new OutputReader(child.stdout), new OutputReader(child.stderr)];
    try {
      await stderr.waitFor('ready');
      run();
      for (;;) {
        const lines = stdout.text.split('\n').slice(0, -1);
        const row = lines.map((line) => JSON.parse(line) as JsonRow).find(wanted);
        if (row !== undefined) return { row, messages: stderr.text };
        await once(child.stdout, 'data');
      }
    } finally {
      child.kill('SIGINT');
      const [status] = (await once(child, 'close')) as [number];
      assert.equal(status, 0, stderr.text);
    }
  }

  it('open shows a path and its error', async () => {
    const missing = join(folder, 'missing');
    const { row } = await traceRow(['open', '--failed', '--binary', cat], () => void spawnSync(cat, [missing]), ({ path }) => path === missing); // prettier-ignore
    assert.equal(row['result'], 'ENOENT');
    assert.equal(row.process?.binary, cat);
  });

  it('exec shows the end of a program, with its duration', async () => {
    const { row } = await traceRow(['exec', '--exits'], () => void spawnSync(cat, ['/etc/hostname']), ({ event, process: of }) => event === 'exit' && of?.binary === cat); // prettier-ignore
    assert.equal(row['status'], 0);
    assert.ok(Number(row['durationNs']) > 0);
  });

  it('files sums the bytes of a file', async () => {
    const file = join(folder, 'data');
    writeFileSync(file, 'x'.repeat(5000));
    const { row } = await traceRow(['files', '--interval', '1', '--binary', 'own-cat'], () => void spawnSync(cat, [file]), ({ path }) => path === file); // prettier-ignore
    assert.equal(row['readBytes'], 5000);
  });

  it('kill shows the signal and its target', async () => {
    const run = (): void => void execFileSync('bash', ['-c', 'kill -0 $$; kill -URG $$; :']);
    const { row } = await traceRow(['kill', '--binary', 'bash'], run, ({ signal }) => signal === 'SIGURG');
    assert.equal(row['targetPid'], row.process?.pid);
    assert.equal(row['result'], 'ok');
  });

  it('tcp shows bytes in both directions at the end of a connection', async () => {
    const server = createServer((socket) => socket.end('y'.repeat(3000)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      const run = (): void => void connect(port, '127.0.0.1').end('x'.repeat(700)).resume();
      const { row } = await traceRow(['tcp'], run, ({ remote }) => remote === `127.0.0.1:${port}`);
      assert.ok(Number(row['receivedBytes']) >= 3000);
      assert.ok(Number(row['sentBytes']) >= 700);
      assert.equal(row['direction'], 'out');
    } finally {
      server.close();
    }
  });
});
