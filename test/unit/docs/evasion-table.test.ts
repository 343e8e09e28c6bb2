/** docs/policy-library.md has the results of test/kernel/policy-evasion.test.ts, and the table has no empty entry. */
import assert from 'node:assert/strict';
import { policyLibrary } from '../../../lib/tracer/policy-files.js';
import { listExfiltrationRows } from '../../kernel/exfiltration-ways.js';
import { COMPARED, EXAMPLE, UPSTREAM } from '../../kernel/policy-evasion-rows.js';
import { formatTable, judgeWay, listOpenWays, WAYS } from '../../kernel/policy-evasion-ways.js';
import { readProjectFile } from '../../project.js';

const names = policyLibrary().flatMap(({ name }) => (COMPARED.includes(name) ? [name] : []));
const POLICIES = [EXAMPLE, UPSTREAM, ...names];

/** Without the width of columns and of lines. */
const normalize = (text: string): string => text.replaceAll(/\s+/g, ' ');

describe('ways around policies', () => {
  const page = normalize(readProjectFile('docs/policy-library.md'));

  for (const way of WAYS) {
    for (const policy of POLICIES) {
      it(`${way.name}: ${policy} has a result, or a reason why there is none`, () => {
        assert.notEqual(judgeWay(way, policy), undefined);
        const { attacks, excluded = {} } = way;
        const isNamed = attacks.some(({ open, reports }) => (open?.[policy] ?? reports?.[policy]) !== undefined);
        assert.equal(isNamed, excluded[policy] === undefined);
      });
    }
    it(`${way.name}: all policies exist`, () => {
      const named = way.attacks.flatMap(({ open, reports }) => Object.keys({ ...open, ...reports }));
      const unknown = [...named, ...Object.keys(way.excluded ?? {})].filter((policy) => !POLICIES.includes(policy));
      assert.deepEqual(unknown, []);
    });
  }

  it('the table is in docs/policy-library.md', () => {
    for (const line of formatTable(POLICIES)) assert.ok(page.includes(`| ${line.join(' | ')} |`), line.join(' | '));
  });

  it('each way that is open is in docs/policy-library.md', () => {
    for (const sentence of listOpenWays(POLICIES)) assert.ok(page.includes(`- ${sentence}`), sentence);
  });

  it('the ways to send out a secret are in docs/bypass.md', () => {
    const bypass = normalize(readProjectFile('docs/bypass.md'));
    for (const row of listExfiltrationRows()) {
      const line = normalize(`| ${row.join(' | ')} |`);
      assert.ok(bypass.includes(line), line);
    }
  });
});
