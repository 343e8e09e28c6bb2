/** JSON without spaces gives the nodes that YAML makes of it, or is left to YAML. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { Composer, Lexer, parse, Parser } from 'yaml';
import { parsePlainJson } from '../../../lib/policy/parse/json.js';
import { readCorpus } from './corpus.js';

/** Document and errors of YAML, with the options of the policy format. */
function compose(text: string) {
  const parser = new Parser();
  const options = { version: '1.2', uniqueKeys: false, prettyErrors: false, merge: false, intAsBigInt: true } as const;
  const composer = new Composer(options);
  const tokens = [...new Lexer().lex(text)].flatMap((lexeme) => [...parser.next(lexeme)]);
  const documents = [...tokens, ...parser.end()].flatMap((token) => [...composer.next(token)]);
  return [...documents, ...composer.end()][0];
}

const assertSame = (text: string): void => {
  const found = parsePlainJson(text);
  const expected = compose(text);
  assert.deepEqual(expected?.errors, [], text);
  assert.deepEqual(found?.contents, expected.contents, text);
  assert.deepEqual(found.range, expected.range);
  assert.equal(String(found), String(expected));
};

describe('policies as JSON', () => {
  it('have the nodes that YAML makes of them', () => {
    const library = join(__dirname, '../../../policies');
    const names = readdirSync(library).filter((name) => name.endsWith('.yaml'));
    const own = names.map((name) => readFileSync(join(library, name), 'utf8'));
    assert.ok(own.length >= 25);
    let plain = 0;
    for (const text of [...own, ...readCorpus().map((file) => file.text)]) {
      const json = JSON.stringify(parse(text.split(/^---$/m)[0] ?? '', { logLevel: 'silent' }));
      if (!json.startsWith('{') || json.length > 60_000) continue;
      assertSame(json);
      plain++;
    }
    assert.ok(plain >= 25);
    assertSame(
      '{"a":[1,-12,0,12345678901234567890,true,false,null,[],{}],"":{"\\ud83d\\uDE00\\/\\u0000\\ud800":"é ☃ 😀"}}',
    );
  });

  it('any JSON is read as YAML does, or left to YAML', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (json) => {
        const text = `{"a":${json}}`;
        if (parsePlainJson(text) !== undefined) assertSame(text);
      }),
      { numRuns: 500 },
    );
  });

  const others: readonly string[] = [
    ...[
      '',
      '[]',
      'a: 1',
      '{',
      '{}x',
      '{}\n',
      ' {}',
      '{ }',
      '{"a": 1}',
      '{"a":1,}',
      '{"a":}',
      '{"a"}',
      '{,}',
      '{"a":1 }',
    ],
    ...['{"a":-0}', '{"a":1.5}', '{"a":1e3}', '{"a":01}', '{"a":0x1}', '{"a":nulls}', '{"a":~}', '{a:1}', "{'a':1}"],
    ...[
      '{"a":"\t"}',
      '{"a":"\u0085"}',
      '{"a":"\\x41"}',
      '{"a":"\\N"}',
      '{"a":"\\U00000041"}',
      '{"a":"\\ud8"}',
      '{"a":"\n"}',
      '{"a":"b}',
      '{"a":&x 1}',
      '{"a":*x}',
    ],
    ...[`{"${'k'.repeat(1001)}":1}`, `{"a":"${'x'.repeat(65_536)}"}`, `{"a":${'['.repeat(40)}${']'.repeat(40)}}`],
  ];
  it('what is no plain JSON is left to YAML', () => {
    for (const text of others) assert.equal(parsePlainJson(text), undefined, text);
  });
});
