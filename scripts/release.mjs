// npm run release [-- --dry-run] [--short]: makes the files of a release in build/release. It checks the tree, builds both
// addons, builds them again in another folder, writes the bill of materials and the notices, packs both packages and the chart,
// builds and checks the image for both architectures, scans licences, and installs the package with every client. It publishes
// nothing: .github/workflows/release.yml does, in a job
// that runs no code. --dry-run does not stop at obstacles such as a missing tag. --short installs with one client only, and builds
// once. Needs root.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { billOfMaterials, schemaErrors } from './prebuilds/sbom.mjs';
import { missingLicences, packChart, packPackage, writeChecksums } from './release/artifacts.mjs';
import { imageProblems } from './release/check-image.mjs';
import { cleanEnvironment } from './release/environment.mjs';
import { buildImage } from './release/image.mjs';
import { scanLicences } from './release/licences.mjs';
import { writeNotices } from './release/package-notices.mjs';
import { changelogSection, findObstacles } from './release/obstacles.mjs';
import { workflowProblems } from './release/workflows.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const isDry = process.argv.includes('--dry-run');
const isShort = process.argv.includes('--short');
const output = join(root, 'build/release');
const env = cleanEnvironment(process.env);

const readText = (name) => readFileSync(join(root, name), 'utf8');
const runProgram = (program, ...args) =>
  execFileSync(program, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] });
const readOutput = (program, ...args) => execFileSync(program, args, { cwd: root, env, encoding: 'utf8' }).trim();
const { name, version } = JSON.parse(readText('package.json'));
const changelog = readText('CHANGELOG.md');

/** Stops the release, also in a rehearsal. */
function refuse(problems) {
  if (problems.length > 0) throw new Error(`release: ${problems.join('\nrelease: ')}`);
}

function checkTree() {
  const chart = /^version: (.*)$/m.exec(readText('deploy/helm/polytrace/Chart.yaml'))[1];
  const obstacles = findObstacles({
    version,
    others: { 'agent/package.json': JSON.parse(readText('agent/package.json')).version, 'Chart.yaml': chart },
    tags: readOutput('git', 'tag', '--points-at', 'HEAD').split('\n'),
    status: readOutput('git', 'status', '--porcelain'),
    changelog,
    env: process.env,
  });
  for (const each of obstacles) console.log(`release: ${isDry ? 'a release would stop: ' : ''}${each}`);
  if (obstacles.length > 0 && !isDry) process.exit(1);
  const folder = '.github/workflows';
  refuse(readdirSync(join(root, folder)).flatMap((each) => workflowProblems(each, readText(`${folder}/${each}`))));
}

function buildAll() {
  runProgram('npm', 'run', '--silent', 'build:ts');
  runProgram('node', 'scripts/prebuilds/build.mjs');
  if (!isShort) runProgram('node', 'scripts/prebuilds/reproduce.mjs');
}

async function writeBill() {
  const bill = join(root, 'prebuilds/sbom.cdx.json');
  writeFileSync(bill, `${JSON.stringify(billOfMaterials(root), undefined, 2)}\n`);
  refuse((await schemaErrors(readFileSync(bill, 'utf8'))).map((each) => `${bill} does not follow its schema: ${each}`));
  return bill;
}

function packAll(bill) {
  rmSync(output, { recursive: true, force: true });
  mkdirSync(output, { recursive: true });
  const packages = [
    packPackage(root, output, process.env),
    packPackage(join(root, 'agent'), output, process.env, 'agent'),
  ];
  refuse(packages.flatMap((file) => missingLicences(file).map((each) => `${each} is not in ${file}`)));
  packChart(root, output, version);
  copyFileSync(bill, join(output, `${name}-${version}.cdx.json`));
  writeFileSync(join(output, 'notes.md'), `${changelogSection(changelog, version)?.text ?? ''}\n`);
  return packages;
}

checkTree();
buildAll();
const bill = await writeBill();
writeNotices(root);
const packages = packAll(bill);
const image = buildImage(output, version, readOutput('git', 'log', '-1', '--format=%ct'));
refuse(imageProblems(image).map((each) => `${image}: ${each}`));
const { packages: installed, refused } = scanLicences(packages);
console.log(`release: the licences of ${installed.length} packages are known`);
refuse(refused.map(({ name: each, licences }) => `${each} has the licence ${licences.join(', ')}`));
runProgram('node', 'test/package/run.mjs', '--tarball', packages[0], ...(isShort ? ['--short'] : []));
const manifest = writeChecksums(output, { name, version, commit: readOutput('git', 'rev-parse', 'HEAD') });
console.log(`\n${JSON.stringify(manifest, undefined, 2)}`);
console.log(`release: ${output} has everything${isDry ? '; this was a rehearsal' : ''}`);
