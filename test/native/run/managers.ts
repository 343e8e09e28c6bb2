/** The package managers with which tests install packages from a registry on loopback. */
import { join } from 'node:path';

export interface Manager {
  readonly name: string;
  /** Installs what the folder's package.json needs, whatever an earlier installation has pinned. */
  readonly install: readonly string[];
}

/** Gets the programs from npm's registry, unless they are in the cache of this machine. npm itself comes with Node.js. */
export async function findManagers(): Promise<readonly Manager[]> {
  const { MANAGERS, npmPackage } = await import('../../package/roots.mjs');
  const program = (name: keyof typeof MANAGERS, file: string): string =>
    join(npmPackage(MANAGERS[name]), 'package', file);
  return MANAGER_NAMES.map((name) => {
    switch (name) {
      case 'npm':
        return { name, install: ['npm', 'install', '--no-package-lock', '--foreground-scripts'] };
      case 'pnpm':
        return { name, install: ['node', program(name, 'bin/pnpm.cjs'), 'install', '--no-lockfile', '--config.dangerously-allow-all-builds=true'] };
      case 'yarn 1':
        return { name, install: ['node', program(name, 'bin/yarn.js'), 'install', '--no-lockfile', '--non-interactive'] };
      case 'yarn 4':
        return { name, install: ['sh', '-c', 'rm -f yarn.lock && exec node "$0" install', program(name, 'bin/yarn.js')] };
    }
  });
}

export const MANAGER_NAMES = ['npm', 'pnpm', 'yarn 1', 'yarn 4'] as const;

/** The folders of the home in which they keep downloads. */
export const CACHES = ['.npm', '.cache', '.local', '.yarn'] as const;

export function managerEnvironment(home: string, registry: string): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    npm_config_registry: registry,
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
    YARN_CACHE_FOLDER: join(home, '.cache', 'yarn'),
    YARN_NPM_REGISTRY_SERVER: registry,
    YARN_UNSAFE_HTTP_WHITELIST: '127.0.0.1',
    YARN_NODE_LINKER: 'node-modules',
    YARN_ENABLE_IMMUTABLE_INSTALLS: 'false',
    YARN_ENABLE_SCRIPTS: 'true',
    YARN_ENABLE_TELEMETRY: 'false',
  };
}
