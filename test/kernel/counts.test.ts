/** Count and matchDuration on functions of the kernel: sums by file and program, errors, durations, connections. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { statSync, writeFileSync } from 'node:fs';
import type { Metric, TracerEvent } from '../../types/index.js';
import { MECHANISMS, Recording, type Mechanism } from './support.js';

const WRITTEN = '/tmp/counted/deep/file';
const CALLS = 20_000;
const DD = '/usr/bin/dd';
const BASH = '/usr/bin/bash';
const LS = '/usr/bin/ls';
/** More than a hook has places for keys, and for active calls. */
const MASKS = 200;
const WAITING = 200;
const SET_MASKS = `for ((i = 0; i < ${MASKS * 10}; i++)); do printf -v mask %o $((i % ${MASKS})); umask $mask; done`;
const WAIT_TOGETHER = `mkfifo /tmp/counted/fifo
for ((i = 0; i < ${WAITING}; i++)); do (read -rt 1 <> /tmp/counted/fifo) & done
wait`;

const POLICY = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: counts }
spec:
  kprobes:
    - call: vfs_write
      syscall: false
      return: true
      args: [{ index: 0, type: file }]
      returnArg: { index: 0, type: int64 }
      selectors:
        - matchArgs: [{ index: 0, operator: Equal, values: [${WRITTEN}] }]
          matchActions:
            - { action: Count, metric: bytes, kind: sum, value: return, by: [binary, arg0, arg0.device, uid], folders: 2 }
            - { action: Count, metric: latency, kind: histogram, value: duration }
        - matchArgs: [{ index: 0, operator: Equal, values: [/dev/null] }]
          matchBinaries: [{ operator: In, values: [${DD}] }]
          matchActions: [{ action: Count, metric: nulls, by: [binary, parentBinary] }]
    - call: sys_openat
      return: true
      args: [{ index: 1, type: string }]
      returnArg: { index: 0, type: int }
      selectors:
        - matchArgs: [{ index: 1, operator: Prefix, values: [/missing/] }]
          matchActions: [{ action: Count, metric: failures, by: [errno, binary, arg0] }]
    - call: sys_clock_nanosleep
      selectors:
        - matchBinaries: [{ operator: In, values: [/usr/bin/sleep] }]
          matchDuration: { operator: GT, values: [30ms] }
          matchActions: [{ action: Count, metric: slow }, { action: Post }]
    - call: sys_umask
      args: [{ index: 0, type: int }]
      selectors:
        - matchBinaries: [{ operator: In, values: [${BASH}] }]
          matchActions: [{ action: Count, metric: masks, by: [arg0, binary] }]
    - call: sys_pselect6
      selectors:
        - matchBinaries: [{ operator: In, values: [${BASH}] }]
          matchActions: [{ action: Count, metric: waits }]
    - call: sys_pselect6
      selectors:
        - matchBinaries: [{ operator: In, values: [${BASH}] }]
          matchActions: [{ action: Count, metric: waited, kind: histogram, value: duration }]
    - call: iterate_dir
      syscall: false
      selectors:
        - matchBinaries: [{ operator: In, values: [${LS}] }]
          matchActions: [{ action: Count, metric: folders }]
    - call: iterate_dir
      syscall: false
      selectors:
        - matchBinaries: [{ operator: In, values: [${LS}] }]
          matchActions: [{ action: Count, metric: folderTimes, kind: histogram, value: duration }]
    - call: tcp_connect
      syscall: false
      args: [{ index: 0, type: sock }]
      selectors: [{ matchActions: [{ action: Count, metric: connections, by: [arg0, arg0.port] }] }]`;

/** On an overlay, where there are modules for it, the function calls itself. */
const LIST_FOLDER = `cd /tmp/counted && mkdir lower upper work both && touch lower/file && modprobe overlay
mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay both
${LS} both && umount both`;

const run = (command: string, ...args: string[]): unknown => spawnSync(command, args, { stdio: 'ignore' });
const isSlow = (event: TracerEvent): boolean =>
  event.type === 'process_kprobe' && event.functionName.includes('nanosleep');

for (const attach of MECHANISMS) describe(`counts, by ${attach}`, () => testCounts(attach));

function testCounts(attach: Mechanism): void {
  let recording: Recording;
  let metrics: ReadonlyMap<string, Metric>;
  let events: TracerEvent[];

  before(async () => {
    recording = await Recording.open(POLICY, { attach });
    spawnSync('/usr/bin/mkdir', ['-p', '/tmp/counted/deep']);
    writeFileSync(WRITTEN, '');
    events = await recording.eventsDuring(async () => {
      run(DD, 'if=/dev/zero', `of=${WRITTEN}`, 'bs=1000', 'count=50', 'status=none');
      run('/usr/bin/cat', '/missing/file');
      run('/usr/bin/sleep', '0.001');
      run('/usr/bin/sleep', '0.05');
      run('/usr/bin/bash', '-c', ': < /dev/tcp/127.0.0.1/9');
      await Promise.all([1, 2].map(() => once(spawn(BASH, ['-c', SET_MASKS]), 'exit')));
      run(BASH, '-c', WAIT_TOGETHER);
      run(BASH, '-c', LIST_FOLDER);
      const both = [1, 2].map(() =>
        spawn(DD, ['if=/dev/zero', 'of=/dev/null', 'bs=1', `count=${CALLS}`, 'status=none']),
      );
      await Promise.all(both.map((child) => once(child, 'exit')));
    });
    metrics = new Map((await recording.tracer.metrics()).metrics.map((metric) => [metric.name, metric]));
  });
  after(() => recording.close());

  it('bytes by program, folder, device and user', () => {
    const { dev } = statSync(WRITTEN, { bigint: true });
    // as in gnu_dev_major(3) and gnu_dev_minor(3)
    const device = `${(dev >> 8n) & 0xfffn}:${(dev & 0xffn) | ((dev >> 12n) & 0xfff00n)}`;
    assert.deepEqual(metrics.get('bytes')?.series, [
      { labels: [DD, '/tmp/counted', device, '0'], calls: 50n, sum: 50_000n },
    ]);
  });

  it('a histogram of durations', () => {
    const { calls, sum, buckets = [] } = metrics.get('latency')?.total ?? { calls: 0n, sum: 0n };
    assert.equal(calls, 50n);
    assert.ok(sum > 0n && sum < 60_000_000_000n, String(sum));
    assert.equal(
      buckets.reduce((all, bucket) => all + bucket.calls, 0n),
      50n,
    );
  });

  it('errors by their names', () => {
    assert.deepEqual(metrics.get('failures')?.series, [
      { labels: ['ENOENT', '/usr/bin/cat', '/missing/file'], calls: 1n, sum: 0n },
    ]);
  });

  it('only slow calls, with their duration in the event', () => {
    assert.equal(metrics.get('slow')?.total.calls, 1n);
    const [event, ...others] = events.filter(isSlow);
    assert.deepEqual(others, []);
    assert.ok(event?.type === 'process_kprobe');
    const [duration] = event.data;
    assert.equal(duration?.label, 'duration');
    assert.ok(duration.type === 'uint64' && duration.value > 30_000_000n && duration.value < 60_000_000_000n);
  });

  it('connections by address and port', () => {
    assert.deepEqual(metrics.get('connections')?.series, [{ labels: ['127.0.0.1', '9'], calls: 1n, sum: 0n }]);
  });

  it('more keys than places', () => {
    const { series = [], other } = metrics.get('masks') ?? {};
    const calls = new Map(series.map(({ labels, calls }) => [labels.join(' '), calls]));
    for (let mask = 1; mask < MASKS; mask++) assert.equal(calls.get(`${mask} ${BASH}`), 20n, `mask ${mask}`);
    assert.equal(other, undefined);
  });

  it('more active calls than places', () => {
    const [waits, waited] = ['waits', 'waited'].map((name) => metrics.get(name)?.total.calls ?? 0n);
    assert.ok(waits !== undefined && waits >= BigInt(WAITING), `${waits} calls`);
    // the kernel itself limits the active calls of a kretprobe
    if (attach === 'fentry') assert.equal(waited, waits);
  });

  it('calls inside of calls', () => {
    const [folders, times] = ['folders', 'folderTimes'].map((name) => metrics.get(name)?.total.calls ?? 0n);
    assert.ok(folders !== undefined && folders > 0n);
    // by kretprobes, Linux 5.10 shows only some returns of such calls
    if (attach === 'fentry') assert.equal(times, folders);
  });

  it('two processes at the same time are counted to the last call', () => {
    const nulls = metrics.get('nulls');
    assert.equal(nulls?.total.calls, BigInt(2 * CALLS));
    assert.deepEqual(nulls.series, [{ labels: [DD, process.execPath], calls: BigInt(2 * CALLS), sum: 0n }]);
    assert.equal(nulls.other, undefined);
  });
}
