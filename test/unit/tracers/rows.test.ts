/** Each tracer makes rows of fixed events, and tables that fit 80 and 160 columns. */
import assert from 'node:assert/strict';
import { RowTable } from '../../../lib/cli/row-table.js';
import { drawHistogram } from '../../../lib/tracers/index.js';
import { makeEvent } from '../../../lib/testing/make-event.js';
import type { ArgumentMembers, Metric, MetricBucket, MetricSum, PlainEvent } from '../../../types/index.js';
import { at, CAT, findTracer, kprobe, OPTIONS, rowsOf, tableOf, tracepoint } from './support.js';

const path = (value: string): ArgumentMembers => ({ type: 'string', label: 'path', value });
const int = (label: string, value: number): ArgumentMembers => ({ type: 'int', label, value });
const long = (value: bigint): ArgumentMembers => ({ type: 'long', value });
const uint64 = (label: string, value: bigint): ArgumentMembers => ({ type: 'uint64', label, value });

describe('polytrace trace open', () => {
  const openat = (value: string, result: bigint, ms = 0): PlainEvent =>
    kprobe('__x64_sys_openat', ms, [path(value), int('flags', 0o101)], { return: long(result) });

  it('shows the descriptor or the error, at 80 columns', () => {
    assert.deepEqual(tableOf('open', 80, [openat('/etc/hosts', 3n), openat('/nowhere', -2n)]), [
      'TIME      PID      PROCESS         RESULT   PATH',
      '12:00:00  77       cat             3        /etc/hosts',
      '12:00:00  77       cat             ENOENT   /nowhere',
    ]);
  });

  it('shows the user, the container and the flags at 160 columns', () => {
    const [titles = '', line = ''] = tableOf('open', 160, [openat('/etc/hosts', 3n)]);
    assert.match(titles, /^TIME +PID +PROCESS +USER +CONTAINER +RESULT +FLAGS +PATH$/);
    assert.match(line, /^12:00:00\.000 +77 +\/usr\/bin\/cat +ann +- +3 +w,creat +\/etc\/hosts$/);
  });

  it('joins entry and exit of the tracepoints by thread, and leaves out successes with --failed', () => {
    const enter = (tid: number, value: string): PlainEvent =>
      tracepoint('syscalls/sys_enter_openat', 1, [path(value), int('flags', 0)], { tid });
    const exit = (tid: number, value: bigint): PlainEvent =>
      tracepoint('syscalls/sys_exit_openat', 2, [{ type: 'int64', label: 'result', value }], { tid });
    const events = [enter(1, '/a'), enter(2, '/b'), exit(2, -13n), exit(1, 4n), exit(3, 0n)];
    assert.deepEqual(
      rowsOf('open', events).map(({ fields }) => [fields['path'], fields['result']]),
      [
        ['/b', 'EACCES'],
        ['/a', '4'],
      ],
    );
    assert.equal(rowsOf('open', events, { failed: true }).length, 1);
  });

  it('says that a path could not be read, and escapes what would control the terminal', () => {
    const unreadable = kprobe('__x64_sys_openat', 0, [{ type: 'string', label: 'path', unreadable: true }], { return: long(-14n) }); // prettier-ignore
    const [, first, second] = tableOf('open', 80, [unreadable, openat('/a\u001b[2J\nb', 3n)]);
    assert.match(first ?? '', /EFAULT +\(unreadable\)$/);
    assert.match(second ?? '', /\/a\\u\{1b\}\[2J\\nb$/);
  });
});

describe('polytrace trace exec', () => {
  const start = makeEvent('process_exec', { timeNs: at(0), process: CAT, parent: { pid: 5, binary: '/bin/sh' } });
  const end = makeEvent('process_exit', { timeNs: at(1500), process: { ...CAT, startTimeNs: at(0) }, parent: { pid: 5 }, status: 3 }); // prettier-ignore

  it('shows the command', () => {
    assert.deepEqual(tableOf('exec', 80, [start, end]), [
      'TIME      PID      PPID     COMMAND',
      '12:00:00  77       5        /usr/bin/cat "a b"',
    ]);
  });

  it('shows the duration and the status of ends with --exits', () => {
    const [, , line = ''] = tableOf('exec', 80, [start, end], { exits: true });
    assert.match(line, /exit +77 +5 +1\.5s +3 +\/usr\/bin\/cat "a b"$/);
  });
});

describe('polytrace trace files', () => {
  const access = (call: string, file: string, result: bigint, permission = '-rw-r--r--'): PlainEvent =>
    kprobe(call, 0, [{ type: 'file', label: 'file', path: file, permission, inode: BigInt(file.length) }], {
      return: long(result),
    });

  it('sums bytes by file and program, the largest first, and begins again', () => {
    const collector = findTracer('files').createCollector(OPTIONS);
    for (const event of [
      access('vfs_read', '/small', 10n),
      access('vfs_write', '/large', 3000n),
      access('vfs_write', '/large', 3000n),
      access('vfs_read', '/large', -5n),
      access('vfs_read', 'pipe:[1]', 10n, 'prw-------'),
    ])
      assert.deepEqual(collector.take(event), []);
    const { rows, columns } = collector.summarize?.() ?? assert.fail();
    const table = new RowTable(columns, 80);
    assert.deepEqual(
      [table.formatTitles(), ...rows.map((row) => table.formatRow(row))],
      [
        '  READ  WRITTEN    READS   WRITES  PID      PROCESS         FILE\n',
        '     0     5.9K        0        2  77       cat             /large\n',
        '    10        0        1        0  77       cat             /small\n',
      ],
    );
    assert.deepEqual(collector.summarize?.().rows, []);
  });

  it('keeps the totals exact when there are more files than it sums separately', () => {
    const collector = findTracer('files').createCollector(OPTIONS);
    for (let i = 0; i < 10_010; i++) collector.take(access('vfs_read', `/${'x'.repeat(i % 7)}${i}`, 1n));
    const { rows } = collector.summarize?.() ?? assert.fail();
    assert.equal(rows.length, 10_001);
    assert.equal(rows[0]?.fields['path'], '(other files)');
    assert.equal(
      rows.reduce((sum, { fields }) => sum + Number(fields['readBytes']), 0),
      10_010,
    );
  });
});

describe('polytrace trace connect and tcp', () => {
  const state = (
    ms: number,
    old: number,
    next: number,
    more: readonly ArgumentMembers[] = [],
    address = 1n,
  ): PlainEvent =>
    // prettier-ignore
    tracepoint(
      'sock/inet_sock_set_state',
      ms,
      [
        {
          type: 'sock',
          label: 'socket',
          address,
          sourceAddress: '10.0.0.1',
          sourcePort: 40000,
          destinationAddress: '2001:db8::1',
          destinationPort: 443,
        },
        int('old', old),
        int('new', next),
        ...more,
      ],
      next === 7 || next === 1 ? { process: { pid: 0, binary: '' } } : {},
    );
  const bytes = [uint64('sent', 2048n), uint64('received', 5_000_000n), { type: 'uint32', label: 'roundTrip', value: 8000 } as const]; // prettier-ignore

  it('connect shows latency and result with the process that began', () => {
    const events = [state(0, 7, 2), state(12, 2, 1), state(20, 7, 2, [], 2n), state(21, 2, 7, [int('error', 111)], 2n)];
    assert.deepEqual(tableOf('connect', 80, events), [
      'TIME      PID      PROCESS          LATENCY  RESULT        DESTINATION',
      '12:00:00  77       cat               12.0ms  ok            [2001:db8::1]:443',
      '12:00:00  77       cat                1.0ms  ECONNREFUSED  [2001:db8::1]:443',
    ]);
  });

  it('tcp shows duration and bytes in both directions at the end', () => {
    const out = [state(0, 7, 2), state(1, 2, 1), state(900, 1, 4), state(1000, 4, 7, bytes)];
    assert.deepEqual(tableOf('tcp', 80, out), [
      'TIME      PID      PROCESS     DIR    LASTED    SENT   RECVD  REMOTE',
      '12:00:01  77       cat         out      1.0s    2.0K    4.8M  [2001:db8::1]:443',
    ]);
    const [titles = '', line = ''] = tableOf('tcp', 160, out);
    assert.match(titles, /RTT +RETRANS +LOCAL +REMOTE$/);
    assert.match(line, /1\.0ms +0 +10\.0\.0\.1:40000 +\[2001:db8::1\]:443$/);
  });

  it('tcp takes the process of an accepted connection from its end, and has no duration for an older one', () => {
    const [accepted] = rowsOf('tcp', [state(0, 3, 1), state(5, 1, 8), state(6, 8, 9), state(7, 9, 7, bytes)]);
    assert.equal(accepted?.fields['direction'], 'in');
    assert.equal(accepted?.process?.pid, 77);
    const [older] = rowsOf('tcp', [state(7, 9, 7, bytes)]);
    assert.equal(older?.fields['durationNs'], undefined);
    assert.equal(older?.process, undefined);
  });
});

describe('polytrace trace accept, bind, mount, signals, kill, capable, oom, modules', () => {
  const socket = { sourceAddress: '0.0.0.0', sourcePort: 80, destinationAddress: '192.0.2.9', destinationPort: 5000, protocol: 'IPPROTO_TCP' } as const; // prettier-ignore
  const rows: readonly (readonly [name: string, events: readonly PlainEvent[], line: RegExp])[] = [
    [
      'accept',
      [kprobe('inet_csk_accept', 0, [], { return: { type: 'sock', ...socket } })],
      /cat +(ann +- +)?0\.0\.0\.0:80 +192\.0\.2\.9:5000$/,
    ],
    [
      'bind',
      [
        kprobe('inet_bind', 0, [{ type: 'socket', label: 'socket', ...socket }, { type: 'sockaddr', label: 'address', address: '::', port: 0 }], { return: int('', -98) }),
      ],
      /bind +tcp +EADDRINUSE +(- +)?\[::\]:any$/,
    ],
    [
      'bind',
      [kprobe('inet_listen', 0, [{ type: 'socket', label: 'socket', ...socket }, int('backlog', 5)], { return: int('', 0) })],
      /listen +tcp +ok +(5 +)?0\.0\.0\.0:80$/,
    ],
    [
      'mount',
      [
        kprobe('__x64_sys_fsopen', 0, [{ type: 'string', label: 'type', value: 'tmpfs' }], { return: long(3n) }),
        kprobe('__x64_sys_fsconfig', 0, [int('fd', 3), int('command', 1), { type: 'string', label: 'key', value: 'source' }, { type: 'string', label: 'value', value: 'none' }], { return: long(0n) }),
        kprobe('__x64_sys_fsmount', 0, [int('fd', 3)], { return: long(4n) }),
        kprobe('__x64_sys_move_mount', 0, [int('fd', 4), { type: 'string', label: 'source', value: '' }, int('toFd', -100), { type: 'string', label: 'target', value: '/mnt' }], { return: long(0n) }),
      ],
      /mount +ok +tmpfs +none +\/mnt$/,
    ],
    [
      'mount',
      [kprobe('__x64_sys_mount', 0, [{ type: 'string', label: 'source', value: '/etc' }, { type: 'string', label: 'target', value: '/x' }, { type: 'string', label: 'type', value: '' }, uint64('flags', 4096n)], { return: long(-1n) })],
      /mount +EPERM +bind +\/etc +\/x$/,
    ],
    [
      'signals',
      [tracepoint('signal/signal_generate', 0, [int('signal', 9), int('targetPid', 12), { type: 'string', label: 'target', value: 'sleep' }, int('result', 1)])],
      /SIGKILL +12 +ignored +sleep$/,
    ],
    ['kill', [kprobe('__x64_sys_kill', 0, [int('pid', -12), int('signal', 15)], { return: long(-3n) })], /kill +SIGTERM +ESRCH +-12$/],
    [
      'capable',
      [kprobe('cap_capable', 0, [{ type: 'capability', label: 'capability', value: 21, name: 'CAP_SYS_ADMIN' }], { return: int('', -1) })],
      /EPERM +(- +)?CAP_SYS_ADMIN$/,
    ],
    [
      'oom',
      [kprobe('oom_kill_process', 0, [int('victimPid', 9), { type: 'string', label: 'victim', value: 'tail' }, uint64('pages', 256n), uint64('cgroup', 1n)])],
      /9 +tail +1\.0M +cgroup$/,
    ],
    ['modules', [tracepoint('module/module_load', 0, [{ type: 'module', label: 'module', name: 'loop', taints: 1n << 12n }])], /load +O +loop$/],
  ]; // prettier-ignore
  for (const [name, events, line] of rows) {
    for (const width of [80, 160]) {
      it(`${name}: ${String(line)} at ${width} columns`, () => {
        const lines = tableOf(name, width, events);
        assert.equal(lines.length, 2);
        assert.match(lines[1] ?? '', line);
      });
    }
  }
});

describe('polytrace trace blockio', () => {
  const issue = (ms: number, request: bigint, flags = 1): PlainEvent =>
    tracepoint('block/block_rq_issue', ms, [
      uint64('request', request),
      { type: 'string', label: 'disk', value: 'vda' },
      { type: 'uint32', label: 'flags', value: 0x800 + flags },
      { type: 'uint32', label: 'bytes', value: 4096 },
      uint64('sector', 8n),
    ]);
  const complete = (ms: number, request: bigint, error = 0): PlainEvent =>
    tracepoint('block/block_rq_complete', ms, [
      uint64('request', request),
      { type: 'uint8', label: 'error', value: error },
    ]);

  it('draws a histogram of latencies for each disk and operation', () => {
    const collector = findTracer('blockio').createCollector(OPTIONS);
    const events = [issue(0, 1n), issue(0, 2n), complete(3, 1n), complete(40, 2n), complete(50, 9n), issue(60, 3n, 0), complete(61, 3n)]; // prettier-ignore
    for (const event of events) collector.take(event);
    const { rows, columns, histograms } = collector.summarize?.() ?? assert.fail();
    const table = new RowTable(columns, 80);
    assert.deepEqual(
      rows.map((row) => table.formatRow(row)),
      [
        'vda         write                2    8.0K     4.1ms    40.0ms    40.0ms\n',
        'vda         read                 1    4.0K     1.0ms     1.0ms     1.0ms\n',
      ],
    );
    const lines = drawHistogram(histograms[0] ?? assert.fail(), 60).split('\n');
    assert.equal(lines[0], 'vda write');
    assert.match(lines[1] ?? '', /^ +2\.0ms to 4\.1ms +1 \|#+$/);
    assert.match(lines[5] ?? '', /^ +32\.8ms to 65\.5ms +1 \|#+$/);
    assert.ok(lines.every((line) => line.length <= 60));
  });

  it('shows each request with --each, and its failure', () => {
    const [row] = rowsOf('blockio', [issue(0, 1n), complete(3, 1n, 10)], { each: true });
    assert.deepEqual(row?.fields, { disk: 'vda', operation: 'write', bytes: 4096n, sector: 8n, latencyNs: 3_000_000n, result: 'failed' }); // prettier-ignore
  });

  it('sums only requests of processes that the filters select', () => {
    const collector = findTracer('blockio').createCollector({ ...OPTIONS, isWanted: () => false });
    for (const event of [issue(0, 1n), complete(3, 1n)]) collector.take(event);
    assert.deepEqual(collector.summarize?.().rows, []);
  });
});

describe('polytrace trace slow-fs', () => {
  const enter = (ms: number): PlainEvent =>
    tracepoint('syscalls/sys_enter_write', ms, [
      { type: 'fd', label: 'file', path: '/data', permission: '-rw-r--r--' },
    ]);
  const leave = (ms: number): PlainEvent =>
    tracepoint('syscalls/sys_exit_write', ms, [{ type: 'int64', label: 'result', value: 512n }]);

  it('shows calls that took longer than --min', () => {
    const events = [enter(0), leave(9), enter(20), leave(45)];
    assert.deepEqual(tableOf('slow-fs', 80, events), [
      'TIME      PID      PROCESS        OP          DURATION  RESULT    FILE',
      '12:00:00  77       cat            write         25.0ms  512       /data',
    ]);
    assert.equal(rowsOf('slow-fs', events, { minimumNs: 1_000_000n }).length, 2);
    assert.equal(rowsOf('slow-fs', events, { minimumNs: 9_000_000n }).length, 1, 'not longer');
  });

  it('lets the kernel compare durations, and shows calls with theirs', () => {
    const call = kprobe(
      '__x64_sys_fsync',
      0,
      [{ type: 'fd', label: 'file', path: '/data', permission: '-rw-r--r--' }],
      {
        return: { type: 'long', value: 0n },
        data: [{ type: 'uint64', label: 'duration', value: 25_000_000n }],
      },
    );
    const [row] = rowsOf('slow-fs', [call]);
    assert.deepEqual([row?.fields['operation'], row?.fields['durationNs']], ['fsync', 25_000_000n]);
    for (const [minimumNs, text] of [
      [undefined, '10ms'],
      [1500n, '1500ns'],
      [2_000_000_000n, '2s'],
    ] as const) {
      const [policy = ''] = findTracer('slow-fs').policies({
        ...OPTIONS,
        ...(minimumNs !== undefined && { minimumNs }),
      });
      assert.ok(policy.includes(`operator: GT\n            values: ["${text}"]`), policy);
    }
  });

  it('leaves out pipes and sockets of the tracepoints', () => {
    const read = (permission: string): PlainEvent[] => [
      tracepoint('syscalls/sys_enter_read', 0, [{ type: 'fd', label: 'file', path: 'x', permission, fd: 3 }]),
      tracepoint('syscalls/sys_exit_read', 50, [{ type: 'int64', label: 'result', value: 1n }]),
    ];
    assert.equal(rowsOf('slow-fs', read('prw-------')).length, 0);
    assert.equal(rowsOf('slow-fs', read('prw-------'), { all: true }).length, 1);
    assert.equal(rowsOf('slow-fs', read('-rw-------')).length, 1);
  });
});

describe('polytrace trace latency', () => {
  const bucket = (from: bigint, calls: bigint): MetricBucket => ({ from, to: from * 2n - 1n, calls });
  const sum = (...buckets: readonly MetricBucket[]): MetricSum => ({
    calls: buckets.reduce((all, { calls }) => all + calls, 0n),
    sum: buckets.reduce((all, { from, calls }) => all + from * calls, 0n),
    buckets,
  });
  const metric = (
    name: string,
    series: readonly (readonly [binary: string, sum: MetricSum])[],
    other?: MetricSum,
  ): Metric => {
    const all = [...series.map(([, each]) => each), ...(other === undefined ? [] : [other])];
    return {
      policyName: 'trace',
      name,
      kind: 'histogram',
      isDuration: true,
      since: new Date(0),
      labelNames: ['binary'],
      series: series.map(([binary, each]) => ({ labels: [binary], ...each })),
      ...(other !== undefined && { other }),
      total: sum(...all.flatMap(({ buckets = [] }) => buckets)),
    };
  };
  const functions = ['vfs_read', '/bin/app:vfs.read'];

  it('shows what was counted since the last table, by program, and a histogram of each function', () => {
    const collector = findTracer('latency').createCollector({ ...OPTIONS, functions });
    const take = (...metrics: readonly Metric[]): string => {
      collector.takeMetrics?.({ time: new Date(0), metrics });
      const summary = collector.summarize?.() ?? assert.fail();
      const table = new RowTable(summary.columns, 80);
      return [
        ...summary.rows.map((row) => table.formatRow(row)),
        ...summary.histograms.map((each) => drawHistogram(each, 80)),
      ].join('');
    };
    const cat = ['/usr/bin/cat', sum(bucket(1024n, 99n), bucket(65_536n, 1n))] as const;
    // two files that have had one path, one after the other
    const twice = ['/usr/bin/cat', sum(bucket(1024n, 1n))] as const;
    const first = take(
      metric('vfs_read', [cat, twice], sum(bucket(4096n, 2n))),
      metric('vfs_read_1', [['/bin/app', sum(bucket(512n, 3n))]]),
    );
    assert.deepEqual(
      first
        .split('\n')
        .map((line) => line.trimEnd())
        .slice(0, 3),
      [
        'vfs_read                   101     1.7us     2.0us     2.0us  cat',
        'vfs_read                     2     4.1us     8.2us     8.2us  (other programs)',
        '/bin/app:vfs.read            3     512ns     1.0us     1.0us  app',
      ],
    );
    assert.match(first, /\nvfs_read\n +1.0us to 2.0us +100 \|#+\n/);
    assert.match(first, /\n\/bin\/app:vfs.read\n +512ns to 1.0us +3 \|#+\n$/);
    const grown = ['/usr/bin/cat', sum(bucket(1024n, 101n), bucket(65_536n, 1n))] as const;
    const second = take(
      metric('vfs_read', [grown, twice]),
      metric('vfs_read_1', [['/bin/app', sum(bucket(512n, 3n))]]),
    );
    assert.match(
      second,
      /^vfs_read +2 +1.0us .* cat\n\/bin\/app:vfs.read +0 +0ns +0ns +0ns +-\nvfs_read\n +1.0us to 2.0us +2 \|#+\n$/,
    );
    assert.deepEqual(collector.summarize?.().rows, [], 'until the next reading');
  });
});

describe('polytrace trace tls', () => {
  it('shows plain text in both directions', () => {
    const data = (text: string): ArgumentMembers => ({ type: 'char_buf', label: 'data', value: Buffer.from(text), size: text.length }); // prettier-ignore
    const call = (symbol: string, text: string, result?: number): PlainEvent =>
      makeEvent('process_uprobe', {
        symbol,
        timeNs: at(0),
        process: CAT,
        args: [data(text)],
        ...(result !== undefined && { return: { type: 'int', value: result } }),
      });
    const lines = tableOf('tls', 80, [call('SSL_write', 'GET / HTTP/1.1\r\n\u0001'), call('SSL_read', 'HTTP/1.1 200 garbage', 12), call('SSL_read', 'x', -1)]); // prettier-ignore
    assert.match(lines[1] ?? '', /send +17 +GET \/ HTTP\/1\.1\\n\.$/);
    assert.match(lines[2] ?? '', /recv +12 +HTTP\/1\.1 200$/);
    assert.equal(lines.length, 3);
  });
});
