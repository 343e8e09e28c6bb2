/** `polytrace trace`: policies, tables, JSON, filters and errors, without a kernel. */
import assert from 'node:assert/strict';
import { KernelError } from '../../../lib/errors.js';
import { TRACERS } from '../../../lib/tracers/index.js';
import type { EventsOptions, MetricsSample, PlainEvent } from '../../../types/index.js';
import { makeEvent } from '../../../lib/testing/make-event.js';
import { kprobe } from '../tracers/support.js';
import { FakeCommand } from './fake.js';

const opened = (path: string, process: object = {}): PlainEvent =>
  kprobe('__x64_sys_openat', 0, [{ type: 'string', label: 'path', value: path }], {
    return: { type: 'long', value: 3n },
    process: { pid: 77, binary: '/usr/bin/cat', ...process },
  });

describe('polytrace trace', () => {
  let command: FakeCommand;
  beforeEach(() => {
    command = new FakeCommand();
    command.env = { POLYTRACE_SOCKET: '' };
  });

  /** Starts the command, and returns its exit status as soon as it was stopped. */
  async function trace(args: readonly string[], ...batches: readonly PlainEvent[][]): Promise<number> {
    const status = command.run('trace', ...args);
    await command.stderr.waitFor('ready');
    for (const batch of batches) command.tracer.push(...batch);
    command.signals.emit('SIGINT', 'SIGINT');
    return status;
  }

  for (const { name } of TRACERS) {
    it(`${name} --show prints its policy and opens no tracer`, async () => {
      const functions = name === 'latency' ? ['vfs_read'] : [];
      assert.equal(await command.run('trace', name, ...functions, '--show'), 0);
      assert.match(command.stdout.text, name === 'exec' ? /needs no policy/ : new RegExp(`name: trace-${name}\n`));
      assert.equal(command.openOptions, undefined);
    });
  }

  it('--show has the filters, and 2 is the policy for other kernels', async () => {
    assert.equal(await command.run('trace', 'open', '--show', '--pid', '5,6', '--comm', 'cat'), 0);
    assert.match(command.stdout.text, /matchPIDs:\n +- \{ operator: In, values: \[5, 6\] \}/);
    assert.match(command.stdout.text, /values: \[\/cat\]/);
    assert.match(command.stderr.text, /--show 2/);
    command = new FakeCommand();
    assert.equal(await command.run('trace', 'open', '--show', '2'), 0);
    assert.match(command.stdout.text, /sys_enter_openat/);
    assert.equal(await command.run('trace', 'open', '--show', '3'), 2);
    assert.match(command.stderr.text, /open has 2 policies/);
  });

  it('prints a table that fits COLUMNS', async () => {
    command.env['COLUMNS'] = '60';
    assert.equal(await trace(['open'], [opened(`/${'x'.repeat(100)}`)]), 0);
    const lines = command.stdout.text.trimEnd().split('\n');
    assert.equal(lines.length, 2);
    assert.ok(lines.every((line) => line.length <= 60));
    assert.match(lines[1] ?? '', /…/);
  });

  it('-o json prints a line for each row, with the process', async () => {
    assert.equal(await trace(['open', '-o', 'json'], [opened('/a\u202e\udc80')]), 0);
    assert.match(command.stdout.text, /\\u202e/);
    const row = JSON.parse(command.stdout.text) as { process: { pid: number; source?: object }; path: string };
    assert.equal(row.process.pid, 77);
    assert.equal(row.process.source, undefined);
    assert.equal(row.path, '/a\u202e\ufffd');
  });

  it('names the policy after the process of the command, and asks for its events only', async () => {
    await trace(['open']);
    const [yaml = ''] = command.tracer.added;
    assert.match(yaml, new RegExp(`name: trace-open-${process.pid}\n`));
    const { policyNames, types } = command.tracer.options as EventsOptions;
    assert.deepEqual(policyNames, [`trace-open-${process.pid}`]);
    assert.ok(types?.includes('process_kprobe') === true && !types.includes('process_exec'));
    assert.equal(command.tracer.closes, 1);
  });

  it('exec loads no policy', async () => {
    const exec = makeEvent('process_exec', { process: { binary: '/bin/ls', argv: ['-l'] } });
    assert.equal(await trace(['exec'], [exec]), 0);
    assert.deepEqual(command.tracer.added, []);
    assert.match(command.stdout.text, /\/bin\/ls -l\n$/);
  });

  it('filters rows by process, container and pod, as getevents does', async () => {
    const inPod = {
      container: { id: 'f'.repeat(64) },
      pod: { namespace: 'shop', name: 'web-1', labels: { app: 'web' } },
    };
    const named = (name: string): object => ({ container: { id: 'f'.repeat(64), name } });
    const cases: readonly (readonly [option: readonly string[], wanted: object, other: object])[] = [
      [['--binary', 'dd'], { executable: '/bin/dd' }, {}],
      [['--pid', '5'], { pid: 5 }, {}],
      [['--containers', '^web'], named('web'), named('db')],
      [['--pods', '^web'], inPod, {}],
      [['--namespaces', 'shop'], inPod, {}],
      [['--labels', 'app=web'], inPod, {}],
      [['--host'], {}, named('web')],
    ];
    for (const [option, wanted, other] of cases) {
      command = new FakeCommand();
      command.env = { POLYTRACE_SOCKET: '' };
      await trace(['open', ...option], [opened('/wanted', wanted), opened('/other', other)]);
      assert.match(command.stdout.text, /\/wanted/, option.join(' '));
      assert.doesNotMatch(command.stdout.text, /\/other/, option.join(' '));
    }
  });

  it('tries the next policy when the kernel cannot load one', async () => {
    let failures = 1;
    command.tracer.onAdd = () => {
      if (failures-- > 0) throw new KernelError('NO_ATTACH_MECHANISM', 'x.yaml:8:13: no kprobes', '');
    };
    await trace(['open']);
    assert.equal(command.tracer.added.length, 2);
    assert.match(command.tracer.added[1] ?? '', /sys_enter_openat/);
  });

  it('says what is missing when the kernel can load none of them', async () => {
    command.tracer.onAdd = () => {
      throw new KernelError('NO_ATTACH_MECHANISM', 'x.yaml:8:13: no kprobes\nmore', '');
    };
    assert.equal(await command.run('trace', 'dns'), 3);
    assert.match(command.stderr.text, /error TRACER_UNSUPPORTED: this kernel cannot trace dns: no kprobes\n +hint: dns needs kprobes/); // prettier-ignore
    assert.equal(command.tracer.closes, 1);
  });

  it('reports lost events', async () => {
    await trace(['open'], [makeEvent('lost', { hook: 'x', policyName: 'p', count: 7 })]);
    assert.match(command.stderr.text, /warning: 7 events were lost/);
  });

  const read = (bytes: bigint): PlainEvent =>
    kprobe('vfs_read', 0, [{ type: 'file', label: 'file', path: '/f', permission: '-rw-r--r--' }], {
      return: { type: 'long', value: bytes },
    });

  it('files --once prints one table after the interval', async () => {
    const status = command.run('trace', 'files', '--once', '--interval', '0.2', '--rows', '1');
    await command.stderr.waitFor('ready');
    command.tracer.push(read(100n), read(50n));
    assert.equal(await status, 0);
    assert.match(command.stdout.text, /^ +READ +WRITTEN .*\n +150 +0 +2 +0 .*\/f\n\n$/);
  });

  it('files prints what is left at the end, and rows of JSON', async () => {
    await trace(['files', '-o', 'json'], [read(5n)]);
    assert.equal((JSON.parse(command.stdout.text) as { readBytes: number }).readBytes, 5);
  });

  it('draws the live table again, within the terminal', async () => {
    command.stdout.isTTY = true;
    Object.assign(command.stdout, { columns: 60, rows: 6 });
    const status = command.run('trace', 'blockio', '--interval', '0.2');
    await command.stderr.waitFor('ready');
    await command.stdout.waitFor('\u001b[2J');
    command.signals.emit('SIGTERM', 'SIGTERM');
    assert.equal(await status, 0);
  });

  const counted = (calls: bigint): MetricsSample => {
    const sum = { calls, sum: calls * 1500n, buckets: [{ from: 1024n, to: 2047n, calls }] };
    const metric = {
      policyName: `trace-latency-${process.pid}`,
      name: 'vfs_read',
      kind: 'histogram',
      isDuration: true,
      since: new Date(0),
      labelNames: ['binary'],
      series: [{ labels: ['/bin/\u001bcat'], ...sum }],
      total: sum,
    } as const;
    return { time: new Date(0), metrics: [metric] };
  };

  it('latency prints what the kernel has counted, and at the end what is left', async () => {
    let calls = 5n;
    command.tracer.metrics = () => Promise.resolve(counted(calls));
    const status = command.run('trace', 'latency', 'vfs_read', 'vfs_read', '--interval', '0.2');
    await command.stdout.waitFor('vfs_read');
    calls = 7n;
    command.signals.emit('SIGINT', 'SIGINT');
    assert.equal(await status, 0);
    const rows = command.stdout.text.split('\n').filter((line) => line.includes('cat'));
    assert.match(rows[0] ?? '', /^vfs_read +5 +1.5us +2.0us +2.0us +7.5us +\/bin\/\S+cat$/);
    assert.match(rows.at(-1) ?? '', /^vfs_read +2 +1.5us/);
    assert.ok(!command.stdout.text.includes('\u001b'));
    assert.match(command.stdout.text, /\nvfs_read\n +1.0us to 2.0us +5 \|#+\n/);
    assert.equal(command.tracer.added.length, 1);
  });

  it('latency reports an error of the reading, and ends', async () => {
    command.tracer.metrics = () => Promise.reject(new KernelError('SCOPES', 'the table is gone', 'none'));
    assert.equal(await command.run('trace', 'latency', 'vfs_read', '--interval', '0.1'), 3);
    assert.match(command.stderr.text, /the table is gone/);
    assert.equal(command.tracer.closes, 1);
  });

  const wrong: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [['nothing'], /unknown command|too many arguments/],
    [['open', '--pid', 'x'], /process id/],
    [['open', '--pid', '0'], /process id/],
    [['slow-fs', '--min', 'long'], /A duration is like/],
    [['files', '--rows', '0'], /number from 1/],
    [['files', '--interval', '0'], /seconds/],
    [['open', '--containers', '('], /--containers '\('/],
    [['open', '--labels', '='], /polytrace: /],
    [['open', '--show', 'x'], /number of a policy/],
    [['tls', '--library', 'libssl.so'], /must begin with/],
    [['open', '--each'], /unknown option/],
    [['open', 'vfs_read'], /too many arguments/],
    [['latency'], /missing required argument 'function'/],
    [['latency', 'vfs read'], /'vfs read' is no name of a function/],
    [['latency', ...Array.from({ length: 17 }, (_, i) => `f${i}`)], /17 functions: at most 16/],
    [['latency', 'vfs_read', '--pods', 'x'], /--pods is no filter: .* podSelector/],
  ];
  for (const [args, message] of wrong) {
    it(`refuses ${args.join(' ')}`, async () => {
      assert.equal(await command.run('trace', ...args), 2);
      assert.match(command.stderr.text, message);
    });
  }

  it('an agent that is not there is reported', async () => {
    assert.equal(await command.run('trace', 'open', '--server', 'unix:///run/no-such-agent.sock'), 5);
    assert.match(command.stderr.text, /no agent answers/);
  });
});
