/** Reads the bytes of an archive, from a file or over HTTP. They are not trusted: their signature is checked later. */
import { readUpTo } from '../read-up-to.js';
import { ARCHIVE_BYTES_MAX } from './archive.js';
import { libraryError } from './library-error.js';

const TIMEOUT_MS = 60_000;

/** Throws PolytraceError: LIBRARY_SOURCE. */
export async function readArchive(source: string): Promise<Uint8Array> {
  const isUrl = /^https?:\/\//i.test(source);
  try {
    return isUrl ? await download(source) : readFile(source);
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = cause instanceof Error ? `${message}: ${cause.message}` : message;
    throw libraryError(
      'LIBRARY_SOURCE',
      `${source} cannot be read: ${reason}`,
      isUrl ? 'check the address, or download the archive and name its file' : 'check the path and its permissions',
      error,
    );
  }
}

async function download(url: string): Promise<Uint8Array> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok || response.body === null) throw new Error(`the server answers ${response.status}`);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > ARCHIVE_BYTES_MAX) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function readFile(path: string): Uint8Array {
  const bytes = readUpTo(path, ARCHIVE_BYTES_MAX);
  if (bytes === undefined) throw tooLarge();
  return bytes;
}

function tooLarge(): Error {
  return new Error(`it has more than ${ARCHIVE_BYTES_MAX} bytes`);
}
