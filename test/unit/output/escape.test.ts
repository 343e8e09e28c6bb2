import assert from 'node:assert/strict';
import fc from 'fast-check';
import { displayWidth, quoteJson, quoteUnsafe } from '../../../lib/output/escape.js';

describe('escaping', () => {
  const quoted: readonly (readonly [text: string, escaped: string])[] = [
    ['/usr/bin/cat', '/usr/bin/cat'],
    ['', '""'],
    ['a b', '"a b"'],
    ['a\\b', 'a\\b'],
    ['a\\b c', '"a\\\\b c"'],
    ['say "hi"', '"say \\"hi\\""'],
    ['a"b', '"a\\"b"'],
    ['line\nfeed\r\ttab', '"line\\nfeed\\r\\ttab"'],
    ['\u0000', '"\\x00"'],
    ['\u007f', '"\\x7f"'],
    ['\u001b[31mred', '"\\x1b[31mred"'],
    ['\u009b31m', '"\\x9b31m"'],
    ['\u202egpj.exe', '"\\u202egpj.exe"'],
    ['\u2066x\u2069', '"\\u2066x\\u2069"'],
    ['zero\u200bwidth', '"zero\\u200bwidth"'],
    ['no\u00a0break', '"no\\xa0break"'],
    ['\u{e0041}', '"\\u{e0041}"'],
    ['\ud800', '"\\ud800"'],
    ['größe/日本/🚀', 'größe/日本/🚀'],
  ];
  for (const [text, escaped] of quoted) {
    it(`shows ${escaped}`, () => {
      assert.equal(quoteUnsafe(text), escaped);
    });
  }

  it('never passes a control, an override or a line break unchanged', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.doesNotMatch(quoteUnsafe(text), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        assert.doesNotMatch(quoteJson(text), /[\p{Cc}\u200b-\u200f\u2028-\u202e\u2066-\u2069]/u);
      }),
    );
  });

  it('escapes different strings differently', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        assert.equal(quoteUnsafe(a) === quoteUnsafe(b), a === b);
      }),
    );
    assert.notEqual(quoteUnsafe('"a b"'), quoteUnsafe('a b'));
  });

  it('makes JSON strings that parse to the original string', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.equal(JSON.parse(quoteJson(text)), text);
      }),
    );
  });

  const widths: readonly (readonly [text: string, width: number])[] = [
    ['abc', 3],
    ['🚀 x', 4],
    ['日本', 4],
    ['e\u0301', 1],
    ['⚠️', 2],
    ['ü', 1],
  ];
  for (const [text, width] of widths) {
    it(`${text} takes ${width} columns`, () => {
      assert.equal(displayWidth(text), width);
    });
  }
});
