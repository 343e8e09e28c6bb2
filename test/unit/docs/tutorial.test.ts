/** docs/tutorial.md shows the current output for its policies. test/kernel/tutorial.test.ts runs the policies. */
import assert from 'node:assert/strict';
import { validatePolicy } from '../../../lib/policy/index.js';
import { findPolicies, withAnswers } from '../../../scripts/tutorial-answers.js';
import { readProjectFile } from '../../project.js';

const page = readProjectFile('docs/tutorial.md');

describe('docs/tutorial.md', () => {
  const { wrong, corrected, protect } = findPolicies(page);

  it('has two policies, the first one with a mistake', () => {
    assert.deepEqual(
      validatePolicy(wrong).map(({ code }) => code),
      ['UNKNOWN_VALUE'],
    );
    assert.deepEqual(validatePolicy(corrected), []);
    assert.deepEqual(validatePolicy(protect), []);
    assert.match(protect, /action: Override/);
  });

  it('shows the current diagnostic and explanation', () => {
    assert.equal(withAnswers(page), page, 'run npm run gen');
  });

  it('would show another answer', () => {
    assert.equal(withAnswers(page.replace('did you mean', 'perhaps').replace('1 table lookup', 'nothing')), page);
  });
});
