/** The eight questions of docs/metrics.md, with the policies of the page: each has the answer for what the test does. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openTracer } from '../../lib/index.js';
import type { Metric, Tracer } from '../../types/index.js';
import { checkout, describeOn } from './support.js';

const FOLDER = '/tmp/questions';
const BASH = '/usr/bin/bash';
const DD = '/usr/bin/dd';
const LS = '/usr/bin/ls';
/** A file system on which the answer of the disk takes time. */
const MAKE_DISK = `dd if=/dev/zero of=${FOLDER}/disk bs=1M count=96 status=none && mkfs.ext4 -q ${FOLDER}/disk
modprobe loop; modprobe ext4; mount -o loop ${FOLDER}/disk ${FOLDER}/mounted`;

function readPage(): string[] {
  const page = readFileSync(join(checkout, 'docs/metrics.md'), 'utf8');
  return [...page.matchAll(/```yaml\n(apiVersion[^]*?)```/g)].map(([, yaml = '']) => yaml);
}

function run(command: string, expected = 0): void {
  const { status, stderr } = spawnSync(BASH, ['-c', command], { encoding: 'utf8' });
  assert.equal(status, expected, stderr);
}

describeOn('6.12', 'the questions of the page about metrics', () => {
  let tracer: Tracer;
  let metrics: ReadonlyMap<string, Metric>;

  before(async () => {
    mkdirSync(join(FOLDER, 'mounted'), { recursive: true });
    run(MAKE_DISK);
    const policies = readPage().map((yaml) => ({ yaml }));
    assert.equal(policies.length, 8);
    tracer = await openTracer({ policies });
    run(`dd if=/dev/zero of=${FOLDER}/written bs=1000 count=50 status=none`);
    run(`dd if=/dev/zero of=${FOLDER}/mounted/slow bs=1M count=64 conv=fsync status=none`);
    run(`${LS} ${FOLDER} > /dev/null; ${LS} ${FOLDER} > /dev/null`);
    run(`cat ${FOLDER}/missing`, 1);
    run(': < /dev/tcp/127.0.0.1/9', 1);
    run('getent ahosts localhost > /dev/null');
    metrics = new Map((await tracer.metrics()).metrics.map((metric) => [metric.name, metric]));
  });
  after(async () => {
    spawnSync('/usr/bin/umount', [join(FOLDER, 'mounted')]);
    await tracer.close();
  });

  const answer = (name: string, ...labels: string[]): { calls: bigint; sum: bigint } => {
    const { series = [], other } = metrics.get(name) ?? {};
    const found = series.filter((one) => labels.every((label) => one.labels.includes(label)));
    assert.ok(found.length > 0, `${name}: no row with ${labels.join(', ')}, ${other?.calls} calls without a row`);
    return {
      calls: found.reduce((sum, { calls }) => sum + calls, 0n),
      sum: found.reduce((all, { sum }) => all + sum, 0n),
    };
  };

  it('which program writes how many bytes to which file', () => {
    assert.deepEqual(answer('bytes_written', DD, `${FOLDER}/written`), { calls: 50n, sum: 50_000n });
  });

  it('how long reads take on each device', () => {
    const { buckets = [], calls } = metrics.get('read_latency')?.total ?? { calls: 0n };
    assert.ok(calls > 0n);
    assert.equal(
      buckets.reduce((all, bucket) => all + bucket.calls, 0n),
      calls,
    );
    assert.ok(metrics.get('read_latency')?.series.every(({ labels: [device = ''] }) => /^\d+:\d+$|^$/.test(device)));
  });

  it('where the pods connect to', () => {
    assert.equal(answer('connections', '127.0.0.1', '9').calls, 1n);
  });

  it('who starts how many programs', () => {
    assert.equal(answer('execs', BASH, LS).calls, 2n);
  });

  it('which opens fail, and why', () => {
    assert.ok(answer('failed_opens', 'ENOENT', '/usr/bin/cat').calls >= 1n);
  });

  it('which programs have page faults, and which leave the processor', () => {
    assert.ok(answer('page_faults', DD).calls > 0n);
    assert.ok((metrics.get('context_switches')?.total.calls ?? 0n) > 0n);
  });

  it('which programs wait for the disk for more than 10 ms', () => {
    const { calls, sum } = answer('slow_fsync', DD);
    assert.equal(calls, 1n);
    assert.ok(sum > 10_000_000n, String(sum));
  });

  it('which names are looked up', () => {
    assert.ok(answer('dns_queries', 'localhost', '/usr/bin/getent').calls >= 1n);
  });
});
