/** `polytrace read`: recorded events from files, in every format, also while the files grow. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { makeAgentEvent } from '../../../lib/events/made-events.js';
import { recorder } from '../../../lib/recording/recorder.js';
import { toJson } from '../../../lib/output/index.js';
import type { PlainEvent } from '../../../types/events.js';
import { execEvent, exitEvent, lostEvent } from '../output/events.js';
import { FakeCommand } from './fake.js';

const toLine = (event: PlainEvent): string => `${toJson(event)}\n`;
const execLine = (name: string): string => toLine(execEvent({ binary: `/bin/${name}`, execId: name }));
const compactLines = (...names: string[]): string =>
  names.map((name) => `🚀 process node /bin/${name} /etc/shadow\n`).join('');

describe('polytrace read', () => {
  let folder: string;
  let file: string;
  let command: FakeCommand;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-read-'));
    file = join(folder, 'events.jsonl');
    command = new FakeCommand();
  });
  afterEach(() => {
    command.signals.emit('SIGINT');
    rmSync(folder, { recursive: true });
  });

  it('reads one file after the other, also compressed files and standard input', async () => {
    const packed = join(folder, 'older.jsonl.1');
    writeFileSync(packed, gzipSync(execLine('first') + execLine('second')));
    writeFileSync(file, execLine('third').trimEnd());
    command.stdin = Readable.from([Buffer.from(execLine('fourth'))]);
    assert.equal(await command.run('read', packed, file, '-'), 0);
    assert.equal(command.stdout.text, compactLines('first', 'second', 'third', 'fourth'));
  });

  it('reads recordings with the output and the filters of JSON lines, and prints what each file is', async () => {
    const { header, lines } = recorder();
    const event = (name: string): PlainEvent => execEvent({ binary: `/bin/${name}`, execId: name });
    const record = (name: string): string => lines(makeAgentEvent(event(name)));
    const recording = join(folder, 'calls');
    writeFileSync(recording, gzipSync(header + record('first') + record('second')));
    writeFileSync(file, execLine('third'));
    command.stdin = Readable.from([Buffer.from(header).subarray(0, 1), Buffer.from(header).subarray(1)]);
    assert.equal(await command.run('read', recording, file, '-'), 0);
    assert.equal(command.stdout.text, compactLines('first', 'second', 'third'));
    const [recorded, jsonLines] = ['a recording (getevents --record)', 'JSON lines (getevents -o json)'];
    assert.equal(command.stderr.text, `${recording}: ${recorded}\n${file}: ${jsonLines}\n-: ${recorded}\n`);
    for (const filter of ['process.binary == "/bin/second"', 'process.exec_id != "first"']) {
      command = new FakeCommand();
      assert.equal(await command.run('read', recording, '-o', 'json', '--filter', filter), 0);
      assert.equal(command.stdout.text, execLine('second'));
    }
  });

  it('getevents --input reads recordings', async () => {
    const { header, lines } = recorder();
    writeFileSync(file, header + lines(makeAgentEvent(execEvent({ binary: '/bin/a' }))));
    assert.equal(await command.run('getevents', '--input', file), 0);
    assert.equal(command.stdout.text, compactLines('a'));
  });

  it('reads recordings that were joined, and reports their damaged lines', async () => {
    const recordText = (name: string): string => {
      const { header, lines } = recorder();
      return header + lines(makeAgentEvent(execEvent({ binary: `/bin/${name}` })));
    };
    writeFileSync(file, `${recordText('a')}{"event":{}}\n${recordText('b')}`);
    assert.equal(await command.run('read', file), 1);
    assert.equal(command.stdout.text, compactLines('a', 'b'));
    assert.match(command.stderr.text, /events\.jsonl:4: not an event: the type of the event is not known/);
  });

  it('reads a character that two chunks of a file share', async () => {
    const text = Buffer.from(execLine('é'.repeat(50_000)));
    writeFileSync(file, Buffer.concat([Buffer.from('\n'), text]));
    assert.equal(await command.run('read', file, '--fields', 'process.binary', '-o', 'json'), 0);
    assert.equal(command.stdout.text.match(/é/g)?.length, 50_000);
  });

  it('has every format and every filter', async () => {
    writeFileSync(
      file,
      toLine(execEvent({ pid: 1 })) +
        toLine(execEvent({ pid: 2 })) +
        toLine(exitEvent({ pid: 2 })) +
        toLine(lostEvent()),
    );
    assert.equal(
      await command.run('read', file, '-o', 'table', '--fields', 'event,pid', '--filter', 'process.pid == 2'),
      0,
    );
    assert.match(command.stdout.text, /^EVENT +PID\nprocess +2\nexit +2\nlost\n$/);
  });

  it('reports the file and number of each line that is not an event, and reads the other lines', async () => {
    const other = join(folder, 'other.jsonl');
    writeFileSync(file, `${execLine('a')}{"process_exec":\n\n${execLine('b')}`);
    writeFileSync(other, `[]\n${'x'.repeat(9 << 20)}\n${execLine('c')}`);
    assert.equal(await command.run('read', file, other), 1);
    assert.equal(command.stdout.text, compactLines('a', 'b', 'c'));
    const reasons = command.stderr.text.trimEnd().split('\n');
    assert.equal(reasons.length, 5);
    assert.ok(reasons[1]?.startsWith(`${file}:2: not an event: `), reasons[1]);
    assert.ok(reasons[2]?.startsWith(`${other}:1: not an event: `), reasons[2]);
    assert.equal(reasons[3], `${other}:2: not an event: the line is too long`);
  });

  it('reports ten lines of a file that are not events, and counts the others', async () => {
    writeFileSync(file, `${execLine('a')}${'{"type":"process_exec"}\n'.repeat(1000)}${execLine('b')}`);
    assert.equal(await command.run('read', file), 1);
    assert.equal(command.stdout.text, compactLines('a', 'b'));
    const reasons = command.stderr.text.trimEnd().split('\n').slice(1);
    assert.equal(reasons.length, 11);
    const reason = 'it is the JSON of an event object: write lines with toJson(event)';
    assert.deepEqual(
      [reasons[0], reasons[9]],
      [`${file}:2: not an event: ${reason}`, `${file}:11: not an event: ${reason}`],
    );
    assert.equal(reasons[10], `${file}: 990 more lines are not events`);
  });

  it('--since leaves out older events', async () => {
    const events = ['2026-01-01T00:00:00.000000000Z', '2026-01-02T00:00:00.000000000Z'].map((time) =>
      execEvent({ binary: `/bin/${time.slice(0, 10)}` }, { time, timeNs: BigInt(Date.parse(time)) * 1_000_000n }),
    );
    writeFileSync(file, events.map(toLine).join(''));
    for (const [since, days] of [
      ['2026-01-01', ['2026-01-01', '2026-01-02']],
      ['2026-01-01T00:00:01Z', ['2026-01-02']],
      ['2026-01-02T01:00:00+01:00', ['2026-01-02']],
      ['5s', []],
      ['36500d', ['2026-01-01', '2026-01-02']],
    ] as const) {
      command = new FakeCommand();
      assert.equal(await command.run('read', file, '--since', since), 0);
      assert.deepEqual(command.stdout.text.match(/2026-\d\d-\d\d/g) ?? [], days, since);
    }
    for (const wrong of ['yesterday', '5', '5w', '2026-13-01', '1']) {
      command = new FakeCommand();
      assert.equal(await command.run('read', file, '--since', wrong), 2, wrong);
    }
  });

  it('--follow reads added lines until a signal, also after the file was replaced or truncated', async () => {
    writeFileSync(file, execLine('first'));
    const status = command.run('read', '--follow', file);
    await command.stdout.waitFor('/bin/first /');
    const [start, end] = [execLine('second').slice(0, 30), execLine('second').slice(30)];
    appendFileSync(file, start);
    appendFileSync(file, end);
    await command.stdout.waitFor('/bin/second /');
    appendFileSync(file, execLine('third'));
    renameSync(file, join(folder, 'events-1.jsonl'));
    writeFileSync(file, execLine('fourth'));
    await command.stdout.waitFor('/bin/fourth /');
    truncateSync(file);
    // Here the command checks the file while it is empty.
    await new Promise((resolve) => setTimeout(resolve, 500));
    appendFileSync(file, `{}\n${execLine('fifth')}`);
    await command.stdout.waitFor('/bin/fifth /');
    command.signals.emit('SIGINT');
    assert.equal(await status, 1);
    assert.equal(command.stdout.text, compactLines('first', 'second', 'third', 'fourth', 'fifth'));
    assert.match(command.stderr.text, /events\.jsonl:1: not an event/);
  });

  it('refuses a file that it cannot read, and a damaged archive', async () => {
    assert.equal(await command.run('read', join(folder, 'none')), 2);
    assert.match(command.stderr.text, /cannot read .*none: ENOENT/);
    writeFileSync(`${file}.gz`, gzipSync(execLine('a')).subarray(0, 40));
    command = new FakeCommand();
    assert.equal(await command.run('read', `${file}.gz`), 2);
    assert.match(command.stderr.text, /cannot read .*gz: Z_BUF_ERROR/);
  });
});
