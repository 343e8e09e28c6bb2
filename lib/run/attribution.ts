/** Finds the package and the lifecycle script that a process belongs to, by its environment and its folder. */
import type { EnvironmentVariable, Process } from '../../types/index.js';

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

/** Limit of the names that are kept. A package can choose any. */
const NAME_MAX = 214;

/**
 * The origin that the environment of a process claims. `mainFile` is the package.json of the working folder, whose scripts
 * belong to the command itself.
 */
function claimedOrigin(
  variables: readonly EnvironmentVariable[],
  { cwd }: Pick<Process, 'cwd'>,
  mainFile: string,
): Origin | undefined {
  const get = (name: string): string | undefined => {
    const value = variables.find((variable) => variable.name === name)?.value;
    return value === undefined || value === '' ? undefined : value.slice(0, NAME_MAX);
  };
  const script = get('npm_lifecycle_event');
  const npm = get('npm_package_name');
  if (npm !== undefined && get('npm_package_json') !== mainFile) {
    return { package: npm, ...(script === undefined ? {} : { script }) };
  }
  const cargo = get('CARGO_PKG_NAME');
  if (cargo !== undefined) return { package: cargo, script: 'build.rs' };
  const pip = PIP_FOLDER.exec(cwd)?.[1];
  return pip === undefined ? undefined : { package: pip, script: 'setup.py' };
}

/** Keeps the origin of each process. A process can change its own variables, so the first package of a chain stays. */
export class Origins {
  readonly #mainFile: string;
  readonly #byExec = new Map<string, Origin | undefined>();

  constructor(mainFile: string) {
    this.#mainFile = mainFile;
  }

  /** Adds a process that has executed a program. */
  add(process: Process, variables: readonly EnvironmentVariable[]): void {
    const inherited = this.#inherited(process);
    this.#byExec.set(process.execId, inherited ?? claimedOrigin(variables, process, this.#mainFile));
  }

  find(process: Process): Origin | undefined {
    return this.#byExec.get(process.execId) ?? this.#inherited(process);
  }

  #inherited({ formerExecId, parentExecId }: Process): Origin | undefined {
    return (formerExecId === undefined ? undefined : this.#byExec.get(formerExecId)) ?? this.#byExec.get(parentExecId);
  }
}
