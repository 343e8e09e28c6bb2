/** `like: 'tetragon'`: each difference is found where it is, and only there. */
import assert from 'node:assert/strict';
import type { Diagnostic } from '../../../lib/errors.js';
import { validatePolicy } from '../../../lib/index.js';
import { ANSWERS, DIFFERENCES } from '../../../lib/policy/like/tetragon.js';
import { ANSWER_CASES, DIFFERENCE_CASES, type Case } from './like-cases.js';
import { fakeKernel } from './fake-kernel.js';
import { kprobeYaml, parseMarks, policyYaml } from './marked-policies.js';
import { readCorpus } from './corpus.js';

function findDifferences(yaml: string): Diagnostic[] {
  const found = validatePolicy(yaml, { file: 'p.yaml', kernel: fakeKernel, like: 'tetragon' });
  return found.filter(({ code }) => code.startsWith('TETRAGON_'));
}

function checkCase(expected: { readonly code: string; readonly message: string }, { differs, same }: Case): void {
  const marked = parseMarks(differs);
  assert.ok(marked.expected.length > 0);
  const found = findDifferences(marked.yaml).filter(({ message }) => message === expected.message);
  const places = found.map(({ code, line, column }) => ({ code, line, column }));
  assert.deepEqual(places, marked.expected, marked.yaml);
  assert.ok(found.every((d) => d.code === expected.code && d.severity === 'warning' && d.hint !== '' && d.text !== ''));
  const others = findDifferences(parseMarks(same).yaml).map(({ message }) => message);
  assert.ok(!others.includes(expected.message), same);
}

describe("validatePolicy with like: 'tetragon'", () => {
  for (const [name, difference] of Object.entries(DIFFERENCES)) {
    it(name, () => checkCase(difference, DIFFERENCE_CASES[name as keyof typeof DIFFERENCES]));
  }

  for (const [code, answer] of Object.entries(ANSWERS)) {
    it(`${code}: Tetragon does something else`, () => {
      const own = ANSWER_CASES[code as keyof typeof ANSWERS];
      checkCase(answer, own);
      const { yaml } = parseMarks(own.differs);
      assert.ok(validatePolicy(yaml, { kernel: fakeKernel }).some((d) => d.code === code));
    });
  }

  it('knows that matchCEL has the names of data, and CelExpr has not', () => {
    const policyWith = (filter: string): string =>
      kprobeYaml(
        `call: f\nargs: [{index: 0, type: long}]\ndata: [{index: 0, type: long, source: current_task, resolve: pid}]\nselectors: [{${filter}}]`,
      );
    const { message } = DIFFERENCES.expressionSyntax;
    const differs = (filter: string): boolean => findDifferences(policyWith(filter)).some((d) => d.message === message);
    assert.ok(!differs('matchCEL: {expr: "arg0 == data0"}'));
    assert.ok(differs('matchArgs: [{operator: CelExpr, values: ["arg0 == data0"]}]'));
  });

  it('has a message of its own for each difference', () => {
    const messages = [...Object.values(DIFFERENCES), ...Object.values(ANSWERS)].map(({ message }) => message);
    assert.equal(new Set(messages).size, messages.length);
  });

  it('adds only warnings, in the order of the positions', () => {
    for (const { differs } of Object.values(DIFFERENCE_CASES)) {
      const { yaml } = parseMarks(differs);
      const [plain, compared] = [validatePolicy(yaml), validatePolicy(yaml, { like: 'tetragon' })];
      assert.deepEqual(
        compared.filter(({ code }) => !code.startsWith('TETRAGON_')),
        plain,
      );
      const lines = compared.map(({ line }) => line);
      assert.deepEqual(
        lines,
        [...lines].sort((a, b) => a - b),
      );
    }
  });

  it('refuses another agent', () => {
    const options = { like: 'falco' as 'tetragon' };
    assert.throws(() => validatePolicy(policyYaml('kprobes: [{call: f}]'), options), { code: 'BAD_OPTION' });
  });

  it('never throws for a policy with mistakes', () => {
    for (const text of [
      '',
      'a',
      '- 1',
      'spec: 1',
      'spec: {kprobes: 1}',
      'spec: {kprobes: [{selectors: [1, {matchArgs: [{}]}]}]}',
    ]) {
      assert.ok(validatePolicy(text, { like: 'tetragon' }).length > 0);
    }
  });

  it('accepts real policies', function () {
    const files = readCorpus();
    if (files.length === 0) this.skip();
    const counts = new Map<string, number>();
    for (const { text } of files) {
      for (const { code } of findDifferences(text)) counts.set(code, (counts.get(code) ?? 0) + 1);
    }
    console.log(`      ${files.length} policies: ${[...counts].map(([code, count]) => `${count} ${code}`).join(', ')}`);
    assert.ok(counts.size > 0);
  });
});
