/** The functions of the running kernel that can be probed: the list of tracefs, which has about 50,000 lines. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { runToCompletion, runCooperatively, type Steps } from '../cooperative.js';

/** Null if they are not known. */
export type FunctionNames = ReadonlySet<string> | null;

const MODULES = '/proc/modules';

/** Reads the list again only if modules have come or gone since. */
export class FunctionList {
  #known: { readonly modules: string; readonly names: FunctionNames } | undefined;

  constructor(
    private readonly path: string,
    private readonly modulesPath = MODULES,
  ) {}

  /** While the event loop goes on. */
  async read(): Promise<FunctionNames> {
    // read first: a module that comes while the list is read makes the next reader read it again
    const modules = modulesIn(await readFile(this.modulesPath, 'latin1').catch(() => ''));
    if (this.#known?.modules !== modules) {
      const names = await runCooperatively(functionsIn(await readFile(this.path, 'latin1').catch(() => '')));
      this.#known = { modules, names };
    }
    return this.#known.names;
  }

  readNow(): FunctionNames {
    try {
      return runToCompletion(functionsIn(readFileSync(this.path, 'latin1')));
    } catch {
      return null;
    }
  }
}

/** The names and sizes. The other columns change while a module is used. */
function modulesIn(text: string): string {
  return [...text.matchAll(/^\S+ \d+/gm)].join('\n');
}

/** Null if the list is empty. For a function of a module, the line is `NAME [MODULE]`. */
function* functionsIn(text: string): Steps<FunctionNames> {
  const names = new Set<string>();
  for (const [name] of text.matchAll(/^[^ \t\n]+/gm)) {
    names.add(name);
    if (names.size % 500 === 0) yield;
  }
  return names.size === 0 ? null : names;
}
