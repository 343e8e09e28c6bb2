/** Reads strings and numbers of an ELF file. */

/** Reads a string that ends with a NUL. */
export function readString(buffer: Buffer, from: number): string {
  const end = buffer.indexOf(0, from);
  return buffer.toString('utf8', from, end < 0 ? buffer.length : end);
}

/** Reads a string that ends with a NUL or after `max` bytes. */
export function readBoundedString(buffer: Buffer, from: number, max: number): string {
  return readString(buffer.subarray(from, from + max), 0);
}

/** Reads numbers in one byte order. */
export interface View {
  u16(buffer: Buffer, at: number): number;
  u32(buffer: Buffer, at: number): number;
  u64(buffer: Buffer, at: number): number;
}

export const LITTLE: View = {
  u16: (buffer, at) => buffer.readUInt16LE(at),
  u32: (buffer, at) => buffer.readUInt32LE(at),
  u64: (buffer, at) => Number(buffer.readBigUInt64LE(at)),
};
export const BIG: View = {
  u16: (buffer, at) => buffer.readUInt16BE(at),
  u32: (buffer, at) => buffer.readUInt32BE(at),
  u64: (buffer, at) => Number(buffer.readBigUInt64BE(at)),
};
