/** Marks in policies: mistakes with their positions, the compiled policy, and its description. */
import assert from 'node:assert/strict';
import { compilePolicy, explainPolicy } from '../../../lib/policy/index.js';
import { checkMarked, policyYaml } from './marked-policies.js';

const mark = (action: string, filter = ''): string =>
  policyYaml(`kprobes:
- call: f
  syscall: false
  selectors:
  - matchActions:
    - {action: Mark, ${action}}
- call: g
  syscall: false
  selectors:
  - ${filter === '' ? 'matchMarks: [{operator: In, values: [seen]}]' : filter}`);

const MANY = Array.from({ length: 33 }, (_, i) => `{action: Mark, mark: m${i}, shared: true}`).join(', ');
const NAMES = Array.from({ length: 65 }, (_, i) => `m${i}`).join(', ');

const cases: readonly (readonly [string, string])[] = [
  ['a name with a space', mark('mark: ⟦MARK_NAME_INVALID⟧"a b", shared: true', '{}')],
  ['a name that is too long', mark(`mark: ⟦MARK_NAME_INVALID⟧${'x'.repeat(64)}, shared: true`, '{}')],
  ['a filter with a wrong name', mark('mark: seen', 'matchMarks: [{operator: In, values: [seen, ⟦MARK_NAME_INVALID⟧"-a"]}]')],
  ['no name', mark('shared: true').replace('Mark, shared', '⟦ACTION_ARGUMENT_MISSING⟧Mark, shared').replace('seen', '⟦MARK_NEVER_SET⟧seen')],
  ['a time that is none', mark('mark: seen, ttl: ⟦MARK_TTL_INVALID⟧1 day')],
  ['a time of 0', mark('mark: seen, ttl: ⟦MARK_TTL_INVALID⟧"0"')],
  ['more than a year', mark('mark: seen, ttl: ⟦MARK_TTL_INVALID⟧9000h')],
  ['a scope that does not exist', mark('mark: seen, scope: ⟦UNKNOWN_VALUE⟧pod')],
  ['a mark that nobody sets', mark('mark: seen', 'matchMarks: [{operator: In, values: [seen, ⟦MARK_NEVER_SET⟧sen]}]')],
  ['a mark that only other policies see', mark('mark: seen, shared: true', 'matchMarks: [{operator: NotIn, values: [⟦MARK_NEVER_SET⟧seen]}]')],
  ['a mark of another owner', mark('mark: ⟦MARK_NEVER_TESTED⟧seen', 'matchMarks: [{operator: In, values: [⟦MARK_NEVER_SET⟧seen], scope: container}]')],
  ['Unmark of what nobody sets', mark('mark: seen', 'matchMarks: [{operator: In, values: [seen]}]\n    matchActions: [{action: Unmark, mark: ⟦MARK_NEVER_SET⟧sean}]')],
  ['a mark that nobody tests', mark('mark: ⟦MARK_NEVER_TESTED⟧seen', '{}')],
  ['two scopes', mark('mark: seen', 'matchMarks: [{operator: In, values: [seen]}]\n    matchActions: [{action: Mark, mark: ⟦MARK_NEVER_TESTED⟧seen, scope: ⟦MARK_SCOPE_AMBIGUOUS⟧container}]')],
  ['fields of another action', mark('mark: seen', 'matchMarks: [{operator: In, values: [seen]}]\n    matchActions: [{action: Unmark, mark: seen, ⟦ACTION_ARGUMENT_UNUSED⟧ttl: 5s}]')],
  ['a mark of other policies is fine', mark('mark: other, shared: true', 'matchMarks: [{operator: In, values: [seen], shared: true}]')],
  ['two names in one selector are fine', mark('mark: a}\n    - {action: Mark, mark: b', 'matchMarks: [{operator: In, values: [a]}, {operator: NotIn, values: [b]}]')],
]; // prettier-ignore

describe('policy: marks', () => {
  for (const [name, text] of cases) it(name, () => checkMarked(text));

  for (const [name, text] of [
    ['too many actions of a hook', mark('mark: seen').replace('- {action: Mark, mark: seen}', `  [${MANY}]`)],
    [
      'too many marks',
      mark('mark: seen, shared: true', `matchMarks: [{operator: In, values: [${NAMES}], shared: true}]`),
    ],
    ['too many filters with In', mark('mark: seen', `matchMarks: [${'{operator: In, values: [seen]}, '.repeat(5)}]`)],
  ] as const) {
    it(`LIMIT_MARKS: ${name}`, () => {
      assert.throws(
        () => compilePolicy(text.replaceAll('[seen]}', '[seen], shared: true}')),
        (error: { diagnostics?: readonly { code: string }[] }) =>
          error.diagnostics?.some(({ code }) => code === 'LIMIT_MARKS') === true,
      );
    });
  }

  it('compiled: numbers of marks, groups of filters, and equal actions once', () => {
    const { marks, hooks } = compilePolicy(
      policyYaml(`kprobes:
- call: f
  syscall: false
  selectors:
  - matchActions: [{action: Mark, mark: a, ttl: 2m, inherit: false}, {action: Unmark, mark: b}]
  - matchActions: [{action: Unmark, mark: b}, {action: Mark, mark: b, scope: container}]
- call: g
  syscall: false
  selectors:
  - matchMarks: [{operator: In, values: [a, b]}, {operator: NotIn, values: [c], shared: true}]
  - matchMarks: [{operator: In, values: [a]}, {operator: In, values: [b]}]`),
    );
    assert.deepEqual(marks, [{ name: 'a' }, { name: 'b', container: true }, { name: 'c', shared: true }]);
    assert.deepEqual(hooks[0]?.markChanges, [
      { action: 'mark', mark: 0, selectors: [0], ttl: 120_000_000_000n, inherits: false },
      { action: 'unmark', mark: 1, container: true, selectors: [0, 1], inherits: true },
      { action: 'mark', mark: 1, container: true, selectors: [1], inherits: true },
    ]);
    assert.deepEqual(hooks[1]?.markTests, [
      { mark: 0, name: 'a', in: [[0, 1]], notIn: [] },
      { mark: 1, name: 'b', container: true, in: [[0], [1]], notIn: [] },
      { mark: 2, name: 'c', in: [], notIn: [0] },
    ]);
  });

  it('explained in words', () => {
    const { hooks } = explainPolicy(
      mark(
        'mark: seen, ttl: 5s',
        'matchMarks: [{operator: In, values: [seen]}, {operator: NotIn, values: [x], shared: true, scope: container}]',
      ),
    );
    assert.deepEqual(hooks[0]?.selectors[0]?.actions, ['Mark: the process is marked "seen" for 5s, and its children']);
    assert.deepEqual(hooks[1]?.selectors[0]?.conditions, [
      'the process is marked "seen"',
      'not (the container is marked "x" by any policy)',
    ]);
  });
});
