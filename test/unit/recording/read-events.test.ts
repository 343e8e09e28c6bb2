/** readEvents: files of each kind become events, and damaged ones an error that names the line. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { readEvents, recorder, toJson } from '../../../lib/index.js';
import type { PlainEvent, PolytraceError } from '../../../types/index.js';
import { createEventsOfAllKinds } from '../events/all-kinds.js';
import { execEvent, lostEvent } from '../output/events.js';

const EVENTS = createEventsOfAllKinds();

function makeRecording(): string {
  const { header, lines } = recorder();
  return header + EVENTS.map(lines).join('');
}

const toLines = (...events: readonly PlainEvent[]): string => events.map((event) => `${toJson(event)}\n`).join('');
const execLine = (name: string): string => toLines(execEvent({ binary: `/bin/${name}` }));

async function readAll(...args: Parameters<typeof readEvents>): Promise<PlainEvent[]> {
  const events: PlainEvent[] = [];
  for await (const event of readEvents(...args)) events.push(event);
  return events;
}

const listBinaries = (events: readonly PlainEvent[]): string[] =>
  events.map((event) =>
    'process' in event ? event.process.binary : event.type === 'lost' ? event.reason : event.type,
  );

/** Returns the size of the heap without garbage. */
function measureHeap(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

describe('readEvents', () => {
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-events-'));
  after(() => rmSync(folder, { recursive: true }));
  const write = (content: string | Buffer): string => {
    const path = join(folder, 'events');
    writeFileSync(path, content);
    return path;
  };

  for (const [title, pack] of [
    ['plain', (text: string) => Buffer.from(text)],
    ['compressed', gzipSync],
  ] as const) {
    it(`reads all members of the events of a recording (${title})`, async () => {
      assert.deepEqual(
        await readAll(write(pack(makeRecording()))),
        EVENTS.map((event) => event.toObject()),
      );
    });

    it(`reads JSON lines (${title})`, async () => {
      const events = await readAll(write(pack(`${execLine('a')}\n${toLines(lostEvent({ reason: 'missed' }))}`)));
      assert.deepEqual(listBinaries(events), ['/bin/a', 'missed']);
      const [exec] = events;
      assert.ok(exec?.type === 'process_exec');
      assert.deepEqual([exec.time, exec.process.pid, exec.process.argv], [execEvent().time, 210, ['/etc/shadow']]);
    });
  }

  it('reads a stream of bytes, in chunks of any size', async () => {
    const bytes = gzipSync(execLine('a') + execLine('b'));
    const chunks = Array.from(bytes, (byte) => Buffer.of(byte));
    assert.deepEqual(listBinaries(await readAll(Readable.from(chunks))), ['/bin/a', '/bin/b']);
  });

  it('keeps no hooks of a recording, however many it describes', async () => {
    const { header, lines } = recorder();
    const kprobe = EVENTS.find(({ type }) => type === 'process_kprobe');
    assert.ok(kprobe !== undefined);
    const text = lines(kprobe);
    const hook = /^\{"hook".*\n/m.exec(text)?.[0].replace('"call":"', `"call":"${'x'.repeat(200_000)}`) ?? '';
    assert.ok(hook.length > 200_000);
    const stream = Readable.from(
      (function* () {
        yield Buffer.from(header);
        // together 200 MB
        for (let i = 0; i < 1000; i++) yield Buffer.from(hook);
        yield Buffer.from(text);
      })(),
    );
    let read = 0;
    const before = measureHeap();
    for await (const event of readEvents(stream)) {
      assert.deepEqual(event, kprobe.toObject());
      read += 1;
      assert.ok(measureHeap() - before < 50e6);
    }
    assert.equal(read, 1);
  });

  it('closes the stream when the loop ends early', async () => {
    for (const bytes of [Buffer.from(execLine('a')), gzipSync(execLine('a'))]) {
      const closed: string[] = [];
      const stream = (async function* () {
        try {
          for (;;) yield await Promise.resolve(bytes);
        } finally {
          closed.push('closed');
        }
      })();
      for await (const event of readEvents(stream)) {
        assert.equal(event.type, 'process_exec');
        break;
      }
      assert.deepEqual(closed, ['closed']);
    }
  });

  const bad: readonly (readonly [title: string, content: string | Buffer, code: string, message: RegExp])[] = [
    ['a line that is no event', `${execLine('a')}{"process_exec":\n`, 'EVENTS_INVALID', /^.*events:2: .*JSON/],
    ['a line without an event', '{}\n', 'EVENTS_INVALID', /events:1: this version knows no such event$/],
    ['a line that is too long', 'x'.repeat(9 << 20), 'EVENTS_INVALID', /events:1: the line is too long$/],
    ['a damaged recording', `${recorder().header}{"event":{}}\n`, 'RECORDING_INVALID', /events:2: the type of the/],
    ['another version', '{"polytrace":"recording","version":9}\n', 'RECORDING_VERSION', /events:1: .*version 9/],
    ['a cut archive', gzipSync(execLine('a')).subarray(0, 60), 'EVENTS_INVALID', /damaged after line 0: Z_BUF_ERROR$/],
  ];
  for (const [title, content, code, message] of bad) {
    it(`${title} is an error with its line`, async () => {
      await assert.rejects(readAll(write(content)), { name: 'PolytraceError', code, message });
    });
  }

  it('with onInvalidLine, reads the other lines', async () => {
    const errors: PolytraceError[] = [];
    const path = write(`${execLine('a')}x\n${execLine('b')}[]\n`);
    const events = await readAll(path, { onInvalidLine: (error) => void errors.push(error) });
    assert.deepEqual(listBinaries(events), ['/bin/a', '/bin/b']);
    assert.deepEqual(
      errors.map(({ message }) => /events:\d/.exec(message)?.[0]),
      ['events:2', 'events:4'],
    );
  });

  it('a file that cannot be read, and another value, are errors with a code', async () => {
    await assert.rejects(readAll(join(folder, 'none')), { code: 'FILE_UNREADABLE', message: /none: ENOENT$/ });
    await assert.rejects(readAll(5 as unknown as string), { code: 'BAD_OPTION' });
  });

  it('throws the errors of the stream and of the loop unchanged', async () => {
    const failure = new Error('mine');
    const stream = Readable.from(
      (async function* () {
        yield await Promise.resolve(Buffer.from(execLine('a')));
        throw failure;
      })(),
    );
    await assert.rejects(readAll(stream), failure);
  });
});
