/** The check of imports in files without types: each mistake of a small folder is reported at its line. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { findModuleMistakes } from '../../../scripts/lint-modules.js';
import { ROOT } from '../../project.js';

/** The lines of each file. A line with a mistake is followed by a comment with the words of its report. */
const FILES: Readonly<Record<string, readonly string[]>> = {
  'names.mjs': ['export const one = 1;', 'const two = 2;', 'export const sum = one + two;'],
  'static.mjs': [
    "import { one } from './names.mjs';",
    "import { three } from './names.mjs'; // no exported member 'three'",
    "import { two } from './names.mjs'; // 'two' locally",
    "import names from './names.mjs'; // no default export",
    "import './missing.mjs'; // './missing.mjs'",
    "import * as all from './names.mjs';",
    'all.four; // four',
    "import { readFoo } from 'node:fs'; // readFoo",
    "import { readFileSync } from 'node:fs';",
    'unknownFunction(one, readFileSync); // unknownFunction',
  ],
  'dynamic.mjs': [
    "const { one } = await import('./names.mjs');",
    "const { five } = await import('./names.mjs'); // five",
  ],
  'plain.cjs': ['module.exports = { six: 6 };'],
  'required.cjs': [
    "const { six } = require('./plain.cjs');",
    "const { seven } = require('./plain.cjs'); // seven",
    "require('./gone.cjs'); // ./gone.cjs",
  ],
  'described.mjs': ['export const eight = 8;'],
  'uses-described.mjs': [
    "import { eight } from './described.mjs';",
    "import { nine } from './described.mjs'; // no exported member 'nine'",
  ],
};
const DECLARATION = 'export const eight: number;\nexport const nine: number;\nexport interface Shape {}\n';

describe('the check of imports in JavaScript files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-modules-'));
  after(() => rmSync(folder, { recursive: true }));

  it('reports names and files that do not exist, and declarations without an export', function () {
    this.timeout(120_000);
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(join(ROOT, 'node_modules/@types'), join(folder, 'node_modules/@types'));
    for (const [name, lines] of Object.entries(FILES)) writeFileSync(join(folder, name), lines.join('\n'));
    writeFileSync(join(folder, 'described.d.mts'), DECLARATION);

    const reports = findModuleMistakes(Object.keys(FILES).map((name) => join(folder, name)));

    const expected = Object.entries(FILES).flatMap(([name, lines]) =>
      lines.flatMap((line, i) => {
        const [, words] = line.split(' // ');
        return words === undefined ? [] : [{ place: `${name}:${i + 1}`, words }];
      }),
    );
    expected.push({ place: 'described.d.mts', words: "does not export 'nine'" });
    assert.equal(reports.length, expected.length, reports.join('\n'));
    expected.forEach(({ place, words }, i) => {
      const report = reports[i] ?? '';
      assert.ok(basename(report.split(': ')[0] ?? '') === place && report.includes(words), `${place}: ${report}`);
    });
  });
});
