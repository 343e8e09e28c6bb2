/** Finds the last line of a chain in the files of an earlier agent. */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { hashLine, parseLink, type ChainPosition } from 'polytrace/protocol';
import type { FoundChain } from './chain-sink.js';

const NEWLINE = 10;

/** `signed` is the newest checkpoint. `files` are the newest files, which may be missing. */
export async function findChain(signed: ChainPosition, files: readonly string[]): Promise<FoundChain> {
  let last: ChainPosition | undefined;
  for (const file of files) {
    const found = await readLastPosition(file);
    if (found !== undefined && found.sequence > (last?.sequence ?? 0)) last = found;
  }
  // an agent that was killed has not signed its last lines
  if (last !== undefined && last.sequence >= signed.sequence) return { last, lost: 0 };
  return { last: signed, lost: signed.sequence - (last?.sequence ?? 0) };
}

/** Returns undefined for a file that is missing, or has no line of a chain. */
export async function readLastPosition(path: string): Promise<ChainPosition | undefined> {
  let last: ChainPosition | undefined;
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of openFile(path)) {
      const bytes = Buffer.concat([rest, chunk as Buffer]);
      const end = bytes.lastIndexOf(NEWLINE);
      rest = bytes.subarray(end + 1);
      if (end <= 0) continue;
      const line = bytes.subarray(bytes.lastIndexOf(NEWLINE, end - 1) + 1, end);
      const link = parseLink(line);
      if (link !== undefined) last = { sequence: link.sequence, hash: hashLine(line) };
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return last;
}

function openFile(path: string): Readable {
  const file = createReadStream(path);
  if (!path.endsWith('.gz')) return file;
  const gunzip = createGunzip();
  file.on('error', (error) => gunzip.destroy(error));
  return file.pipe(gunzip);
}
