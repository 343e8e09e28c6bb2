/** Reads the files of this machine that policies name: real paths, and ELF files. */
import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { isDescriptorLimit } from '../errors.js';
import { runCooperatively, runToCompletion, type Steps } from '../cooperative.js';
import { readElfSteps } from '../elf/elf.js';
import type { ElfInfo, HostFiles } from '../elf/elf-info.js';
import type { FileBytes } from '../elf/file-bytes.js';
import { FileUnreadable, TracedFile } from './traced-file.js';

const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/** For validatePolicy(), which is synchronous, and is asked to read these files by its caller. */
export const hostFiles: HostFiles = {
  realpath(path) {
    try {
      return realpathSync(path);
    } catch {
      return undefined;
    }
  },
  interpreter: (path) => runToCompletion(readFile(path, readInterpreter)),
  readElf: (path) => runToCompletion(readElfFileSteps(path)),
};

/**
 * The same as `hostFiles.readElf`, but never blocks the event loop: another user may control the path. A file that does
 * not answer counts as one that cannot be read. Of its functions, only `symbols` are in the result.
 */
export async function readElfFile(path: string, symbols: Iterable<string>): Promise<ElfInfo | null | undefined> {
  const file = await TracedFile.open(path);
  if (file === undefined) return undefined;
  try {
    return await runCooperatively(readElfSteps(file, new Set(symbols)));
  } catch (error) {
    if (error instanceof FileUnreadable) return undefined;
    throw error;
  }
}

/** The kernel reads as many bytes of a file to find out how it is executed. */
const SCRIPT_HEAD_BYTES = 256;

function* readInterpreter(file: FileBytes): Steps<string | undefined> {
  yield;
  const head = file.readAt(0, SCRIPT_HEAD_BYTES).toString();
  return /^#![ \t]*([^\s\0]+)/.exec(head)?.[1];
}

const readElfFileSteps = (path: string): Steps<ElfInfo | null | undefined> =>
  readFile(path, (file) => readElfSteps(file));

/** Returns undefined if there is no readable regular file. */
function* readFile<T>(path: string, read: (file: FileBytes) => Steps<T>): Steps<T | undefined> {
  let fd: number;
  try {
    fd = openSync(path, OPEN_FLAGS);
  } catch (error) {
    if (isDescriptorLimit(error)) throw error;
    return undefined;
  }
  try {
    const stat = fstatSync(fd);
    return stat.isFile() ? yield* read(toFileBytes(fd, stat.size)) : undefined;
  } finally {
    closeSync(fd);
  }
}

/** Makes a FileBytes of an open file. `size` is the size of the file. */
function toFileBytes(fd: number, size: number): FileBytes {
  return {
    size,
    readAt(offset, length) {
      const buffer = Buffer.allocUnsafeSlow(length);
      return buffer.subarray(0, readSync(fd, buffer, 0, length, offset));
    },
  };
}
