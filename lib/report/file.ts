/** Writes a report to a file. Rows are compressed as they arrive, so memory does not grow with them. */
import { once } from 'node:events';
import { createWriteStream, statSync } from 'node:fs';
import { rename, unlink } from 'node:fs/promises';
import { Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createDeflateRaw } from 'node:zlib';
import { createReportPage } from './page.js';

/** The file contains command lines and paths, so only its owner may read it. */
const RIGHTS = 0o600;
/** Characters that are compressed at a time. */
const PART_LENGTH = 256 * 1024;

/** The file gets its name when it is complete. */
export class ReportFile {
  readonly #out: Writable;
  /** Undefined for a stream. */
  readonly #path: string | undefined;
  /** The path until the page is complete. */
  readonly #part: string | undefined;
  readonly #deflate = createDeflateRaw({ level: 6 });
  readonly #tail: string;
  readonly #written: Promise<void>;
  /** Rows that are not compressed yet. Compressing many rows together is faster. */
  #buffered = '';
  #failure: Error | undefined;

  /** `target` is the path of the file, or a stream that stays open. */
  constructor(target: string | Writable) {
    const { head, tail } = createReportPage(false);
    this.#tail = tail;
    if (typeof target === 'string') {
      this.#path = target;
      this.#part = isDevice(target) ? target : `${target}.${process.pid}.part`;
      this.#out = createWriteStream(this.#part, { mode: RIGHTS, flags: 'w' });
    } else {
      this.#out = target;
    }
    this.#out.on('error', (error) => (this.#failure ??= error));
    this.#out.write(head);
    this.#written = pipeline(this.#deflate, createBase64Stream(), this.#out, { end: false });
    // write() and finish() report the error
    this.#written.catch((error: Error) => (this.#failure ??= error));
  }

  /** Resolves when more rows can be written. Rejects when the file cannot be written. */
  async write(rows: string): Promise<void> {
    this.#buffered += rows;
    if (this.#buffered.length < PART_LENGTH) return;
    const part = this.#buffered;
    this.#buffered = '';
    if (this.#failure === undefined && !this.#deflate.write(part)) {
      await Promise.race([once(this.#deflate, 'drain'), this.#written]).catch(() => undefined);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends the page and renames the file. */
  async finish(): Promise<void> {
    this.#deflate.end(this.#buffered);
    await this.#written;
    await new Promise<void>((resolve, reject) => {
      this.#out.once('error', reject);
      const finishWrite = (): void => resolve();
      if (this.#path === undefined) this.#out.write(this.#tail, finishWrite);
      else this.#out.end(this.#tail, finishWrite);
    });
    if (this.#path !== undefined && this.#part !== undefined && this.#part !== this.#path)
      await rename(this.#part, this.#path);
  }

  /** Removes the incomplete file. */
  async abandon(): Promise<void> {
    this.#deflate.destroy();
    if (this.#part === undefined) return;
    // a file that is still being opened would be created after its removal
    if (!this.#out.closed) await new Promise((resolve) => this.#out.once('close', resolve).destroy());
    if (this.#part !== this.#path) await unlink(this.#part).catch(() => undefined);
  }
}

/** A device or a pipe, such as /dev/null, must not be replaced by a file. */
function isDevice(path: string): boolean {
  try {
    return !statSync(path).isFile();
  } catch {
    return false; // writing it reports the reason
  }
}

/** Three bytes become four characters, so one or two remaining bytes wait for the next chunk. */
function createBase64Stream(): Transform {
  let rest = Buffer.alloc(0);
  return new Transform({
    transform(chunk: Buffer, _encoding, done): void {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const end = bytes.length - (bytes.length % 3);
      rest = Buffer.from(bytes.subarray(end));
      done(null, bytes.toString('base64', 0, end));
    },
    flush(done): void {
      done(null, rest.toString('base64'));
    },
  });
}
