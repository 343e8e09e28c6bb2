/**
 * Searches for inputs that break a promise: npm run fuzz -- [--seconds N] [--seed S] [--input FILE] [TARGET...]
 * --seconds is the time for each target, 60 by default. --input checks one file and searches nothing.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Found } from './search.js';
import { formatAdvice, corpusFiles, SEARCHERS } from './searchers.js';

const ALL = Object.keys(SEARCHERS);

interface Options {
  readonly seconds: number;
  readonly seed: number;
  readonly input: string | undefined;
}

function report(target: string, inputs: number, found: Found | undefined): boolean {
  if (found === undefined) console.log(`${target}: ${inputs} inputs, nothing found`);
  else console.error(`\n${formatAdvice(target, found)}\n`);
  return found === undefined;
}

async function fuzz(target: string, { seconds, seed, input }: Options): Promise<boolean> {
  const searcher = SEARCHERS[target];
  if (searcher === undefined) throw new Error(`no target '${target}': ${ALL.join(', ')}`);
  const why = searcher.obstacle();
  if (why !== undefined) {
    console.log(`${target}: SKIPPED: ${why}`);
    return true;
  }
  const files = input === undefined ? corpusFiles(searcher) : [resolve(input)];
  const before = await searcher.check(files);
  if (before.found !== undefined || input !== undefined) return report(target, before.inputs, before.found);
  const { inputs, found } = await searcher.search(seed, seconds * 1000);
  return report(target, inputs, found);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { seconds: { type: 'string' }, seed: { type: 'string' }, input: { type: 'string' } },
    allowPositionals: true,
  });
  if (values.input !== undefined && positionals.length !== 1) throw new Error('--input needs one target');
  const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
  const seconds = Number(values.seconds ?? 60);
  if (!Number.isInteger(seed) || !(seconds > 0)) throw new Error('--seed is a whole number, --seconds is more than 0');
  console.log(`seed ${seed}`);
  const targets = positionals.length === 0 ? ALL : positionals;
  let isClean = true;
  for (const target of targets) isClean = (await fuzz(target, { seconds, seed, input: values.input })) && isClean;
  return isClean ? 0 : 1;
}

main().then(
  (status) => (process.exitCode = status),
  (error: Error) => {
    console.error(error.message);
    process.exitCode = 2;
  },
);
