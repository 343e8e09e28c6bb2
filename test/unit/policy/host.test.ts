/** Checks of policies against the files of a machine, and the reader of ELF files. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { validatePolicy } from '../../../lib/policy/index.js';
import { hostFiles } from '../../../lib/elf-files/host-files.js';
import { readElf } from '../../../lib/elf/elf.js';
import { buildElf, toFileBytes } from '../elf/elf-builder.js';
import { yamlItem, kprobeYaml, parseMarks, policyYaml } from './marked-policies.js';

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
    symlinkSync('script', join(folder, 'command'));
  });
  after(() => rmSync(folder, { recursive: true }));

  const uprobeYaml = (path: string, symbols: string): string =>
    policyYaml(`uprobes:\n${yamlItem(`path: ${path}\nsymbols: [${symbols}]`)}`);
  const usdtYaml = (path: string, provider: string, name: string): string =>
    policyYaml(`usdts:\n${yamlItem(`path: ${path}\nprovider: ${provider}\nname: ${name}`)}`);
  const cases: readonly (readonly [string, () => string])[] = [
    ['a symbol that exists', () => uprobeYaml(`${folder}/program`, 'main, readline+0x10')],
    ['a symbol that does not exist', () => uprobeYaml(`${folder}/program`, 'main, ⟦SYMBOL_UNKNOWN⟧readlin')],
    ['a stripped program', () => uprobeYaml(`${folder}/stripped`, '⟦SYMBOL_UNKNOWN⟧main')],
    ['a symbolic link', () => uprobeYaml(`⟦PATH_IS_SYMLINK⟧${folder}/link`, 'main')],
    ['a script', () => uprobeYaml(`⟦PROGRAM_NOT_ELF⟧${folder}/script`, 'main')],
    ['a program that does not exist', () => uprobeYaml(`⟦PROGRAM_NOT_FOUND⟧${folder}/nothing`, 'main')],
    ['a folder', () => uprobeYaml(`⟦PROGRAM_NOT_FOUND⟧${folder}`, 'main')],
    ['a probe that exists', () => usdtYaml(`${folder}/program`, 'app', 'reply')],
    ['a misspelt probe', () => usdtYaml(`${folder}/program`, 'app', '⟦USDT_UNKNOWN⟧replly')],
    ['another probe', () => usdtYaml(`${folder}/program`, 'other', '⟦USDT_UNKNOWN⟧something')],
    ['a probe of a program without any', () => usdtYaml(`${folder}/stripped`, 'app', '⟦USDT_UNKNOWN⟧reply')],
    [
      'a binary by a link',
      () =>
        kprobeYaml(
          `call: f\nselectors:\n- matchBinaries: [{operator: In, values: [⟦PATH_IS_SYMLINK⟧${folder}/link, ${folder}/program]}]`,
        ),
    ],
    [
      'a binary that is a script, or a link to one',
      () =>
        kprobeYaml(
          `call: f\nselectors:\n- matchBinaries: [{operator: NotIn, values: [⟦BINARY_IS_SCRIPT⟧${folder}/script, ⟦BINARY_IS_SCRIPT⟧${folder}/command]}]`,
        ),
    ],
    [
      'a beginning of a binary',
      () => kprobeYaml(`call: f\nselectors:\n- matchBinaries: [{operator: Prefix, values: [${folder}/link]}]`),
    ],
  ];
  for (const [name, text] of cases) {
    it(name, () => {
      const { yaml, expected } = parseMarks(text());
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
      const elf = readElf(toFileBytes(buildElf({ symbols: ['one', 'two'], probes: ['p:a'], bigEndian })));
      assert.deepEqual([...(elf?.symbols ?? [])], [['one', 0x1000n], ['two', 0x1001n]]); // prettier-ignore
      assert.deepEqual([...(elf?.probes ?? [])], [['p:a', [{ args: ['-4@%eax'] }]]]);
    });
  }

  it('refuses a file that is not ELF', () => {
    assert.equal(
      readElf(toFileBytes(Buffer.from('not an ELF file, but long enough to have a header of sixty-four bytes'))),
      null,
    );
    assert.equal(readElf(toFileBytes(Buffer.alloc(0))), null);
  });

  it('survives damage at every byte', () => {
    const whole = buildElf({ symbols: ['one', 'two'], probes: ['p:a'] });
    for (let at = 0; at < whole.length; at++) {
      for (const value of [0, 0xff, 0x80]) {
        const damaged = Buffer.from(whole);
        damaged[at] = value;
        readElf(toFileBytes(damaged));
      }
      readElf(toFileBytes(whole.subarray(0, at)));
    }
  });
});
