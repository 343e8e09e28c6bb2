/** Reads a file at a path that a traced process may control, through the threads of the addon. */
import type { FileBytes } from '../elf/file-bytes.js';
import { fileReader, type FilePart, type FileReader } from '../native/file-reader.js';

/** The part of the reader that is needed here. */
export type PartReader = Pick<FileReader, 'readPart'>;

/** The headers of an ELF file are in these bytes, and often the build id as well. */
const FIRST_BYTES = 4096;

/** The file was replaced, or does not answer. */
export class FileUnreadable extends Error {}

export class TracedFile implements FileBytes {
  readonly device: bigint;
  readonly inode: bigint;
  readonly size: number;
  /** Two files with the same key have the same content. */
  readonly key: string;
  readonly #path: string;
  readonly #reader: PartReader;
  readonly #first: Buffer;
  #offset = 0;
  #bytes: Buffer;

  private constructor(path: string, part: FilePart, reader: PartReader) {
    this.#path = path;
    this.#reader = reader;
    this.#first = this.#bytes = part.bytes;
    this.device = part.device;
    this.inode = part.inode;
    this.size = part.size;
    this.key = fileKey(part);
  }

  /** Returns undefined if there is no readable regular file, or if it does not answer. */
  static async open(path: string, reader: PartReader = fileReader()): Promise<TracedFile | undefined> {
    const part = await reader.readPart(path, 0, FIRST_BYTES);
    return part === undefined || part === false ? undefined : new TracedFile(path, part, reader);
  }

  /** Throws FileUnreadable. */
  fetch(offset: number, length: number): Promise<void> | undefined {
    return offset + length <= this.#first.length ? undefined : this.#fetch(offset, length);
  }

  async #fetch(offset: number, length: number): Promise<void> {
    const part = await this.#reader.readPart(this.#path, offset, length);
    if (part === undefined || part === false || fileKey(part) !== this.key) throw new FileUnreadable(this.#path);
    this.#offset = offset;
    this.#bytes = part.bytes;
  }

  readAt(offset: number, length: number): Buffer {
    if (offset + length <= this.#first.length) return this.#first.subarray(offset, offset + length);
    return this.#bytes.subarray(offset - this.#offset, offset - this.#offset + length);
  }
}

function fileKey({ device, inode, size, modifiedNs }: FilePart): string {
  return `${device}:${inode}:${size}:${modifiedNs}`;
}
