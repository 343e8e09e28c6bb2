/** Recordings: writing and reading loses nothing, and a file that is not a recording is refused. */
import assert from 'node:assert/strict';
import { PolytraceError, recorder, recordingReader } from '../../../lib/index.js';
import { decodePlain, encodePlain } from '../../../lib/recording/plain-json.js';
import type { RecordedEvent, TracerEvent } from '../../../types/index.js';
import { createEventsOfAllKinds } from '../events/all-kinds.js';
import { kprobeEvent, lostEvent } from '../output/events.js';

/** Adds the only method of tracer events that these tests need. */
const toTracerEvent = (event: object): TracerEvent => ({ ...event, toObject: () => event }) as TracerEvent;

function readRecording(text: string): RecordedEvent[] {
  const reader = recordingReader();
  return text.split('\n').flatMap((line) => (line === '' ? [] : (reader.read(line) ?? [])));
}

const HEADER = '{"polytrace":"recording","version":1,"architecture":"x64"}';

describe('a recording', () => {
  for (const event of [...createEventsOfAllKinds(), toTracerEvent(lostEvent())]) {
    it(`has all members of ${event.type}`, () => {
      const { header, lines } = recorder();
      const [item, ...others] = readRecording(header + lines(event) + '\n');
      assert.deepEqual(others, []);
      assert.deepEqual(item?.event, event.toObject());
      assert.equal(
        item?.hook?.policyName,
        'policyName' in event && event.type !== 'lost' ? event.policyName : undefined,
      );
    });
  }

  it('has each process and each hook once', () => {
    const { lines } = recorder();
    const [kprobe] = createEventsOfAllKinds().filter(({ type }) => type === 'process_kprobe');
    assert.ok(kprobe !== undefined);
    assert.ok(lines(kprobe).split('\n').length > 3);
    assert.equal(lines(kprobe).split('\n').length, 2);
  });

  it('writes a process again after its number was reused', () => {
    const { header, lines } = recorder();
    const reader = recordingReader();
    const recordAndRead = (event: object): RecordedEvent[] =>
      (header + lines(toTracerEvent(event))).split('\n').slice(1, -1).flatMap((line) => reader.read(line) ?? []); // prettier-ignore
    reader.read(HEADER);
    const first = kprobeEvent('f', []);
    recordAndRead(first);
    for (let pid = 0; pid < 16_384; pid++) recordAndRead({ ...first, process: { ...first.process, pid } });
    assert.deepEqual(recordAndRead(first)[0]?.event, first);
  });

  it('keeps bytes, 64-bit numbers, names with $ and strings that are not UTF-8', () => {
    const value = { a: [1n, -1n, 2n ** 63n], b: new Uint8Array([0, 255]), $n: { $$b: '\udcff\u202e' }, c: null };
    assert.deepEqual(decodePlain(JSON.parse(JSON.stringify(encodePlain(value)))), value);
  });

  it('has no control characters', () => {
    const { lines } = recorder();
    assert.doesNotMatch(lines(toTracerEvent(kprobeEvent('f\u009b\u202e', []))).replaceAll('\n', ''), /\p{Cc}|\p{Cf}/u);
  });
});

describe('a file that is not a recording', () => {
  const event = '"time":"t","timeNs":{"$n":"1"}';
  const process =
    '{"process":0,"is":{"pid":1,"execId":"a","binary":"/a","executable":"/a","flags":"","binaryUntrusted":false}}';
  const hook =
    '{"hook":0,"is":{"policyName":"p","kind":"kprobe","call":"f","syscall":false,"position":{},"args":[],"data":[]}}';
  const files: Readonly<Record<string, readonly string[]>> = {
    'no JSON': ['x'],
    'no object': ['[]'],
    'an unknown architecture': ['{"polytrace":"recording","version":1,"architecture":"vax"}'],
    'an unknown line': [HEADER, '{}'],
    'an event of an unknown type': [HEADER, `{"event":{"type":"x",${event}}}`],
    'an event without a time': [HEADER, '{"event":{"type":"lost"}}'],
    'an event of no process': [HEADER, `{"event":{"type":"process_exec",${event},"process":0,"ancestors":[]}}`],
    'a number that is none': [HEADER, `{"event":{"type":"process_exec",${event},"process":-1,"ancestors":[]}}`],
    'a process without members': [HEADER, '{"process":0,"is":{"pid":1}}'],
    'an event of no hook': [HEADER, process, `{"event":{"type":"process_lsm",${event},"process":0,"ancestors":[]},"hook":3}`],
    'a hook with an unknown type': [HEADER, hook.replace('"args":[]', '"args":[{"type":"x","index":0}]')],
    'a value of an unknown type': [HEADER, process, hook, `{"event":{"type":"process_lsm",${event},"process":0,"ancestors":[],"args":[{"type":"toString","index":0}]},"hook":0}`],
    'a file without a path': [HEADER, process, hook, `{"event":{"type":"process_lsm",${event},"process":0,"ancestors":[],"args":[{"type":"file","index":0}]},"hook":0}`],
    'a socket without addresses': [HEADER, process, hook, `{"event":{"type":"process_lsm",${event},"process":0,"ancestors":[],"args":[{"type":"sock","index":0,"family":"AF_INET"}]},"hook":0}`],
    'a deep one': [HEADER, `{"process":0,"is":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    'a name with $': [HEADER, '{"process":0,"is":{"$x":1}}'],
  }; // prettier-ignore
  for (const [title, lines] of Object.entries(files)) {
    it(title, () => {
      const reader = recordingReader();
      const last = lines.at(-1) ?? '';
      for (const line of lines.slice(0, -1)) reader.read(line);
      assert.throws(() => reader.read(last), (error) => error instanceof PolytraceError && error.code === 'RECORDING_INVALID'); // prettier-ignore
    });
  }

  for (const line of ['{"process_exec":{},"time":"t"}', '{"lost":{}}', '{"node_name":"n","rate_limit_info":{}}']) {
    it(`is refused with another code if it has JSON lines: ${line}`, () => {
      assert.throws(() => recordingReader().read(line), { code: 'RECORDING_NEEDED', hint: /--record FILE/ });
    });
  }

  it('is refused if it has another version', () => {
    const line = HEADER.replace('"version":1', '"version":2');
    assert.throws(() => recordingReader().read(line), { code: 'RECORDING_VERSION' });
  });
});
