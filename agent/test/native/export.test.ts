/** The export of a running agent: all events, redaction, and a full disk. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { collectorOf, plain } from '../collector.js';
import { Machine, needsRoot, needsTracefs } from './support.js';

interface Line {
  readonly process_exec?: { readonly process: { readonly binary: string; readonly arguments?: string } };
  readonly lost?: { readonly hook: string; readonly count: number };
}

describe('the export of the agent', function () {
  this.timeout(90_000);
  let machine: Machine;
  let program: string;
  let file: string;

  before(needsRoot);
  before(needsTracefs);
  beforeEach(() => {
    machine = new Machine();
    program = join(machine.folder, 'exported');
    copyFileSync('/bin/true', program);
    mkdirSync(join(machine.folder, 'out'));
    file = join(machine.folder, 'out', 'events.json');
  });
  afterEach(async () => {
    await machine?.remove();
  });

  function lines(path = file): Line[] {
    return readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
  }

  /** Waits until the file has a text. */
  async function has(text: string, path = file): Promise<void> {
    const watcher = watch(join(machine.folder, 'out'));
    try {
      while (!contentOf(path).includes(text)) await once(watcher, 'change');
    } finally {
      watcher.close();
    }
  }

  function contentOf(path: string): string {
    return statSync(path, { throwIfNoEntry: false }) === undefined ? '' : readFileSync(path, 'utf8');
  }

  const filters = (): string[] => ['--export-allowlist', JSON.stringify({ event_set: ['PROCESS_EXEC'], binary_regex: [`^${program}$`] })];

  it('has each event once, redacted, in a file for its owner only; SIGHUP opens it again', async () => {
    const redact = ['--redaction-filters', '{"redact":["--token (\\\\S+)"]}'];
    const agent = await machine.start('--export-filename', file, ...filters(), ...redact, '--cluster-name', 'here');
    for (let i = 0; i < 20; i++) execFileSync(program, [`--token s3cret${i}`, `run-${i}`]);
    await has('run-19');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.ok(!contentOf(file).includes('s3cret') && contentOf(file).includes('"cluster_name":"here"'));
    renameSync(file, `${file}.1`);
    agent.child.kill('SIGHUP');
    await agent.stderr.has('policies are read again');
    execFileSync(program, ['last']);
    await has('last');
    assert.equal(await machine.stop(), 0);
    const numbers = lines(`${file}.1`).map((line) => /run-(\d+)/.exec(line.process_exec?.process.arguments ?? '')?.[1]);
    assert.deepEqual(numbers, Array.from({ length: 20 }, (_, i) => String(i)));
    assert.equal(lines().length, 1);
  });

  it('goes to standard output with -, until the end', async () => {
    const agent = await machine.start('--export-filename=-', ...filters());
    execFileSync(program, ['first']);
    await agent.stdout.has('first');
    execFileSync(program, ['second']);
    assert.equal(await machine.stop(), 0);
    assert.equal(agent.stdout.lines().length, 2);
  });

  it('a full disk is reported and counted, policies go on, and no line is torn', async () => {
    const folder = join(machine.folder, 'out');
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder]);
    try {
      const queue = ['--event-queue-bytes', '65536'];
      const agent = await machine.start('--export-filename', file, ...filters(), ...queue);
      // some of these stay free, so that the file can be made
      writeFileSync(join(folder, 'ballast'), Buffer.alloc(200 * 1024));
      const word = 'x'.repeat(4000);
      const count = 60;
      for (let i = 0; i < count; i++) execFileSync(program, [`run-${i}-`, word]);
      await agent.stderr.has('"code":"ENOSPC"');
      const whole = lines().length;
      assert.ok(whole > 0 && whole < count, String(whole));
      rmSync(join(folder, 'ballast'));
      await agent.stderr.has('events are exported again');
      execFileSync(program, ['last']);
      await has('last');
      assert.equal(await machine.stop(), 0);
      const written = lines().filter((line) => line.process_exec !== undefined).length;
      const lost = lines().reduce((sum, line) => sum + (line.lost?.hook === 'export' ? line.lost.count : 0), 0);
      assert.ok(lost > 0);
      assert.equal(written + lost, count + 1, 'each event is exported, or counted as lost');
    } finally {
      execFileSync('umount', ['-l', folder]);
    }
  });

  for (const protocol of ['http/protobuf', 'grpc'] as const)
  it(`a collector that is killed and started again gets every event, also across a restart of the agent: ${protocol}`, async () => {
    const collector = collectorOf(protocol);
    await collector.start();
    try {
      const runs = (): number[] =>
        collector.lines.map((line) => Number(/"arguments":"run-(\d+)"/.exec(line)?.[1])).filter((n) => !Number.isNaN(n));
      const run = (from: number, to: number): void => {
        for (let i = from; i < to; i++) execFileSync(program, [`run-${i}`]);
      };
      const spool = join(machine.folder, 'spool');
      const options = ['--export-otlp-endpoint', collector.url, '--export-otlp-protocol', protocol, '--export-otlp-spool-dir', spool, ...filters()];
      const agent = await machine.start(...options);
      run(0, 5);
      await collector.until(() => runs().length === 5);
      await collector.kill();
      run(5, 10);
      await agent.stderr.has('the collector does not take events');
      run(10, 15);
      assert.equal(await machine.stop(), 0);
      await collector.start();
      await machine.start(...options);
      run(15, 20);
      await collector.until(() => runs().length >= 20);
      assert.deepEqual(runs(), Array.from({ length: 20 }, (_, i) => i));
      const [record] = collector.records.slice(-1);
      assert.equal(plain(record?.attributes ?? [])['process.executable.path'], program);
      assert.equal(await machine.stop(), 0);
    } finally {
      await collector.kill();
    }
  });
});
