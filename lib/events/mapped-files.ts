/**
 * Finds the file, the offset and the function of addresses in a process.
 *
 * The process chooses the files, so their content is not trusted. /proc/PID/map_files leads to the mapped file itself,
 * even if its name now belongs to another file. Only files of local file systems are read. The size of the reads is
 * limited, and nothing is read on this thread.
 */
import type { StackFrame } from '../../types/events.js';
import { runCooperatively } from '../cooperative.js';
import { FileUnreadable, TracedFile, type PartReader } from '../elf-files/traced-file.js';
import { readFunctions, type ElfFunctions } from '../elf/elf-functions.js';
import { fileReader, type FileReader, type Mapping } from '../native/file-reader.js';

/** Maximum number of bytes of the cached functions of all files. */
const CACHE_BYTES_MAX = 128 * 1024 * 1024;

export type ResolvedFrame = Omit<StackFrame, 'address'>;

/** Returns what is known about each address; nothing if the process has ended, or does not answer in time. */
export async function resolveAddresses(
  pid: number,
  addresses: readonly bigint[],
  reader: Pick<FileReader, 'findMappings' | 'readPart'> = fileReader(),
): Promise<ReadonlyMap<bigint, ResolvedFrame>> {
  const mappings = (await reader.findMappings(pid, addresses)) ?? [];
  const files = new Map<bigint, Promise<ElfFunctions | undefined>>();
  const resolved = new Map<bigint, ResolvedFrame>();
  for (const [i, mapping] of mappings.entries()) {
    // memory without a file and without a name
    if (mapping === false || mapping.name === '') continue;
    if (!files.has(mapping.start)) files.set(mapping.start, loadFunctions(pid, mapping, reader));
    const functions = await files.get(mapping.start);
    resolved.set(addresses[i] as bigint, describeFrame(mapping, addresses[i] as bigint, functions));
  }
  return resolved;
}

function describeFrame(
  { start, offset: startOffset, name: module }: Mapping,
  address: bigint,
  functions: ElfFunctions | undefined,
): ResolvedFrame {
  const fileOffset = address - start + startOffset;
  const { symbol, offset = fileOffset } = functions?.find(fileOffset) ?? {};
  const frame: { symbol?: string; module: string; offset: bigint; fileOffset: bigint; buildId?: string } =
    symbol === undefined ? { module, offset, fileOffset } : { symbol, module, offset, fileOffset };
  if (functions?.buildId !== undefined) frame.buildId = functions.buildId;
  return frame;
}

/** Functions of files by the key of the file; null if the file is not an ELF file. The least recently used comes first. */
const functionsCache = new Map<string, ElfFunctions | null>();
let cachedBytes = 0;
/** Files that are being read. */
const reading = new Map<string, Promise<ElfFunctions | null>>();

async function loadFunctions(
  pid: number,
  { name, isLocal, start, end }: Mapping,
  reader: PartReader,
): Promise<ElfFunctions | undefined> {
  if (!name.startsWith('/') || !isLocal) return undefined;
  try {
    const file = await TracedFile.open(`/proc/${pid}/map_files/${start.toString(16)}-${end.toString(16)}`, reader);
    if (file === undefined) return undefined; // the process has ended, or reading is not permitted
    const known = functionsCache.get(file.key);
    const functions = known === undefined ? await readOnce(file) : known;
    addToCache(file.key, functions);
    return functions ?? undefined;
  } catch (error) {
    if (error instanceof FileUnreadable) return undefined;
    throw error;
  }
}

function readOnce(file: TracedFile): Promise<ElfFunctions | null> {
  let running = reading.get(file.key);
  if (running === undefined) {
    running = runCooperatively(readFunctions(file)).finally(() => reading.delete(file.key));
    reading.set(file.key, running);
  }
  return running;
}

function addToCache(key: string, functions: ElfFunctions | null): void {
  if (!functionsCache.delete(key)) cachedBytes += functionsBytes(functions);
  functionsCache.set(key, functions);
  while (cachedBytes > CACHE_BYTES_MAX && functionsCache.size > 1) evictOldest();
}

function functionsBytes(functions: ElfFunctions | null | undefined): number {
  return functions?.bytes ?? 1024;
}

function evictOldest(): void {
  const [oldest] = functionsCache.keys();
  if (oldest === undefined) return;
  cachedBytes -= functionsBytes(functionsCache.get(oldest));
  functionsCache.delete(oldest);
}
