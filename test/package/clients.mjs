// The npm clients of the tests: their npm package, the commands that install tarballs, and the command that runs a program.

const npm = 'node /client/bin/npm-cli.js install --no-audit --no-fund --loglevel=error';
const yarnNode = 'node /client/bin/yarn.js node';
const tarballPaths = (names, prefix = '') => names.map((name) => `${prefix}/tarball/${name}.tgz`).join(' ');
const berry = (linker) => (names) =>
  [
    `printf 'nodeLinker: ${linker}\\nenableTelemetry: false\\npnpEnableEsmLoader: true\\nnpmRegistryServer: "%s"\\n' "$REGISTRY" >.yarnrc.yml`,
    'test ! -e /etc/npm-certificates.crt || echo "httpsCaFilePath: /etc/npm-certificates.crt" >>.yarnrc.yml',
    `node /client/bin/yarn.js add ${names.map((name) => `${name}@file:/tarball/${name}.tgz`).join(' ')}`,
  ].join('\n');

/** Version 12 fails when a package has an install script that nobody decided about. docs/agent.md has this option, too. */
const pnpm12 = (names) => {
  const options = names.includes('polytrace-agent') ? "--allow-build='!protobufjs' " : '';
  return `/client/pnpm add ${options}${tarballPaths(names)}`;
};

/** `install` has the names of the packages, which are in /tarball. */
export const CLIENTS = {
  'npm 11': { specifier: 'npm@11', install: (names) => `${npm} ${tarballPaths(names)}` },
  'npm 11 --ignore-scripts': {
    specifier: 'npm@11',
    install: (names) => `${npm} --ignore-scripts ${tarballPaths(names)}`,
  },
  'npm 12': { specifier: 'npm@12', install: (names) => `${npm} ${tarballPaths(names)}` },
  'pnpm 10': { specifier: 'pnpm@10', install: (names) => `node /client/bin/pnpm.cjs add ${tarballPaths(names)}` },
  'pnpm 12': { specifier: '@pnpm/exe.linux-x64@12', install: pnpm12 },
  'yarn 1': {
    specifier: 'yarn@1',
    install: (names) => `node /client/bin/yarn.js add --silent ${tarballPaths(names, 'file:')}`,
  },
  'yarn berry': { specifier: '@yarnpkg/cli-dist@4', install: berry('node-modules'), node: yarnNode },
  'yarn berry pnp': { specifier: '@yarnpkg/cli-dist@4', install: berry('pnp'), node: yarnNode },
};

/** Bun refuses the names of glibc in the addon: see musl.mjs. */
const WITHOUT_NAMES =
  'bun /program/without-needed.mjs node_modules/polytrace/prebuilds/linux-x64/polytrace.node && bun';

/** The clients for the root with musl, where Bun is the `node`. */
export const ON_MUSL = {
  bun: {
    specifier: '@oven/bun-linux-x64-musl@1',
    install: (names) => `bun add --silent ${tarballPaths(names)}`,
    node: WITHOUT_NAMES,
  },
  'pnpm 12': {
    specifier: '@pnpm/exe.linux-x64-musl@12',
    install: pnpm12,
    node: WITHOUT_NAMES,
  },
};
