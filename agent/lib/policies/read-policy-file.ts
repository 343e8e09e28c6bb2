/** Reads policy files so that no file can stop the agent, and no other user can give root a policy. */
import { constants } from 'node:fs';
import { lstat, open, realpath, type FileHandle } from 'node:fs/promises';
import { checkFileTrust, checkPlaceTrust } from './file-trust.js';
import { PolicyFileError, toPolicyFileError } from './policy-file-error.js';

/** The largest policy of the library. */
const BYTES_MAX = 1024 * 1024;

/** Opening waits for nobody, as a FIFO would, and follows no link that replaces the file meanwhile. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY;

/** Reads a regular file. Symbolic links are followed. Rejects with PolicyFileError. */
export async function readPolicyFile(
  path: string,
  { allowUnsafe, maxBytes = BYTES_MAX }: { readonly allowUnsafe: boolean; readonly maxBytes?: number },
): Promise<string> {
  try {
    const target = await realpath(path);
    // opening a device can have an effect
    checkRegular(path, (await lstat(target)).isFile());
    if (!allowUnsafe) {
      await checkPlaceTrust(path);
      await checkPlaceTrust(target);
    }
    const file = await open(target, FLAGS);
    try {
      const stats = await file.stat();
      checkRegular(path, stats.isFile());
      if (!allowUnsafe) checkFileTrust(path, stats);
      return decodeText(path, await readUpTo(file, maxBytes + 1), maxBytes);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw toPolicyFileError(error, path);
  }
}

function checkRegular(path: string, isRegular: boolean): void {
  if (isRegular) return;
  throw new PolicyFileError('FILE_NOT_REGULAR', path, 'it is not a regular file', 'put the policy into a file');
}

async function readUpTo(file: FileHandle, max: number): Promise<Buffer> {
  const bytes = Buffer.alloc(max);
  let length = 0;
  for (let count = -1; count !== 0 && length < max; length += count) {
    count = (await file.read(bytes, length, max - length, null)).bytesRead;
  }
  return bytes.subarray(0, length);
}

function decodeText(path: string, bytes: Buffer, maxBytes: number): string {
  if (bytes.length > maxBytes) {
    const reason = `the policy is larger than ${maxBytes} bytes`;
    throw new PolicyFileError('FILE_TOO_LARGE', path, reason, 'split it into several policies');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new PolicyFileError('FILE_NOT_UTF8', path, 'the file is not UTF-8 text', 'save it as UTF-8');
  }
}
