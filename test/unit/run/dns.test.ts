import assert from 'node:assert/strict';
import { parseDns, udpPayload } from '../../../lib/run/dns.js';

const name = (...labels: readonly string[]): number[] => [
  ...labels.flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]),
  0,
];
const query = (labels: readonly string[], flags = 0x0100): number[] => [
  0, 1, flags >> 8, flags & 255, 0, 1, 0, 0, 0, 0, 0, 0, ...name(...labels), 0, 1, 0, 1,
]; // prettier-ignore
const answer = (...records: readonly (readonly number[])[]): Uint8Array =>
  Uint8Array.from([0, 1, 0x81, 0x80, 0, 1, 0, records.length, 0, 0, 0, 0, ...name('a', 'test'), 0, 1, 0, 1, ...records.flat()]); // prettier-ignore
const record = (type: number, data: readonly number[]): number[] => [0xc0, 12, 0, type, 0, 1, 0, 0, 0, 9, 0, data.length, ...data]; // prettier-ignore

describe('DNS messages', () => {
  it('a question: its name in lower case, with other bytes as numbers', () => {
    assert.deepEqual(parseDns(Uint8Array.from(query(['WWW', 'a b', 'test']))), {
      isAnswer: false,
      name: 'www.a\\032b.test',
      type: 1,
      addresses: [],
    });
  });

  it('the addresses of an answer', () => {
    const message = answer(
      record(5, name('b')),
      record(1, [10, 0, 0, 1]),
      record(28, [0x20, 1, 0xd, 0xb8, ...Array<number>(11).fill(0), 1]),
    );
    assert.deepEqual(parseDns(message)?.addresses, ['10.0.0.1', '2001:db8::1']);
  });

  it('anything else is no message', () => {
    const whole = query(['a', 'test']);
    const wrong: Readonly<Record<string, readonly number[]>> = {
      empty: [],
      'no question': [0, 1, 1, 0, 0, 0, ...whole.slice(6)],
      'two questions': [0, 1, 1, 0, 0, 2, ...whole.slice(6)],
      'another operation': query(['a'], 0x2800),
      'a question with answers': [...whole.slice(0, 6), 0, 1, ...whole.slice(8)],
      'another class': [...whole.slice(0, -1), 3],
      'a long label': query(['x'.repeat(64)]),
      'a long name': query(Array<string>(9).fill('x'.repeat(40))),
      'a pointer to itself': [...whole.slice(0, 12), 0xc0, 12, 0, 1, 0, 1],
      'half a pointer': [...whole.slice(0, 12), 0xc0],
    };
    for (const [what, bytes] of Object.entries(wrong)) assert.equal(parseDns(Uint8Array.from(bytes)), undefined, what);
    for (let length = 0; length < whole.length; length++)
      assert.equal(parseDns(Uint8Array.from(whole.slice(0, length))), undefined, String(length));
  });

  it('an answer that ends too early has the addresses before', () => {
    const bytes = answer(record(1, [10, 0, 0, 1]), record(1, [10, 0, 0, 2]));
    assert.deepEqual(parseDns(bytes.subarray(0, bytes.length - 1))?.addresses, ['10.0.0.1']);
    for (let length = 0; length < bytes.length; length++) parseDns(bytes.subarray(0, length));
  });

  it('the payload of packets of IPv4 and IPv6, with and without the header of a link', () => {
    const udp = [0, 1, 0, 53, 0, 10, 0, 0, 7, 8];
    const ipv4 = [0x45, ...Array<number>(8).fill(0), 17, ...Array<number>(10).fill(0), ...udp];
    const ipv6 = [0x60, ...Array<number>(5).fill(0), 17, ...Array<number>(33).fill(0), ...udp];
    for (const start of [0, 14, 18]) {
      for (const packet of [ipv4, ipv6]) {
        const bytes = Uint8Array.from([...Array<number>(start).fill(0), ...packet]);
        assert.deepEqual([...(udpPayload(bytes) ?? [])], [7, 8]);
        for (let length = 0; length < bytes.length; length++) udpPayload(bytes.subarray(0, length));
      }
    }
    assert.equal(udpPayload(Uint8Array.from([0x45])), undefined);
  });
});
