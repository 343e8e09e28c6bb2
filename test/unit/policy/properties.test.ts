/** Any policy text is accepted, or refused with a position, in a short time and without an exception. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compilePolicy } from '../../../lib/policy/index.js';
import { ARG_TYPE_NAMES, OPERATORS } from '../../../lib/policy/language/vocabulary.js';
import { checkText, kprobeYaml, selectorsYaml } from './marked-policies.js';

const SEED = selectorsYaml(`
  label: first
  matchArgs:
  - index: 0
    operator: Prefix
    values: ["/etc", "/usr/bin"]
  - index: 1
    operator: Equal
    values: ["4", "0x2"]
  matchPIDs: [{operator: NotIn, values: [1]}]
  matchBinaries: [{operator: In, values: [/usr/bin/cat]}]
  matchReturnArgs: [{index: 0, operator: LT, values: ["0"]}]
  matchActions: [{action: Post}]`);

const runs = { numRuns: 400 };
const tokens = fc.constantFrom(
  '[',
  ']',
  '{',
  '}',
  ':',
  '- ',
  '\n',
  '\t',
  '"',
  "'",
  '&a',
  '*a',
  '!x',
  '#',
  '|',
  '>',
  '---\n',
  '%',
  '@',
  '`',
  '\0',
  '\uD800',
  '0x',
  '-1',
  'null',
  'true',
  '<<',
  '?',
  ',',
  '  ',
  '99999999999999999999',
);

describe('policy: properties', function () {
  this.timeout(60_000);

  it('survives inserted, removed and repeated pieces', () => {
    const edit = fc.record({
      at: fc.nat(SEED.length),
      length: fc.nat(12),
      text: fc.oneof(tokens, fc.string({ maxLength: 4 })),
      twice: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        let text = SEED;
        for (const { at, length, text: piece, twice } of edits) {
          const from = Math.min(at, text.length);
          text =
            text.slice(0, from) +
            piece +
            (twice ? text.slice(from, from + length) : '') +
            text.slice(twice ? from : from + length);
        }
        checkText(text);
      }),
      runs,
    );
  });

  it('survives lines in another order and depth', () => {
    const lines = SEED.split('\n');
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(lines.length - 1), fc.nat(8)), { maxLength: 40 }), (picked) => {
        checkText(picked.map(([line, depth]) => ' '.repeat(depth) + (lines[line] ?? '').trim()).join('\n'));
      }),
      runs,
    );
  });

  it('survives any text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 200 }),
          fc.array(tokens, { maxLength: 60 }).map((list) => list.join('')),
        ),
        (text) => void checkText(text),
      ),
      runs,
    );
  });

  it('survives any filter', () => {
    const value = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 12 }),
      fc.bigInt().map(String),
      fc.constantFrom('0x7f', '017', '-1', '/etc', 'list:a', '1:2', '10.0.0.0/8', 'CAP_CHOWN', ''),
    );
    const filter = fc.tuple(
      fc.constantFrom(...ARG_TYPE_NAMES),
      fc.constantFrom(...OPERATORS),
      fc.array(value, { maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(filter, { minLength: 1, maxLength: 6 }), (filters) => {
        const args = filters.map(([type], i) => `- {index: ${i}, type: ${type}}`).join('\n');
        const matches = filters
          .map(
            ([, operator, values], i) => `  - {index: ${i}, operator: ${operator}, values: ${JSON.stringify(values)}}`,
          )
          .join('\n');
        checkText(kprobeYaml(`call: f\nsyscall: false\nargs:\n${args}\nselectors:\n- matchArgs:\n${matches}`));
      }),
      runs,
    );
  });

  it('tables find the same prefixes as the policy describes', () => {
    const part = fc
      .array(fc.constantFrom('/', 'a', 'b'), { minLength: 1, maxLength: 4 })
      .map((list) => `/${list.join('')}`);
    const clause = fc.record({
      operator: fc.constantFrom('Prefix', 'NotPrefix', 'Postfix', 'NotPostfix', 'Equal', 'NotEqual'),
      values: fc.array(part, { minLength: 1, maxLength: 4 }),
    });
    const selector = fc.array(clause, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.array(selector, { minLength: 1, maxLength: 4 }), part, (all, text) => {
        const body = all.map(
          (clauses) =>
            `- matchArgs:\n${clauses.map(({ operator, values }) => `  - {index: 0, operator: ${operator}, values: ${JSON.stringify(values)}}`).join('\n')}`,
        );
        const compiled = compilePolicy(
          kprobeYaml(`call: f\nsyscall: false\nargs: [{index: 0, type: string}]\nselectors:\n${body.join('\n')}`),
        );
        assert.equal(
          evaluateTables(compiled.hooks[0]?.args[0]?.texts ?? {}, all.length, text),
          findFirstMatch(all, text),
        );
      }),
      { numRuns: 1000 },
    );
  });
});

type Table = {
  positive: readonly number[];
  entries: readonly { value: string; match: readonly number[]; reject: readonly number[] }[];
};

/** Evaluates tables as the BPF programs do: the longest matching entry decides. */
function evaluateTables(
  texts: { equal?: Table; prefix?: Table; postfix?: Table },
  count: number,
  text: string,
): number {
  let candidates = Array.from({ length: count }, (_, i) => i);
  const fits = {
    equal: (value: string) => value === text,
    prefix: (value: string) => text.startsWith(value),
    postfix: (value: string) => text.endsWith(value),
  };
  for (const key of ['equal', 'prefix', 'postfix'] as const) {
    const table = texts[key];
    if (table === undefined) continue;
    const [entry] = table.entries
      .filter(({ value }) => fits[key](value))
      .sort((a, b) => b.value.length - a.value.length);
    candidates = candidates.filter(
      (s) =>
        ((entry?.match.includes(s) ?? false) || !table.positive.includes(s)) && !(entry?.reject.includes(s) ?? false),
    );
  }
  return candidates[0] ?? -1;
}

/** Evaluates the filters as the policy describes them. */
function findFirstMatch(
  all: readonly (readonly { operator: string; values: readonly string[] }[])[],
  text: string,
): number {
  return all.findIndex((clauses) =>
    clauses.every(({ operator, values }) => {
      const base = operator.replace('Not', '');
      const hit = values.some((value) =>
        base === 'Equal' ? text === value : base === 'Prefix' ? text.startsWith(value) : text.endsWith(value),
      );
      return operator.startsWith('Not') ? !hit : hit;
    }),
  );
}
