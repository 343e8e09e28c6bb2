/** README has the same figures as docs/benchmarks.md, which the benchmark writes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { ROOT, readProjectFile } from '../../project.js';

/** Finds the rows whose first cell is a key of `names`. Returns their cells by the value in `names`. */
function findCells(page: string, names: Readonly<Record<string, string>>): Record<string, string[]> {
  const rows = readProjectFile(page)
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  return Object.fromEntries(
    Object.entries(names).map(([name, title]) => {
      const row = rows.find(([, first]) => first === title);
      assert.ok(row !== undefined, `${page} has no row ${title}`);
      return [name, row.slice(2, -1)];
    }),
  );
}

describe('figures of README', () => {
  it('are the figures of the benchmark', () => {
    const inReadme = findCells('README.md', {
      depth7: 'read, no match, depth 7',
      match: 'read that matches',
    });
    const measured = findCells('docs/benchmarks.md', {
      depth7: 'pread, no match, depth 7',
      match: 'pread, match',
    });
    for (const [name, [ours, theirs]] of Object.entries(inReadme)) {
      const [, , , upstream, , , tetragon] = measured[name] ?? [];
      assert.deepEqual([ours, theirs], [upstream, tetragon], name);
    }
    const uncached = findCells('README.md', { depth7: 'the same, without the cache, depth 7' });
    for (const [name, [ours]] of Object.entries(uncached)) assert.equal(ours, measured[name]?.[5], name);
  });

  it('the goals are compared with the tables of the same page', () => {
    const script = `
      import { goalsTable } from './bench/goals.mts';
      import { formatTable } from './bench/table.mts';
      const page = await new Response(process.stdin).text();
      console.log(formatTable(goalsTable(page.split(/^## /m))));`;
    const checkGoals = (page: string): { status: number | null; stdout: string; stderr: string } =>
      spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
        cwd: ROOT,
        encoding: 'utf8',
        input: page,
      });
    const page = readProjectFile('docs/benchmarks.md');
    const { status, stdout, stderr } = checkGoals(page);
    assert.equal(status, 0, stderr);
    assert.ok(page.includes(`## Goals\n\n${stdout}\n`), `npm run bench -- --write makes:\n${stdout}`);
    assert.match(
      checkGoals(page.replaceAll('| pread, match ', '| other ')).stderr,
      /has no 'pread, match', 'upstream policy'/,
    );
  });
});
