/** A report as a file. Its rows are compressed while they come, so memory does not grow with them. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, unlink } from 'node:fs/promises';
import { Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createDeflateRaw } from 'node:zlib';
import { reportPage } from './page.js';

/** Command lines and paths are for their owner. */
const RIGHTS = 0o600;
/** Characters that are compressed at once. */
const PART = 256 * 1024;

/** The file has its name when it is complete. */
export class ReportFile {
  readonly #out: Writable;
  /** Undefined: a stream that is not a file. */
  readonly #path: string | undefined;
  readonly #packer = createDeflateRaw({ level: 6 });
  readonly #tail: string;
  readonly #written: Promise<void>;
  /** Rows of single events: together, they are compressed in less time. */
  #waiting = '';
  #failure: Error | undefined;

  /** `target` is the path of the file, or a stream that stays open. */
  constructor(target: string | Writable) {
    const { head, tail } = reportPage(false);
    this.#tail = tail;
    this.#path = typeof target === 'string' ? target : undefined;
    this.#out =
      typeof target === 'string' ? createWriteStream(unfinished(target), { mode: RIGHTS, flags: 'w' }) : target;
    this.#out.on('error', (error) => (this.#failure ??= error));
    this.#out.write(head);
    this.#written = pipeline(this.#packer, base64(), this.#out, { end: false });
    // write() and finish() report it
    this.#written.catch((error: Error) => (this.#failure ??= error));
  }

  /** Resolves when there is room for more. Rejects when the file cannot be written. */
  async write(rows: string): Promise<void> {
    this.#waiting += rows;
    if (this.#waiting.length < PART) return;
    const part = this.#waiting;
    this.#waiting = '';
    if (this.#failure === undefined && !this.#packer.write(part)) {
      await Promise.race([once(this.#packer, 'drain'), this.#written]).catch(() => undefined);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends the page and gives the file its name. */
  async finish(): Promise<void> {
    this.#packer.end(this.#waiting);
    await this.#written;
    await new Promise<void>((resolve, reject) => {
      this.#out.once('error', reject);
      const done = (): void => resolve();
      if (this.#path === undefined) this.#out.write(this.#tail, done);
      else this.#out.end(this.#tail, done);
    });
    if (this.#path !== undefined) await rename(unfinished(this.#path), this.#path);
  }

  /** Removes what there is of the file. */
  async abandon(): Promise<void> {
    this.#packer.destroy();
    if (this.#path === undefined) return;
    // a file that is still being opened would come after its removal
    if (!this.#out.closed) await new Promise((resolve) => this.#out.once('close', resolve).destroy());
    await unlink(unfinished(this.#path)).catch(() => undefined);
  }
}

function unfinished(path: string): string {
  return `${path}.${process.pid}.part`;
}

/** Three bytes are four characters, so bytes wait for the next ones. */
function base64(): Transform {
  let rest = Buffer.alloc(0);
  return new Transform({
    transform(chunk: Buffer, _encoding, done): void {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const whole = bytes.length - (bytes.length % 3);
      rest = Buffer.from(bytes.subarray(whole));
      done(null, bytes.toString('base64', 0, whole));
    },
    flush(done): void {
      done(null, rest.toString('base64'));
    },
  });
}
