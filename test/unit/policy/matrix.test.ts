/** The matrix of the kernel tests is complete, and docs/policy.md shows it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ARG_TYPES,
  ARG_TYPE_NAMES,
  OPERATORS_BY_CLASS,
  type Operator,
} from '../../../lib/policy/language/vocabulary.js';
import { validatePolicy } from '../../../lib/policy/index.js';
import { withMatrix } from '../../../scripts/matrix-table.js';
import { planSubject } from '../../kernel/matrix-policy.js';
import { REFUSED_TYPES, SUBJECTS, TYPES, subjectRows } from '../../kernel/matrix.js';
import { ROOT } from '../../project.js';

describe('policy: the matrix of the kernel tests', () => {
  // The kernel determines the type of `auto`.
  for (const type of ARG_TYPE_NAMES.filter((name) => name !== 'auto')) {
    it(`has ${type} with each of its operators`, () => {
      const subjects = TYPES.filter((subject) => subject.type === type);
      if (Object.hasOwn(REFUSED_TYPES, type)) {
        assert.deepEqual(subjects, []);
        return;
      }
      const allowed: readonly Operator[] = OPERATORS_BY_CLASS[ARG_TYPES[type].class];
      const tested = new Set(subjects.flatMap((subject) => subjectRows(subject).map(({ operator }) => operator)));
      assert.ok(subjects.length > 0, 'no row');
      assert.deepEqual([...tested].sort(), [...allowed].sort());
    });
  }

  SUBJECTS.forEach((subject, number) => {
    it(`${subject.title}: the policy is valid, and the names of its actions fit`, () => {
      for (const kernel of ['6.1', '6.12']) {
        const plan = planSubject(subject, number, kernel);
        // The matrix has each operator, also the one that matchCEL replaces.
        assert.deepEqual(validatePolicy(plan.yaml).filter(({ code }) => code !== 'OPERATOR_DEPRECATED'), []); // prettier-ignore
        assert.ok(plan.actions.every(({ name }) => name.length <= 15));
      }
    });
  });

  it('is shown in docs/policy.md', async () => {
    const path = join(ROOT, 'docs/policy.md');
    const page = readFileSync(path, 'utf8');
    assert.equal(await withMatrix(page, path), page, 'run npm run gen');
  });
});
