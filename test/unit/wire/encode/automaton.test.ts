/** The automaton finds the same substrings as a plain search. */
import assert from 'node:assert/strict';
import { buildAutomaton, type Automaton } from '../../../../lib/wire/encode/automaton.js';
import { AutomatonState } from '../../../../lib/wire/layout.gen.js';

/** Runs the automaton as the BPF programs do. Returns the matches at the end of the text. */
function runAutomaton(automaton: Automaton, scan: number, text: Uint8Array): bigint {
  const view = new DataView(automaton.entries.buffer);
  const stateOffset = (state: number): number => state * (4 + AutomatonState.sizeof) + 4;
  let state = automaton.starts[scan] as number;
  let hits = 0n;
  for (const byte of text) {
    state = view.getUint16(stateOffset(state) + AutomatonState.next + byte * AutomatonState.nextStride, true);
    assert.notEqual(state, 0);
    hits |= view.getBigUint64(stateOffset(state) + AutomatonState.match, true);
  }
  return hits;
}

const makeScan = (...needles: string[]): Parameters<typeof buildAutomaton>[0][0] => ({
  ignoreCase: false,
  selectors: needles.map((_, i) => i),
  needles: needles.map((text, i) => ({ text, selectors: [i] })),
});

describe('automaton of substrings', () => {
  it('finds needles that overlap, begin and end each other, and repeat', () => {
    const automaton = buildAutomaton([makeScan('he', 'she', 'his', 'hers', 'e')], 'test');
    const searchFirst = (text: string): bigint => runAutomaton(automaton, 0, Buffer.from(text));
    assert.equal(searchFirst('ushers'), 0b11011n);
    assert.equal(searchFirst('hhis'), 0b00100n);
    assert.equal(searchFirst('sh'), 0n);
    assert.equal(searchFirst(''), 0n);
  });

  it('each scan finds only its own needles', () => {
    const automaton = buildAutomaton([makeScan('ab'), makeScan('bc')], 'test');
    assert.equal(runAutomaton(automaton, 0, Buffer.from('abc')), 1n);
    assert.equal(runAutomaton(automaton, 1, Buffer.from('abc')), 1n);
    assert.equal(runAutomaton(automaton, 0, Buffer.from('bc')), 0n);
    assert.equal(automaton.states, 7);
  });

  it('agrees with a plain search on random strings of few letters', () => {
    let seed = 7;
    const randomBelow = (below: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % below;
    const randomString = (longest: number): string =>
      Array.from({ length: 1 + randomBelow(longest) }, () => 'abö'[randomBelow(3)]).join('');
    for (let round = 0; round < 200; round++) {
      const needles = Array.from({ length: 1 + randomBelow(6) }, () => randomString(4));
      const automaton = buildAutomaton([makeScan(...needles)], 'test');
      const text = randomString(40);
      const expected = needles.reduce(
        (bits, needle, i) => (text.includes(needle) ? bits | (1n << BigInt(i)) : bits),
        0n,
      );
      assert.equal(runAutomaton(automaton, 0, Buffer.from(text)), expected, `${needles.join(' ')} in ${text}`);
    }
  });

  it('has at most as many states as 16 bits can number', function () {
    this.timeout(30_000);
    const makeScans = (extra: number): Parameters<typeof buildAutomaton>[0] => [
      makeScan('x'.repeat(32766)),
      makeScan('x'.repeat(32767 + extra)),
    ];
    assert.equal(buildAutomaton(makeScans(0), 'test').states, 65536);
    assert.throws(() => buildAutomaton(makeScans(1), 'test'), { code: 'LIMIT_SUBSTRINGS' });
  });
});
