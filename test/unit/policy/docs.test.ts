/** docs/diagnostics.md explains every code with its cause, remedy and severity, and all its links work. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DIAGNOSTIC_CODES } from '../../../lib/policy/parse/codes.js';
import { ROOT, readProjectFile } from '../../project.js';

const text = readProjectFile('docs/diagnostics.md');

/** An entry is a section, or an item of a list: `- \`CODE\` (warning): cause. Remedy.` */
interface Entry {
  readonly code: string;
  readonly severity: string;
  readonly hasRemedy: boolean;
}

/** A section has a line with the remedy, or an example with a comment that says what to write instead. */
function parseSections(): Entry[] {
  return [...text.matchAll(/^### ([A-Z_0-9]+)\n\n(Error|Warning|Note)\. \S(?:(?!^##)[^])*/gm)].map(
    ([section, code = '', severity = '']) => ({
      code,
      severity: severity.toLowerCase(),
      hasRemedy: /\n\*\*Remedy:\*\* \S/.test(section) || /^```\w+\n[^]*? # \S[^]*?^```/m.test(section),
    }),
  );
}

/** An item says the cause and the remedy in sentences of their own, or in two parts of one. */
function parseItems(): Entry[] {
  return [...text.matchAll(/^- ((?:`[A-Z_0-9]+`(?:, )?)+)(?: \((\w+)\))?:((?:(?!\n\n|\n[-#])[^])*)/gm)].flatMap(
    ([, codes = '', severity = 'error', content = '']) =>
      [...codes.matchAll(/`(\w+)`/g)].map(([, code = '']) => ({
        code,
        severity,
        hasRemedy: /[.:;]\s+\S/.test(content),
      })),
  );
}

describe('docs: diagnostics', () => {
  const all = [...parseSections(), ...parseItems()];
  const entries = new Map(all.map((entry) => [entry.code, entry]));

  it('has one entry for each code', () => {
    const codes = all.map(({ code }) => code);
    assert.deepEqual(codes.filter((code, i) => codes.indexOf(code) !== i), []); // prettier-ignore
  });

  for (const [code, severity] of Object.entries(DIAGNOSTIC_CODES)) {
    it(code, () => assert.deepEqual(entries.get(code), { code, severity, hasRemedy: true }));
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

  it('has no section for a code that does not exist', () => {
    const headings = [...text.matchAll(/^### (.*)$/gm)].map(([, code = '']) => code);
    assert.deepEqual(headings.filter((code) => !Object.hasOwn(DIAGNOSTIC_CODES, code)), []); // prettier-ignore
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
      [...new Set(thrown)].filter((code) => !entries.has(code)),
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
