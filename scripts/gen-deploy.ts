/** Writes the manifests for Kubernetes. `npm run gen` runs it, and a test compares the result. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deployFiles } from './deploy-files.js';

for (const [file, text] of deployFiles()) {
  const path = join(__dirname, '..', file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
