// The files of a release: both packages, the chart, notes, checksums and a manifest.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cleanEnvironment, repositoryFields } from './environment.mjs';
import { NOTICES } from './notices.mjs';

/** Packs the package in `folder`. Its package.json gets the repository for this time only. */
export function packPackage(folder, output, env, directory) {
  const file = join(folder, 'package.json');
  const original = readFileSync(file, 'utf8');
  const described = { ...JSON.parse(original), ...repositoryFields(env, directory) };
  try {
    writeFileSync(file, `${JSON.stringify(described, undefined, 2)}\n`);
    const args = ['pack', '--silent', '--ignore-scripts', '--pack-destination', output];
    execFileSync('npm', args, { cwd: folder, env: cleanEnvironment(env), stdio: ['ignore', 'ignore', 'inherit'] });
  } finally {
    writeFileSync(file, original);
  }
  return join(output, `${described.name}-${described.version}.tgz`);
}

/** The texts that a tarball has to contain: the licence, and those of what is linked or bundled. Returns those that it lacks. */
export function missingLicences(tarball) {
  const names = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).split('\n');
  return ['LICENSE', NOTICES].filter((name) => !names.includes(`package/${name}`));
}

/** Packs the Helm chart as `helm package` does it. The name differs from that of the npm package. */
export function packChart(root, output, version) {
  const file = join(output, `polytrace-chart-${version}.tgz`);
  const stable = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0'];
  execFileSync('tar', [...stable, '-czf', file, '-C', join(root, 'deploy/helm'), 'polytrace']);
  return file;
}

const hashFile = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');

/** Writes manifest.json, and SHA256SUMS for `sha256sum --check`. Returns the manifest. */
export function writeChecksums(output, facts) {
  const names = readdirSync(output)
    .filter((name) => !['SHA256SUMS', 'manifest.json'].includes(name))
    .sort();
  const entries = names.map((name) => {
    const file = join(output, name);
    return [name, { bytes: readFileSync(file).length, sha256: hashFile(file) }];
  });
  const manifest = { ...facts, files: Object.fromEntries(entries) };
  writeFileSync(join(output, 'manifest.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  const all = [...names, 'manifest.json'].map((name) => `${hashFile(join(output, name))}  ${name}\n`);
  writeFileSync(join(output, 'SHA256SUMS'), all.join(''));
  return manifest;
}
