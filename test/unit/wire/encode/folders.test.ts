/** What the negative cache of paths gets to know about the filters of a path. */
import assert from 'node:assert/strict';
import type { CompiledValue, StringTable } from '../../../../lib/compiled/compiled-policy.js';
import { encodeHook } from '../../../../lib/wire/encode/hook.js';
import { AbiLimit, HookConfig, MatchEntry, ObjectConfig, TrieKey } from '../../../../lib/wire/layout.gen.js';
import { compiledHook, compiledValue, encodeContext } from '../../compiled-hooks.js';

const locks = { rename: 0xffffffff81000000n, mount: 0xffffffff82000000n, memoryMount: 0n, cpus: 2, holdTicks: 25 };

/** A table in which selector n needs one of the nth list of values. */
function table(...values: readonly (readonly string[])[]): StringTable {
  const selectors = values.flatMap((list, selector) => (list.length === 0 ? [] : [selector]));
  const entries = values.flatMap((list, selector) => list.map((value) => ({ value, match: [selector], reject: [] })));
  return { positive: selectors, used: selectors, entries };
}

const excluding = (...values: readonly string[]): StringTable => ({
  positive: [],
  used: [0],
  entries: values.map((value) => ({ value, match: [], reject: [0] })),
});

interface Encoded {
  readonly folders: readonly string[];
  /** The folders of values, and those above them. */
  readonly tree: readonly string[];
  readonly isUsed: boolean;
  readonly shortNames: number;
  readonly rooted: bigint;
  readonly hasMap: boolean;
}

/** Encodes a hook with one path. */
function encode(texts: CompiledValue['texts'], { type = 'file', cached = true } = {}): Encoded {
  const hook = compiledHook({ args: [compiledValue(type as CompiledValue['type'], { texts })] });
  const { config, maps } = encodeHook(hook, encodeContext(cached ? { locks } : {}));
  const view = new DataView(config.buffer);
  const object = HookConfig.objects;
  const map = maps.find(({ name }) => name === 'string_prefix');
  assert.ok(map);
  const stride = TrieKey.sizeof + MatchEntry.sizeof;
  const entries = Array.from(
    { length: map.entries.length / stride },
    (_, i) => new DataView(map.entries.buffer, map.entries.byteOffset + i * stride, stride),
  );
  const listFolders = (slot: number): string[] =>
    entries
      .filter((entry) => entry.getUint8(TrieKey.slot) === slot)
      .map((entry) => {
        const length = Number(entry.getBigUint64(TrieKey.sizeof + MatchEntry.match, true));
        assert.equal(entry.getUint32(TrieKey.prefixBits, true), 8 + 8 * length);
        return Buffer.from(entry.buffer, entry.byteOffset + TrieKey.string, length).toString();
      });
  return {
    folders: listFolders(AbiLimit.FOLDER_SLOT),
    tree: listFolders(AbiLimit.TREE_SLOT),
    isUsed: view.getUint8(object + ObjectConfig.folders) === 1,
    shortNames: view.getUint8(object + ObjectConfig.shortNames),
    rooted: view.getBigUint64(object + ObjectConfig.rooted, true),
    hasMap: map.create,
  };
}

describe('encoding of the folders of values', () => {
  it('a value is in the folder up to its last slash', () => {
    const { folders, isUsed } = encode({
      equal: table(['/etc/shadow', '/etc/passwd', 'memfd:x']),
      prefix: table([], ['/root/.ssh', '/boot/', '/', '/ä/b']),
    });
    assert.ok(isUsed);
    assert.deepEqual(folders, ['/etc/', '/root/', '/boot/', '/', '/ä/']);
  });

  it('all folders above those of values are known, too', () => {
    const { folders, tree } = encode({
      equal: table(['/proc/sys/kernel/core_pattern', '/proc/kcore', 'memfd:a/b']),
      prefix: table([], ['/root/.ssh/']),
    });
    assert.deepEqual(folders, ['/proc/sys/kernel/', '/proc/', 'memfd:a/', '/root/.ssh/']);
    const expected = ['/', '/proc/', '/proc/sys/', '/proc/sys/kernel/', '/root/', '/root/.ssh/', 'memfd:a/'];
    assert.deepEqual([...tree].sort(), expected);
  });

  it('also the values that exclude', () => {
    assert.deepEqual(encode({ prefix: excluding('/usr/lib') }).folders, ['/usr/']);
  });

  it('a table without folders is there, too, because the program looks in it', () => {
    const { folders, isUsed, hasMap } = encode({ postfix: table(['.bashrc']) });
    assert.deepEqual({ folders, isUsed, hasMap }, { folders: [], isUsed: true, hasMap: true });
  });

  it('folders are not cached if something else than the end of a name decides', () => {
    const equal = table(['/etc/shadow']);
    const scan = { needles: [{ text: 'x', selectors: [0] }], selectors: [0], ignoreCase: false };
    const cases: Readonly<Record<string, Encoded>> = {
      substring: encode({ equal, substrings: [scan] }),
      inode: encode({ equal, inode: [0] }),
      'empty postfix': encode({ equal, postfix: table(['']) }),
      'long folder': encode({ equal: table([`/${'x'.repeat(255)}/y`]) }),
      'no filter': encode({}),
      string: encode({ equal }, { type: 'string' }),
      'no cache': encode({ equal }, { cached: false }),
    };
    for (const [name, { folders, isUsed }] of Object.entries(cases))
      assert.deepEqual({ folders, isUsed }, { folders: [], isUsed: false }, name);
    assert.equal(encode({ equal }, { cached: false }).hasMap, false);
  });

  it('the lengths of short names that a postfix with a slash may end', () => {
    const lengths = (...values: readonly string[]): number[] => {
      const { shortNames } = encode({ postfix: table(values) });
      return [0, 1, 2, 3, 4, 5, 6, 7].filter((length) => (shortNames >> length) & 1);
    };
    assert.deepEqual(lengths('.bashrc', '.login'), []);
    assert.deepEqual(lengths('/.bashrc'), [7]);
    assert.deepEqual(lengths('/etc/bash.bashrc'), []);
    // the shortest value has six bytes, so that only six are hashed
    assert.deepEqual(lengths('/.bashrc', '.login'), []);
    assert.deepEqual(lengths('/login', '.bashrc'), [5]);
    assert.deepEqual(lengths('/ssh/rsa', 'a/b/known', '/ä/', '/.netrc'), [0, 3]);
  });

  it('selectors that need a slash at the beginning', () => {
    const { rooted } = encode({
      equal: table(['/a', '/b'], ['memfd:x', '/a'], [], ['/a']),
      prefix: table([], ['/c'], [], ['pipe']),
      postfix: table([], [], ['/d']),
    });
    // selector 1 needs /c, too, and selector 3 needs /a
    assert.equal(rooted, 0b1011n);
    assert.equal(encode({ prefix: table([''], ['/']) }).rooted, 0b10n);
    assert.equal(encode({ prefix: excluding('/etc') }).rooted, 0n);
  });
});
