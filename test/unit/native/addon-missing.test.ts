/** What openTracer says where no addon can be loaded. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** The error of loadBinding() in a process that has no addon, on the platform and architecture that it believes to have. */
function failure(platform: string, arch: string): string {
  const code = `
    const { loadBinding } = require('./lib/native/binding.ts');
    Object.defineProperty(process, 'platform', { value: '${platform}' });
    Object.defineProperty(process, 'arch', { value: '${arch}' });
    require.cache[require.resolve('node-gyp-build')] = {
      exports: () => { throw new Error('No native build was found for this\\nmore'); },
    };
    try { loadBinding(); } catch (error) { console.log(error.code + ' ' + error.message + ' | ' + error.hint); }`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--require', 'tsx/cjs', '--eval', code], {
    cwd: join(__dirname, '../../..'),
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  return stdout;
}

describe('an addon that cannot be loaded', () => {
  it('names the platform, the C library, the version and the remedy', () => {
    assert.match(
      failure('linux', 'x64'),
      /^ADDON_MISSING .*wanted linux-x64 \((glibc [\d.]+|musl)\) for Node\.js [\d.]+; No native build was found for this \| .*install it again, or .*npx polytrace rebuild/,
    );
  });

  it('says that the package has none for another architecture', () => {
    assert.match(failure('linux', 'riscv64'), /wanted linux-riscv64 .*\| the package contains addons for x64 and arm64 only/);
  });

  for (const platform of ['darwin', 'win32']) {
    it(`says that tracing needs Linux, on ${platform}`, () => {
      assert.match(failure(platform, 'arm64'), new RegExp(`wanted ${platform}-arm64 for Node.*\\| tracing needs Linux; validate`));
    });
  }
});
