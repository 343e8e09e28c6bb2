/** Splits bytes into lines, without decoding them: a hash is one of bytes. */

/** The longest line in bytes. A longer one is an error. */
const LINE_MAX = 64 * 1024 * 1024;
const NEWLINE = 10;

/** The lines have no newline. The last one may end without it. */
export async function* splitByteLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let pieces: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      yield pieces.length === 0 ? chunk.subarray(from, end) : Buffer.concat([...pieces, chunk.subarray(from, end)]);
      pieces = [];
      length = 0;
      from = end + 1;
    }
    if (from === chunk.length) continue;
    pieces.push(chunk.subarray(from));
    length += chunk.length - from;
    if (length > LINE_MAX) throw new Error(`a line has more than ${LINE_MAX} bytes`);
  }
  if (length > 0) yield Buffer.concat(pieces);
}
