// The install step of the package: uses a prebuilt addon if there is one, or else builds it. If a machine cannot build
// it, the package still works: policies can be parsed and validated, and openTracer says what is missing.
'use strict';
const { spawnSync } = require('node:child_process');
const { existsSync } = require('node:fs');
const path = require('node:path');

const root = path.dirname(__dirname);

function prebuilt() {
  if (process.env.npm_config_build_from_source === 'true') return false;
  try {
    require('node-gyp-build')(root);
    return true;
  } catch {
    return false;
  }
}

const onPath = (pattern) =>
  [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/sbin'].some((folder) => {
    try {
      return require('node:fs')
        .readdirSync(folder)
        .some((name) => pattern.test(name));
    } catch {
      return false;
    }
  });

const pkgConfigHas = (module) => spawnSync('pkg-config', ['--exists', module]).status === 0;

/** Missing Debian packages of the toolchain. CMake checks the same tools more exactly. */
function missingPackages() {
  const needed = [
    ['clang-19', onPath(/^clang(-(1[6-9]|[2-9]\d))?$/)],
    ['bpftool', onPath(/^bpftool$/)],
    ['cmake', onPath(/^cmake$/)],
    ['g++', onPath(/^(g\+\+|c\+\+|clang\+\+(-\d+)?)$/)],
    ['make', onPath(/^(make|ninja)$/)],
    ['pkg-config', onPath(/^pkg-config$/)],
    ['libbpf-dev', pkgConfigHas('libbpf')],
    ['libelf-dev', pkgConfigHas('libelf')],
    ['zlib1g-dev', pkgConfigHas('zlib')],
  ];
  return needed.filter(([, found]) => !found).map(([name]) => name);
}

function build() {
  const cmakeJs = path.join(path.dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js');
  for (const step of ['configure', 'build']) {
    const { status } = spawnSync(process.execPath, [cmakeJs, step, '--out', 'build/cmake'], {
      cwd: root,
      stdio: 'inherit',
    });
    if (status !== 0) return false;
  }
  return existsSync(path.join(root, 'build/Release/polytrace.node'));
}

function explain(reason, remedy) {
  console.error(
    `polytrace: ${reason}.\n` +
      `  Policies can be parsed, validated and compiled without it; openTracer will fail with ADDON_MISSING.\n` +
      `  ${remedy}`,
  );
}

if (process.platform === 'linux' && !prebuilt()) {
  const missing = missingPackages();
  if (missing.length > 0) {
    explain(
      `the native addon was not built: ${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} missing`,
      `On Debian: apt-get install ${missing.join(' ')}, then npm rebuild polytrace.`,
    );
  } else if (!build()) {
    explain('the native addon was not built: its build failed, see above', 'Repair that, then npm rebuild polytrace.');
  }
}
