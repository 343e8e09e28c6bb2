// Writes the sizes, offsets and enums of bpf/abi.h as TypeScript, from the BTF of bpf/layout.c, so that TypeScript and
// the BPF programs share one definition. lib/names/abi.gen.ts has the enums that rooms below `wire` need,
// lib/wire/layout.gen.ts the rest.
//   node scripts/gen-layout.mjs           writes the files that differ
//   node scripts/gen-layout.mjs --check   exits with 1 if one differs
//   node scripts/gen-layout.mjs --hash    prints only the layout hash (CMake puts it into the addon); needs no tools
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const abi = join(root, 'bpf/abi.h');
/** Enums that `policy` and `names` need. These rooms may not import from `wire`. */
const BELOW_WIRE = new Set(['abi_limit', 'sensor_hook', 'syscall_bit', 'value_read']);

/** Returns abi.h without comments and with single spaces, so that only changes of the layout change the hash. */
function normalizeAbi() {
  return readFileSync(abi, 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, ' ')
    .replace(/\/\/.*$/gm, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}

function layoutHash() {
  return createHash('sha256').update(normalizeAbi()).digest('hex').slice(0, 16);
}

/** Finds the newest `clang-NN` in PATH, or else `clang`. cmake/tools.cmake makes the same choice. */
function findClang() {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin'];
  const names = new Map();
  for (const folder of folders.filter((each) => existsSync(each))) {
    for (const name of readdirSync(folder)) {
      const match = /^clang(?:-(\d+))?$/.exec(name);
      if (match && !names.has(match[1] ?? '')) names.set(match[1] ?? '', join(folder, name));
    }
  }
  const newest = [...names.keys()].sort((a, b) => Number(b || 0) - Number(a || 0))[0];
  if (newest === undefined) throw new Error('clang is missing: install the Debian package clang');
  return names.get(newest);
}

function runProgram(program, args, hint) {
  try {
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
    return execFileSync(program, args, {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  } catch (error) {
    if (error.code === 'ENOENT')
      throw new Error(`${program} is missing: install the Debian package ${hint}`, { cause: error });
    throw error;
  }
}

function readBtf() {
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-layout-'));
  try {
    const object = join(folder, 'layout.o');
    const flags = ['-target', 'bpf', '-ffreestanding', '-O2', '-g', '-Wall', '-Wextra', '-Werror'];
    runProgram(findClang(), [...flags, '-c', join(root, 'bpf/layout.c'), '-o', object], 'clang');
    return JSON.parse(runProgram('bpftool', ['btf', 'dump', 'file', object, '-j'], 'bpftool')).types;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const toCamelCase = (name) => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
const toPascalCase = (name) => toCamelCase(name).replace(/^[a-z]/, (letter) => letter.toUpperCase());

/** Follows typedefs and qualifiers to the type itself. */
function resolveType(types, id) {
  let type = types.get(id);
  while (['TYPEDEF', 'CONST', 'VOLATILE', 'RESTRICT'].includes(type.kind)) type = types.get(type.type_id);
  return type;
}

function byteSize(types, type) {
  return type.kind === 'ARRAY' ? type.nr_elems * byteSize(types, resolveType(types, type.type_id)) : type.size;
}

/**
 * Returns the [name, offset] of each member. Members of a nested struct follow the struct, with its name as a prefix.
 */
function memberRows(types, struct, base = 0, prefix = '') {
  return struct.members
    .filter((member) => member.name !== 'pad')
    .flatMap((member) => {
      const name = prefix + (prefix ? toPascalCase(member.name) : toCamelCase(member.name));
      const offset = base + member.bits_offset / 8;
      const type = resolveType(types, member.type_id);
      const rows = [[name, offset]];
      if (type.kind === 'STRUCT') rows.push(...memberRows(types, type, offset, name));
      if (type.kind === 'ARRAY') {
        rows.push(
          [`${name}Stride`, byteSize(types, resolveType(types, type.type_id))],
          [`${name}Length`, type.nr_elems],
        );
      }
      return rows;
    });
}

function constantLines(comment, name, rows) {
  const seen = new Set();
  for (const [key] of rows) {
    if (seen.has(key)) throw new Error(`${name}.${key} stands for two members: rename one in abi.h`);
    seen.add(key);
  }
  return [
    `/** ${comment} */`,
    `export const ${name} = {`,
    ...rows.map(([key, value]) => `  ${key}: ${value},`),
    '} as const;',
    '',
  ];
}

/** Corrects a value of bpftool, which extends the sign of an unsigned number of 32 bits. */
function enumValue(type, { val }) {
  return type.encoding === 'UNSIGNED' && type.size === 4 ? Number(BigInt.asUintN(32, BigInt(val))) : val;
}

/** Returns the text of each generated file. */
function generateFiles() {
  const list = readBtf();
  const types = new Map(list.map((type) => [type.id, type]));
  const below = [
    '// Written by scripts/gen-layout.mjs from bpf/abi.h. Do not edit: change abi.h, then `npm run gen`.',
    '',
  ];
  const lines = [
    ...below.slice(0, 1),
    '// Structs: sizeof, and the offset of each member in bytes; arrays also have the stride and the number of elements (Length).',
    `import * as below from '../names/abi.gen.js';`,
    '',
    '// No `export … from`: it compiles to getters, and reading numbers through getters is slow.',
    `export const { ${[...BELOW_WIRE].map(toPascalCase).join(', ')} } = below;`,
    '',
    '/** Hash of the abi.h that this file was generated from. The addon contains the hash of its own abi.h. */',
    `export const LAYOUT_HASH = '${layoutHash()}';`,
    '',
  ];
  for (const [, kind, name] of normalizeAbi().matchAll(/\b(struct|enum) (\w+) \{/g)) {
    const type = list.find((each) => each.name === name && each.kind.startsWith(kind.toUpperCase()));
    if (!type) throw new Error(`${kind} ${name} of bpf/abi.h is not in bpf/layout.c: add KEEP(${kind}, ${name})`);
    const rows =
      kind === 'enum'
        ? type.values.map((value) => [value.name, enumValue(type, value)])
        : [['sizeof', type.size], ...memberRows(types, type)];
    const target = BELOW_WIRE.has(name) ? below : lines;
    target.push(...constantLines(`${kind} ${name}`, toPascalCase(name), rows));
  }
  const joinLines = (all) => all.join('\n').trimEnd() + '\n';
  return { 'lib/names/abi.gen.ts': joinLines(below), 'lib/wire/layout.gen.ts': joinLines(lines) };
}

function main() {
  if (process.argv.includes('--hash')) {
    process.stdout.write(layoutHash());
    return;
  }
  for (const [file, text] of Object.entries(generateFiles())) {
    const target = join(root, file);
    const current = existsSync(target) ? readFileSync(target, 'utf8') : '';
    if (text === current) continue;
    if (process.argv.includes('--check')) {
      console.error(`${file} does not match bpf/abi.h: run \`npm run gen\` and commit the result`);
      process.exitCode = 1;
    } else {
      writeFileSync(target, text);
      console.log(`wrote ${file}`);
    }
  }
}

try {
  main();
} catch (error) {
  console.error(`gen-layout: ${error.message}`);
  process.exitCode = 1;
}
