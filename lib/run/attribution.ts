/** Finds the package and the lifecycle script that a process belongs to, by its environment and its folder. */
import { join } from 'node:path/posix';
import type { EnvironmentVariable, Process } from '../../types/index.js';
import { RecentMap } from '../rules/recent-map.js';

export interface Origin {
  readonly package: string;
  readonly script?: string;
}

/** The variables that exec events must have. */
export const ORIGIN_VARIABLES = [
  'npm_package_name',
  'npm_package_json',
  'npm_lifecycle_event',
  'CARGO_PKG_NAME',
  'npm_config_cache',
] as const;

/** pip builds a source package in a folder with its name. */
const PIP_FOLDER =
  /\/pip-(?:install|req-build|wheel|build)-[^/]+\/([A-Za-z0-9][A-Za-z0-9._-]*?)(?:_[0-9a-f]{32})?(?:\/|$)/;

/** The last package in whose folder a process is executed: `enforce` tells packages from the command by it, too. */
const MODULE_FOLDER = /^.*\/node_modules\/((?:@[^/]+\/)?[^/@.][^/]*)(?:\/|$)/s;

/** Limit of the names that are kept. A package can choose any. */
const NAME_MAX = 214;

/** Executed programs whose origin is known. */
const ORIGINS_MAX = 16_384;

/** What belongs to the command itself, and is the origin of nothing. */
export interface OwnOrigin {
  /** The package.json of the working folder, and that of the script which has called the command. */
  readonly packageFiles: readonly string[];
  readonly cargoPackage: string | undefined;
  /** The command itself runs in the folder of a package. */
  readonly isPackage?: boolean;
}

/** Returns the origin that the environment of a process claims. */
function claimedOrigin(
  variables: readonly EnvironmentVariable[],
  { cwd }: Pick<Process, 'cwd'>,
  own: OwnOrigin,
): Origin | undefined {
  const get = (name: string): string | undefined => {
    const value = variables.find((variable) => variable.name === name)?.value;
    return value === undefined || value === '' ? undefined : value.slice(0, NAME_MAX);
  };
  const script = get('npm_lifecycle_event');
  const npm = get('npm_package_name');
  // yarn 1 does not name the file, and starts scripts in the folder of their package
  if (npm !== undefined && !own.packageFiles.includes(get('npm_package_json') ?? join(cwd, 'package.json'))) {
    return { package: npm, ...(script === undefined ? {} : { script }) };
  }
  const cargo = get('CARGO_PKG_NAME');
  if (cargo !== undefined && cargo !== own.cargoPackage) return { package: cargo, script: 'build.rs' };
  const pip = PIP_FOLDER.exec(cwd)?.[1];
  if (pip !== undefined) return { package: pip, script: 'setup.py' };
  const folder = own.isPackage === true ? undefined : MODULE_FOLDER.exec(cwd)?.[1];
  return folder === undefined ? undefined : { package: folder.slice(0, NAME_MAX) };
}

/** Keeps the origin of each process. A process can change its own variables, so the first package of a chain stays. */
export class Origins {
  readonly #own: OwnOrigin;
  readonly #byExec = new RecentMap<string, Origin>(ORIGINS_MAX);

  constructor(own: OwnOrigin) {
    this.#own = own;
  }

  /** Adds a process that has executed a program. */
  add(process: Process, variables: readonly EnvironmentVariable[]): void {
    const origin = this.#inherited(process) ?? claimedOrigin(variables, process, this.#own);
    if (origin !== undefined) this.#byExec.set(process.execId, origin);
  }

  find(process: Process): Origin | undefined {
    return this.#byExec.get(process.execId) ?? this.#inherited(process);
  }

  #inherited({ formerExecId, parentExecId }: Process): Origin | undefined {
    for (const execId of [formerExecId, parentExecId]) {
      const origin = execId === undefined ? undefined : this.#byExec.get(execId);
      if (execId === undefined || origin === undefined) continue;
      // a process that still has children is not forgotten
      this.#byExec.set(execId, origin);
      return origin;
    }
    return undefined;
  }
}
