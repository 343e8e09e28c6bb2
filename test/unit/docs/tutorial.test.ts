/** What docs/tutorial.md shows is what the program says: of its policies, the mistake in one, and its explanation. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { explainPolicy, formatExplanation, validatePolicy } from '../../../lib/policy/index.js';
import { formatDiagnostic } from '../../../lib/errors.js';

const page = readFileSync(join(__dirname, '../../../docs/tutorial.md'), 'utf8');
const policies = [...page.matchAll(/^```yaml\n([^]*?)^```/gm)].map(([, yaml]) => yaml ?? '');

describe('docs/tutorial.md', () => {
  const [wrong = '', protect = ''] = policies;
  const corrected = wrong.replace('Prefx', 'Prefix');

  it('has two policies, one of them with a mistake', () => {
    assert.equal(policies.length, 2);
    assert.notEqual(corrected, wrong);
    assert.deepEqual(validatePolicy(corrected), []);
    assert.deepEqual(validatePolicy(protect), []);
  });

  it('shows what is said of the mistake', () => {
    const said = validatePolicy(wrong, { file: 'watch-etc.yaml' }).map(formatDiagnostic);
    assert.equal(said.length, 1);
    assert.ok(page.includes(`# npx polytrace validate watch-etc.yaml\n${said[0]}\n`), said[0]);
  });

  it('shows the explanation of the policy', () => {
    const [, shown = ''] = /# npx polytrace explain watch-etc\.yaml\n([^]*?)^```/m.exec(page) ?? [];
    const explained = formatExplanation(explainPolicy(corrected));
    assert.equal(shown.replace(/; security_file_permission of Linux \S+/, ''), explained);
  });
});
