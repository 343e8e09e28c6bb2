/** scripts/release/library.ts makes an archive of the policies of the package, which the command accepts. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openArchive } from '../../../lib/library/archive.js';
import { packageFolder, readFacts, readLibraryFiles } from '../../../lib/library/installed.js';
import { parseLibraryKeys } from '../../../lib/library/keys.js';
import { ROOT } from '../../project.js';
import { makeKey, TestFolder } from '../library/support.js';

describe('the archive of a release', function () {
  this.timeout(120_000);
  const folder = new TestFolder();
  after(() => folder.remove());

  it('has all policies and tests, and is refused when its version is not newer', () => {
    const signer = makeKey();
    const key = folder.write('key.pem', signer.key.export({ type: 'pkcs8', format: 'pem' }));
    const output = join(folder.path, 'policies.json');
    const pack = (...more: string[]): { readonly status: number | null; readonly stderr: string } =>
      spawnSync(
        process.execPath,
        ['--import', 'tsx', 'scripts/release/library.ts', '--key', key, '--output', output, ...more],
        { cwd: ROOT, encoding: 'utf8' },
      );
    const first = pack();
    assert.equal(first.status, 0, first.stderr);
    const { files, version, signedBy } = openArchive(readFileSync(output), parseLibraryKeys(signer.pem, 'key'), output);
    const own = packageFolder() ?? '';
    assert.deepEqual([files, version, signedBy], [readLibraryFiles(own), readFacts(own).version, signer.fingerprint]);
    const second = pack('--previous', output);
    assert.equal(second.status, 1);
    assert.match(second.stderr, /is not newer than .*: raise the version in library\.json/);
  });
});
