/**
 * Writes the matrix of types and operators into docs/policy.md. `npm run gen` runs it, and a test compares the result.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withMatrix } from './matrix-table.js';

async function main(): Promise<void> {
  const path = join(__dirname, '../docs/policy.md');
  writeFileSync(path, await withMatrix(readFileSync(path, 'utf8'), path));
}

void main();
