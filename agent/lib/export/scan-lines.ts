/** Counts the lines of a file, and finds the end of its last complete line. */
import type { FileHandle } from 'node:fs/promises';

const NEWLINE = 10;
const BLOCK = 256 * 1024;
/** A larger file is read only from this number of bytes before its end. */
const SCANNED_MAX = 1024 * 1024 * 1024;

export interface ScannedLines {
  readonly lines: number;
  /** Bytes up to the end of the last complete line. */
  readonly end: number;
}

export async function scanLines(file: FileHandle, size: number): Promise<ScannedLines> {
  const block = Buffer.allocUnsafe(BLOCK);
  let at = Math.max(0, size - SCANNED_MAX);
  let end = at;
  let lines = 0;
  while (at < size) {
    const { bytesRead } = await file.read(block, 0, Math.min(BLOCK, size - at), at);
    if (bytesRead === 0) break;
    const bytes = block.subarray(0, bytesRead);
    lines += countNewlines(bytes);
    const last = bytes.lastIndexOf(NEWLINE);
    if (last >= 0) end = at + last + 1;
    at += bytesRead;
  }
  return { lines, end };
}

export function countNewlines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}
