/** The policies of docs/from-other-tools.md are valid, as `polytrace validate` would report. */
import assert from 'node:assert/strict';
import { explainPolicy, validatePolicy } from '../../../lib/policy/index.js';
import { readProjectFile } from '../../project.js';

const page = readProjectFile('docs/from-other-tools.md');
const policies = [...page.matchAll(/^```yaml policy\n([^]*?)^```/gm)].map(([, yaml]) => yaml ?? '');

describe('docs/from-other-tools.md', () => {
  it('translates six rules', () => assert.equal(policies.length, 6));

  for (const yaml of policies) {
    const name = /name: (\S+)/.exec(yaml)?.[1] ?? '';
    it(`${name} has no error and no warning`, () => {
      assert.deepEqual(
        validatePolicy(yaml).map(({ code, message, line }) => `${line} ${code} ${message}`),
        [],
      );
      assert.ok(explainPolicy(yaml).hooks.length > 0);
    });
  }
});
