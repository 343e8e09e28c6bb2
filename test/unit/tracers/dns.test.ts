/** DNS messages are decoded within their bytes, whatever they contain. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatIpv6 } from '../../../lib/names/addresses.js';
import { decodeDns } from '../../../lib/tracers/dns-message.js';
import type { ArgumentMembers, PlainEvent } from '../../../types/index.js';
import { at, findTracer, kprobe, OPTIONS, tableOf } from './support.js';

/** A name as its labels. */
const name = (text: string): number[] => [
  ...text.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]),
  0,
];
const u16 = (value: number): number[] => [value >> 8, value & 255];

function message(
  flags: number,
  question: string,
  type: number,
  answers: readonly (readonly [type: number, data: readonly number[]])[] = [],
): Buffer {
  return Buffer.from([
    ...u16(7), ...u16(flags), ...u16(1), ...u16(answers.length), 0, 0, 0, 0,
    ...name(question), ...u16(type), 0, 1,
    ...answers.flatMap(([answerType, data]) => [0xc0, 12, ...u16(answerType), 0, 1, 0, 0, 0, 60, ...u16(data.length), ...data]),
  ]); // prettier-ignore
}

describe('decodeDns', () => {
  it('decodes questions and the usual answers', () => {
    const bytes = message(0x8180, 'www.example.org', 1, [
      [5, [3, 0x63, 0x64, 0x6e, 0xc0, 16]],
      [1, [192, 0, 2, 7]],
      [28, [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
      [15, [0, 10, 0xc0, 12]],
      [33, [0, 1, 0, 2, 1, 187, 0xc0, 12]],
      [16, [2, 0x68, 0x69]],
      [99, [1, 2]],
    ]);
    const decoded = decodeDns(bytes) ?? assert.fail();
    assert.deepEqual(decoded.question, { name: 'www.example.org', type: 'A' });
    assert.deepEqual(
      decoded.answers.map(({ type, value }) => `${type} ${value}`),
      [
        'CNAME cdn.example.org',
        'A 192.0.2.7',
        'AAAA 2001:db8::1',
        'MX 10 www.example.org',
        'SRV 1 2 443 www.example.org',
        'TXT "hi"',
        'TYPE99 2 bytes',
      ],
    );
    assert.equal(decoded.code, 'NOERROR');
    assert.equal(decoded.truncated, false);
    assert.equal(decodeDns(message(0x8183, 'nowhere.test', 28))?.code, 'NXDOMAIN');
  });

  const wrong: readonly (readonly [what: string, bytes: Buffer])[] = [
    ['a header without a question', message(0, 'a', 1).subarray(0, 12)],
    ['a short header', Buffer.alloc(11)],
    ['a pointer to itself', Buffer.from([...message(0, 'a', 1).subarray(0, 12), 0xc0, 12, 0, 1, 0, 1])],
    ['a pointer to later bytes', Buffer.from([...message(0, 'a', 1).subarray(0, 12), 0xc0, 14, 0, 1, 0, 1])],
    ['a label that is longer than the message', Buffer.from([...message(0, 'a', 1).subarray(0, 12), 63, 65])],
    ['a label with a reserved length', Buffer.from([...message(0, 'a', 1).subarray(0, 12), 0x80, 65, 0, 0, 1, 0, 1])],
    ['many questions', Buffer.from([0, 7, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, ...name('a'), 0, 1, 0, 1])],
    ['a name of more than 255 bytes', message(0, Array.from({ length: 60 }, () => 'abcde').join('.'), 1)],
  ];
  for (const [what, bytes] of wrong) {
    it(`refuses ${what}`, () => assert.equal(decodeDns(bytes), undefined));
  }

  it('keeps what is there of a message that is cut', () => {
    const bytes = message(0x8180, 'a.test', 1, [[1, [192, 0, 2, 7]], [1, [192, 0, 2, 8]]]); // prettier-ignore
    for (let length = 0; length < bytes.length; length++) {
      const decoded = decodeDns(bytes.subarray(0, length), false);
      assert.ok(decoded === undefined || decoded.truncated);
    }
    assert.deepEqual(decodeDns(bytes.subarray(0, -1))?.answers.map(({ value }) => value), ['192.0.2.7']); // prettier-ignore
    const short = message(0x8180, 'a.test', 1, [[1, [192, 0, 2]]]);
    assert.deepEqual(decodeDns(short)?.answers, []);
  });

  it('shows no control characters', () => {
    const [text] = [decodeDns(message(0, '\u001b[2J\u0000 .x', 1))?.question?.name];
    assert.equal(text, '\\027[2J\\000\\032.x');
  });

  it('ends for all bytes, and returns only text without controls', () => {
    const header = fc.tuple(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.nat(1), fc.nat(40));
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 300 }), ([start, questions, answers], rest) => {
        const decoded = decodeDns(Buffer.from([...start, 0, questions, 0, answers, 0, 0, 0, 0, ...rest]));
        const texts = [decoded?.question?.name ?? '', ...(decoded?.answers.map(({ value }) => value) ?? [])];
        assert.ok(texts.every((text) => /^[ -~]*$/.test(text)));
        assert.ok((decoded?.answers.length ?? 0) <= 32);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('formatIpv6', () => {
  for (const [hex, text] of [
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000000000001', '::1'],
    ['20010db8000000010000000000000001', '2001:db8:0:1::1'],
    ['20010db8000100010001000100010001', '2001:db8:1:1:1:1:1:1'],
    ['fe800000000000000000000000000000', 'fe80::'],
    ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
  ] as const) {
    it(text, () => assert.equal(formatIpv6(Buffer.from(hex, 'hex')), text));
  }
});

describe('polytrace trace dns', () => {
  const socket: ArgumentMembers = { type: 'sock', label: 'socket', address: 5n };
  const buffer = (value: Buffer, size = value.length): ArgumentMembers => ({ type: 'char_buf', label: 'message', value, size }); // prettier-ignore
  const question = (ms: number): PlainEvent =>
    kprobe('ip_make_skb', ms, [socket, { type: 'uint32', label: 'server', value: 0x0100_007f }, buffer(message(0x100, 'A.test', 1))]); // prettier-ignore
  const answer = (ms: number, bytes: Buffer, elsewhere = 0, size = bytes.length): PlainEvent =>
    kprobe('skb_consume_udp', ms, [socket, { type: 'skb', label: 'packet', sourceAddress: '127.0.0.1', sourcePort: 53 }, buffer(bytes, size), { type: 'uint32', label: 'elsewhere', value: elsewhere }]); // prettier-ignore
  const answered = message(0x8180, 'a.TEST', 1, [[1, [192, 0, 2, 7]], [1, [192, 0, 2, 8]]]); // prettier-ignore

  it('shows name, type, result, answers and latency', () => {
    const lines = tableOf('dns', 80, [question(0), answer(7, answered)]);
    assert.equal(lines[0], 'TIME      PID     PROCESS    TYPE  RESULT     LATENCY  NAME         ANSWERS');
    assert.match(lines[1] ?? '', /^12:00:00 +77 +cat +A +NOERROR +7\.0ms +a\.TEST +192\.0/);
    const [, wide = ''] = tableOf('dns', 160, [question(0), answer(7, answered)]);
    assert.match(wide, /127\.0\.0\.1:53 +a\.TEST +192\.0\.2\.7 192\.0\.2\.8$/);
  });

  it('decodes only bytes of the packet that are in the first part', () => {
    const collector = findTracer('dns').createCollector(OPTIONS);
    const [row] = collector.take(answer(7, Buffer.concat([answered.subarray(0, 40), Buffer.alloc(16)]), 16, 56));
    assert.deepEqual(row?.fields['answers'], ['192.0.2.7', '…']);
  });

  it('reports a question without an answer after five seconds', () => {
    const collector = findTracer('dns').createCollector(OPTIONS);
    collector.take(question(0));
    assert.deepEqual(collector.tick?.(at(4000)), []);
    const [row] = collector.tick?.(at(6000)) ?? [];
    assert.equal(row?.fields['result'], 'no answer');
    assert.equal(row?.fields['server'], '127.0.0.1:53');
    assert.deepEqual(collector.tick?.(at(7000)), []);
  });
});
