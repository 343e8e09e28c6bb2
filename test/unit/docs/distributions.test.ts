/** The table of distributions calls only those kernels proven that the tests boot. */
import assert from 'node:assert/strict';
import { readProjectFile } from '../../project.js';

const ROW = /^\| ([^|]+?) +\| ([^|]+?) +\| ([^|]+?) +\| ([^|]+?) +\|$/gm;
const rows = [...readProjectFile('docs/distributions.md').matchAll(ROW)]
  .map(([, name = '', kernel = '', works = '', how = '']) => ({ name, kernel, works, how }))
  .filter(({ name }) => !/^-+$|^distribution$/.test(name));

describe('docs/distributions.md', () => {
  it('says of each row how it is known', () => {
    assert.ok(rows.length >= 15);
    for (const { name, how } of rows) assert.match(how, /^(proven|by reasoning)/, name);
  });

  it('calls no kernel proven that npm run test:kernels does not boot', () => {
    const [, tested = ''] = /^\| hooks +\| attached by +\|(.*)\|$/m.exec(readProjectFile('docs/operations.md')) ?? [];
    const versions = tested.split('|').map((text) => text.trim());
    assert.ok(versions.includes('6.12'));
    const proven = rows.filter(({ how }) => /^proven(;|$)/.test(how)).flatMap(({ kernel }) => kernel.split(', '));
    assert.deepEqual(
      proven.filter((version) => !versions.includes(version)),
      [],
    );
  });

  it('has each note that a row names', () => {
    const text = readProjectFile('docs/distributions.md');
    const named = new Set([...text.matchAll(/\((\d)\)/g)].map(([, number]) => Number(number)));
    const notes = [...text.matchAll(/^(\d)\. /gm)].map(([, number]) => Number(number));
    assert.deepEqual([...named].sort(), notes);
  });
});
