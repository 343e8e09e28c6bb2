/**
 * Decodes bytes of the kernel to strings without loss, and back. File names are bytes and need not be UTF-8.
 *
 * A byte that is not part of valid UTF-8 becomes a lone surrogate: U+DC00 plus the byte, U+DC80 to U+DCFF. Valid UTF-8
 * never contains a surrogate, so different bytes give different strings. Python calls this `surrogateescape` (PEP 383).
 * In JSON, the surrogate is `\udcXX`.
 */

const REPLACEMENT = '\ufffd';
const ESCAPE = 0xdc00;

/** Decodes `bytes[start .. end)`. */
export function decodeString(bytes: Buffer, start: number, end: number): string {
  const text = bytes.utf8Slice(start, end);
  return text.includes(REPLACEMENT) ? decodeInvalidUtf8(bytes.subarray(start, end)) : text;
}

function decodeInvalidUtf8(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    text += length === 0 ? String.fromCharCode(ESCAPE + (bytes[at] as number)) : bytes.utf8Slice(at, at + length);
    at += Math.max(length, 1);
  }
  return text;
}

/** Number of bytes of the character at `at`; 0 if it is not well-formed (table 3-7 of the Unicode Standard). */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (at + length > bytes.length) return 0;
  for (let i = 1; i < length; i++) if (((bytes[at + i] as number) & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1] as number;
  // not in the shortest form, a surrogate, or beyond U+10FFFF
  if ((first === 0xe0 && second < 0xa0) || (first === 0xed && second > 0x9f)) return 0;
  if ((first === 0xf0 && second < 0x90) || (first === 0xf4 && second > 0x8f)) return 0;
  return length;
}

/** Returns the bytes from which `decodeString` made the string. */
export function encodeString(text: string): Buffer {
  const parts = text.split(/([\udc80-\udcff])/u);
  // every second part is an escaped byte
  return Buffer.concat(
    parts.map((part, i) => (i % 2 === 1 ? Buffer.of(part.charCodeAt(0) - ESCAPE) : Buffer.from(part))),
  );
}

/** With `u`, a surrogate that is part of a pair does not match. */
const RAW_BYTES = /[\udc80-\udcff]/u;

/** True if the string has a byte that is not UTF-8. */
export function hasRawBytes(text: string): boolean {
  return RAW_BYTES.test(text);
}

declare global {
  interface Buffer {
    /** It is not documented, but stable: toString('utf8') calls it after some checks. */
    utf8Slice(start: number, end: number): string;
  }
}
