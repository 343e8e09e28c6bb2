/** The check of prebuilt addons refuses files that some systems could not load. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ARCH = process.arch === 'arm64' ? 'arm64' : 'x64';
const OTHER = ARCH === 'x64' ? 'arm64' : 'x64';
const GOOD = `
  #include <stdio.h>
  #include <string.h>
  __attribute__((visibility("default"))) void *napi_register_module_v1(void) { return (void *)puts; }
  void copy(const char *text, char *other) { char room[16]; strcpy(room, text); puts(strcpy(other, room)); }`;
/** As cmake/hardening.cmake has them. */
const HARDENED = [
  '-O2',
  '-U_FORTIFY_SOURCE',
  '-D_FORTIFY_SOURCE=2',
  '-fstack-protector-strong',
  ARCH === 'x64' ? '-fcf-protection' : '-mbranch-protection=standard',
  '-Wl,-z,relro,-z,now,-z,noexecstack',
];

describe('check of prebuilt addons', () => {
  let folder: string;
  let check: (file: string, arch: 'x64' | 'arm64', inMusl?: (name: string) => boolean) => string[];

  before(async function () {
    if (process.platform !== 'linux' || spawnSync('cc', ['--version']).status !== 0) this.skip();
    ({ checkAddon: check } = await import('../../../scripts/prebuilds/check.mjs'));
    folder = mkdtempSync(join(tmpdir(), 'polytrace-check-'));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function compile(source: string, ...options: string[]): string {
    const file = join(folder, 'addon.node');
    const base = [
      '-shared',
      '-fPIC',
      ...HARDENED,
      '-fvisibility=hidden',
      '-D_GNU_SOURCE',
      '-w',
      '-x',
      'c',
      '-',
      '-o',
      file,
    ];
    const { status, stderr } = spawnSync('cc', [...base, ...options], { input: source, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return file;
  }

  it('accepts a file that needs only an old glibc', () => {
    assert.deepEqual(
      check(compile(GOOD, '-s'), ARCH, () => true),
      [],
    );
  });

  it('refuses another architecture', () => {
    assert.match(check(compile(GOOD, '-s'), OTHER, () => true).join('\n'), /^it is for .+, not for (x64|arm64)$/);
  });

  it('refuses a library that is not part of libc', () => {
    const file = compile(GOOD, '-s', '-Wl,--no-as-needed', '-lgcc_s');
    assert.deepEqual(
      check(file, ARCH, () => true),
      ['it needs libgcc_s.so.1'],
    );
  });

  it('refuses a symbol of a newer glibc', () => {
    const file = compile(`${GOOD}\n#include <string.h>\nconst char *(*newer)(int) = strerrorname_np;`, '-s');
    assert.deepEqual(
      check(file, ARCH, () => true),
      ['strerrorname_np needs GLIBC_2.32'],
    );
  });

  it('refuses a symbol that musl does not have', () => {
    assert.deepEqual(
      check(compile(GOOD, '-s'), ARCH, (name) => name !== 'puts' && name !== '__cxa_finalize'),
      ['musl has no puts'],
    );
  });

  it('refuses memory that Electron does not accept', () => {
    const file = compile(
      `${GOOD}\nextern int napi_create_external_buffer(void);\nint (*made)(void) = napi_create_external_buffer;`,
      '-s',
    );
    assert.deepEqual(
      check(file, ARCH, () => true),
      ['it calls napi_create_external_buffer, which fails in Electron'],
    );
  });

  it('refuses symbols that are not hidden, and a file that is not stripped', () => {
    const file = compile(`${GOOD}\n__attribute__((visibility("default"))) int leaked;`);
    assert.deepEqual(
      check(file, ARCH, () => true),
      ['it exports leaked', 'it is not stripped'],
    );
  });

  const SOFT: readonly (readonly [option: readonly string[], lacks: readonly string[]])[] = [
    [['-Wl,-z,norelro'], ['full RELRO']],
    [['-Wl,-z,lazy'], ['full RELRO']],
    [['-Wl,-z,execstack'], ['a stack without execution']],
    [['-fno-stack-protector'], ['the stack protector']],
    [['-U_FORTIFY_SOURCE'], ['checked sizes (_FORTIFY_SOURCE)']],
    [[ARCH === 'x64' ? '-fcf-protection=none' : '-mbranch-protection=none'], ['protected branches']],
  ];
  for (const [options, lacks] of SOFT) {
    it(`refuses a file that was made with ${options.join(' ')}`, () => {
      assert.deepEqual(
        check(compile(GOOD, '-s', ...options), ARCH, () => true),
        lacks.map((each) => `it lacks ${each}`),
      );
    });
  }

  it('refuses code with relocations', async () => {
    const { missingProtections } = await import('../../../scripts/prebuilds/hardening.mjs');
    const file = compile(GOOD, '-s');
    const text = spawnSync('readelf', ['-W', '-d', '-l', '-S', '--dyn-syms', file], { encoding: 'utf8' }).stdout;
    assert.deepEqual(missingProtections(file, ARCH, text), []);
    assert.deepEqual(missingProtections(file, ARCH, `${text} 0x16 (TEXTREL) 0x0`), ['code without relocations']);
  });

  it('refuses a file that is not an addon', () => {
    writeFileSync(join(folder, 'text.node'), 'no ELF file, but a text of some length\n'.repeat(4));
    assert.match(check(join(folder, 'text.node'), ARCH).join('\n'), /^it cannot be read: .*Not an ELF file/s);
    assert.deepEqual(
      check(compile('int nothing;', '-s', '-nostdlib'), ARCH, () => true),
      ['it is not an addon'],
    );
  });
});

describe('BPF objects of prebuilt addons', () => {
  it('have no source lines, and are otherwise unchanged', async function () {
    const clang = ['clang-19', 'clang'].find((each) => spawnSync(each, ['--version']).status === 0);
    if (clang === undefined) this.skip();
    const { stripLineInfo } = await import('../../../scripts/prebuilds/strip-line-info.mjs');
    const source = `struct kept { int member; } __attribute__((preserve_access_index));
      int global;
      int program(struct kept *kept) {
        global += kept->member;
        return global;
      }`;
    const folder = mkdtempSync(join(tmpdir(), 'polytrace-lines-'));
    const [input, file] = [join(folder, 'source.c'), join(folder, 'object.o')];
    writeFileSync(input, source);
    const { status, stderr } = spawnSync(clang, ['-target', 'bpf', '-O2', '-g', '-c', input, '-o', file], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    const before = readFileSync(file);
    rmSync(folder, { recursive: true });
    const after = stripLineInfo(before);
    assert.equal(after.length, before.length);
    const changed = [...before.keys()].filter((i) => before[i] !== after[i]);
    // The header of .BTF.ext has magic, version, flags and length, then five pairs of offset and length.
    const header = after.indexOf(Buffer.from([0x9f, 0xeb, 1, 0, 32, 0, 0, 0]));
    const lines = header + 32 + before.readUInt32LE(header + 16);
    const length = before.readUInt32LE(header + 20);
    assert.ok(length > 2 * 16, 'a record for each statement');
    assert.equal(after.readUInt32LE(header + 20), 0);
    assert.ok(after.subarray(lines, lines + length).every((byte) => byte === 0));
    const statement = 'global += kept->member;';
    const text = before.indexOf(statement);
    assert.ok(text > 0 && !after.includes(statement) && !after.includes('return global;'));
    // .BTF has magic, version, flags and length, then the offsets and lengths of types and of strings.
    const btf = after.indexOf(Buffer.from([0x9f, 0xeb, 1, 0, 24, 0, 0, 0]));
    const strings = btf + 24 + before.readUInt32LE(btf + 16);
    const kept = ['int', 'global', 'program', 'kept', 'member', '0:0'].map((name) => Buffer.from(`\0${name}\0`));
    assert.ok(kept.every((name) => after.indexOf(name, strings) > 0));
    const isBetween = (i: number, from: number, bytes: number): boolean => i >= from && i < from + bytes;
    assert.ok(
      changed.every(
        (i) =>
          isBetween(i, header + 20, 4) ||
          isBetween(i, lines, length) ||
          isBetween(i, strings, before.readUInt32LE(btf + 20)),
      ),
    );
    assert.throws(() => stripLineInfo(Buffer.alloc(64)), /has no section/);
  });
});
