/** `polytrace report`: its inputs, options and errors, and the files that it leaves. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, inflateRawSync } from 'node:zlib';
import type { EndRow, Row } from '../../../lib/report/row.js';
import { makeAgentEvent } from '../../../lib/events/made-events.js';
import { recorder } from '../../../lib/recording/recorder.js';
import { toJson } from '../../../lib/output/index.js';
import { execEvent } from '../output/events.js';
import { FakeCommand } from './fake.js';

const execLine = (name: string, time = '2026-01-01'): string =>
  `${toJson(execEvent({ binary: `/bin/${name}`, execId: name }, { time: `${time}T00:00:00.000000000Z` }))}\n`;

function parseRows(page: string): Row[] {
  const [, packed = ''] = /<script id="rows" type="text\/plain">([^]*?)<\/script>/.exec(page) ?? [];
  const lines = inflateRawSync(Buffer.from(packed, 'base64')).toString().trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Row);
}
const listBinaries = (page: string): string[] =>
  parseRows(page).flatMap((row) => (row.kind === 'process' && row.binary.startsWith('/bin/') ? [row.binary] : []));

describe('polytrace report', () => {
  let folder: string;
  let file: string;
  let page: string;
  let command: FakeCommand;
  const createCommand = (): FakeCommand => {
    command = new FakeCommand();
    return command;
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-report-'));
    file = join(folder, 'events.jsonl');
    page = join(folder, 'page.html');
    createCommand();
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('makes a page from files, also compressed files and standard input', async () => {
    const packed = join(folder, 'older.jsonl.gz');
    writeFileSync(packed, gzipSync(execLine('first')));
    writeFileSync(file, execLine('second'));
    command.stdin = Readable.from([Buffer.from(execLine('third'))]);
    assert.equal(await command.run('report', packed, file, '-', '-o', page), 0);
    const text = readFileSync(page, 'utf8');
    assert.deepEqual(listBinaries(text), ['/bin/first', '/bin/second', '/bin/third']);
    const end = parseRows(text).at(-1) as EndRow;
    assert.deepEqual(end.sources, [packed, file, '-']);
    const formats = [packed, file, '-'].map((path) => `${path}: JSON lines (getevents -o json)\n`).join('');
    assert.equal(command.stderr.text, `${formats}3 events in ${page}\n`);
    assert.equal(command.stdout.text, '');
  });

  it('-o - writes to standard output', async () => {
    writeFileSync(file, execLine('first'));
    assert.equal(await command.run('report', file, '-o', '-'), 0);
    assert.deepEqual(listBinaries(command.stdout.text), ['/bin/first']);
  });

  it('applies filters and --since', async () => {
    writeFileSync(file, execLine('a') + execLine('b', '2026-01-03') + execLine('c', '2026-01-03'));
    const args = ['--since', '2026-01-02', '--filter', 'process.binary != "/bin/c"'];
    assert.equal(await command.run('report', file, '-o', page, ...args), 0);
    assert.deepEqual(listBinaries(readFileSync(page, 'utf8')), ['/bin/b']);
  });

  it('--limit keeps the first events, and counts the others in the page and in the output', async () => {
    writeFileSync(file, execLine('a') + execLine('b') + execLine('c', '2026-01-03'));
    assert.equal(await command.run('report', file, '-o', page, '--limit', '1'), 0);
    const text = readFileSync(page, 'utf8');
    assert.deepEqual(listBinaries(text), ['/bin/a']);
    const { leftOut, leftOutFrom, leftOutTo } = parseRows(text).at(-1) as EndRow;
    assert.deepEqual([leftOut, leftOutFrom, leftOutTo], [2, Date.parse('2026-01-01'), Date.parse('2026-01-03')]);
    assert.match(
      command.stderr.text,
      /^1 events in .*; 2 later events have no room \(--limit, --since, --filter\)\n$/m,
    );
  });

  it('makes a page of a recording', async () => {
    const { header, lines } = recorder();
    writeFileSync(file, header + lines(makeAgentEvent(execEvent({ binary: '/bin/a' }))));
    assert.equal(await command.run('report', file, '-o', page), 0);
    assert.deepEqual(listBinaries(readFileSync(page, 'utf8')), ['/bin/a']);
    assert.match(command.stderr.text, /events\.jsonl: a recording \(getevents --record\)\n1 events in/);
  });

  it('a line that is not an event is reported and counted, and the page is still made', async () => {
    writeFileSync(file, `${execLine('a')}nothing\n${execLine('b')}`);
    assert.equal(await command.run('report', file, '-o', page), 1);
    const text = readFileSync(page, 'utf8');
    assert.deepEqual(listBinaries(text), ['/bin/a', '/bin/b']);
    assert.equal((parseRows(text).at(-1) as EndRow).wrongLines, 1);
    assert.match(command.stderr.text, /events\.jsonl:2: not an event/);
  });

  it('leaves no file behind if a file cannot be read or written', async () => {
    assert.equal(await command.run('report', file, '-o', page), 2);
    assert.match(command.stderr.text, /cannot read .*events\.jsonl: ENOENT/);
    writeFileSync(file, execLine('a'));
    assert.equal(await createCommand().run('report', file, '-o', join(folder, 'missing', 'page.html')), 4);
    assert.match(command.stderr.text, /cannot write .*page\.html: ENOENT/);
    assert.deepEqual(readdirSync(folder), ['events.jsonl']);
  });

  it('options that exclude each other are refused', async () => {
    writeFileSync(file, execLine('a'));
    for (const [args, reason] of [
      [[], /name files of recorded events/],
      [[file, '--port', '80'], /--port needs --live/],
      [[file, '--policy', 'x.yaml'], /--policy needs --live/],
      [[file, '--live', '-o', page], /--output and --live exclude each other/],
      [[file, '--live', '--limit', '5'], /--limit and --live exclude each other/],
      [['--live', '--since', '5m'], /--since needs files/],
      [[file, '--live', '--policy', 'x.yaml'], /files and --policy exclude each other/],
      [[file, '--limit', '0'], /from 1 to 500000/],
      [[file, '--live', '--port', '65536'], /from 1 to 65535/],
      [[file, '-o', page, '--filter', 'process.'], /cel_expression/],
    ] as const) {
      assert.equal(await createCommand().run('report', ...args), 2, args.join(' '));
      assert.match(command.stderr.text, reason);
    }
    assert.deepEqual(readdirSync(folder), ['events.jsonl']);
  });
});

describe('polytrace report --live', () => {
  let command: FakeCommand;
  beforeEach(() => {
    command = new FakeCommand();
    command.env = { POLYTRACE_SOCKET: '' };
  });

  /** Reads from the address that the command has printed. `rows` resolves with all rows when the server ends. */
  async function followReport(): Promise<{ readonly rows: Promise<Row[]> }> {
    await command.stdout.waitFor('/\n');
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(`${command.stdout.text.trim()}rows`, resolve).on('error', reject);
    });
    const readRows = async (): Promise<Row[]> => {
      let text = '';
      for await (const chunk of response) text += String(chunk);
      return [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json ?? '') as Row);
    };
    return { rows: readRows() };
  }

  it('shows the events of a tracer until Ctrl-C, and then reports that it has ended', async () => {
    command.tracer.push(execEvent({ binary: '/bin/first', execId: 'a' }));
    command.tracer.remaining = [execEvent({ binary: '/bin/last', execId: 'b' })];
    const status = command.run('report', '--live', '--process', '^/bin/');
    const { rows } = await followReport();
    await command.stderr.waitFor('ready: ');
    command.signals.emit('SIGINT', 'SIGINT');
    assert.equal(await status, 0);
    const kinds = (await rows).map((row) => (row.kind === 'process' ? row.binary : row.kind));
    assert.deepEqual(kinds, ['/bin/first', 'event', '/bin/last', 'event', 'end']);
    assert.equal(command.tracer.closes, 1);
  });

  it('shows recorded events, and waits for Ctrl-C after their end', async () => {
    command.stdin = Readable.from([Buffer.from(execLine('first'))]);
    const status = command.run('report', '--live', '-');
    const { rows } = await followReport();
    command.signals.emit('SIGTERM', 'SIGTERM');
    assert.equal(await status, 0);
    assert.deepEqual(
      (await rows).map(({ kind }) => kind),
      ['process', 'event', 'end'],
    );
  });
});
