import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOT = join(__dirname, '../../..');
const PAGES = ['.', 'docs', 'examples'].flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
);

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** The link names of all headings. */
function anchorsOf(markdown: string): Set<string> {
  const headings = markdown.replace(/```[\s\S]*?```/g, '').matchAll(/^#+ (.*)$/gm);
  const anchor = (text: string): string =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
  return new Set([...headings].map(([, text]) => anchor(text ?? '')));
}

describe('documentation', () => {
  for (const page of PAGES) {
    it(`${page}: every link leads somewhere`, () => {
      const links = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? '');
      for (const link of links.filter((target) => !/^https?:/.test(target))) {
        const [path = '', anchor] = link.split('#');
        const target = path === '' ? page : join(dirname(page), path);
        assert.ok(existsSync(join(ROOT, target)), `${link}: no such file`);
        if (anchor !== undefined) assert.ok(anchorsOf(read(target)).has(anchor), `${link}: no such heading`);
      }
    });
  }

  it('docs/events.md has every type, field, reason and flag of the contract', () => {
    const contract = read('types/events.d.ts').replace(/\/\*\*[\s\S]*?\*\//g, '');
    const fields = [...contract.matchAll(/readonly (\w+)\??:/g)].map(([, name]) => name ?? '');
    const words = [...contract.matchAll(/'([\w]+)'/g)].map(([, name]) => name ?? '');
    assert.ok(fields.length > 50 && words.length > 20);
    const page = read('docs/events.md');
    const pod = new Set(['labels', 'workload', 'workloadKind', 'container', 'image', 'id', 'name', 'namespace']);
    const missing = [...fields, ...words].filter((word) => !pod.has(word) && !new RegExp(`\\b${word}\\b`).test(page));
    assert.deepEqual([...new Set(missing)], []);
  });

  it('docs/events.md has every function that the compact output knows', () => {
    const table = read('lib/output/functions.ts');
    const names = [...table.matchAll(/^ {2}(\w+): (?:\{|\(args)/gm)].map(([, name]) => name ?? '');
    assert.ok(names.includes('sys_openat') && names.includes('security_mmap_file'));
    const page = read('docs/events.md');
    assert.deepEqual(
      names.filter((name) => !page.includes(`\`${name}\``)),
      [],
    );
  });

  it('docs/api.md has every option and function of the contract', () => {
    const page = read('docs/api.md');
    for (const file of ['types/tracer.d.ts', 'types/output.d.ts', 'types/policy.d.ts']) {
      const contract = read(file).replace(/\/\*\*[\s\S]*?\*\//g, '');
      const functions = [...contract.matchAll(/export function (\w+)/g)].map(([, name]) => name ?? '');
      const options = [...contract.matchAll(/interface \w*Options \{([^}]*)\}/g)].flatMap(([, body]) =>
        [...(body ?? '').matchAll(/readonly (\w+)\??:/g)].map(([, name]) => name ?? ''),
      );
      const missing = [...functions, ...options].filter((word) => !new RegExp(`\\b${word}\\b`).test(page));
      assert.deepEqual(missing, [], file);
    }
  });
});
