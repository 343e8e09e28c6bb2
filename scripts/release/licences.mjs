// Scans the licences of the npm packages that users install, with license-checker-rseidelsohn. A licence that is not in the list
// stops a release: somebody has to look at it.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { npmModules } from '../npm-modules.mjs';
import { cleanEnvironment } from './environment.mjs';

/** Licences that only ask to be kept with the code. */
const ALLOWED = [
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'Python-2.0',
  'Unlicense',
];

/** Installs the tarballs as users do. Returns their packages with their licences, and those whose licence is not allowed. */
export function scanLicences(tarballs) {
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-licences-'));
  try {
    writeFileSync(join(folder, 'package.json'), '{"name":"users-application","version":"1.0.0","license":"MIT"}');
    const args = ['install', '--no-audit', '--no-fund', '--loglevel=error', '--ignore-scripts', ...tarballs];
    execFileSync('npm', args, {
      cwd: folder,
      env: cleanEnvironment(process.env),
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return scanFolder(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function scanFolder(folder) {
  const checker = join(
    npmModules('license-checker-rseidelsohn@4'),
    'license-checker-rseidelsohn/bin/license-checker-rseidelsohn.js',
  );
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [checker, '--production', '--json', '--start', folder],
    {
      encoding: 'utf8',
      env: cleanEnvironment(process.env),
      maxBuffer: 1 << 26,
    },
  );
  if (status !== 0) throw new Error(`the scan of licences failed: ${stderr}`);
  const packages = Object.entries(JSON.parse(stdout)).map(([name, { licenses }]) => ({
    name,
    licences: [licenses].flat(),
  }));
  return { packages, refused: packages.filter(({ licences }) => !licences.every(isAllowedLicence)) };
}

/** True for an allowed licence, and for an expression with an allowed choice. An asterisk marks a guess of the tool. */
export function isAllowedLicence(licence) {
  return licence
    .replaceAll(/[()]/g, '')
    .split(' OR ')
    .some((choice) => choice.split(' AND ').every((each) => ALLOWED.includes(each)));
}
