// node strip-line-info.mjs OBJECT: overwrites the line info of a BPF object with zeros, which compress well: its
// records in .BTF.ext, and its strings in .BTF. Line info is half of the object, and only messages of the verifier use
// it.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Offsets in the ELF header and in a section header. */
const ELF = { sections: 0x28, count: 0x3c, names: 0x3e };
const SECTION = { bytes: 64, name: 0, offset: 24, size: 32 };
/**
 * Offsets in the headers of .BTF and .BTF.ext (btf_ext_header of libbpf). Offsets of data are relative to the end of a
 * header.
 */
const HEADER = { magic: 0, length: 4 };
const BTF = { strings: 16 };
const EXT = { lines: 16, linesLength: 20 };
/** Layout of the line info in .BTF.ext: the size of a record, then for each section a header and its records. */
const LINES = { head: 4, section: 8, count: 4, file: 4, text: 8 };
const MAGIC = 0xeb9f;

/** Finds a section, and returns its offset in the file. */
function findSection(object, wanted) {
  const table = Number(object.readBigUInt64LE(ELF.sections));
  const sectionHeader = (index) => table + index * SECTION.bytes;
  const sectionOffset = (header) => Number(object.readBigUInt64LE(header + SECTION.offset));
  const names = sectionOffset(sectionHeader(object.readUInt16LE(ELF.names)));
  for (let i = 0; i < object.readUInt16LE(ELF.count); i++) {
    const name = names + object.readUInt32LE(sectionHeader(i) + SECTION.name);
    if (object.toString('latin1', name, object.indexOf(0, name)) === wanted) return sectionOffset(sectionHeader(i));
  }
  throw new Error(`the object has no section ${wanted}`);
}

/** Returns the offsets, in the strings of .BTF, of the source lines and file names. */
function stringOffsets(lines) {
  const offsets = new Set();
  const record = lines.readUInt32LE(0);
  for (let at = LINES.head; at < lines.length; ) {
    const count = lines.readUInt32LE(at + LINES.count);
    at += LINES.section;
    for (let i = 0; i < count; i++, at += record) {
      offsets.add(lines.readUInt32LE(at + LINES.file)).add(lines.readUInt32LE(at + LINES.text));
    }
  }
  return offsets;
}

/** Characters that no name of a type, member or section contains. A string with them is used by line info only. */
const LINE_STRING = /^\/|[\s(){};=]/;

/** Returns the object without the line info of its instructions. */
export function stripLineInfo(object) {
  const copy = Buffer.from(object);
  const header = findSection(copy, '.BTF.ext');
  const btf = findSection(copy, '.BTF');
  for (const at of [header, btf]) {
    if (copy.readUInt16LE(at + HEADER.magic) !== MAGIC) throw new Error('.BTF or .BTF.ext has another magic number');
  }
  const dataOffset = (at, offset) => at + copy.readUInt32LE(at + HEADER.length) + copy.readUInt32LE(at + offset);
  const start = dataOffset(header, EXT.lines);
  const lines = copy.subarray(start, start + copy.readUInt32LE(header + EXT.linesLength));
  const strings = dataOffset(btf, BTF.strings);
  for (const offset of stringOffsets(lines)) {
    const from = strings + offset;
    const to = copy.indexOf(0, from);
    if (LINE_STRING.test(copy.toString('latin1', from, to))) copy.fill(0, from, to);
  }
  lines.fill(0);
  copy.writeUInt32LE(0, header + EXT.linesLength);
  return copy;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , file] = process.argv;
  writeFileSync(file, stripLineInfo(readFileSync(file)));
}
