/** docs/diagnostics.md explains every code with its cause, remedy and severity, and all its links work. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DIAGNOSTIC_CODES } from '../../../lib/policy/parse/codes.js';
import { ROOT, readProjectFile } from '../../project.js';

const text = readProjectFile('docs/diagnostics.md');

describe('docs: diagnostics', () => {
  const entries = new Map(
    text
      .split(/^### /m)
      .slice(1)
      .map((part) => [part.split('\n', 1)[0] ?? '', part]),
  );

  for (const [code, severity] of Object.entries(DIAGNOSTIC_CODES)) {
    it(code, () => {
      const entry = entries.get(code);
      assert.ok(entry !== undefined, 'no entry');
      const label = severity.replace(/^./, (letter) => letter.toUpperCase());
      assert.match(entry, new RegExp(`\\n\\n${label}\\. \\S`));
      assert.match(entry, /\n\*\*Remedy:\*\* \S/);
      const isLimit = code.startsWith('LIMIT_') || code === 'TOO_MANY_MISTAKES';
      assert.ok(isLimit || entry.includes('```'), 'no example');
    });
  }

  it('has no code that no other test names', () => {
    const tests = ['test', 'agent/test']
      .flatMap((folder) => findFiles(join(ROOT, folder), '.ts'))
      .filter((path) => path !== __filename)
      .map((path) => readFileSync(path, 'utf8'))
      .join('\n');
    const words = new Set(tests.match(/[A-Z][A-Z0-9_]+/g));
    assert.deepEqual(
      Object.keys(DIAGNOSTIC_CODES).filter((code) => !words.has(code)),
      [],
    );
  });

  it('has no entry for a code that does not exist', () => {
    assert.deepEqual(
      [...entries.keys()].filter((code) => !Object.hasOwn(DIAGNOSTIC_CODES, code)),
      [],
    );
  });

  it('lists every code that the tracer and the addon throw', () => {
    const sources = [...findFiles(join(ROOT, 'lib'), '.ts'), ...findFiles(join(ROOT, 'native'), '.cc')].map((path) =>
      readFileSync(path, 'utf8'),
    );
    const thrown = sources.flatMap((source) =>
      [...source.matchAll(/(?:(?:Kernel|Polytrace)Error\(\s*|make_error\([^"]*?)['"]([A-Z][A-Z_]{3,})['"]/g)].map(
        (match) => match[1] ?? '',
      ),
    );
    assert.ok(thrown.length > 10);
    assert.deepEqual(
      [...new Set(thrown)].filter((code) => !new RegExp(`^(\\| \`${code}\` +\\||### ${code}$)`, 'm').test(text)),
      [],
    );
  });
});

function findFiles(folder: string, ending: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? findFiles(path, ending) : entry.name.endsWith(ending) ? [path] : [];
  });
}
