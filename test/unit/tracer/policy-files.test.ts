/** Expands paths to policy files, and reports files that cannot be read. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PolicyError } from '../../../lib/errors.js';
import { expandPolicyPaths, loadPolicyFile } from '../../../lib/tracer/policy-files.js';

describe('policy: files', () => {
  let folder = '';

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-'));
    for (const name of ['b.yml', 'a.yaml', '.hidden.yaml', 'notes.txt']) writeFileSync(join(folder, name), 'x');
    mkdirSync(join(folder, 'folder.yaml'));
    mkdirSync(join(folder, 'empty'));
    writeFileSync(join(folder, 'latin1'), Buffer.from([0x61, 0xe4, 0x62]));
    writeFileSync(join(folder, 'large'), Buffer.alloc(1024 * 1024 + 1, 0x20));
  });
  after(() => rmSync(folder, { recursive: true }));

  const assertPolicyError = (code: string, run: () => unknown): void => {
    assert.throws(
      run,
      (error) => error instanceof PolicyError && error.code === code && error.diagnostics.length === 1,
    );
  };

  it('accepts a folder, and orders its policies by name', () => {
    const expected = ['a.yaml', 'b.yml', 'folder.yaml'].map((name) => join(folder, name));
    assert.deepEqual(expandPolicyPaths(folder), expected);
  });
  it('hints that docker may have created a folder with the name of a policy', () => {
    assert.throws(
      () => loadPolicyFile(join(folder, 'folder.yaml')),
      (error) => error instanceof PolicyError && error.hint.includes('docker run -v'),
    );
  });
  it('accepts a file with any name', () =>
    assert.deepEqual(expandPolicyPaths(join(folder, 'notes.txt')), [join(folder, 'notes.txt')]));
  it('reads a file', () => assert.equal(loadPolicyFile(join(folder, 'a.yaml')), 'x'));
  it('refuses an empty folder', () =>
    assertPolicyError('FOLDER_EMPTY', () => expandPolicyPaths(join(folder, 'empty'))));
  it('refuses a missing path', () =>
    assertPolicyError('FILE_UNREADABLE', () => expandPolicyPaths(join(folder, 'nothing'))));
  it('refuses policy text instead of a path, and hints how to pass it', () => {
    const text = 'apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\n';
    assert.throws(() => expandPolicyPaths(text), /YAML text where a path is expected[^]*\{ yaml: text \}/);
  });
  it('refuses to read a missing file', () =>
    assertPolicyError('FILE_UNREADABLE', () => loadPolicyFile(join(folder, 'nothing'))));
  it('refuses to read a folder', () => assertPolicyError('FILE_UNREADABLE', () => loadPolicyFile(folder)));
  it('refuses text that is not UTF-8', () =>
    assertPolicyError('FILE_NOT_UTF8', () => loadPolicyFile(join(folder, 'latin1'))));
  it('refuses a file that is too large', () =>
    assertPolicyError('FILE_TOO_LARGE', () => loadPolicyFile(join(folder, 'large'))));
});
