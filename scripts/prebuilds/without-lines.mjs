// node without-lines.mjs OBJECT: overwrites the source lines in a BPF object with zeros, which make no package larger. They are
// a third of the object, and only the verifier's messages use them.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Offsets in the ELF header and in a section header, and in the header of .BTF.ext (btf_ext_header of libbpf). */
const ELF = { sections: 0x28, count: 0x3c, names: 0x3e };
const SECTION = { bytes: 64, name: 0, offset: 24, size: 32 };
const EXT = { magic: 0, headerLength: 4, lines: 16, linesLength: 20 };
const MAGIC = 0xeb9f;

/** Where the section begins in the file. */
function sectionOf(object, wanted) {
  const table = Number(object.readBigUInt64LE(ELF.sections));
  const at = (index) => table + index * SECTION.bytes;
  const offsetOf = (header) => Number(object.readBigUInt64LE(header + SECTION.offset));
  const names = offsetOf(at(object.readUInt16LE(ELF.names)));
  for (let i = 0; i < object.readUInt16LE(ELF.count); i++) {
    const name = names + object.readUInt32LE(at(i) + SECTION.name);
    if (object.toString('latin1', name, object.indexOf(0, name)) === wanted) return offsetOf(at(i));
  }
  throw new Error(`the object has no section ${wanted}`);
}

/** Returns the object without the source lines of its instructions. */
export function withoutLines(object) {
  const copy = Buffer.from(object);
  const header = sectionOf(copy, '.BTF.ext');
  if (copy.readUInt16LE(header + EXT.magic) !== MAGIC) throw new Error('.BTF.ext has another magic number');
  const start = header + copy.readUInt32LE(header + EXT.headerLength) + copy.readUInt32LE(header + EXT.lines);
  copy.fill(0, start, start + copy.readUInt32LE(header + EXT.linesLength));
  copy.writeUInt32LE(0, header + EXT.linesLength);
  return copy;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , file] = process.argv;
  writeFileSync(file, withoutLines(readFileSync(file)));
}
