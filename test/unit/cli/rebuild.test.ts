/** `polytrace rebuild` lists the missing packages, and does not build if one is missing. */
import assert from 'node:assert/strict';
import { FakeCommand } from './fake.js';

describe('polytrace rebuild', () => {
  it('lists the missing Debian packages and exits with 3', async function () {
    if (process.platform !== 'linux') this.skip();
    const command = new FakeCommand();
    command.env['PATH'] = '/nowhere';
    assert.equal(await command.run('rebuild'), 3);
    assert.match(
      command.stderr.text,
      /^polytrace: rebuild: missing: .*cmake, g\+\+, make, pkg-config, zstd, libbpf-dev, libelf-dev, libzstd-dev \(Debian: apt-get install /,
    );
  });
});
