/** The commands that update the policy library, from a file and over HTTP. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { packageFolder, readFacts, readLibraryFiles } from '../../../lib/library/installed.js';
import { archive, makeKey, policyText, TestFolder } from '../library/support.js';
import { FakeCommand } from './fake.js';

const signer = makeKey();

describe('polytrace policies, with an archive', () => {
  const own = packageFolder() ?? '';
  const { version } = readFacts(own);
  let folder: TestFolder;
  let key: string;
  let command: FakeCommand;
  let server: Server | undefined;

  beforeEach(() => {
    folder = new TestFolder();
    key = folder.write('library.pub', signer.pem);
  });
  afterEach(() => {
    server?.close();
    folder.remove();
  });

  /** Returns what the command prints. */
  async function run(status: number, ...args: string[]): Promise<string> {
    command = new FakeCommand();
    command.env = { POLYTRACE_LIBRARY: folder.root };
    assert.equal(await command.run('policies', ...args), status, command.stderr.text);
    return command.stdout.text;
  }
  const update = (status: number, source: string, ...more: string[]): Promise<string> =>
    run(status, 'update', source, '--key', key, ...more);
  const write = (next: string): string => folder.write(`${next}.json`, archive(signer, next));

  it('go from the package to one version, to the next, and back on purpose', async () => {
    assert.equal(await run(0, 'version'), `${version} (of the package)\n`);
    const first = folder.write('9.0.0.json', archive(signer, '9.0.0', { files: { ...readLibraryFiles(own), 'first.yaml': policyText('first') } })); // prettier-ignore
    assert.match(await run(8, 'outdated', first, '--key', key), new RegExp(`^used:    ${version}\narchive: 9\\.0\\.0 \\(2026-11-30T08:00:00\\.000Z, key ${signer.fingerprint}\\)\nnew      first\n$`)); // prettier-ignore
    assert.equal(await update(0, first), `installed 9.0.0 in place of ${version}\nnew      first\n`);
    assert.equal(await run(0, 'version'), `9.0.0 (${join(folder.root, '9.0.0')})\n`);
    assert.equal(await update(0, first), '9.0.0 is used already\n');
    assert.match(await run(0, 'outdated', first, '--key', key), /^used: +9\.0\.0\narchive: 9\.0\.0 .*\n$/);
    const next = write('9.1.0');
    const diff = await run(0, 'diff', next, 'polytrace:first', '--key', key);
    assert.match(
      diff,
      /^--- first\.yaml\n\+\+\+ first\.yaml\n@@ line \d+ @@\n(.*\n)*-.*\/etc\/passwd.*\n\+.*\/etc\/9\.1\.0/,
    );
    assert.match(await run(0, 'diff', next, '--key', key), /^--- attack-tools\.yaml/);
    assert.match(
      await update(0, next),
      /^installed 9\.1\.0 in place of 9\.0\.0\nremoved  attack-tools\n(.*\n)*changed  first\n/,
    );
    await update(1, first);
    assert.match(command.stderr.text, /error LIBRARY_OLDER: .*\n +hint: .*--allow-older/);
    await update(0, first, '--allow-older');
    assert.equal(await run(0, 'version'), `9.0.0 (${join(folder.root, '9.0.0')})\n`);
  });

  it('refuse what is forged, cut, missing, or without a key, and install nothing', async () => {
    const good = archive(signer, '9.0.0');
    const changed = Buffer.from(good.toString().replace('/etc/9.0.0', '/etc/9.0.1'));
    const cases: readonly (readonly [code: string, bytes: Buffer])[] = [
      ['LIBRARY_SIGNATURE', changed],
      ['LIBRARY_SIGNATURE', archive(makeKey(), '9.0.0')],
      ['LIBRARY_TRUNCATED', good.subarray(0, -1)],
      ['LIBRARY_OLDER', archive(signer, '0.0.1')],
      ['LIBRARY_NAME', archive(signer, '9.0.0', { files: { '../../x.yaml': '' } })],
      ['LIBRARY_NEEDS', archive(signer, '9.0.0', { polytrace: '999.0.0' })],
      ['LIBRARY_FORMAT', Buffer.from('<html>log in</html>')],
    ];
    for (const [code, bytes] of cases) {
      await update(1, folder.write('a.json', bytes));
      assert.match(command.stderr.text, new RegExp(`^polytrace: error ${code}: .*\\n +hint: `));
    }
    await update(1, join(folder.path, 'missing.json'));
    assert.match(command.stderr.text, /error LIBRARY_SOURCE: .*ENOENT/);
    await run(1, 'update', write('9.0.0'));
    assert.match(command.stderr.text, /error LIBRARY_(KEY|SIGNATURE): .*\n +hint: .*--key/);
    await run(2, 'diff', write('9.0.0'), 'nothing', '--key', key);
    assert.match(command.stderr.text, /neither library has a policy nothing/);
    assert.ok(!readdirSync(folder.path).includes('library'));
  });

  it('download archives', async () => {
    const bytes = archive(signer, '9.0.0');
    server = createServer((request, response) => {
      response.statusCode = request.url === '/a.json' ? 200 : 404;
      response.end(bytes);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    assert.match(await update(0, `${address}/a.json`), /^installed 9\.0\.0/);
    await update(1, `${address}/b.json`);
    assert.match(command.stderr.text, /error LIBRARY_SOURCE: .*the server answers 404/);
  });
});
