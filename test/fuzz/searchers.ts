/** The fuzz targets by name. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { checkNative, libFuzzerObstacle, searchNative } from './native.js';
import { checkFiles, search, type Found, type Outcome } from './search.js';

const ROOT = join(__dirname, '../..');

interface Searcher {
  /** The folder with the inputs that were found once. */
  readonly corpus: string;
  /** If set, it is built first. A test has no time for that. */
  readonly isBuilt?: true;
  /** The reason why it cannot run here; undefined if it can. */
  obstacle(): string | undefined;
  /** Checks files and searches nothing. */
  check(files: readonly string[]): Promise<Outcome>;
  search(seed: number, ms: number): Promise<Outcome>;
}

const corpusFolder = (name: string): string => join(__dirname, 'corpus', name);

function javascriptSearcher(
  name: Parameters<typeof search>[0],
  obstacle = (): string | undefined => undefined,
): Searcher {
  return {
    corpus: corpusFolder(name),
    obstacle,
    check: (files) => checkFiles(name, files),
    search: (seed, ms) => search(name, seed, ms, listFiles(corpusFolder(name))),
  };
}

function addonObstacle(): string | undefined {
  if (process.platform !== 'linux') return 'it needs Linux';
  return existsSync(join(ROOT, 'build/Release/polytrace.node')) ? undefined : 'the addon is not built';
}

export const SEARCHERS: Readonly<Record<string, Searcher>> = {
  policies: javascriptSearcher('policies'),
  records: javascriptSearcher('records'),
  elf: javascriptSearcher('elf'),
  btf: javascriptSearcher('btf', addonObstacle),
  // begins with the same files
  'btf-native': {
    corpus: corpusFolder('btf'),
    isBuilt: true,
    obstacle: libFuzzerObstacle,
    check: (files) => checkNative('btf', files),
    search: (seed, ms) => searchNative('btf', seed, ms, corpusFolder('btf')),
  },
};

/** The inputs that were found once. */
export function corpusFiles({ corpus: folder }: Searcher): string[] {
  return listFiles(folder);
}

function listFiles(folder: string): string[] {
  return readdirSync(folder).sort().map((name) => join(folder, name)); // prettier-ignore
}

/** The failure with the commands to check it and to keep its input. */
export function formatAdvice(name: string, { message, file, seed }: Found): string {
  const shown = relative(ROOT, file);
  const size = existsSync(file) ? `${statSync(file).size} bytes` : 'could not be written';
  return [
    `${name}: ${message}`,
    `input:        ${shown} (${size})`,
    `check it:     npm run fuzz -- --input ${shown} ${name}`,
    ...(seed === undefined ? [] : [`search again: npm run fuzz -- --seed ${seed} ${name}`]),
    `keep it:      copy it into ${relative(ROOT, SEARCHERS[name]?.corpus ?? '')}/, under a name that says what it is`,
  ].join('\n');
}
