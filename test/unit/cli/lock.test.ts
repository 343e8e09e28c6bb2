/** `polytrace lock`: differences, explanations and policies of lock files. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { validatePolicy } from '../../../lib/index.js';
import { FakeCommand } from './fake.js';

const LOCK = `version: 1
packages:
  ".":
    - "connect registry.npmjs.org:443"
    - "exec /usr/bin/node"
  "esbuild":
    - "postinstall: write $HOME/.x"
`;

describe('polytrace lock', () => {
  let folder: string;
  let file: string;
  let command: FakeCommand;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-lock-'));
    file = join(folder, 'lock.yaml');
    writeFileSync(file, LOCK);
    command = new FakeCommand();
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('diff: what is new, and what is gone; its status says whether something is new', async () => {
    const other = join(folder, 'other.yaml');
    writeFileSync(other, LOCK.replace('.x', '.y'));
    assert.equal(await command.run('lock', 'diff', file, other), 1);
    assert.equal(
      command.stdout.text,
      '- esbuild: postinstall: write $HOME/.x\n+ esbuild: postinstall: write $HOME/.y\n',
    );
    assert.equal(await new FakeCommand().run('lock', 'diff', file, file), 0);
  });

  it('explain: sentences for each package', async () => {
    assert.equal(await command.run('lock', 'explain', file), 0);
    assert.match(command.stdout.text, /^The command:\n {2}- connects to registry\.npmjs\.org:443\n/);
    assert.match(
      command.stdout.text,
      /in its script postinstall, writes a file outside of the working folder \$HOME\/\.x/,
    );
  });

  it('policy: a valid policy, with folders, addresses, programs and a section', async () => {
    const options = ['--var', 'PWD=/w', '--var', 'HOME=/home/a', '--var', 'HOME=/home/b'];
    const more = ['--address', 'registry.npmjs.org=104.16.0.0/12', '--address', 'registry.npmjs.org=::1', '--program', '/usr/bin/npm'];
    assert.equal(await command.run('lock', 'policy', file, ...options, ...more), 0, command.stderr.text);
    const { text } = command.stdout;
    assert.deepEqual(validatePolicy(text), []);
    for (const part of ['"/home/a/.x"', '"/home/b/.x"', '"104.16.0.0/12"', '"::1"', '"/usr/bin/npm"', '"/w/"']) assert.ok(text.includes(part), part);
    command = new FakeCommand();
    assert.equal(await command.run('lock', 'policy', file, ...options, '--section', 'esbuild'), 0);
    assert.match(command.stdout.text, /name: polytrace-lock-esbuild\n/);
  }); // prettier-ignore

  const wrong: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ['a missing folder', ['--var', 'PWD=/w'], 1, /LOCK_POLICY: \$HOME has no folder.*--var HOME=\/FOLDER/s],
    ['a variable without a value', ['--var', 'PWD'], 2, /NAME=VALUE/],
    ['an unknown variable', ['--var', 'PDW=/w'], 1, /no variable \$PDW.*PWD, HOME, TMP, CACHE/s],
    ['an address that is none', ['--var', 'PWD=/w', '--var', 'HOME=/h', '--address', 'registry.npmjs.org=x'], 1, /"x" is no address.*192\.0\.2\.1/s],
    ['a relative program', ['--var', 'PWD=/w', '--var', 'HOME=/h', '--program', 'npm'], 1, /"npm" is no absolute path/],
    ['a host without a connection', ['--var', 'PWD=/w', '--var', 'HOME=/h', '--address', 'x.test=::1'], 1, /no connection to "x\.test"/],
    ['a network that is too small', ['--var', 'PWD=/w', '--var', 'HOME=/h', '--address', 'x.test=10.0.0.0/33'], 1, /"10\.0\.0\.0\/33" is no address/],
  ]; // prettier-ignore
  for (const [what, options, status, message] of wrong) {
    it(`policy: ${what} is an error`, async () => {
      assert.equal(await command.run('lock', 'policy', file, ...options), status, command.stderr.text);
      assert.match(command.stderr.text, message);
    });
  }
});
