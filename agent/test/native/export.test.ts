/** The export of a running agent: all events, redaction, and a full disk. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { status as Code, type ServiceError } from '@grpc/grpc-js';
import { createCollector, toPlainAttributes } from '../collector.js';
import { Machine, needsRoot, needsTracefs, ProtocolClient } from './support.js';

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

  it('SetEventLogParams changes how the file is rotated, for administrators; the journal says what, and who', async () => {
    const reader = `unix://${join(machine.folder, 'reader.sock')}`;
    const folder = join(machine.folder, 'out');
    const [allowed] = filterFlags();
    const more = JSON.stringify({ event_set: ['PROCESS_EXEC', 'CHANGE'] });
    const agent = await machine.start('--export-filename', file, String(allowed), more, '--read-only-address', reader);
    const admin = new ProtocolClient(machine.address, undefined, 'EventLogService');
    const readOnly = new ProtocolClient(reader, undefined, 'EventLogService');
    const read = async (): Promise<unknown[]> => {
      const { max_size: size, rotation_interval: interval, max_backups: backups } = await readOnly.call('GetEventLogParams');
      return [size, interval, backups];
    };
    assert.deepEqual(await read(), [10, '0', 5]);
    for (const [request, details] of [
      [{ max_size: 0 }, /^export-file-max-size-mb: CONFIG_VALUE: .*1 to 1,048,576, not '0'$/],
      [{ max_backups: -1 }, /^export-file-max-backups: CONFIG_VALUE: .*, not '-1'$/],
      [{ max_size: 3, rotation_interval: 'soon' }, /^export-file-rotation-interval: CONFIG_VALUE: .*24h.*, not 'soon'$/],
    ] as const) {
      await assert.rejects(admin.call('SetEventLogParams', request), (error: ServiceError) => {
        assert.equal(error.code, Code.INVALID_ARGUMENT);
        assert.match(error.details, details);
        return true;
      });
    }
    await assert.rejects(readOnly.call('SetEventLogParams', { max_size: 1 }), { code: Code.PERMISSION_DENIED });
    assert.deepEqual(await read(), [10, '0', 5], 'a request that is refused changes nothing');

    await admin.call('SetEventLogParams', { max_size: 1, max_backups: 2 });
    assert.deepEqual(await read(), [1, '0', 2]);
    await admin.call('SetEventLogParams', { rotation_interval: '24h' });
    assert.deepEqual(await read(), [1, '24h', 2]);
    const filler = 'x'.repeat(30_000);
    for (let i = 0; i < 160; i++) execFileSync(program, [`run-${i}-`, filler]);
    await waitForContent('run-159-');
    assert.equal(await machine.stop(), 0);
    const rotated = readdirSync(folder).filter((name) => name !== 'events.json');
    assert.equal(rotated.length, 2, 'about four files were written, and two of them are kept');
    for (const name of rotated) assert.ok(statSync(join(folder, name)).size <= 1024 * 1024);

    const said = agent.stderr.lines().map((line) => JSON.parse(line) as Record<string, unknown>);
    const changes = said.filter(({ msg }) => msg === 'a client changed the rotation of the export');
    assert.deepEqual(
      changes.map(({ setting, before, after }) => [setting, before, after]),
      [
        ['export-file-max-size-mb', '10', '1'],
        ['export-file-max-backups', '5', '2'],
        ['export-file-rotation-interval', '0', '24h'],
      ],
    );
    assert.equal((changes[0]?.['by'] as { pid: number }).pid, process.pid);
    admin.close();
    readOnly.close();
  });

  it('SetEventLogParams needs a file', async () => {
    await machine.start('--export-filename=-');
    const client = new ProtocolClient(machine.address, undefined, 'EventLogService');
    for (const name of ['SetEventLogParams', 'GetEventLogParams']) {
      await assert.rejects(client.call(name), { code: Code.FAILED_PRECONDITION, details: /set export-filename/ });
    }
    client.close();
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
