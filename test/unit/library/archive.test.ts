/** Archives of the policy library: what is forged, cut or no archive is refused, with a code and a remedy. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { PolytraceError } from '../../../lib/errors.js';
import { openArchive, packLibrary, type LibraryContent } from '../../../lib/library/archive.js';
import { parseLibraryKeys, readLibraryKeys, readPrivateKey } from '../../../lib/library/keys.js';
import { readArchive } from '../../../lib/library/source.js';
import { compareVersions, isVersion } from '../../../lib/library/versions.js';
import { archive, content, isCoded, makeKey, TestFolder } from './support.js';

const signer = makeKey();
const other = makeKey();
const trusted = parseLibraryKeys(signer.pem, 'test');

describe('an archive of the policy library', () => {
  const open = (bytes: Uint8Array, keys = trusted): LibraryContent => openArchive(bytes, keys, 'a.json');

  it('has the content that was signed', () => {
    assert.deepEqual(open(archive(signer, '1.2.0')), { ...content('1.2.0'), signedBy: signer.fingerprint });
  });

  it('can have two signatures, while a key is replaced', () => {
    const bytes = packLibrary(content('1.2.0'), [other, signer]);
    assert.equal(openArchive(bytes, trusted, 'a').signedBy, signer.fingerprint);
    assert.equal(openArchive(bytes, parseLibraryKeys(other.pem, 'b'), 'a').signedBy, other.fingerprint);
  });

  it('is refused when another key has signed it, and when nobody has', () => {
    assert.throws(() => open(archive(other, '1.2.0')), isCoded('LIBRARY_SIGNATURE', /not signed by a trusted key/));
    assert.throws(() => open(packLibrary(content('1.2.0'), [])), isCoded('LIBRARY_SIGNATURE'));
  });

  it('is refused when another key has signed it under the name of a trusted one', () => {
    const forged = packLibrary(content('1.2.0'), [{ key: other.key, fingerprint: signer.fingerprint }]);
    assert.throws(() => open(forged), isCoded('LIBRARY_SIGNATURE', /changed after it was signed/));
  });

  it('is refused when any byte of its content was changed', () => {
    const good = archive(signer, '1.2.0');
    for (let index = good.indexOf('\n') + 1; index < good.length; index += 7) {
      const changed = Buffer.from(good);
      changed[index] = (changed[index] ?? 0) ^ 1;
      assert.throws(() => open(changed), isCoded('LIBRARY_SIGNATURE'));
    }
  });

  it('is refused when a part is missing or added, at every length', () => {
    const good = archive(signer, '1.2.0');
    for (let length = 0; length < good.length; length++) {
      assert.throws(
        () => open(good.subarray(0, length)),
        (error) => error instanceof PolytraceError && ['LIBRARY_TRUNCATED', 'LIBRARY_FORMAT'].includes(error.code),
      );
    }
    assert.throws(() => open(Buffer.concat([good, Buffer.from('\n')])), isCoded('LIBRARY_TRUNCATED'));
  });

  it('is refused when it is something else', () => {
    for (const text of ['', 'null', '[]', '<html>', '{}', '{"format":"polytrace policy library 1"}', '1\n2'])
      assert.throws(() => open(Buffer.from(text)), isCoded('LIBRARY_FORMAT', /no policy library/));
    const later = Buffer.from('{"format":"polytrace policy library 2"}\n');
    assert.throws(() => open(later), isCoded('LIBRARY_FORMAT', /has the format/));
    const strange = Buffer.from('{"format":"polytrace policy library 1","bytes":0,"signatures":[null,{"key":{}}]}\n');
    assert.throws(() => open(strange), isCoded('LIBRARY_SIGNATURE'));
  });

  it('is refused when its content lacks something, although it is signed', () => {
    const changes: readonly Partial<Record<keyof LibraryContent, unknown>>[] = [
      { version: '1.2' },
      { version: '01.2.0' },
      { version: '../../x' },
      { polytrace: 1 },
      { created: 'yesterday' },
      { files: {} },
      { files: [] },
      { files: null },
      { files: { 'first.yaml': 1 } },
      { files: Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`a${index}.yaml`, ''])) },
    ];
    for (const change of changes) {
      const bytes = archive(signer, '1.2.0', change as Partial<LibraryContent>);
      assert.throws(() => open(bytes), isCoded('LIBRARY_FORMAT'), JSON.stringify(change).slice(0, 80));
    }
  });

  it('is refused when a name leaves the folder, although it is signed', () => {
    const names = ['../a.yaml', '/etc/a.yaml', 'tests/../a.yaml', 'a/b.yaml', '.a.yaml', 'a.yml', 'a\0.yaml', 'A.yaml'];
    for (const name of [...names, 'library.json', '', '__proto__', `${'a'.repeat(64)}.yaml`, 'tests\\a.yaml']) {
      const bytes = archive(signer, '1.2.0', { files: Object.fromEntries([[name, 'x']]) });
      assert.throws(() => open(bytes), isCoded('LIBRARY_NAME'), JSON.stringify(name));
    }
  });
});

describe('keys of the policy library', () => {
  const folder = new TestFolder();
  after(() => folder.remove());

  it('are those of the package and of files', () => {
    const file = folder.write('other.pub', other.pem);
    assert.deepEqual([...readLibraryKeys([file], [signer.pem]).keys()], [signer.fingerprint, other.fingerprint]);
    assert.equal(readPrivateKey(folder.write('key', signer.key.export({ type: 'pkcs8', format: 'pem' }))).fingerprint, signer.fingerprint); // prettier-ignore
  });

  it('are refused when there is none, and when they are something else', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' });
    assert.throws(() => readLibraryKeys([], []), isCoded('LIBRARY_KEY', /no key is known/));
    assert.throws(() => readLibraryKeys([folder.write('rsa', rsa)], []), isCoded('LIBRARY_KEY', /a key of rsa/));
    assert.throws(() => readLibraryKeys([folder.write('x', 'x')], []), isCoded('LIBRARY_KEY', /no public key/));
    const broken = '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n';
    assert.throws(() => readLibraryKeys([folder.write('b', broken)], []), isCoded('LIBRARY_KEY', /not one in PEM/));
    assert.throws(() => readLibraryKeys([`${folder.path}/missing`], []), isCoded('LIBRARY_KEY', /cannot be read/));
  });
});

describe('versions of the policy library', () => {
  it('have three numbers, and an order', () => {
    for (const text of ['1', '1.2', '1.2.3.4', '1.2.x', '1.2.03', '-1.2.3', ' 1.2.3', '1.2.3\n', '1.2.9999999', 5])
      assert.equal(isVersion(text), false, String(text));
    for (const [a, b] of [
      ['1.2.3', '1.2.4'],
      ['1.9.0', '1.10.0'],
      ['9.9.9', '10.0.0'],
    ] as const) {
      // prettier-ignore
      assert.ok(isVersion(a) && compareVersions(a, b) < 0 && compareVersions(b, a) > 0);
    }
    assert.equal(compareVersions('1.2.3', '1.2.3'), 0);
  });
});

describe('the source of an archive', () => {
  it('is refused when it is missing or never ends', async () => {
    for (const path of ['/missing', '/dev/zero', '/'])
      await assert.rejects(readArchive(path), isCoded('LIBRARY_SOURCE', /cannot be read/), path);
  });
});
