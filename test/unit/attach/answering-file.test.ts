/** Files of uprobes whose file system does not answer. */
import assert from 'node:assert/strict';
import { checkFileAnswers } from '../../../lib/attach/answering-file.js';
import type { CompiledHook } from '../../../lib/compiled/compiled-policy.js';
import type { FilePart } from '../../../lib/native/file-reader.js';
import { compilePolicy } from '../../../lib/policy/index.js';
import { policyYaml } from '../policy/marked-policies.js';

const [hook] = compilePolicy(policyYaml('uprobes: [{path: /a, symbols: [main]}]')).hooks;
const MEBIBYTE = 1024 * 1024;
const part: FilePart = { device: 1n, inode: 1n, size: 2.5 * MEBIBYTE, modifiedNs: 0n, bytes: Buffer.alloc(0) };

/** A file of which the bytes from `silentFrom` on are not answered. */
class FakeFile {
  readonly offsets: number[] = [];
  constructor(
    private readonly isLocal: boolean | undefined,
    private readonly silentFrom = Infinity,
    private readonly exists = true,
  ) {}
  isLocalFile = (): Promise<boolean | undefined> => Promise.resolve(this.isLocal);
  readPart = (_path: string, offset: number): Promise<FilePart | false | undefined> => {
    this.offsets.push(offset);
    if (!this.exists) return Promise.resolve(false);
    return Promise.resolve(offset < this.silentFrom ? part : undefined);
  };
}

const check = (file: FakeFile): Promise<void> => checkFileAnswers(hook as CompiledHook, '/a', file);

describe('the file of a uprobe', () => {
  it('is not read on a local file system', async () => {
    const file = new FakeFile(true);
    await check(file);
    assert.deepEqual(file.offsets, []);
  });

  it('is read to its end elsewhere', async () => {
    const file = new FakeFile(false);
    await check(file);
    assert.deepEqual(file.offsets, [0, MEBIBYTE, 2 * MEBIBYTE]);
  });

  it('is left to the addon if it does not exist', async () => {
    const file = new FakeFile(false, Infinity, false);
    await check(file);
    assert.deepEqual(file.offsets, [0]);
  });

  const silent: readonly (readonly [string, FakeFile])[] = [
    ['its path', new FakeFile(undefined)],
    ['its first part', new FakeFile(false, 0)],
    ['a later part', new FakeFile(false, MEBIBYTE)],
  ];
  for (const [what, file] of silent) {
    it(`${what} does not answer: an error`, async () => {
      await assert.rejects(check(file), { code: 'FILE_NOT_ANSWERING', message: /:\d+:\d+: \/a does not answer/ });
    });
  }
});
