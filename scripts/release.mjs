// npm run release [-- --dry-run] [--short]: makes a release. It compiles, builds and checks the prebuilt addons, writes
// the bill of materials, packs, installs the package with every client, prints the manifest, and publishes. --dry-run
// does not publish, and does not stop at obstacles such as a missing tag. --short installs with one client only. Needs
// root, and the packages of `bash scripts/setup.sh --packages`.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { billOfMaterials, schemaErrors } from './prebuilds/sbom.mjs';
import { prebuiltFile, TARGETS } from './prebuilds/targets.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const isDry = process.argv.includes('--dry-run');
const isShort = process.argv.includes('--short');
const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const output = join(root, 'build/release');

const runProgram = (program, ...args) =>
  execFileSync(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
const readOutput = (program, ...args) => execFileSync(program, args, { cwd: root, encoding: 'utf8' }).trim();

/** Returns the reasons why the tree cannot be released. */
function findObstacles() {
  const tags = readOutput('git', 'tag', '--points-at', 'HEAD').split('\n');
  return [
    ...(readOutput('git', 'status', '--porcelain') === '' ? [] : ['there are changes that are not committed']),
    ...(tags.includes(`v${version}`) ? [] : [`no tag v${version} is on this commit`]),
    ...(readFileSync(join(root, 'CHANGELOG.md'), 'utf8').includes(`## [${version}]`)
      ? []
      : [`CHANGELOG.md has no section [${version}]`]),
  ];
}

/** Returns the size and the hash of a file. */
function fileEntry(file) {
  const bytes = readFileSync(file);
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

function pack() {
  rmSync(output, { recursive: true, force: true });
  mkdirSync(output, { recursive: true });
  runProgram('npm', 'pack', '--silent', '--pack-destination', output);
  return join(output, `${name}-${version}.tgz`);
}

const obstacles = findObstacles();
for (const each of obstacles) console.log(`release: ${isDry ? 'a release would stop: ' : ''}${each}`);
if (obstacles.length > 0 && !isDry) process.exit(1);

runProgram('bash', 'scripts/setup.sh', '--packages');
runProgram('npm', 'run', '--silent', 'build:ts');
runProgram('node', 'scripts/prebuilds/build.mjs');
runProgram('node', 'scripts/prebuilds/check.mjs');
const bill = join(root, 'prebuilds/sbom.cdx.json');
writeFileSync(bill, `${JSON.stringify(billOfMaterials(root), undefined, 2)}\n`);
const schemaProblems = await schemaErrors(readFileSync(bill, 'utf8'));
if (schemaProblems.length > 0)
  throw new Error(`release: ${bill} does not follow its schema:\n${schemaProblems.join('\n')}`);
const tarball = pack();
runProgram('node', 'test/package/run.mjs', '--tarball', tarball, ...(isShort ? ['--short'] : []));

const files = [tarball, ...Object.keys(TARGETS).map((arch) => join(root, prebuiltFile(arch))), bill];
const manifest = {
  name,
  version,
  commit: readOutput('git', 'rev-parse', 'HEAD'),
  files: Object.fromEntries(
    files.map((file) => [file === tarball ? basename(file) : file.slice(root.length + 1), fileEntry(file)]),
  ),
};
writeFileSync(join(output, 'manifest.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
console.log(`\n${JSON.stringify(manifest, undefined, 2)}`);

if (isDry) console.log(`release: rehearsed; ${tarball} was not published`);
else runProgram('npx', '--yes', 'npm@11', 'publish', tarball, '--provenance', '--access', 'public');
