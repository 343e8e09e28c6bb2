/** Finds functions of ELF files by file offset, in correct and in damaged files. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { runToCompletion } from '../../../lib/cooperative.js';
import { readFunctions } from '../../../lib/elf/elf-functions.js';
import { buildElf, toFileBytes } from './elf-builder.js';

const FILE = buildElf({
  symbols: ['main', '__helper', 'helper', 'last'],
  addresses: [0x1000, 0x1040, 0x1040, 0x1080],
  sizes: [0x30, 0x20, 0x20, 0],
  probes: [],
  buildId: 'ab12',
  segments: [[0x1000, 0x400, 0x200]],
});

describe('functions of an ELF file', () => {
  const functions = runToCompletion(readFunctions(toFileBytes(FILE)));

  for (const [what, offset, expected] of [
    ['the first byte', 0x400n, { symbol: 'main', offset: 0n }],
    ['the last byte', 0x42fn, { symbol: 'main', offset: 0x2fn }],
    ['between two functions', 0x430n, undefined],
    ['the plain one of two names', 0x441n, { symbol: 'helper', offset: 1n }],
    ['one without a size extends to the next', 0x4f0n, { symbol: 'last', offset: 0x70n }],
    ['an address that is not mapped', 0x3ffn, undefined],
    ['an address beyond the mapped segment', 0x600n, undefined],
  ] as const) {
    it(what, () => {
      assert.deepEqual(functions?.find(offset), expected);
    });
  }

  it('have a build id', () => {
    assert.equal(functions?.buildId, 'ab12');
  });

  it('are not found in a file that is not ELF, or is truncated', () => {
    assert.equal(runToCompletion(readFunctions(toFileBytes(Buffer.from('#!/bin/sh\n')))), null);
    assert.equal(runToCompletion(readFunctions(toFileBytes(FILE.subarray(0, 100)))), null);
  });

  it('with any changed bytes, the reader throws nothing and limits the length of names', function () {
    this.timeout(20_000);
    const changes = fc.array(fc.tuple(fc.nat(FILE.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(changes, fc.bigInt(0n, 0x2000n), (changed, offset) => {
        const file = Buffer.from(FILE);
        for (const [at, byte] of changed) file[at] = byte;
        const found = runToCompletion(readFunctions(toFileBytes(file)))?.find(offset);
        assert.ok((found?.symbol.length ?? 0) <= 1024);
      }),
      { numRuns: 500 },
    );
  });
});
