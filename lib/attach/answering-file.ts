/** Checks that the file of a uprobe or a static probe answers, before threads that the tracer needs open it. */
import { formatHookPosition } from '../compiled/compiled-hook.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import { KernelError } from '../errors.js';
import { fileReader, type FileReader } from '../native/file-reader.js';

const CHUNK_BYTES = 1024 * 1024;

/**
 * Rejects with KernelError FILE_NOT_ANSWERING. The addon and the kernel read the file without a time limit. A file on another
 * machine, or of a FUSE server, is therefore read here first, which also brings it into the kernel's page cache.
 */
export async function checkFileAnswers(
  hook: CompiledHook,
  path: string,
  reader: Pick<FileReader, 'isLocalFile' | 'readPart'> = fileReader(),
): Promise<void> {
  const isLocal = await reader.isLocalFile(path);
  if (isLocal === true) return;
  let isAnswering = isLocal !== undefined;
  let size = 1;
  for (let at = 0; isAnswering && at < size; at += CHUNK_BYTES) {
    const part = await reader.readPart(path, at, CHUNK_BYTES);
    // the addon reports what is wrong with it
    if (part === false) return;
    isAnswering = part !== undefined;
    size = part?.size ?? 0;
  }
  if (isAnswering) return;
  throw new KernelError(
    'FILE_NOT_ANSWERING',
    `${formatHookPosition(hook)}: ${path} does not answer`,
    'check the server of its file system (mount -t nfs,fuse), and add the policy again; no other policy is affected',
  );
}
