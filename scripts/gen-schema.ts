/** Writes the published JSON Schemas. `npm run gen` runs it, and tests compare the results. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { configSchema } from '../agent/lib/config/schema.js';
import { policySchema } from '../lib/policy/language/schema.js';

async function writeSchema(file: string, schema: object): Promise<void> {
  const path = join(__dirname, '..', file);
  mkdirSync(join(path, '..'), { recursive: true });
  const style = await resolveConfig(path);
  writeFileSync(path, await format(JSON.stringify(schema), { ...style, parser: 'json' }));
}

async function main(): Promise<void> {
  await writeSchema('schema/tracing-policy.schema.json', policySchema());
  await writeSchema('agent/schema/config.schema.json', configSchema());
}

void main();
