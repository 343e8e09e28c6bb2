import assert from 'node:assert/strict';
import type { ArgImage, ArgType } from '../../../lib/policy/image.js';
import { decodeArgument, formatMode } from '../../../lib/wire/arguments.js';
import { ArgValue, EventHook, TextFlag } from '../../../lib/wire/layout.gen.js';
import { Slab } from '../../../lib/wire/slab.js';

const image = (type: ArgType, label?: string): ArgImage => ({
  index: 2,
  type,
  ...(label === undefined ? {} : { label }),
  ints: [],
  texts: {},
  position: { line: 1, column: 1 },
});

interface Value {
  readonly value?: bigint;
  readonly text?: string;
  readonly flags?: number;
  readonly mode?: number;
  readonly magic?: number;
  readonly fd?: number;
  readonly offset?: number;
  readonly length?: number;
}

/** One record in the middle of a slab, with something else before and behind. */
function decode(type: ArgType, v: Value, label?: string): unknown {
  const start = 16;
  const textAt = EventHook.sizeof + ArgValue.sizeof;
  const text = Buffer.from(v.text ?? '');
  const size = textAt + text.length;
  const bytes = Buffer.alloc(start + size + 64, '!');
  bytes.fill(0, start, start + size);
  const at = start + EventHook.sizeof;
  bytes.writeBigUInt64LE(BigInt.asUintN(64, v.value ?? 0n), at + ArgValue.value);
  bytes.writeUInt32LE(v.offset ?? textAt, at + ArgValue.textOffset);
  bytes.writeUInt16LE(v.length ?? text.length, at + ArgValue.textLength);
  bytes.writeUInt16LE(v.flags ?? 0, at + ArgValue.textFlags);
  bytes.writeUInt32LE(v.mode ?? 0, at + ArgValue.mode);
  bytes.writeUInt32LE(v.magic ?? 0, at + ArgValue.magic);
  bytes.writeInt32LE(v.fd ?? 0, at + ArgValue.fd);
  text.copy(bytes, start + textAt);
  return decodeArgument(new Slab(bytes), start, size, 0, image(type, label));
}

describe('decoding of arguments', () => {
  const integers: readonly (readonly [ArgType, bigint, unknown])[] = [
    ['int', -1n, -1],
    ['int', 0x1_0000_0005n, 5],
    ['uint32', 0xffff_ffffn, 4294967295],
    ['size_t', 2n ** 64n - 1n, 2n ** 64n - 1n],
  ];
  for (const [type, value, expected] of integers) {
    it(`${type} ${value}`, () => assert.deepEqual(decode(type, { value }), { type, index: 2, value: expected }));
  }

  it('text, with its label, whole or truncated', () => {
    for (const type of ['string', 'filename'] as const) {
      assert.deepEqual(decode(type, { text: 'grüße' }, 'name'), {
        type,
        index: 2,
        label: 'name',
        value: 'grüße',
        truncated: false,
      });
      assert.deepEqual(decode(type, { text: 'x', flags: TextFlag.TEXT_TRUNCATED }), {
        type,
        index: 2,
        value: 'x',
        truncated: true,
      });
    }
  });

  it('files', () => {
    const common = { index: 2, path: '/etc/shadow', flags: [], permission: '-rw-r-----', inode: 7n };
    const value = { text: '/etc/shadow', mode: 0o100640, value: 7n };
    assert.deepEqual(decode('file', value), { type: 'file', ...common });
    assert.deepEqual(decode('path', value), { type: 'path', ...common });
    assert.deepEqual(decode('fd', { ...value, fd: -100 }), { type: 'fd', ...common, fd: -100 });
    const all = TextFlag.TEXT_DELETED | TextFlag.TEXT_UNREACHABLE | TextFlag.TEXT_TRUNCATED | TextFlag.TEXT_FAULT;
    assert.deepEqual((decode('file', { ...value, flags: all }) as { flags: unknown }).flags, [
      'truncated',
      'deleted',
      'unreachable',
      'fault',
    ]);
  });

  const pseudo: readonly (readonly [number, string, string])[] = [
    [0x50495045, '', 'pipe:[9]'],
    [0x534f434b, '', 'socket:[9]'],
    [0x09041934, '[eventpoll]', 'anon_inode:[eventpoll]'],
    [0x6e736673, '', 'ns:[9]'],
    [0x01021994, 'memfd:x', '/memfd:x'],
  ];
  for (const [magic, text, path] of pseudo) {
    it(path, () => {
      const got = decode('file', { magic, text, value: 9n, flags: TextFlag.TEXT_PSEUDO });
      assert.equal((got as { path: string }).path, path);
    });
  }

  it('a text beyond its record is empty, not what stands there', () => {
    for (const bad of [{ offset: 0xffff_fff0, length: 0xffff }, { offset: 0, length: 0xffff }, { length: 4 }]) {
      assert.equal((decode('string', { text: 'abc', ...bad }) as { value: string }).value, '');
      assert.equal((decode('file', { text: 'abc', ...bad }) as { path: string }).path, '');
    }
  });

  it('modes as ls shows them', () => {
    const cases: readonly (readonly [number, string])[] = [
      [0, ''],
      [0o100755, '-rwxr-xr-x'],
      [0o104755, '-rwsr-xr-x'],
      [0o102644, '-rw-r-Sr--'],
      [0o041777, 'drwxrwxrwt'],
      [0o041776, 'drwxrwxrwT'],
      [0o020620, 'crw--w----'],
      [0o140777, 'srwxrwxrwx'],
      [0o010000, 'p---------'],
    ];
    for (const [mode, text] of cases) assert.equal(formatMode(mode), text);
  });
});
