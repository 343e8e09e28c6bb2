// node scripts/source-maps.mjs hide | show: removes or adds the references to source maps. prepack and postpack run it,
// because source maps are not published: the package would be larger than 4 MiB.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ENTRIES } from './bundle-entries.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const isShown = process.argv[2] === 'show';

for (const file of ENTRIES.map((entry) => join(root, `dist/${entry}.js`))) {
  const text = readFileSync(file, 'utf8').replace(/^\/\/# sourceMappingURL=.*\n?/m, '');
  writeFileSync(file, isShown ? `${text}//# sourceMappingURL=${basename(file)}.map\n` : text);
}
