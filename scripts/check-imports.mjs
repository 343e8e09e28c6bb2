// Fails on an import against docs/architecture.md's table of folders: who may use whom. Type-only imports count too.
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = join(fileURLToPath(import.meta.url), '../..');

/**
 * The first rule whose `from` is the start of a file's path decides. `to`: starts of paths, a path without its extension
 * when it is one file; `packages`: npm packages; `builtins: false`: no module of Node.js, so that it runs anywhere.
 */
const rules = [
  { from: 'types/', to: ['types/'], packages: [] },
  { from: 'lib/errors', to: ['types/'], packages: [] },
  { from: 'lib/policy/', to: ['lib/policy/', 'lib/errors', 'types/'], packages: ['yaml'] },
  {
    from: 'lib/wire/',
    to: ['lib/wire/', 'lib/policy/image', 'lib/policy/names/', 'lib/errors', 'types/'],
    packages: [],
  },
  { from: 'lib/process/', to: ['lib/process/', 'lib/wire/', 'types/'], packages: [] },
  {
    from: 'lib/native/',
    to: ['lib/native/', 'lib/wire/layout.gen', 'lib/errors', 'types/'],
    packages: ['node-gyp-build'],
  },
  { from: 'lib/output/', to: ['lib/output/', 'types/'], packages: [] },
  { from: 'lib/cli/', to: ['lib/cli/', 'lib/index', 'lib/errors', 'types/'], packages: ['commander'] },
  { from: 'lib/index.mjs', to: ['dist/index'], packages: [] },
  { from: 'lib/', to: ['lib/', '!lib/cli/', 'types/'], packages: [] },
  { from: 'test/unit/', to: ['test/', 'lib/', 'types/', 'scripts/', 'examples/'], packages: undefined },
  {
    from: 'test/kernel/matrix',
    to: ['test/kernel/', 'lib/index', 'lib/policy/vocabulary', 'types/'],
    packages: undefined,
  },
  { from: 'test/', to: ['test/', 'lib/index', 'lib/cli/main', 'dist/', 'types/'], packages: undefined },
];

function sources(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return sources(path);
    return /\.(ts|mts|mjs|cjs|js)$/.test(entry.name) ? [path] : [];
  });
}

/** [line, module] of each import, export-from, import() and require() of a file. */
function imports(text) {
  const { importedFiles } = ts.preProcessFile(text, true, true);
  return importedFiles.map(({ fileName, pos }) => [text.slice(0, pos).split('\n').length, fileName]);
}

function problem(rule, file, name) {
  if (name.startsWith('.')) {
    const plain = relative(root, join(root, dirname(file), name)).replace(/\.(d\.)?(m|c)?(ts|js)$/, '');
    const path = plain === '' ? 'dist/index' : plain; // the package itself
    const matches = (start) => (start.endsWith('/') ? `${path}/`.startsWith(start) : path === start);
    const forbidden = rule.to.filter((each) => each.startsWith('!')).some((each) => matches(each.slice(1)));
    return forbidden || !rule.to.some(matches) ? `may not use ${path}` : undefined;
  }
  const bare = name.replace(/^node:/, '');
  if (builtinModules.includes(bare)) return name.startsWith('node:') ? undefined : `write node:${bare}`;
  const known = name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
  return rule.packages && !rule.packages.includes(known) ? `may not use the package ${known}` : undefined;
}

let problems = 0;
for (const file of ['types', 'lib', 'test'].flatMap(sources)) {
  const rule = rules.find(({ from }) => file.startsWith(from));
  for (const [line, name] of imports(readFileSync(join(root, file), 'utf8'))) {
    const text = problem(rule, file, name);
    if (text === undefined) continue;
    problems++;
    console.error(`${file}:${line}: ${rule.from} ${text}`);
  }
}
if (problems > 0) {
  console.error(`${problems} import${problems > 1 ? 's' : ''} against the table of folders in docs/architecture.md`);
  process.exitCode = 1;
}
