import assert from 'node:assert/strict';
import {
  generalizeAddress,
  generalizeHost,
  generalizePair,
  generalizePath,
  isInside,
  resolvePath,
} from '../../../lib/generalize/paths.js';

const PLACES = { folder: '/home/me/work', home: '/home/me', temporary: '/scratch', caches: ['/home/me/.npm'] };

describe('generalised names', () => {
  const paths: readonly (readonly [string, string])[] = [
    ['/home/me/work/a.js', '$PWD/a.js'],
    ['/home/me/.bashrc', '$HOME/.bashrc'],
    ['/home/me/.npm/_cacache/content-v2/sha512/ab/cd', '$CACHE/**'],
    ['/home/mean', '/home/mean'],
    ['/tmp/ccAbCdEf.o', '$TMP/*.o'],
    ['/scratch/npm-1a2b3c/x', '$TMP/npm-*/x'],
    ['/tmp/abc', '$TMP/abc'],
    ['/var/lib/0123abcd/x', '/var/lib/*/x'],
    ['/var/lib/deadbeef', '/var/lib/deadbeef'],
    ['/var/lib/_tmp_550_0123abcd', '/var/lib/_tmp_*_*'],
    ['/var/lib/_tmp_55017_0123abcd', '/var/lib/_tmp_*_*'],
    ['/var/lib/0123abcd_7', '/var/lib/*_*'],
    ['/var/lib/v8_1_0123abcd', '/var/lib/v8_*_*'],
    ['/run/user/12345/1234', '/run/user/*/1234'],
    ['/etc/123e4567-e89b-12d3-a456-426614174000.conf', '/etc/*.conf'],
  ];
  for (const [path, expected] of paths) {
    it(`${path} is ${expected}`, () => assert.equal(generalizePath(path, PLACES), expected));
  }

  it('links from a cache into the working folder are one fact, and the other way round each is one', () => {
    const [cached, own] = ['/home/me/.npm/files/ab', '/home/me/work/node_modules/a/x.js'];
    assert.deepEqual(generalizePair(cached, own, PLACES), ['$CACHE/**', '$PWD/**']);
    assert.deepEqual(generalizePair(own, cached, PLACES), ['$PWD/node_modules/a/x.js', '$CACHE/**']);
    assert.deepEqual(generalizePair(cached, '/home/me/.bashrc', PLACES), ['$CACHE/**', '$HOME/.bashrc']);
  });

  it('ports that the kernel chooses, and only those', () => {
    assert.equal(generalizeAddress('127.0.0.1', 40_000), '127.0.0.1:*');
    assert.equal(generalizeAddress('::1', 443), '[::1]:443');
    assert.equal(generalizeAddress('10.0.0.1', 443, 'a.test'), 'a.test:443');
    assert.equal(generalizeAddress('10.0.0.1', 40_000, 'a.test'), 'a.test:40000');
    assert.equal(generalizeAddress('127.0.0.1', 40_000, 'localhost'), 'localhost:*');
  });

  it('labels with data', () => {
    assert.equal(generalizeHost('0123456789abcdef.evil.test'), '*.evil.test');
    assert.equal(generalizeHost(`${'x'.repeat(31)}.evil.test`), '*.evil.test');
    assert.equal(generalizeHost('registry.npmjs.org'), 'registry.npmjs.org');
    assert.equal(generalizeHost('localhost'), 'localhost');
  });

  it('paths of system calls', () => {
    assert.equal(resolvePath('../x', '/a/b'), '/a/x');
    assert.equal(resolvePath('/a/../x', undefined), '/x');
    assert.equal(resolvePath('x', undefined), undefined);
    assert.equal(isInside('/a/b', '/a'), true);
    assert.equal(isInside('/ab', '/a'), false);
    assert.equal(isInside('/ab', '/'), true);
  });
});
