/** The pages that test/documentation executes: each block can be run or says why not, and what fails there is seen. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readProjectFile } from '../../project.js';

const load = () => import('../../documentation/blocks.mjs');

describe('the documentation that is executed', () => {
  it('has blocks on each page, and few that nothing runs', async () => {
    const { NOT_RUN_MAX, PAGES, readBlocks } = await load();
    const blocks = PAGES.flatMap((page) => readBlocks(page, readProjectFile(page)));
    assert.deepEqual([...new Set(blocks.map(({ page }) => page))], PAGES);
    const skipped = blocks.filter(({ marks }) => marks['skip'] !== undefined);
    assert.ok(skipped.length <= NOT_RUN_MAX * blocks.length, `${skipped.length} of ${blocks.length}`);
  });

  it('says for each text what it is', async () => {
    const { PAGES, readBlocks } = await load();
    const blocks = PAGES.flatMap((page) => readBlocks(page, readProjectFile(page)));
    const texts = blocks.filter(({ language }) => ['text', 'yaml', 'json'].includes(language));
    const unmarked = texts.filter(({ marks }) => ['file', 'skip', 'shown-by'].every((key) => marks[key] === undefined));
    assert.deepEqual(unmarked.map(({ page, line }) => `${page}:${line}`), []); // prettier-ignore
  });

  it('a comment with an unknown key, or before no block, is an error', async () => {
    const { readBlocks } = await load();
    assert.throws(() => readBlocks('p', '<!-- doc: fil="x" -->\n\n```sh\ntrue\n```'), /p:1: unknown key fil/);
    assert.throws(() => readBlocks('p', '<!-- doc: skip="x" -->\n\ntext'), /p:1: .* before no block/);
  });

  it('lines have to come in their order, and others may stand between them', async () => {
    const { matchLines } = await load();
    assert.deepEqual(matchLines(['a …', 'b'], ['a 1', 'x', 'b', 'y']), { next: 3, missing: undefined });
    assert.equal(matchLines(['b', 'a'], ['a', 'b']).missing, 'a');
    assert.equal(matchLines(['a.'], ['ab']).missing, 'a.');
  });

  it('a command that fails has its status, in both terminals', async () => {
    const { Terminals } = await import('../../documentation/terminals.mjs');
    const folder = mkdtempSync(join(tmpdir(), 'polytrace-terminals-'));
    const terminals = new Terminals(folder, process.env);
    try {
      assert.deepEqual(await terminals.runSecond('echo a; (exit 3)', 10_000), { status: 3, lines: ['a'] });
      assert.equal((await terminals.runSecond('true', 10_000)).status, 0);
      assert.equal((await terminals.runFirst('exit 4', 10_000)).status, 4);
      const waiting = await terminals.runFirst('echo ready; sleep 1000', 10_000);
      assert.equal(waiting.hasEnded, false);
    } finally {
      await terminals.close();
      rmSync(folder, { recursive: true });
    }
  });
});
