/** Writes the published JSON Schema. `npm run gen` runs it, and a test compares the result. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { policySchema } from '../lib/policy/language/schema.js';

async function main(): Promise<void> {
  const path = join(__dirname, '../schema/tracing-policy.schema.json');
  mkdirSync(join(path, '..'), { recursive: true });
  const style = await resolveConfig(path);
  writeFileSync(path, await format(JSON.stringify(policySchema()), { ...style, parser: 'json' }));
}

void main();
