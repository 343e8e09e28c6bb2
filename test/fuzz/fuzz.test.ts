/**
 * Short searches for inputs that break a promise, always with the same seeds: a run of the tests does not depend on
 * chance. The inputs that were found once are checked first. `npm run fuzz` searches for longer, with new seeds.
 */
import assert from 'node:assert/strict';
import type { Outcome } from './search.js';
import { formatAdvice, corpusFiles, SEARCHERS } from './searchers.js';

const MS = 2000;
const SEEDS = [1, 2];

describe('fuzz', function () {
  this.timeout(180_000);

  for (const [name, searcher] of Object.entries(SEARCHERS)) {
    if (searcher.isBuilt === true) continue; // npm run fuzz
    describe(name, () => {
      before(function () {
        const why = searcher.obstacle();
        if (why === undefined) return;
        console.log(`    ${name}: ${why}`);
        this.skip();
      });

      const check = ({ inputs, found }: Outcome): void => {
        assert.ok(found === undefined, found && formatAdvice(name, found));
        assert.ok(inputs > 0, 'it has checked inputs');
      };

      it('what was found once', async () => {
        const files = corpusFiles(searcher);
        assert.ok(files.length > 0);
        check(await searcher.check(files));
      });

      for (const seed of SEEDS) it(`seed ${seed}`, async () => check(await searcher.search(seed, MS)));
    });
  }
});
