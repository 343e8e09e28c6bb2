/** Updates of the policy library: what is installed is used, and a killed update leaves the old version or the new one. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { openArchive, type LibraryArchive, type LibraryContent } from '../../../lib/library/archive.js';
import { installLibrary } from '../../../lib/library/install.js';
import { installedVersions, libraryRoot, usedLibrary } from '../../../lib/library/installed.js';
import { parseLibraryKeys } from '../../../lib/library/keys.js';
import { policyLibrary, loadPolicyFile } from '../../../lib/tracer/policy-files.js';
import { archive, isCoded, makeKey, policyText, TestFolder } from './support.js';

const signer = makeKey();
const keys = parseLibraryKeys(signer.pem, 'test');

describe('an update of the policy library', () => {
  let folder: TestFolder;
  let own: string;

  beforeEach(() => {
    folder = new TestFolder();
    own = join(folder.path, 'package');
    folder.write('package/library.json', '{"version":"1.0.0"}');
    folder.write('package/first.yaml', policyText('first'));
    mkdirSync(join(own, 'tests'));
  });
  afterEach(() => {
    delete process.env['POLYTRACE_LIBRARY'];
    folder.remove();
  });

  const open = (version: string, changes: Partial<LibraryContent> = {}): LibraryArchive =>
    openArchive(archive(signer, version, changes), keys, 'a.json');
  const install = (version: string, changes: Partial<LibraryContent> = {}, allowOlder = false): boolean => {
    const settings = { used: usedLibrary(own, folder.root), root: folder.root, polytrace: '0.1.0-beta', allowOlder };
    return installLibrary(open(version, changes), settings);
  };
  const used = (): string => usedLibrary(own, folder.root).version;
  const names = (): string[] => readdirSync(folder.root).sort();

  it('is used from then on, when it is newer than the package', () => {
    assert.deepEqual(usedLibrary(own, folder.root), { version: '1.0.0', folder: own, isInstalled: false });
    assert.equal(install('1.1.0'), true);
    const path = join(folder.root, '1.1.0');
    assert.deepEqual(usedLibrary(own, folder.root), { version: '1.1.0', folder: path, isInstalled: true });
    assert.equal(readFileSync(join(path, 'first.yaml'), 'utf8'), policyText('first', '/etc/1.1.0'));
    assert.match(readFileSync(join(path, 'library.json'), 'utf8'), new RegExp(`"signedBy": "${signer.fingerprint}"`));
    folder.write('package/library.json', '{"version":"1.1.0"}');
    assert.equal(usedLibrary(own, folder.root).isInstalled, false);
  });

  it('is what polytrace:NAME names', () => {
    install('1.1.0');
    process.env['POLYTRACE_LIBRARY'] = folder.root;
    assert.deepEqual(policyLibrary().map(({ name, file }) => [name, file]), [['first', join(folder.root, '1.1.0/first.yaml')]]); // prettier-ignore
    assert.equal(loadPolicyFile('polytrace:first'), policyText('first', '/etc/1.1.0'));
    assert.throws(() => loadPolicyFile('polytrace:egress'), /there is no policy "egress"/);
    process.env['POLYTRACE_LIBRARY'] = '';
    assert.equal(libraryRoot(), '/var/lib/polytrace-library');
  });

  it('keeps one older version, which a process may be reading', () => {
    for (const version of ['1.1.0', '1.2.0', '1.10.0']) install(version);
    assert.deepEqual([names(), used()], [['1.10.0', '1.2.0'], '1.10.0']);
  });

  it('does nothing when the same policies are used already', () => {
    assert.equal(install('1.1.0'), true);
    assert.equal(install('1.1.0'), false);
  });

  it('is refused when it is older, or has other policies with the same version', () => {
    assert.throws(() => install('0.9.0'), isCoded('LIBRARY_OLDER', /1\.0\.0 is used \(of the package\)/));
    assert.throws(() => install('0.9.0', {}, true), isCoded('LIBRARY_OLDER'));
    install('1.2.0');
    assert.throws(() => install('1.1.0'), isCoded('LIBRARY_OLDER', /1\.2\.0 is used/));
    const files = { 'first.yaml': policyText('first', '/etc/other') };
    assert.throws(() => install('1.2.0', { files }), isCoded('LIBRARY_OLDER', /other policies/));
    assert.equal(install('1.1.0', {}, true), true);
    assert.deepEqual([names(), used()], [['1.1.0'], '1.1.0']);
  });

  it('is refused when this version of polytrace cannot load it', () => {
    const first = policyText('first');
    const bad: readonly (readonly [code: string, changes: Partial<LibraryContent>])[] = [
      ['LIBRARY_NEEDS', { polytrace: '0.2.0' }],
      ['LIBRARY_INVALID', { files: { 'first.yaml': first.replace('args:', 'arguments:') } }],
      ['LIBRARY_INVALID', { files: { 'second.yaml': first } }],
      ['LIBRARY_INVALID', { files: { 'first.yaml': first, 'tests/first.yaml': 'x' } }],
    ];
    for (const [code, changes] of bad) assert.throws(() => install('1.1.0', changes), isCoded(code));
    assert.equal(existsSync(folder.root), false);
  });

  it('is refused when the folder is not one', () => {
    writeFileSync(folder.root, '');
    assert.throws(() => installedVersions(folder.root), isCoded('LIBRARY_FOLDER', /ENOTDIR/));
    const settings = { used: usedLibrary(own, join(folder.path, 'none')), root: folder.root, polytrace: '0.1.0' };
    assert.throws(() => installLibrary(open('1.1.0'), settings), isCoded('LIBRARY_FOLDER', /EEXIST/));
  });

  it('is not used when others can change its folder', () => {
    install('1.1.0');
    for (const path of [folder.root, join(folder.root, '1.1.0')]) {
      chmodSync(path, 0o775);
      assert.throws(() => usedLibrary(own, folder.root), isCoded('LIBRARY_FOLDER', /others can change/));
      chmodSync(path, 0o755);
    }
    const link = join(folder.path, 'link');
    symlinkSync(folder.root, link);
    assert.throws(() => usedLibrary(own, link), isCoded('LIBRARY_FOLDER'));
    assert.equal(used(), '1.1.0');
  });

  it('removes what killed updates left, and not what others do', () => {
    for (const name of [`.new-${process.pid}-00`, '.new-4194305-00', '.old-4194305-00', 'notes']) {
      mkdirSync(join(folder.root, name), { recursive: true });
    }
    install('1.1.0');
    assert.deepEqual(names(), [`.new-${process.pid}-00`, '1.1.0', 'notes']);
  });

  it('leaves the old version or the new one, wherever it is killed', function () {
    this.timeout(120_000);
    install('1.1.0');
    // one file starts faster than the modules
    const program = join(folder.path, 'killed-update.cjs');
    const entryPoints = [join(__dirname, 'killed-update.cjs')];
    buildSync({ entryPoints, outfile: program, bundle: true, platform: 'node', format: 'cjs', logLevel: 'error' });
    const bytes = folder.write('next.json', archive(signer, '1.3.0'));
    const key = folder.write('key.pub', signer.pem);
    const seen: string[] = [];
    for (let calls = 1; ; calls++) {
      const args = [program, folder.root, own, bytes, key, String(calls)];
      const { signal, status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      seen.push(used());
      const { version, folder: path } = usedLibrary(own, folder.root);
      assert.equal(readFileSync(join(path, 'first.yaml'), 'utf8'), policyText('first', `/etc/${version}`));
      assert.ok(existsSync(join(path, 'library.json')));
      if (signal !== 'SIGKILL') {
        assert.equal(status, 0, stderr);
        break;
      }
    }
    assert.equal(seen[0], '1.1.0');
    assert.equal(seen.at(-1), '1.3.0');
    assert.deepEqual([...seen].sort(), seen);
    assert.ok(seen.length > 8, seen.join());
    install('1.4.0');
    assert.deepEqual(names(), ['1.3.0', '1.4.0']);
  });
});
