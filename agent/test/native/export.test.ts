/** The export of a running agent: all events, redaction, and a full disk. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCollector, toPlainAttributes } from '../collector.js';
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

  function readJsonLines(path = file): Line[] {
    return readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
  }

  /** Waits until the file contains the text. */
  async function waitForContent(text: string, path = file): Promise<void> {
    const watcher = watch(join(machine.folder, 'out'));
    try {
      while (!readContent(path).includes(text)) await once(watcher, 'change');
    } finally {
      watcher.close();
    }
  }

  function readContent(path: string): string {
    return statSync(path, { throwIfNoEntry: false }) === undefined ? '' : readFileSync(path, 'utf8');
  }

  const filterFlags = (): string[] => ['--export-allowlist', JSON.stringify({ event_set: ['PROCESS_EXEC'], binary_regex: [`^${program}$`] })];

  it('has each event once, redacted, in a file for its owner only; SIGHUP opens it again', async () => {
    const redact = ['--redaction-filters', '{"redact":["--token (\\\\S+)"]}'];
    const agent = await machine.start('--export-filename', file, ...filterFlags(), ...redact, '--cluster-name', 'here');
    for (let i = 0; i < 20; i++) execFileSync(program, [`--token s3cret${i}`, `run-${i}`]);
    await waitForContent('run-19');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.ok(!readContent(file).includes('s3cret') && readContent(file).includes('"cluster_name":"here"'));
    renameSync(file, `${file}.1`);
    agent.child.kill('SIGHUP');
    await agent.stderr.waitFor('policies are read again');
    execFileSync(program, ['last']);
    await waitForContent('last');
    assert.equal(await machine.stop(), 0);
    const numbers = readJsonLines(`${file}.1`).map((line) => /run-(\d+)/.exec(line.process_exec?.process.arguments ?? '')?.[1]);
    assert.deepEqual(numbers, Array.from({ length: 20 }, (_, i) => String(i)));
    assert.equal(readJsonLines().length, 1);
  });

  it('goes to standard output with -, until the end', async () => {
    const agent = await machine.start('--export-filename=-', ...filterFlags());
    execFileSync(program, ['first']);
    await agent.stdout.waitFor('first');
    execFileSync(program, ['second']);
    assert.equal(await machine.stop(), 0);
    assert.equal(agent.stdout.lines().length, 2);
  });

  it('a full disk is reported and counted, policies go on, and no line is torn', async () => {
    const folder = join(machine.folder, 'out');
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder]);
    try {
      const queue = ['--event-queue-bytes', '65536'];
      const agent = await machine.start('--export-filename', file, ...filterFlags(), ...queue);
      // some blocks stay free, so that the file can be created
      writeFileSync(join(folder, 'ballast'), Buffer.alloc(200 * 1024));
      const filler = 'x'.repeat(4000);
      const count = 60;
      for (let i = 0; i < count; i++) execFileSync(program, [`run-${i}-`, filler]);
      await agent.stderr.waitFor('"code":"ENOSPC"');
      const linesBefore = readJsonLines().length;
      assert.ok(linesBefore > 0 && linesBefore < count, String(linesBefore));
      rmSync(join(folder, 'ballast'));
      await agent.stderr.waitFor('events are exported again');
      execFileSync(program, ['last']);
      await waitForContent('last');
      assert.equal(await machine.stop(), 0);
      const written = readJsonLines().filter((line) => line.process_exec !== undefined).length;
      const lost = readJsonLines().reduce((sum, line) => sum + (line.lost?.hook === 'export' ? line.lost.count : 0), 0);
      assert.ok(lost > 0);
      assert.equal(written + lost, count + 1, 'each event is exported, or counted as lost');
    } finally {
      execFileSync('umount', ['-l', folder]);
    }
  });

  for (const protocol of ['http/protobuf', 'grpc'] as const)
  it(`a collector that is killed and started again gets every event, also across a restart of the agent: ${protocol}`, async () => {
    const collector = createCollector(protocol);
    await collector.start();
    try {
      const receivedRuns = (): number[] =>
        collector.lines.map((line) => Number(/"arguments":"run-(\d+)"/.exec(line)?.[1])).filter((n) => !Number.isNaN(n));
      const runPrograms = (from: number, to: number): void => {
        for (let i = from; i < to; i++) execFileSync(program, [`run-${i}`]);
      };
      const spool = join(machine.folder, 'spool');
      const options = ['--export-otlp-endpoint', collector.url, '--export-otlp-protocol', protocol, '--export-otlp-spool-dir', spool, ...filterFlags()];
      const agent = await machine.start(...options);
      runPrograms(0, 5);
      await collector.waitUntil(() => receivedRuns().length === 5);
      await collector.kill();
      runPrograms(5, 10);
      await agent.stderr.waitFor('the collector does not take events');
      runPrograms(10, 15);
      assert.equal(await machine.stop(), 0);
      await collector.start();
      await machine.start(...options);
      runPrograms(15, 20);
      await collector.waitUntil(() => receivedRuns().length >= 20);
      assert.deepEqual(receivedRuns(), Array.from({ length: 20 }, (_, i) => i));
      const [record] = collector.records.slice(-1);
      assert.equal(toPlainAttributes(record?.attributes ?? [])['process.executable.path'], program);
      assert.equal(await machine.stop(), 0);
    } finally {
      await collector.kill();
    }
  });
});
