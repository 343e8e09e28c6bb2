/** The maps of a hook: their keys and match entries, and the maps that are omitted. */
import assert from 'node:assert/strict';
import type { CompiledHook } from '../../../../lib/compiled/compiled-policy.js';
import { encodeHook, type EncodeContext, type EncodedMap } from '../../../../lib/wire/encode/hook.js';
import { AddressKey, AutomatonState, InodeKey, IntKey, TrieKey, MatchEntry } from '../../../../lib/wire/layout.gen.js';
import { encodeContext, compiledHook, compiledValue } from '../../compiled-hooks.js';

function encodeMaps(hook: CompiledHook, context: Partial<EncodeContext> = {}): (name: string) => EncodedMap {
  const { maps } = encodeHook(hook, encodeContext(context));
  return (name) => {
    const found = maps.find((each) => each.name === name);
    assert.ok(found, name);
    return found;
  };
}

/** Reads the key and the selectors of each entry. */
function readEntries(map: EncodedMap, keySize: number): { key: DataView; match: bigint; reject: bigint }[] {
  const stride = keySize + MatchEntry.sizeof;
  assert.equal(map.entries.length % stride, 0);
  return Array.from({ length: map.entries.length / stride }, (_, i) => {
    const at = map.entries.byteOffset + i * stride;
    const entry = new DataView(map.entries.buffer, at + keySize, MatchEntry.sizeof);
    return {
      key: new DataView(map.entries.buffer, at, keySize),
      match: entry.getBigUint64(MatchEntry.match, true),
      reject: entry.getBigUint64(MatchEntry.reject, true),
    };
  });
}

const readString = (key: DataView, from: number): string =>
  Buffer.from(key.buffer, key.byteOffset + from, key.byteLength - from)
    .toString()
    .replace(/\0+$/, '');

const valueTable = <T>(
  ...entries: (readonly [T, number[], number[]])[]
): {
  positive: number[];
  used: number[];
  entries: { value: T; match: number[]; reject: number[] }[];
} => ({
  positive: [0],
  used: [0, 1],
  entries: entries.map(([each, match, reject]) => ({ value: each, match, reject })),
});

describe('maps of hooks', () => {
  it('are omitted if nothing uses them', () => {
    const map = encodeMaps(compiledHook({ args: [compiledValue('file')] }));
    const unused = [
      'string_equal',
      'string_prefix',
      'string_postfix',
      'int_equal',
      'addresses',
      'inodes',
      'pending',
      'scope_cache',
    ];
    for (const name of unused) assert.equal(map(name).create, false, name);
    assert.equal(map('scratch').create, true);
    assert.deepEqual([map('automaton').create, map('automaton').maxEntries], [true, 1]);
  });

  it('string_equal: keys of the slot and the string, all of the same size', () => {
    const args = [
      compiledValue('int'),
      compiledValue('string', { texts: { equal: valueTable<string>(['/etc/shadow', [0], []], ['/ü', [1], [0]]) } }),
    ];
    const map = encodeMaps(
      compiledHook({
        args,
        returnArg: compiledValue('string', { texts: { equal: valueTable<string>(['', [0], []]) } }),
      }),
    )('string_equal');
    assert.equal(map.keySize, 1 + '/etc/shadow'.length);
    assert.equal(map.maxEntries, 3);
    const entries = readEntries(map, map.keySize).map(({ key, match, reject }) => [
      key.getUint8(0),
      readString(key, 1),
      match,
      reject,
    ]);
    assert.deepEqual(entries, [
      [1, '/etc/shadow', 1n, 0n],
      [1, '/ü', 2n, 1n],
      [2, '', 1n, 0n],
    ]);
  });

  it('string_prefix and string_postfix: lengths in bits, including the slot; postfixes are reversed', () => {
    const args = [
      compiledValue('file', {
        texts: { prefix: valueTable<string>(['/etc/', [0], []]), postfix: valueTable<string>(['.key', [1], []]) },
      }),
    ];
    const map = encodeMaps(compiledHook({ args }));
    const readTrie = (name: string): unknown[] =>
      readEntries(map(name), TrieKey.sizeof).map(({ key }) => [
        key.getUint32(TrieKey.prefixBits, true),
        key.getUint8(TrieKey.slot),
        readString(key, TrieKey.string),
      ]);
    assert.deepEqual(readTrie('string_prefix'), [[8 + 40, 0, '/etc/']]);
    assert.deepEqual(readTrie('string_postfix'), [[8 + 32, 0, 'yek.']]);
  });

  it('int_equal: 64-bit numbers with their slot', () => {
    const args = [
      compiledValue('nop'),
      compiledValue('int64', { intTable: valueTable<bigint>([2n ** 64n - 1n, [0], []], [7n, [], [1]]) }),
    ];
    const map = encodeMaps(compiledHook({ args }))('int_equal');
    const entries = readEntries(map, IntKey.sizeof).map(({ key, match, reject }) => [
      key.getBigUint64(IntKey.value, true),
      key.getUint32(IntKey.slot, true),
      match,
      reject,
    ]);
    assert.deepEqual(entries, [
      [2n ** 64n - 1n, 1, 1n, 0n],
      [7n, 1, 0n, 2n],
    ]);
  });

  it('addresses: 32 bits before the address, then the bits of the address', () => {
    const four = { family: 4, bytes: [10, 0, 0, 0], bits: 8 } as const;
    const six = { family: 6, bytes: [0xfe, 0x80, ...Array<number>(14).fill(0)], bits: 64 } as const;
    const args = [
      compiledValue('sock', { net: { source: valueTable([four, [0], []]), destination: valueTable([six, [1], []]) } }),
    ];
    const map = encodeMaps(compiledHook({ args }))('addresses');
    assert.equal(map.maxEntries, 2);
    const fields = [AddressKey.slot, AddressKey.side, AddressKey.family, AddressKey.address, AddressKey.address + 1];
    const entries = readEntries(map, AddressKey.sizeof).map(({ key }) => [
      key.getUint32(AddressKey.prefixBits, true),
      ...fields.map((field) => key.getUint8(field)),
    ]);
    assert.deepEqual(entries, [
      [32 + 8, 0, 0, 2, 10, 0],
      [32 + 64, 0, 1, 10, 0xfe, 0x80],
    ]);
  });

  it('inodes: inodes of existing paths, and free entries; several names of one file share an entry', () => {
    const args = [
      compiledValue('file', {
        texts: { equal: valueTable<string>(['/a', [0], []], ['/b', [1], [2]]), inode: [0, 1, 2] },
      }),
    ];
    const empty = encodeMaps(compiledHook({ args }))('inodes');
    assert.deepEqual([empty.create, empty.maxEntries, empty.entries.length], [true, 4096, 0]);
    const file = { device: 0x800001, inode: 2n ** 40n };
    const inodes = new Map([
      [
        0,
        [
          { value: file, match: [0], reject: [] },
          { value: { ...file }, match: [1], reject: [2] },
          { value: { device: 1, inode: 5n }, match: [0], reject: [] },
        ],
      ],
    ]);
    const map = encodeMaps(compiledHook({ args }), { inodes })('inodes');
    const entries = readEntries(map, InodeKey.sizeof).map(({ key, match, reject }) => [
      key.getBigUint64(InodeKey.inode, true),
      key.getUint32(InodeKey.device, true),
      key.getUint32(InodeKey.slot, true),
      match,
      reject,
    ]);
    assert.deepEqual(entries, [
      [2n ** 40n, 0x800001, 0, 3n, 4n],
      [5n, 1, 0, 1n, 0n],
    ]);
  });

  it('automaton: one automaton for all scans of the hook', () => {
    const scan = { ignoreCase: false, selectors: [0], needles: [{ text: 'ab', selectors: [0] }] };
    const args = [
      compiledValue('string', { texts: { substrings: [scan] } }),
      compiledValue('file', { texts: { substrings: [scan] } }),
    ];
    const map = encodeMaps(compiledHook({ args }))('automaton');
    // One state is never left, and each scan has three states.
    assert.equal(map.maxEntries, 7);
    assert.equal(map.entries.length, 7 * (4 + AutomatonState.sizeof));
  });

  it('pending: only for two programs, and preallocated if the kernel cannot allocate safely', () => {
    const hook = compiledHook({ returnArg: compiledValue('int') });
    const pair = encodeMaps(hook, { pair: true })('pending');
    assert.deepEqual([pair.create, pair.maxEntries, pair.flags], [true, 16384, 1]);
    const old = encodeMaps(hook, { pair: true, onDemand: false })('pending');
    assert.deepEqual([old.create, old.maxEntries, old.flags], [true, 512, 0]);
  });
});
