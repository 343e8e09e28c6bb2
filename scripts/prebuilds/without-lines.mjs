// node without-lines.mjs OBJECT: overwrites the source lines in a BPF object with zeros, which make no package larger: their
// records in .BTF.ext, and their texts in .BTF. They are half of the object, and only the verifier's messages use them.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Offsets in the ELF header and in a section header, and in the header of .BTF.ext (btf_ext_header of libbpf). */
const ELF = { sections: 0x28, count: 0x3c, names: 0x3e };
const SECTION = { bytes: 64, name: 0, offset: 24, size: 32 };
/** In the headers of .BTF and .BTF.ext. What follows a header is found by its offset from there. */
const HEADER = { magic: 0, length: 4 };
const BTF = { strings: 16 };
const EXT = { lines: 16, linesLength: 20 };
/** In the lines of .BTF.ext: the size of a record, then for each section a head and its records. */
const LINES = { head: 4, section: 8, count: 4, file: 4, text: 8 };
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

/** Places, in the strings of .BTF, of the texts and files of the lines. */
function placesOf(lines) {
  const places = new Set();
  const record = lines.readUInt32LE(0);
  for (let at = LINES.head; at < lines.length; ) {
    const count = lines.readUInt32LE(at + LINES.count);
    at += LINES.section;
    for (let i = 0; i < count; i++, at += record) {
      places.add(lines.readUInt32LE(at + LINES.file)).add(lines.readUInt32LE(at + LINES.text));
    }
  }
  return places;
}

/** The name of a type, member or section, or a path through types, has none of these: such a text is not shared with one. */
const ONLY_A_LINE = /^\/|[\s(){};=]/;

/** Returns the object without the source lines of its instructions. */
export function withoutLines(object) {
  const copy = Buffer.from(object);
  const header = sectionOf(copy, '.BTF.ext');
  const btf = sectionOf(copy, '.BTF');
  for (const at of [header, btf]) {
    if (copy.readUInt16LE(at + HEADER.magic) !== MAGIC) throw new Error('.BTF or .BTF.ext has another magic number');
  }
  const behind = (at, offset) => at + copy.readUInt32LE(at + HEADER.length) + copy.readUInt32LE(at + offset);
  const start = behind(header, EXT.lines);
  const lines = copy.subarray(start, start + copy.readUInt32LE(header + EXT.linesLength));
  const strings = behind(btf, BTF.strings);
  for (const place of placesOf(lines)) {
    const from = strings + place;
    const to = copy.indexOf(0, from);
    if (ONLY_A_LINE.test(copy.toString('latin1', from, to))) copy.fill(0, from, to);
  }
  lines.fill(0);
  copy.writeUInt32LE(0, header + EXT.linesLength);
  return copy;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , file] = process.argv;
  writeFileSync(file, withoutLines(readFileSync(file)));
}
