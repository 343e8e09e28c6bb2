/** Checks against the files of a machine, and the reader of ELF files. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { validatePolicy } from '../../../lib/policy/index.js';
import { hostFiles } from '../../../lib/elf-files/host-files.js';
import { readElf } from '../../../lib/elf/elf.js';
import { buildElf, fileWith } from '../elf/elf-builder.js';
import { item, kprobe, marked, policy } from './marked.js';

describe('policy: against the files of the machine', () => {
  let folder = '';

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-'));
    writeFileSync(
      join(folder, 'program'),
      buildElf({ symbols: ['main', 'readline'], probes: ['app:request', 'app:reply'] }),
    );
    writeFileSync(join(folder, 'stripped'), buildElf({ symbols: [], probes: [] }));
    writeFileSync(join(folder, 'script'), '#!/bin/sh\nexit 0\n');
    symlinkSync('program', join(folder, 'link'));
  });
  after(() => rmSync(folder, { recursive: true }));

  const uprobe = (path: string, symbols: string): string =>
    policy(`uprobes:\n${item(`path: ${path}\nsymbols: [${symbols}]`)}`);
  const usdt = (path: string, provider: string, name: string): string =>
    policy(`usdts:\n${item(`path: ${path}\nprovider: ${provider}\nname: ${name}`)}`);
  const cases: readonly (readonly [string, () => string])[] = [
    ['a symbol that exists', () => uprobe(`${folder}/program`, 'main, readline+0x10')],
    ['a symbol that does not exist', () => uprobe(`${folder}/program`, 'main, ⟦SYMBOL_UNKNOWN⟧readlin')],
    ['a stripped program', () => uprobe(`${folder}/stripped`, '⟦SYMBOL_UNKNOWN⟧main')],
    ['a symbolic link', () => uprobe(`⟦PATH_IS_SYMLINK⟧${folder}/link`, 'main')],
    ['a script', () => uprobe(`⟦PROGRAM_NOT_ELF⟧${folder}/script`, 'main')],
    ['a program that does not exist', () => uprobe(`⟦PROGRAM_NOT_FOUND⟧${folder}/nothing`, 'main')],
    ['a folder', () => uprobe(`⟦PROGRAM_NOT_FOUND⟧${folder}`, 'main')],
    ['a probe that exists', () => usdt(`${folder}/program`, 'app', 'reply')],
    ['a misspelt probe', () => usdt(`${folder}/program`, 'app', '⟦USDT_UNKNOWN⟧replly')],
    ['another probe', () => usdt(`${folder}/program`, 'other', '⟦USDT_UNKNOWN⟧something')],
    ['a probe of a program without any', () => usdt(`${folder}/stripped`, 'app', '⟦USDT_UNKNOWN⟧reply')],
    [
      'a binary by a link',
      () =>
        kprobe(
          `call: f\nselectors:\n- matchBinaries: [{operator: In, values: [⟦PATH_IS_SYMLINK⟧${folder}/link, ${folder}/program]}]`,
        ),
    ],
    [
      'a beginning of a binary',
      () => kprobe(`call: f\nselectors:\n- matchBinaries: [{operator: Prefix, values: [${folder}/link]}]`),
    ],
  ];
  for (const [name, text] of cases) {
    it(name, () => {
      const { yaml, expected } = marked(text());
      const without = new Set(validatePolicy(yaml).map((d) => JSON.stringify(d)));
      const found = validatePolicy(yaml, { files: hostFiles }).filter((d) => !without.has(JSON.stringify(d)));
      assert.deepEqual(
        found.map(({ code, line, column }) => ({ code, line, column })),
        expected,
        JSON.stringify(found),
      );
    });
  }

  it('reads a real program of this machine', function () {
    const elf = hostFiles.readElf(process.execPath);
    if (process.platform !== 'linux') return this.skip();
    assert.ok(elf && elf.symbols.size > 100);
  });
});

describe('policy: ELF files', () => {
  for (const bigEndian of [false, true]) {
    it(`reads symbols and probes, ${bigEndian ? 'big' : 'little'} end first`, () => {
      const elf = readElf(fileWith(buildElf({ symbols: ['one', 'two'], probes: ['p:a'], bigEndian })));
      assert.deepEqual([...(elf?.symbols ?? [])], [['one', 0x1000n], ['two', 0x1001n]]); // prettier-ignore
      assert.deepEqual([...(elf?.probes ?? [])], [['p:a', [{ args: ['-4@%eax'] }]]]);
    });
  }

  it('refuses a file that is not ELF', () => {
    assert.equal(
      readElf(fileWith(Buffer.from('not an ELF file, but long enough to have a header of sixty-four bytes'))),
      null,
    );
    assert.equal(readElf(fileWith(Buffer.alloc(0))), null);
  });

  it('survives damage at every byte', () => {
    const whole = buildElf({ symbols: ['one', 'two'], probes: ['p:a'] });
    for (let at = 0; at < whole.length; at++) {
      for (const value of [0, 0xff, 0x80]) {
        const damaged = Buffer.from(whole);
        damaged[at] = value;
        readElf(fileWith(damaged));
      }
      readElf(fileWith(whole.subarray(0, at)));
    }
  });
});
