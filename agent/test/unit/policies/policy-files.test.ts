/** The policy files that the agent reads. */
import assert from 'node:assert/strict';
import { PolicyFiles } from '../../../lib/policies/policy-files.js';
import type { Log } from '../../../lib/log/log.js';

const LOG = {} as Log; // nothing fails here

describe('policy files', () => {
  it('polytrace:NAME is a policy of the package', async () => {
    const read: string[] = [];
    const files = new PolicyFiles(['polytrace:egress'], LOG, (found) => {
      for (const [file, yaml] of found) read.push(file.split('/').slice(-2).join('/'), String(yaml));
      return Promise.resolve();
    });
    await files.reload();
    assert.equal(read[0], 'policies/egress.yaml');
    assert.match(read[1] ?? '', /^ {2}name: egress$/m);
  });

  it('a name that the package does not have is refused, with the names that it has', () => {
    const createFiles = (): unknown => new PolicyFiles(['polytrace:egres'], LOG, () => Promise.resolve());
    assert.throws(createFiles, /no policy "egres" in the package.*polytrace:egress/s);
  });
});
