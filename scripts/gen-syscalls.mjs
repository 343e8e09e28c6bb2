// Writes lib/names/syscalls.gen.ts from the kernel's headers (Debian: linux-libc-dev). It takes only names and numbers.
//   node scripts/gen-syscalls.mjs
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const target = join(dirname(dirname(fileURLToPath(import.meta.url))), 'lib/names/syscalls.gen.ts');

/** arm64 uses the generic numbers with these options; see arch/arm64/include/uapi/asm/unistd.h. */
const ARM64 = ['RENAMEAT', 'NEW_STAT', 'SET_GET_RLIMIT', 'TIME32_SYSCALLS', 'SYS_CLONE3', 'MEMFD_SECRET'];

const HEADERS = {
  x64: ['/usr/include/x86_64-linux-gnu/asm/unistd_64.h'],
  // Numbers of 32-bit programs on x64.
  i386: ['/usr/include/x86_64-linux-gnu/asm/unistd_32.h'],
  arm64: ['/usr/include/asm-generic/unistd.h', ...ARM64.map((name) => `-D__ARCH_WANT_${name}`)],
};

/** Reads the names and numbers of system calls, sorted by number. */
function readNumbers([header, ...defines]) {
  if (!existsSync(header)) throw new Error(`${header} is missing: install the Debian package linux-libc-dev`);
  const bits = ['-D__BITS_PER_LONG=64', '-D__SYSCALL(a,b)='];
  const text = execFileSync(
    'cc',
    ['-E', '-dM', '-nostdinc', '-I/usr/include', '-I/usr/include/x86_64-linux-gnu', ...bits, ...defines, header],
    { encoding: 'utf8' },
  );
  const defined = new Map([...text.matchAll(/^#define (__NR\w*) (\w+)$/gm)].map(([, name, value]) => [name, value]));
  const resolveNumber = (value) => (defined.has(value) ? resolveNumber(defined.get(value)) : Number(value));
  return [...defined.keys()]
    .filter((name) => name.startsWith('__NR_') && !['__NR_syscalls', '__NR_arch_specific_syscall'].includes(name))
    .map((name) => [name.slice('__NR_'.length), resolveNumber(name)])
    .filter(([, value]) => Number.isInteger(value))
    .sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1));
}

/** Joins entries into lines of at most 120 characters. */
function wrapEntries(entries) {
  const lines = [''];
  for (const entry of entries) {
    const last = lines.length - 1;
    if (lines[last].length + entry.length + 1 > 118) lines.push(`  ${entry}`);
    else lines[last] = lines[last] === '' ? `  ${entry}` : `${lines[last]} ${entry}`;
  }
  return lines.join('\n');
}

const tables = Object.entries(HEADERS).map(
  ([architecture, header]) =>
    `  ${architecture}: \`\n${wrapEntries(readNumbers(header).map(([name, resolveNumber]) => `${name}=${resolveNumber}`))}\`,`,
);
writeFileSync(
  target,
  `/** Numbers of system calls. Written by scripts/gen-syscalls.mjs: do not edit. */\n\nexport const SYSCALL_NUMBERS = {\n${tables.join('\n')}\n} as const;\n`,
);
