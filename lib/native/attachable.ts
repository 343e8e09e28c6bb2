/** Reads the names of the kernel functions that can be probed: a list in tracefs with about 50,000 lines. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { runToCompletion, runCooperatively, type Steps } from '../cooperative.js';

/** The names of functions; null if they are not known. */
export type FunctionNames = ReadonlySet<string> | null;

const MODULES = '/proc/modules';

/** The list of tracefs. It is read again only after modules were loaded or unloaded. */
export class AttachableFunctions {
  #known: { readonly modules: string; readonly names: FunctionNames } | undefined;

  constructor(
    private readonly path: string,
    private readonly modulesPath = MODULES,
  ) {}

  /** Yields to the event loop between steps. */
  async readNames(): Promise<FunctionNames> {
    // the modules are read first: if a module is loaded while the list is read, the next call reads the list again
    const modules = parseModules(await readFile(this.modulesPath, 'latin1').catch(() => ''));
    if (this.#known?.modules !== modules) {
      const names = await runCooperatively(parseFunctionNames(await readFile(this.path, 'latin1').catch(() => '')));
      this.#known = { modules, names };
    }
    return this.#known.names;
  }

  readNamesSync(): FunctionNames {
    try {
      return runToCompletion(parseFunctionNames(readFileSync(this.path, 'latin1')));
    } catch {
      return null;
    }
  }
}

/** Returns the names and sizes of modules. The other columns change while a module is used. */
function parseModules(text: string): string {
  return [...text.matchAll(/^\S+ \d+/gm)].join('\n');
}

/** Returns null if the list is empty. For a function of a module, the line is `NAME [MODULE]`. */
function* parseFunctionNames(text: string): Steps<FunctionNames> {
  const names = new Set<string>();
  for (const [name] of text.matchAll(/^[^ \t\n]+/gm)) {
    names.add(name);
    if (names.size % 500 === 0) yield;
  }
  return names.size === 0 ? null : names;
}
