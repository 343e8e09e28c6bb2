/** Writes the help of the command line into docs/cli.md; `npm run gen` runs it, and a test compares. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withHelp } from './command-help.js';

async function main(): Promise<void> {
  const path = join(__dirname, '../docs/cli.md');
  writeFileSync(path, await withHelp(readFileSync(path, 'utf8')));
}

void main();
