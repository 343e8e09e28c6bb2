/** Plain YAML gives the nodes that the package yaml makes of it, or is left to the package. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { Composer, isPair, Lexer, Parser, type Document, type Node } from 'yaml';
import { parsePlainYaml } from '../../../lib/policy/parse/plain-yaml.js';
import { readCorpus } from './corpus.js';

/** The documents that the package makes, with the options of the policy format. */
function compose(text: string): Document[] {
  const parser = new Parser();
  const options = { version: '1.2', uniqueKeys: false, prettyErrors: false, merge: false, intAsBigInt: true } as const;
  const composer = new Composer(options);
  const tokens = [...new Lexer().lex(text)].flatMap((lexeme) => [...parser.next(lexeme)]);
  const documents = [...tokens, ...parser.end()].flatMap((token) => [...composer.next(token)]);
  return [...documents, ...composer.end()];
}

/** Everything of a node that a policy uses: neither comments, nor the end of what follows it. */
function plainNode(node: unknown): unknown {
  if (isPair(node)) return [node.key, node.value].map(plainNode);
  const { range, type, flow, value, source, tag, anchor, items } = node as Node & Record<string, unknown>;
  const list = Array.isArray(items) ? items.map(plainNode) : undefined;
  return {
    kind: (node as object).constructor.name,
    range: range?.slice(0, 2),
    type,
    flow,
    value,
    source,
    tag,
    anchor,
    list,
  };
}

/** True if the text is plain. */
function isSame(text: string): boolean {
  const found = parsePlainYaml(text);
  if (found === undefined) return false;
  const [expected, ...others] = compose(text);
  assert.deepEqual([others, expected?.errors, expected?.warnings], [[], [], []], text);
  assert.deepEqual(plainNode(found.contents), plainNode(expected?.contents), text);
  return true;
}

const library = join(__dirname, '../../../policies');
const own = readdirSync(library)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => readFileSync(join(library, name), 'utf8'));

describe('policies in plain YAML', function () {
  this.timeout(60_000);

  it('have the nodes that the package makes of them', () => {
    const plain = own.filter(isSame).length;
    assert.ok(plain >= 15, `${plain} of ${own.length} policies of the library are plain`);
    for (const { text } of readCorpus()) isSame(text);
  });

  const same: readonly string[] = [
    'a: 1\n',
    'a: b c # d\n# e\nf: "g" # h',
    'a:\n- b\n- c: d\n  e: [f, "g", \'h\', 1, true, null]\ni:\n  - j:\n      k: -12\n',
    'a: {b: c, d: [1, {e: "\\u00e9\\n"}]}\nb: []\nc: {}\n',
    'a: 127.0.0.1\nb: 10.0.0.0/8\nc: 10s\nd: 12345678901234567890\ne: http://x/#y\nf: a\'b"c\n',
    'a.b/c-d:\n\n  # comment\n  e: f   \n',
  ];
  for (const text of same) it(JSON.stringify(text), () => assert.ok(isSame(text)));

  const others: readonly string[] = [
    '',
    '# only a comment\n',
    'a\n',
    '- a\n',
    'a:\n',
    'a:\nb: c\n',
    'a: b\n  c\n',
    'a: "b\n  c"\n',
    'a: |\n  b\n',
    'a: &b c\n',
    'a: *b\n',
    'a: !c d\n',
    'a: b: c\n',
    'a: \tb\n',
    'a: b\r\n',
    'a: \u00e9\n',
    'a: 0x1f\nb: 1.5\n',
    'a: 1e3\n',
    'a: Null\n',
    'a: ~\n',
    'a: 010\n',
    'true: a\n',
    '1: a\n',
    '"a": b\n',
    '? a\n: b\n',
    '---\na: b\n',
    'a: b\n...\n',
    '%YAML 1.1\n---\na: b\n',
    'a: "\\x41"\n',
    "a: 'it''s'\n",
    'a:\n  - b\n    # of the list\nc: d\n',
    'a:\n  b: c\n d: e\n',
    'a: [b,\n  c]\n',
    'a: [b: c]\n',
    'a: {b}\n',
    `a: ${'['.repeat(20)}${']'.repeat(20)}\n`,
    `a: ${'b'.repeat(70_000)}\n`,
  ];
  for (const text of others)
    it(`${JSON.stringify(text.slice(0, 40))} is left to the package`, () =>
      assert.equal(parsePlainYaml(text), undefined));

  it('any change of a policy is read as the package does, or left to it', () => {
    const pieces = own.filter((text) => text.length < 4000 && parsePlainYaml(text) !== undefined);
    const signs = [...' \n-:#"\'[]{},a1~&*!|>?%.\\+', ': ', ' #', '- ', '  ', '---\n', 'null', '0x1', '1.5', '1e3', 'k:\n', '    # c\n', '{a: b}', '[1, "x"]']; // prettier-ignore
    const edit = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      cut: fc.nat(3),
      sign: fc.constantFrom('', ...signs),
    });
    let plain = 0;
    const changed = fc.record({
      text: fc.constantFrom(...pieces),
      edits: fc.array(edit, { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(changed, ({ text, edits }) => {
        const result = edits.reduce((before, { at, cut, sign }) => {
          const start = Math.floor(at * before.length);
          return before.slice(0, start) + sign + before.slice(start + cut);
        }, text);
        if (isSame(result)) plain++;
      }),
      { numRuns: 1500 },
    );
    assert.ok(plain > 20, `${plain} changed policies were plain`);
  });
});
