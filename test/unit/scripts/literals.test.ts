/** The lint rule on slow literals: the folders and the literals that it covers. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { ESLint, type Linter } from 'eslint';
import tseslint from 'typescript-eslint';
import { ROOT } from '../../project.js';

// The files of these tests do not exist, so they have no type information.
const overrideConfig = tseslint.configs.disableTypeChecked as Linter.Config;
const eslint = new ESLint({ cwd: ROOT, overrideConfig });

/** Counts the literals that the rule refuses in this file. */
async function countRefused(file: string, text: string): Promise<number> {
  const [result] = await eslint.lintText(text, { filePath: join(ROOT, file) });
  assert.equal(result?.fatalErrorCount, 0);
  return result.messages.filter(({ ruleId }) => ruleId === 'no-restricted-syntax').length;
}

describe('literals that begin with a spread', function () {
  // The first use loads the plug-ins.
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

  it('are allowed as a plain copy, or with the spread after other members', async () => {
    const text = 'export const copies = (a: object) => [{ ...a }, { b: 1, ...a }, { b: 1, ...a, c: 2 }];\n';
    assert.equal(await countRefused('lib/events/x.ts', text), 0);
  });

  it('are allowed in code that handles no events', async () => {
    assert.equal(await countRefused('lib/policy/x.ts', 'export const make = (a: object) => ({ ...a, b: 1 });\n'), 0);
  });
});
