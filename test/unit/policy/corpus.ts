/** Real policies and the fields of the resource, which stand beside the checkout. Elsewhere the tests skip, loudly. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const shared = process.env['POLYTRACE_SHARED'] ?? join(__dirname, '../../../../shared');
const folder = join(shared, 'corpus/policies');

export interface CorpusFile {
  readonly name: string;
  readonly text: string;
}

export function corpus(): CorpusFile[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));
}

/** Rows of path, type, presence, constraints. */
export function facts(): string[][] | undefined {
  const path = join(shared, 'facts/tracing-policy-fields.tsv');
  if (!existsSync(path)) return undefined;
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  return lines.slice(1).map((line) => line.split('\t'));
}
