/** The policy files that the agent reads: what an operator, an editor or an enemy does with them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import fs, {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import promises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PolicyFiles, type FileSnapshot, type PolicyFilesOptions } from '../../../lib/policies/policy-files.js';
import { FakeLog } from './support.js';

/** The text that is not a policy, because nothing here parses it. */
const ONE = 'one: 1\n';
const TWO = 'two: 2\n';
/** All files of a folder at rest are looked at again after this time, which is longer than a test. */
const NEVER_MS = 3600_000;

describe('policy files', function () {
  this.timeout(60_000);
  let root: string;
  let folder: string;
  let files: PolicyFiles;
  let snapshot: FileSnapshot;
  const scans = new EventEmitter();

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'polytrace-files-'));
    folder = join(root, 'policies.d');
    mkdirSync(folder);
  });
  afterEach(() => {
    files?.stop();
    rmSync(root, { recursive: true, force: true });
  });

  function open(options: Partial<PolicyFilesOptions> = {}, output = new FakeLog(), quietMs = NEVER_MS): PolicyFiles {
    const onScan = (found: FileSnapshot): Promise<void> => {
      snapshot = found;
      scans.emit('scan');
      return Promise.resolve();
    };
    files = new PolicyFiles({ folder, paths: [], allowUnsafe: false, ...options }, output.log, onScan, quietMs);
    return files;
  }

  /** Runs the test while the kernel reports no changes. */
  async function withSilentInotify(run: () => Promise<void>): Promise<void> {
    const { watch } = fs;
    fs.watch = ((path: string, options: object) => watch(path, options)) as typeof watch;
    try {
      await run();
    } finally {
      fs.watch = watch;
    }
  }

  const inFolder = (name: string): string => join(folder, name);
  const contents = (): string[] => [...snapshot.files.values()].map(String);
  const problems = (): string => [...snapshot.problems.values()].map(String).join('\n');
  async function waitFor(holds: () => boolean): Promise<void> {
    while (!holds()) await once(scans, 'scan');
  }
  /** Waits until the files were looked at several times. */
  async function waitForScans(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await once(scans, 'scan');
  }

  it('polytrace:NAME is a policy of the package', async () => {
    await open({ folder: undefined, paths: ['polytrace:egress'] }).reload();
    const [[file, yaml]] = [...snapshot.files] as [[string, string]];
    assert.match(file, /policies\/egress\.yaml$/);
    assert.match(yaml, /^ {2}name: egress$/m);
  });

  it('a name that the package does not have is refused, with the names that it has', () => {
    assert.throws(() => open({ paths: ['polytrace:egres'] }), /no policy "egres" in the package.*polytrace:egress/s);
  });

  it('a folder that was never there has no policies, and a path that is named has to be there', async () => {
    rmSync(folder, { recursive: true });
    await open().start();
    assert.deepEqual([contents(), problems()], [[], '']);
    mkdirSync(folder);
    writeFileSync(inFolder('a.yaml'), ONE);
    await waitFor(() => contents().length === 1);
    files.stop();
    await open({ paths: [join(root, 'missing.yaml')] }).start();
    assert.match(problems(), /missing\.yaml: PATH_AWAY: it does not exist/);
  });

  it('a folder that is moved away changes nothing, and is followed when it is back', async () => {
    writeFileSync(inFolder('a.yaml'), ONE);
    await open().start();
    renameSync(folder, join(root, 'elsewhere'));
    await waitFor(() => problems() !== '');
    assert.match(problems(), /policies\.d: PATH_AWAY: .*stay as they are/);
    assert.deepEqual(contents(), [ONE]);
    renameSync(join(root, 'elsewhere'), folder);
    await waitFor(() => problems() === '');
    assert.deepEqual(contents(), [ONE]);
    writeFileSync(inFolder('a.yaml'), TWO);
    await waitFor(() => contents()[0] === TWO);
  });

  it('the policies of a folder that is away at the start are known when it is back', async () => {
    writeFileSync(inFolder('a.yaml'), ONE);
    renameSync(folder, join(root, 'elsewhere'));
    await open().start();
    assert.deepEqual(files.unknownPaths, [folder]);
    let known: string[] | undefined;
    const isKnown = files.whenKnown().then(() => (known = contents()));
    await once(scans, 'scan');
    assert.equal(known, undefined);
    renameSync(join(root, 'elsewhere'), folder);
    await isKnown;
    assert.deepEqual(known, [ONE]);
    assert.deepEqual(files.unknownPaths, []);
    await files.whenKnown();
  });

  it('an empty folder in the place of another one changes nothing, until it has a policy', async () => {
    writeFileSync(inFolder('a.yaml'), ONE);
    await open().start();
    renameSync(folder, join(root, 'elsewhere'));
    mkdirSync(folder);
    await waitFor(() => problems() !== '');
    assert.match(problems(), /PATH_AWAY: an empty folder has its place/);
    assert.deepEqual(contents(), [ONE]);
    writeFileSync(inFolder('b.yaml'), TWO);
    await waitFor(() => contents()[0] === TWO);
    assert.deepEqual([contents(), problems()], [[TWO], '']);
  });

  it('a symbolic link to a folder is followed when it leads to another one, and when it leads nowhere', async () => {
    const versions = ['v1', 'v2'].map((name) => join(root, name)) as [string, string];
    for (const [i, path] of versions.entries()) {
      mkdirSync(path);
      writeFileSync(join(path, 'a.yaml'), [ONE, TWO][i] ?? '');
    }
    rmSync(folder, { recursive: true });
    symlinkSync(versions[0], folder);
    await open().start();
    assert.deepEqual(contents(), [ONE]);
    const swapTo = (target: string): void => {
      symlinkSync(target, `${folder}.new`);
      renameSync(`${folder}.new`, folder);
    };
    swapTo(versions[1]);
    await waitFor(() => contents()[0] === TWO);
    swapTo(join(root, 'nowhere'));
    await waitFor(() => problems() !== '');
    assert.deepEqual(contents(), [TWO]);
  });

  it('a removed file is gone, and a file whose link leads nowhere is not', async () => {
    const target = join(root, 'target.yaml');
    writeFileSync(target, TWO);
    symlinkSync(target, inFolder('link.yaml'));
    writeFileSync(inFolder('a.yaml'), ONE);
    await open().start();
    unlinkSync(inFolder('a.yaml'));
    await waitFor(() => contents().length === 1);
    unlinkSync(target);
    await waitFor(() => contents()[0] !== TWO);
    assert.match(contents().join(), /link\.yaml: FILE_UNREADABLE: ENOENT/);
    writeFileSync(target, ONE);
    await waitFor(() => contents()[0] === ONE);
  });

  it('a file that is named is gone when it is removed, and away when its folder is', async () => {
    const file = inFolder('named.yaml');
    writeFileSync(file, ONE);
    await open({ folder: undefined, paths: [file] }).start();
    renameSync(folder, join(root, 'elsewhere'));
    await waitFor(() => problems() !== '');
    assert.deepEqual(contents(), [ONE]);
    renameSync(join(root, 'elsewhere'), folder);
    await waitFor(() => problems() === '');
    unlinkSync(file);
    await waitFor(() => contents().length === 0);
  });

  it('a FIFO, a folder and a device are refused, and nothing waits for them', async () => {
    execFileSync('mkfifo', [inFolder('fifo.yaml')]);
    mkdirSync(inFolder('folder.yaml'));
    symlinkSync('/dev/zero', inFolder('zero.yaml'));
    writeFileSync(inFolder('zz.yaml'), ONE);
    await open({ allowUnsafe: true }).start();
    const refused = contents().filter((each) => /FILE_NOT_REGULAR: it is not a regular file/.test(each));
    assert.deepEqual([refused.length, contents().at(-1)], [3, ONE]);
  });

  it('files that others may change are refused, and read once they are safe', async function () {
    if (process.getuid?.() !== 0) this.skip();
    for (const name of ['mode', 'owner', 'group']) writeFileSync(inFolder(`${name}.yaml`), ONE);
    chmodSync(inFolder('mode.yaml'), 0o646);
    chownSync(inFolder('owner.yaml'), 65_534, 0);
    chownSync(inFolder('group.yaml'), 0, 65_534);
    chmodSync(inFolder('group.yaml'), 0o664);
    await open().start();
    const [group = '', mode = '', owner = ''] = contents();
    assert.match(mode, /mode\.yaml: FILE_UNTRUSTED: others than root may write to it \(mode 0646\) \(chmod go-w /);
    assert.match(group, /FILE_UNTRUSTED: .*mode 0664/);
    assert.match(owner, /FILE_UNTRUSTED: user 65534 owns it .*chown root .*allow-unsafe-policy-files/);
    for (const name of ['mode', 'owner', 'group']) {
      chownSync(inFolder(`${name}.yaml`), 0, 0);
      chmodSync(inFolder(`${name}.yaml`), 0o644);
    }
    await waitFor(() => contents().every((each) => each === ONE));
    files.stop();
    chmodSync(inFolder('mode.yaml'), 0o666);
    await open({ allowUnsafe: true }).start();
    assert.deepEqual(contents(), [ONE, ONE, ONE]);
  });

  it('a folder that others may change is refused, with the files that links take from there', async function () {
    if (process.getuid?.() !== 0) this.skip();
    writeFileSync(inFolder('a.yaml'), ONE);
    await open().start();
    chmodSync(folder, 0o777);
    await waitFor(() => problems() !== '');
    assert.match(problems(), /policies\.d: FILE_UNTRUSTED: .*mode 0777/);
    assert.deepEqual(contents(), [ONE], 'nothing changes');
    // with the sticky bit, nobody can change files of others
    chmodSync(folder, 0o1777);
    await waitFor(() => problems() === '');
    const open2 = join(root, 'open');
    mkdirSync(open2);
    chmodSync(open2, 0o777);
    writeFileSync(join(open2, 'b.yaml'), TWO);
    symlinkSync(join(open2, 'b.yaml'), inFolder('b.yaml'));
    await waitFor(() => contents().length === 2);
    assert.match(contents()[1] ?? '', /open: FILE_UNTRUSTED/);
  });

  it('a file is read when it is complete', async () => {
    writeFileSync(inFolder('a.yaml'), ONE);
    await open().start();
    const fd = openSync(inFolder('a.yaml'), 'w');
    const seen = new Set<string>();
    const note = (): void => void seen.add(contents()[0] ?? '');
    scans.on('scan', note);
    const parts = ['tw', 'o', ': ', '2', '\n'];
    // each part is there before the file counts as complete
    for (const part of parts) {
      writeSync(fd, part);
      await waitForScans(1);
    }
    closeSync(fd);
    await waitFor(() => contents()[0] === TWO);
    scans.off('scan', note);
    assert.deepEqual([...seen], [ONE, TWO]);
  });

  it('changes are found without inotify, and the log says once that they take longer', async () => {
    const { watch } = fs;
    fs.watch = () => {
      throw Object.assign(new Error('ENOSPC: System limit for number of file watchers reached'), { code: 'ENOSPC' });
    };
    try {
      const output = new FakeLog();
      await open({}, output).start();
      writeFileSync(inFolder('a.yaml'), ONE);
      await waitFor(() => contents()[0] === ONE);
      assert.equal(output.count('the kernel does not report changes: they are found within 2 seconds'), 1);
      await waitForScans(3);
      writeFileSync(inFolder('a.yaml'), TWO);
      await waitFor(() => contents()[0] === TWO);
    } finally {
      fs.watch = watch;
    }
  });

  it('the 1,000 files of a folder at rest are not looked at one by one', async () => {
    for (let i = 0; i < 1000; i++) writeFileSync(inFolder(`${i}.yaml`), ONE);
    await open().start();
    // the first look after the watch has begun is a complete one
    await waitForScans(2);
    const { stat } = promises;
    let count = 0;
    promises.stat = ((...args: Parameters<typeof stat>) => {
      count++;
      return stat(...args);
    }) as typeof stat;
    try {
      await waitForScans(3);
    } finally {
      promises.stat = stat;
    }
    assert.ok(count >= 3 && count < 20, `${count} calls of stat`);
    writeFileSync(inFolder('7.yaml'), TWO);
    await waitFor(() => snapshot.files.get(inFolder('7.yaml')) === TWO);
    assert.equal(snapshot.files.size, 1000);
  });

  it('files that come and go without a report are found by the time of their folder', () =>
    withSilentInotify(async () => {
      writeFileSync(inFolder('a.yaml'), ONE);
      await open().start();
      await waitForScans(3);
      writeFileSync(inFolder('b.yaml'), TWO);
      await waitFor(() => contents().length === 2);
      await waitForScans(3);
      unlinkSync(inFolder('a.yaml'));
      await waitFor(() => contents().join() === TWO);
    }));

  it('a file that changes without a report is found when all files are looked at again', () =>
    withSilentInotify(async () => {
      writeFileSync(inFolder('a.yaml'), ONE);
      await open({}, new FakeLog(), 3000).start();
      await waitForScans(3);
      writeFileSync(inFolder('a.yaml'), TWO);
      await waitFor(() => contents()[0] === TWO);
    }));

  it('a file that changes by another of its names is found, and so is the target of a link', async () => {
    const elsewhere = join(root, 'elsewhere');
    mkdirSync(elsewhere);
    const [hard, target] = [join(elsewhere, 'hard'), join(elsewhere, 'target')];
    for (const file of [hard, target]) writeFileSync(file, ONE);
    linkSync(hard, inFolder('hard.yaml'));
    symlinkSync(target, inFolder('link.yaml'));
    await open().start();
    await waitForScans(3);
    for (const file of [hard, target]) writeFileSync(file, TWO);
    await waitFor(() => contents().every((each) => each === TWO));
  });

  it('a file system that others may change is looked at completely', async function () {
    if (process.getuid?.() !== 0) this.skip();
    // nobody reports a change of a file that a mount shows in the folder
    const source = join(root, 'source.yaml');
    for (const file of [source, inFolder('a.yaml')]) writeFileSync(file, ONE);
    execFileSync('mount', ['--bind', source, inFolder('a.yaml')]);
    try {
      await open().start();
      await waitForScans(3);
      writeFileSync(source, TWO);
      await waitFor(() => contents()[0] === TWO);
    } finally {
      execFileSync('umount', [inFolder('a.yaml')]);
    }
  });

  it('a file of the same size and time is read again', async () => {
    writeFileSync(inFolder('a.yaml'), ONE);
    await open().start();
    writeFileSync(inFolder('a.yaml'), 'one: 9\n');
    utimesSync(inFolder('a.yaml'), 1, 1);
    await waitFor(() => contents()[0] === 'one: 9\n');
  });
});
