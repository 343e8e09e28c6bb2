/** Reads the files of this machine that policies name: real paths, and ELF files. */
import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { isDescriptorLimit } from '../errors.js';
import { runCooperatively, runToCompletion, type Steps } from '../cooperative.js';
import { readElfSteps } from '../elf/elf.js';
import type { ElfInfo, HostFiles } from '../elf/elf-info.js';
import type { FileBytes } from '../elf/file-bytes.js';

const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

export const hostFiles: HostFiles = {
  realpath(path) {
    try {
      return realpathSync(path);
    } catch {
      return undefined;
    }
  },
  readElf: (path) => runToCompletion(readElfFileSteps(path)),
};

/** The same as `hostFiles.readElf`, but yields to the event loop between steps. */
export function readElfFile(path: string): Promise<ElfInfo | null | undefined> {
  return runCooperatively(readElfFileSteps(path));
}

function* readElfFileSteps(path: string): Steps<ElfInfo | null | undefined> {
  let fd: number;
  try {
    fd = openSync(path, OPEN_FLAGS);
  } catch (error) {
    if (isDescriptorLimit(error)) throw error;
    return undefined;
  }
  try {
    const stat = fstatSync(fd);
    return stat.isFile() ? yield* readElfSteps(toFileBytes(fd, stat.size)) : undefined;
  } finally {
    closeSync(fd);
  }
}

/** Makes a FileBytes of an open file. `size` is the size of the file. */
export function toFileBytes(fd: number, size: number): FileBytes {
  return {
    size,
    readAt(offset, length) {
      const buffer = Buffer.allocUnsafeSlow(length);
      return buffer.subarray(0, readSync(fd, buffer, 0, length, offset));
    },
  };
}
