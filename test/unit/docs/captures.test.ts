/** docs/recipes.md and the terminals in docs/samples show the current output of the command for the recorded events. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { policyLibrary } from '../../../lib/tracer/policy-files.js';
import { displayWidth } from '../../../lib/output/escape.js';
import { createCaptures, withCaptures } from '../../../scripts/captures.js';
import { COMPARED } from '../../kernel/policy-evasion-rows.js';
import { readProjectFile } from '../../project.js';

describe('recorded events in the documentation', () => {
  const page = readProjectFile('docs/recipes.md');

  it('each policy with recorded events has a recipe with its lines', () => {
    for (const { name } of policyLibrary().filter((each) => COMPARED.includes(each.name))) {
      const [, block = ''] = page.split(`--policy-names ${name} -->`);
      assert.match(block, /^\n\n```text\n(.+\n)+```/, name);
    }
  });

  it('docs/recipes.md: run npm run gen if this fails', async () => assert.equal(await withCaptures(page), page));

  it('the terminals: run npm run gen if this fails', async () => {
    const found = await createCaptures();
    assert.equal(found.length, 6);
    for (const { path, text } of found) {
      assert.equal(readFileSync(path, 'utf8'), text, path);
      const width = Number(/-(\d+)\.txt$/.exec(path)?.[1]);
      for (const line of text.split('\n')) assert.ok(displayWidth(line) <= width, `${path}: ${line}`);
    }
  });
});
