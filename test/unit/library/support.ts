/** Keys, policies and archives for tests of the policy library. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PolytraceError } from '../../../lib/errors.js';
import { packLibrary, type LibraryContent } from '../../../lib/library/archive.js';
import { parseLibraryKeys } from '../../../lib/library/keys.js';

interface TestKey {
  readonly key: KeyObject;
  readonly pem: string;
  readonly fingerprint: string;
}

export function makeKey(): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const [fingerprint = ''] = [...parseLibraryKeys(pem, 'test').keys()];
  return { key: privateKey, pem, fingerprint };
}

export function policyText(name: string, path = '/etc/passwd'): string {
  return `# Reads of a file.\napiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: ${name}\nspec:
  lsmhooks:
    - hook: file_open
      args: [{ index: 0, type: file }]
      selectors: [{ matchArgs: [{ index: 0, operator: Equal, values: ["${path}"] }] }]\n`;
}

/** The content of a library with the policy `first`. */
export function content(version: string, changes: Partial<LibraryContent> = {}): LibraryContent {
  const files = { 'first.yaml': policyText('first', `/etc/${version}`) };
  return { version, polytrace: '0.1.0', created: '2026-11-30T08:00:00.000Z', files, ...changes };
}

export function archive(signer: TestKey, version: string, changes: Partial<LibraryContent> = {}): Buffer {
  return packLibrary(content(version, changes), [signer]);
}

/** For assert.throws: an error with this code and a remedy. */
export const isCoded =
  (code: string, message = /./) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof PolytraceError, String(error));
    assert.deepEqual([error.code, error.hint !== ''], [code, true]);
    assert.match(error.message, message);
    return true;
  };

/** A folder that is removed with `remove`. */
export class TestFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'polytrace-library-'));
  readonly root = join(this.path, 'library');

  write(name: string, bytes: string | Uint8Array): string {
    const path = join(this.path, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, bytes);
    return path;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
