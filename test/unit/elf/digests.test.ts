import assert from 'node:assert/strict';
import { parseDigest } from '../../../lib/elf/digests.js';
import { readElf } from '../../../lib/elf/elf.js';
import { buildElf, toFileBytes } from './elf-builder.js';

describe('policy: digests of programs', () => {
  it('have an algorithm, or are SHA-256', () => {
    const cases = [
      ['AB'.repeat(32), { algorithm: 'sha256', hex: 'ab'.repeat(32) }],
      [`sha256:${'ab'.repeat(32)}`, { algorithm: 'sha256', hex: 'ab'.repeat(32) }],
      [`sha1:${'ab'.repeat(20)}`, { algorithm: 'sha1', hex: 'ab'.repeat(20) }],
      [`sha384:${'ab'.repeat(48)}`, { algorithm: 'sha384', hex: 'ab'.repeat(48) }],
      [`sha512:${'ab'.repeat(64)}`, { algorithm: 'sha512', hex: 'ab'.repeat(64) }],
      ['build-id:00ff', { algorithm: 'build-id', hex: '00ff' }],
    ] as const;
    for (const [text, digest] of cases) assert.deepEqual(parseDigest(text), digest);
  });

  it('are as long as their algorithm requires', () => {
    const wrong = ['', 'abc', 'sha1:', `sha1:${'ab'.repeat(32)}`, `md5:${'ab'.repeat(16)}`, `${'ab'.repeat(31)}xy`];
    for (const text of [...wrong, 'build-id:', 'build-id:abc', `build-id:${'ab'.repeat(65)}`]) {
      assert.equal(parseDigest(text), undefined, text);
    }
  });

  it('the build id comes from a note of the file', () => {
    const file = buildElf({ symbols: [], probes: ['a:b'] });
    const elf = readElf(toFileBytes(file));
    assert.equal(elf?.buildId, undefined);
    const withId = buildElf({ symbols: [], probes: ['a:b'], buildId: '00ff10' });
    const own = readElf(toFileBytes(withId));
    assert.equal(own?.buildId, '00ff10');
    assert.deepEqual([...(own?.probes.keys() ?? [])], ['a:b']);
  });
});
