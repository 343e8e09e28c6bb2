/** Real policies: each is accepted, or refused with few known codes. */
import assert from 'node:assert/strict';
import { compilePolicy, explainPolicy, formatExplanation, validatePolicy } from '../../../lib/policy/index.js';
import { readCorpus } from './corpus.js';
import { checkAgreement } from './marked-policies.js';

/** Policies with variables that must be replaced before use. */
const KNOWN_MISTAKES: Readonly<Record<string, string>> = {
  'policylibrary__egress.yaml': 'ADDRESS_INVALID',
  'quickstart__network_egress_cluster.yaml': 'ADDRESS_INVALID',
  'quickstart__network_egress_cluster_enforce.yaml': 'ADDRESS_INVALID',
};

/** The only codes with which real policies are refused. None of these codes is about a filter or a type. */
const NOT_YET: readonly string[] = ['UNSUPPORTED_LIST', 'UNSUPPORTED_ACTION'];

describe('policy: real policies', () => {
  const files = readCorpus();
  const counts = new Map<string, number>();
  const refused: string[] = [];
  let accepted = 0;

  it('exist', function () {
    if (files.length === 0) this.skip();
  });

  for (const { name, text } of files) {
    it(name, () => {
      const found = validatePolicy(text, { file: name });
      for (const { code } of found) counts.set(code, (counts.get(code) ?? 0) + 1);
      const errors = found.filter((d) => d.severity === 'error');
      if (errors.length === 0) {
        accepted++;
        assert.ok(compilePolicy(text).hooks.length > 0);
      }
      const codes = [...new Set(errors.map((d) => d.code))];
      if (codes.length > 0) refused.push(`${name}: ${codes.join(', ')}`);
      const mistakes = new Set(codes.filter((code) => !NOT_YET.includes(code)));
      assert.deepEqual([...mistakes], KNOWN_MISTAKES[name] === undefined ? [] : [KNOWN_MISTAKES[name]]);
      if (mistakes.size === 0) assert.ok(formatExplanation(explainPolicy(text)).startsWith('policy '));
      checkAgreement(text);
      for (const d of found)
        assert.ok(d.line >= 1 && d.column >= 1 && d.hint !== '' && d.text !== '', JSON.stringify(d));
    });
  }

  it('compile if they only observe with kprobes', function () {
    if (files.length === 0) this.skip();
    assert.ok(accepted >= 35, `${accepted} compile`);
  });

  after(() => {
    if (files.length === 0) return;
    console.log(`      ${files.length} policies, ${accepted} can be loaded; diagnostics by code:`);
    for (const [code, count] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1)))
      console.log(`      ${String(count).padStart(5)} ${code}`);
    console.log('      cannot be loaded:');
    for (const line of refused) console.log(`      ${line}`);
  });
});
