/** Each tracer of `polytrace trace` shows a small workload on a kernel with all hooks. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { openTracer } from '../../lib/index.js';
import { TLS_LIBRARIES, TRACERS, type Row, type TraceOptions } from '../../lib/tracers/index.js';
import type { Tracer } from '../../types/index.js';
import { NIGHTLY } from '../nightly.js';
import { copyProgram, kernel } from './support.js';

const PROGRAM = '/tmp/trace-workload';
const DISK = '/tmp/trace-disk';
const workload = (...args: readonly string[]): void => void execFileSync(PROGRAM, args);
const shell = (line: string): void => void spawnSync('bash', ['-c', line]);

type Fields = Row['fields'];
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
  readonly options?: Partial<TraceOptions>;
}

// by day, other kernels do not run it
if (kernel === '6.12' || NIGHTLY)
  describe('polytrace trace', function () {
    this.timeout(60_000);
    let tracer: Tracer;
    let loop = '';
    const children: ChildProcess[] = [];

    before(async () => {
      copyProgram('trace-workload', PROGRAM);
      tracer = await openTracer();
    });
    after(async () => {
      for (const child of children) child.kill('SIGKILL');
      if (loop !== '') shell(`losetup -d ${loop}`);
      await tracer?.close();
    });

    /** Traces until each condition holds for a row. A test that waits for more than it gets ends by its time limit. */
    async function traceRows({ name, run, rows: conditions, options = {} }: Check): Promise<void> {
      const definition = TRACERS.find((each) => each.name === name) ?? assert.fail(name);
      const all: TraceOptions = {
        pids: [],
        binaries: [],
        policyName: `trace-${name}`,
        isWanted: () => true,
        ...options,
      };
      const [yaml] = definition.policies(all);
      if (yaml !== undefined) await tracer.addPolicy({ yaml });
      const collector = definition.createCollector(all);
      const seen: Row[] = [];
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(), 40_000);
      const summarize = (): void => {
        if (collector.summarize !== undefined) seen.push(...collector.summarize().rows);
      };
      const isDone = (): boolean => conditions.every((holds) => seen.some(({ fields }) => holds(fields)));
      try {
        const batches = tracer.batches({
          signal: controller.signal,
          ...(yaml !== undefined && { policyNames: [all.policyName] }),
        });
        run();
        if (definition.readsMetrics === true) {
          collector.takeMetrics?.(await tracer.metrics());
          summarize();
          controller.abort();
        }
        for await (const batch of batches) {
          for (const event of batch) {
            assert.notEqual(event.type, 'lost');
            seen.push(...collector.take(event));
          }
          summarize();
          if (isDone()) break;
        }
        assert.ok(isDone(), `rows: ${inspect(seen.map(({ fields }) => fields))}`);
        assert.equal(collector.forgotten, 0);
      } finally {
        clearTimeout(timer);
        if (yaml !== undefined) await tracer.removePolicy(all.policyName);
      }
    }

    const checks: readonly Check[] = [
      { name: 'open', run: () => workload('open'), rows: [has({ path: '/etc/hostname', flags: 'r' }), has({ path: '/no/such/file', result: 'ENOENT' })] },
      { name: 'open', run: () => workload('open'), rows: [has({ path: '/no/such/file' })], options: { failed: true, binaries: ['trace-workload'] } },
      { name: 'exec', run: () => workload('exec'), rows: [has({ command: '/bin/true trace-exec', event: 'exec' }), has({ event: 'exit', status: 0 })], options: { exits: true } },
      { name: 'files', run: () => workload('files', '3'), rows: [({ path, writtenBytes, readBytes }) => path === '/tmp/trace-file' && Number(writtenBytes) > 0 && Number(readBytes) > 0] },
      { name: 'connect', run: () => workload('tcp'), rows: [has({ result: 'ok', destination: '127.0.0.1:18990' }), has({ result: 'ECONNREFUSED', destination: '127.0.0.1:9' })] },
      { name: 'accept', run: () => workload('tcp'), rows: [has({ local: '127.0.0.1:18990' })], options: { binaries: ['trace-workload'] } },
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
      { name: 'capable', run: () => workload('capable'), rows: [has({ capability: 'CAP_SYS_NICE', result: 'yes' }), has({ capability: 'CAP_SYS_NICE', result: 'EPERM' })], options: { binaries: ['trace-workload'] } },
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
      { name: 'modules', run: () => shell('modprobe dummy numdummies=0; modprobe -r dummy'), rows: [has({ event: 'load', module: 'dummy' }), has({ event: 'unload', module: 'dummy' })] },
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
      { name: 'slow-fs', run: () => workload('slow'), rows: [({ operation, path, durationNs }) => operation === 'write' && path === '/tmp/trace-slow' && Number(durationNs) >= 2_000_000], options: { minimumNs: 2_000_000n } },
      {
        name: 'latency',
        run: () => workload('files', '20'),
        rows: [
          ({ function: name, binary, calls, totalNs }) => name === 'vfs_write' && binary === PROGRAM && Number(calls) >= 20 && Number(totalNs) > 0,
          ({ function: name, p99Ns, medianNs }) => name === 'sys_read' && Number(p99Ns) >= Number(medianNs) && Number(medianNs) > 0,
        ],
        options: { functions: ['vfs_write', 'sys_read'], binaries: ['trace-workload'] },
      },
    ]; // prettier-ignore
    for (const check of checks) {
      it(`${check.name} ${Object.keys(check.options ?? {}).join(' ')}`.trim(), () => traceRows(check));
    }

    it('tls', async function () {
      const library = TLS_LIBRARIES.find((path) => existsSync(path));
      if (library === undefined) return this.skip();
      const key = '/tmp/trace-key.pem';
      shell(`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${key} -out ${key}.crt -days 2 -subj /CN=localhost`); // prettier-ignore
      const server = spawn('openssl', ['s_server', '-www', '-accept', '18443', '-key', key, '-cert', `${key}.crt`], { stdio: ['ignore', 'pipe', 'ignore'] }); // prettier-ignore
      children.push(server);
      await new Promise((resolve) => server.stdout.once('data', resolve));
      await traceRows({
        name: 'tls',
        run: () => spawn('curl', ['-sk', 'https://127.0.0.1:18443/trace'], { stdio: 'ignore' }),
        rows: [
          ({ direction, data }) => direction === 'send' && String(data).startsWith('GET /trace'),
          ({ direction, data }) => direction === 'recv' && String(data).startsWith('HTTP/1.0 200'),
        ],
        options: { library },
      });
    });
  });
