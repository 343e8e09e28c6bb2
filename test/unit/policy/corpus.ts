/**
 * Real policies and the fields of the resource, from a folder next to the checkout. Without it the tests are skipped
 * with a message.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const shared = process.env['POLYTRACE_SHARED'] ?? join(__dirname, '../../../../shared');
const folder = join(shared, 'corpus/policies');

export interface CorpusFile {
  readonly name: string;
  readonly text: string;
}

export function readCorpus(): CorpusFile[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));
}

/** Rows with path, type, presence and constraints of each field. */
export function readFacts(): string[][] | undefined {
  const path = join(shared, 'facts/tracing-policy-fields.tsv');
  if (!existsSync(path)) return undefined;
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  return lines.slice(1).map((line) => line.split('\t'));
}
