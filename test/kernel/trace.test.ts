/** Each tracer of `polytrace trace` shows a small workload on a kernel with all hooks. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NIGHTLY } from '../nightly.js';
import { checkout, kernel } from './support.js';

const PROGRAM = '/tmp/trace-workload';
const DISK = '/tmp/trace-disk';
const workload = (...args: readonly string[]): void => void execFileSync(PROGRAM, args);
const shell = (line: string): void => void spawnSync('bash', ['-c', line]);

type Fields = Readonly<Record<string, unknown>>;
type Condition = (fields: Fields) => boolean;
const has =
  (wanted: Fields): Condition =>
  (fields) =>
    Object.entries(wanted).every(([key, value]) => String(fields[key]) === String(value));

interface Check {
  readonly name: string;
  readonly run: () => void;
  /** Each condition holds for a row. */
  readonly rows: readonly Condition[];
  readonly options?: readonly string[];
}

// by day, other kernels do not run it
if (kernel === '6.12' || NIGHTLY)
  describe('polytrace trace', () => {
    let loop = '';
    const children: ChildProcess[] = [];

    before(() => {
      execFileSync('cc', ['-O1', '-o', PROGRAM, join(__dirname, 'trace-workload.c')]);
    });
    after(() => {
      for (const child of children) child.kill('SIGKILL');
      if (loop !== '') shell(`losetup -d ${loop}`);
    });

    /** Traces until each condition holds for a row. A test that waits for more than it gets ends by its time limit. */
    async function traceRows({ name, run, rows: conditions, options = [] }: Check): Promise<void> {
      const args = [join(checkout, 'dist/cli/main.js'), 'trace', name, '-o', 'json', ...options];
      const child = spawn(process.execPath, args, { env: { ...process.env, POLYTRACE_SOCKET: '' }, stdio: 'pipe' });
      children.push(child);
      let [text, messages] = ['', ''];
      child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (messages += chunk.toString()));
      const closed = once(child, 'close');
      while (!messages.includes('ready')) {
        await Promise.race([once(child.stderr, 'data'), closed]);
        assert.equal(child.exitCode, null, messages);
      }
      run();
      const isDone = (): boolean => {
        const rows = text.split('\n').slice(0, -1).map((line) => JSON.parse(line) as Fields); // prettier-ignore
        return conditions.every((holds) => rows.some(holds));
      };
      while (!isDone()) await once(child.stdout, 'data');
      child.kill('SIGINT');
      assert.deepEqual(await closed, [0, null], messages);
      assert.doesNotMatch(messages, /warning/);
    }

    const checks: readonly Check[] = [
      { name: 'open', run: () => workload('open'), rows: [has({ path: '/etc/hostname', flags: 'r' }), has({ path: '/no/such/file', result: 'ENOENT' })] },
      { name: 'open', run: () => workload('open'), rows: [has({ path: '/no/such/file' })], options: ['--failed', '--binary', 'trace-workload'] },
      { name: 'exec', run: () => workload('exec'), rows: [has({ command: '/bin/true trace-exec', event: 'exec' }), has({ event: 'exit', status: 0 })], options: ['--exits'] },
      { name: 'files', run: () => workload('files', '3'), rows: [({ path, writtenBytes, readBytes }) => path === '/tmp/trace-file' && Number(writtenBytes) > 0 && Number(readBytes) > 0] },
      { name: 'connect', run: () => workload('tcp'), rows: [has({ result: 'ok', destination: '127.0.0.1:18990' }), has({ result: 'ECONNREFUSED', destination: '127.0.0.1:9' })] },
      { name: 'accept', run: () => workload('tcp'), rows: [has({ local: '127.0.0.1:18990' })], options: ['--binary', 'trace-workload'] },
      {
        name: 'tcp',
        run: () => workload('tcp'),
        rows: [
          ({ direction, sentBytes, receivedBytes }) => direction === 'out' && Number(sentBytes) >= 1000 && Number(receivedBytes) >= 5000,
          ({ direction, sentBytes, receivedBytes }) => direction === 'in' && Number(sentBytes) >= 5000 && Number(receivedBytes) >= 1000,
        ],
      },
      {
        name: 'dns',
        run: () => workload('dns', '2'),
        rows: [
          has({ name: 'www.example.test', type: 'A', result: 'NOERROR', answers: '192.0.2.7', server: '127.0.0.1:53' }),
          ({ result, latencyNs }) => result === 'NXDOMAIN' && Number(latencyNs) > 0,
        ],
      },
      { name: 'bind', run: () => workload('bind'), rows: [has({ event: 'bind', address: '127.0.0.1:18991', result: 'ok', protocol: 'tcp' }), has({ event: 'listen', address: '127.0.0.1:18991', backlog: 64 })] },
      { name: 'mount', run: () => workload('mount'), rows: [has({ call: 'mount', type: 'tmpfs', source: 'none', target: '/mnt', result: 'ok' }), has({ call: 'umount', target: '/mnt' })] },
      { name: 'mount', run: () => shell('mount -t tmpfs new /mnt; mount --bind /etc /mnt; umount /mnt; umount /mnt'), rows: [has({ call: 'mount', type: 'tmpfs', source: 'new', target: '/mnt', result: 'ok' }), has({ type: 'bind', source: '/etc' })] },
      { name: 'signals', run: () => workload('kill'), rows: [has({ signal: 'SIGUSR1', result: 'ignored', target: 'trace-workload' })] },
      { name: 'kill', run: () => workload('kill'), rows: [has({ call: 'kill', signal: 'SIGUSR1', result: 'ok' }), has({ signal: 'SIGTERM', result: 'ESRCH', targetPid: 999999 })] },
      { name: 'capable', run: () => workload('capable'), rows: [has({ capability: 'CAP_SYS_NICE', result: 'yes' }), has({ capability: 'CAP_SYS_NICE', result: 'EPERM' })], options: ['--binary', 'trace-workload'] },
      {
        name: 'oom',
        run: () => {
          mkdirSync('/sys/fs/cgroup/trace-oom', { recursive: true });
          writeFileSync('/sys/fs/cgroup/cgroup.subtree_control', '+memory');
          writeFileSync('/sys/fs/cgroup/trace-oom/memory.max', '20M');
          shell('echo $$ > /sys/fs/cgroup/trace-oom/cgroup.procs; tail /dev/zero');
        },
        rows: [has({ victim: 'tail', scope: 'cgroup', limitBytes: 20 << 20 })],
      },
      { name: 'modules', run: () => shell('modprobe -r loop; modprobe loop; modprobe -r loop'), rows: [has({ event: 'load', module: 'loop' }), has({ event: 'unload', module: 'loop' })] },
      {
        name: 'blockio',
        run: () => {
          execFileSync('modprobe', ['loop']);
          execFileSync('truncate', ['-s', '16M', DISK]);
          loop = execFileSync('losetup', ['-f', '--show', DISK], { encoding: 'utf8' }).trim();
          workload('block', '20', loop);
        },
        rows: [({ disk, operation, maximumNs }) => /^loop/.test(String(disk)) && operation === 'write' && Number(maximumNs) > 0, ({ operation, bytes }) => operation === 'read' && Number(bytes) >= 4096],
      },
      { name: 'slow-fs', run: () => workload('slow'), rows: [({ operation, path, durationNs }) => operation === 'write' && path === '/tmp/trace-slow' && Number(durationNs) >= 2_000_000], options: ['--min', '2ms'] },
    ]; // prettier-ignore
    for (const check of checks) {
      it([check.name, ...(check.options ?? [])].join(' '), () => traceRows(check));
    }

    it('tls', async () => {
      const key = '/tmp/trace-key.pem';
      shell(`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${key} -out ${key}.crt -days 2 -subj /CN=localhost`); // prettier-ignore
      const server = spawn('openssl', ['s_server', '-www', '-accept', '18443', '-key', key, '-cert', `${key}.crt`], { stdio: ['ignore', 'pipe', 'ignore'] }); // prettier-ignore
      children.push(server);
      await once(server.stdout, 'data');
      await traceRows({
        name: 'tls',
        run: () => spawn('curl', ['-sk', 'https://127.0.0.1:18443/trace'], { stdio: 'ignore' }),
        rows: [
          ({ direction, data }) => direction === 'send' && String(data).startsWith('GET /trace'),
          ({ direction, data }) => direction === 'recv' && String(data).startsWith('GET /trace'),
        ],
      });
    });

    it('sockets and ps show the server of the last test', () => {
      const command = (name: string): string =>
        execFileSync(process.execPath, [join(checkout, 'dist/cli/main.js'), name, '--binary', 'openssl'], { encoding: 'utf8' }); // prettier-ignore
      assert.match(command('sockets'), /^tcp +LISTEN .*openssl .*:18443/m);
      assert.match(command('ps'), /openssl s_server -www/);
    });
  });
