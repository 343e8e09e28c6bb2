// node scripts/prebuilds/reproduce.mjs [ARCH...]: builds the prebuilt addons again, from a copy of the sources in another folder,
// and fails if a file differs. A release runs it. `npm run prebuilds` must have run.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prebuiltFile, TARGETS } from './targets.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What the build reads. */
const SOURCES = ['CMakeLists.txt', 'bpf', 'cmake', 'native', 'package.json', 'scripts'];

const hashFile = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');

/** Copies the sources into a folder whose path has another length. */
function copySources() {
  const copy = join(mkdtempSync(join(tmpdir(), 'polytrace-again-')), 'sources-in-another-folder');
  mkdirSync(copy);
  for (const name of SOURCES) cpSync(join(root, name), join(copy, name), { recursive: true });
  execFileSync('cp', ['-a', join(root, 'node_modules'), copy]);
  return copy;
}

const requested = process.argv.slice(2);
const architectures = requested.length > 0 ? requested : Object.keys(TARGETS);
const copy = copySources();
try {
  execFileSync(process.execPath, [join(copy, 'scripts/prebuilds/build.mjs'), ...architectures], { stdio: 'inherit' });
  for (const arch of architectures) {
    const [first, second] = [root, copy].map((folder) => hashFile(join(folder, prebuiltFile(arch))));
    console.log(`${prebuiltFile(arch)}: ${first}${first === second ? ' twice' : `, and ${second} in another folder`}`);
    if (first !== second) process.exitCode = 1;
  }
} finally {
  rmSync(dirname(copy), { recursive: true });
}
