/** The lint rule on slow literals: where it holds, and which literals it refuses. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { ESLint } from 'eslint';
import { ROOT } from '../../project.js';

const eslint = new ESLint({ cwd: ROOT });

/** How many literals of the text are refused in this file. */
async function countRefused(file: string, text: string): Promise<number> {
  const [result] = await eslint.lintText(text, { filePath: join(ROOT, file) });
  return (result?.messages ?? []).filter(({ ruleId }) => ruleId === 'no-restricted-syntax').length;
}

describe('literals that begin with a spread', function () {
  // the first use loads the plug-ins
  this.timeout(60_000);

  for (const folder of ['wire/decode', 'events', 'stream', 'process', 'output']) {
    it(`are refused in lib/${folder}/`, async () => {
      assert.equal(
        await countRefused(`lib/${folder}/x.ts`, 'export const make = (a: object) => ({ ...a, b: 1 });\n'),
        1,
      );
      assert.equal(
        await countRefused(`lib/${folder}/x.ts`, 'export const make = (a: object) => ({ ...a, ...a });\n'),
        1,
      );
    });
  }

  it('a copy, and a spread after other members, are not slow', async () => {
    const text = 'export const copies = (a: object) => [{ ...a }, { b: 1, ...a }, { b: 1, ...a, c: 2 }];\n';
    assert.equal(await countRefused('lib/events/x.ts', text), 0);
  });

  it('are allowed where no event passes', async () => {
    assert.equal(await countRefused('lib/policy/x.ts', 'export const make = (a: object) => ({ ...a, b: 1 });\n'), 0);
  });
});
