/** The table of functions of Go programs: its three forms, and tables that are damaged. */
import assert from 'node:assert/strict';
import { runToCompletion } from '../../../lib/cooperative.js';
import { BIG, LITTLE, type View } from '../../../lib/elf/elf-bytes.js';
import { readGoFunctions } from '../../../lib/elf/go-functions.js';

const NAMES = ['main.main', 'main.(*T).Close', 'runtime.goexit'];
const START = 0x401000;
const HEADER = 80;
const FUNCTION_BYTES = 16;

interface Form {
  readonly magic: number;
  readonly width: 4 | 8;
  readonly start?: number;
  readonly count?: number;
  readonly isBig?: boolean;
}

/** Functions at START, START + 32 and START + 64. */
function buildTable({ magic, width, start = START, count = NAMES.length, isBig = false }: Form): Buffer {
  const names = Buffer.from(`\0${NAMES.join('\0')}\0`);
  const functionsAt = HEADER + names.length + (-names.length & 7);
  const entries = Buffer.alloc(2 * width * (NAMES.length + 1));
  const bodies = Buffer.alloc(FUNCTION_BYTES * NAMES.length);
  const header = Buffer.alloc(HEADER);
  const put = (buffer: Buffer, at: number, value: number, bytes: number): void => {
    const write = { 4: isBig ? 'writeUInt32BE' : 'writeUInt32LE', 8: isBig ? 'writeBigUInt64BE' : 'writeBigUInt64LE' } as const; // prettier-ignore
    if (bytes === 4) buffer[write[4]](value, at);
    else buffer[write[8]](BigInt(value), at);
  };
  put(header, 0, magic, 4);
  header[6] = 1;
  header[7] = 8;
  const words =
    width === 4 ? [count, 1, start, HEADER, 0, 0, 0, functionsAt] : [count, 1, HEADER, 0, 0, 0, functionsAt];
  words.forEach((word, i) => put(header, 8 + 8 * i, word, 8));
  NAMES.forEach((name, i) => {
    const entry = 32 * i + (width === 4 ? 0 : START);
    put(entries, 2 * width * i, entry, width);
    put(entries, 2 * width * i + width, entries.length + FUNCTION_BYTES * i, width);
    put(bodies, FUNCTION_BYTES * i, entry, width);
    put(bodies, FUNCTION_BYTES * i + width, names.indexOf(name), 4);
  });
  return Buffer.concat([header, names, Buffer.alloc(-names.length & 7), entries, bodies]);
}

const read = (table: Buffer, view: View = LITTLE): [string, bigint][] => [
  ...runToCompletion(readGoFunctions(table, view)),
];

const EXPECTED = NAMES.map((name, i) => [name, BigInt(START + 32 * i)]);

describe('functions of Go programs', () => {
  for (const [title, form, view] of [
    ['Go 1.20 and later', { magic: 0xfffffff1, width: 4 }, LITTLE],
    ['Go 1.18', { magic: 0xfffffff0, width: 4 }, LITTLE],
    ['Go 1.16', { magic: 0xfffffffa, width: 8 }, LITTLE],
    ['the other byte order', { magic: 0xfffffff1, width: 4, isBig: true }, BIG],
  ] as const satisfies readonly (readonly [string, Form, View])[]) {
    it(title, () => assert.deepEqual(read(buildTable(form), view), EXPECTED));
  }

  it('other tables have none: an older form, another address size, an address that the loader chooses', () => {
    assert.deepEqual(read(buildTable({ magic: 0xfffffffb, width: 8 })), []);
    const narrow = buildTable({ magic: 0xfffffff1, width: 4 });
    narrow[7] = 4;
    assert.deepEqual(read(narrow), []);
    assert.deepEqual(read(buildTable({ magic: 0xfffffff1, width: 4, start: 0 })), []);
  });

  it('a table that claims more than it has is damaged', () => {
    assert.throws(() => read(buildTable({ magic: 0xfffffff1, width: 4, count: 2 ** 52 })), RangeError);
    const good = buildTable({ magic: 0xfffffff1, width: 4 });
    assert.throws(() => read(good.subarray(0, good.length - 12)), RangeError);
    assert.throws(() => read(good.subarray(0, 16)), RangeError);
  });

  it('a table whose names never end takes limited time', () => {
    const table = Buffer.concat([
      buildTable({ magic: 0xfffffff1, width: 4, count: 2 ** 40 }),
      Buffer.alloc(2 ** 20, 'a'),
    ]);
    assert.throws(() => read(table), RangeError);
  });

  it('whatever its bytes are, it gives functions or RangeError', () => {
    const good = buildTable({ magic: 0xfffffff1, width: 4 });
    for (let at = 8; at < good.length; at++) {
      for (const byte of [0, 1, 0x7f, 0xff]) {
        const table = Buffer.from(good);
        table[at] = byte;
        try {
          read(table);
        } catch (error) {
          assert.ok(error instanceof RangeError, `${at} ${byte}: ${String(error)}`);
        }
      }
    }
  });
});
