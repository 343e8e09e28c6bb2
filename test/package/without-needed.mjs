// node without-needed.mjs ADDON: takes the names of needed libraries out of an addon. Bun for musl refuses each addon that has a
// name of glibc's. musl's loader takes these names as its own, and has no use for them. The rest of the file stays as it is.
import { readFileSync, writeFileSync } from 'node:fs';

const PT_DYNAMIC = 2;
const DT_NEEDED = 1n;
/** A number that no loader knows. */
const DT_UNKNOWN = 0x6000_0fffn;

const [, , file] = process.argv;
const addon = readFileSync(file);
const programs = Number(addon.readBigUInt64LE(0x20));
for (let i = 0; i < addon.readUInt16LE(0x38); i++) {
  const program = programs + i * 56;
  if (addon.readUInt32LE(program) !== PT_DYNAMIC) continue;
  const start = Number(addon.readBigUInt64LE(program + 8));
  for (let at = start; addon.readBigUInt64LE(at) !== 0n; at += 16) {
    if (addon.readBigUInt64LE(at) === DT_NEEDED) addon.writeBigUInt64LE(DT_UNKNOWN, at);
  }
}
writeFileSync(file, addon);
