/**
 * Finds the file, the offset and the function of an address in a process.
 *
 * The process chooses the files, so their content is not trusted. /proc/PID/map_files leads to the mapped file itself,
 * even if its name now belongs to another file. Only files of local file systems are read, because on other file
 * systems a process could block a read forever. The size of the reads is limited.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import type { StackFrame } from '../../types/events.js';
import { toFileBytes } from '../elf-files/host-files.js';
import { readFunctions, type ElfFunctions } from '../elf/elf-functions.js';

/** Maximum number of bytes of the cached functions of all files. */
const CACHE_BYTES_MAX = 128 * 1024 * 1024;

export interface MappedRange {
  readonly start: bigint;
  readonly end: bigint;
  /** The address of the first byte of the file. */
  readonly base: bigint;
  /** The device in the form of /proc/PID/mountinfo. */
  readonly device: string;
  readonly module: string;
}

/**
 * Parses /proc/PID/maps, which is in the order of addresses. Ranges without a file have a name as well, such as
 * `[vdso]`.
 */
export function parseMaps(content: string): MappedRange[] {
  const lines = content.matchAll(/^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) \d+ +(\S.*)$/gm);
  return [...lines].map(([, start, end, offset, major = '', minor = '', module = '']) => {
    const first = BigInt(`0x${start}`);
    return {
      start: first,
      end: BigInt(`0x${end}`),
      base: first - BigInt(`0x${offset}`),
      device: `${parseInt(major, 16)}:${parseInt(minor, 16)}`,
      module,
    };
  });
}

/** File systems that get their data from another process or another machine. */
const REMOTE = /^(fuse|nfs|cifs|smb|9p|ceph|afs|coda|lustre|gfs|ocfs)/;

/** Parses /proc/PID/mountinfo. Returns the devices of local file systems. */
export function localDevices(content: string): Set<string> {
  const local = new Set<string>();
  for (const [, device = '', type = ''] of content.matchAll(/^\d+ \d+ (\d+:\d+) .* - (\S+) /gm)) {
    if (!REMOTE.test(type)) local.add(device);
  }
  return local;
}

export class MappedFiles {
  readonly #pid: number;
  readonly #ranges: readonly MappedRange[];
  #local: ReadonlySet<string> | undefined;

  constructor(pid: number) {
    this.#pid = pid;
    this.#ranges = parseMaps(readText(`/proc/${pid}/maps`));
  }

  /** Returns what is known about an address. */
  resolveFrame(address: bigint): Omit<StackFrame, 'address'> {
    const range = this.#ranges.find(({ start, end }) => address >= start && address < end);
    if (range === undefined) return {};
    const fileOffset = address - range.base;
    const functions = this.#findFunctions(range);
    const { symbol, offset = fileOffset } = functions?.find(fileOffset) ?? {};
    const { module } = range;
    const frame: { symbol?: string; module: string; offset: bigint; fileOffset: bigint; buildId?: string } =
      symbol === undefined ? { module, offset, fileOffset } : { symbol, module, offset, fileOffset };
    if (functions?.buildId !== undefined) frame.buildId = functions.buildId;
    return frame;
  }

  #findFunctions({ start, end, device, module }: MappedRange): ElfFunctions | undefined {
    if (!module.startsWith('/')) return undefined;
    this.#local ??= localDevices(readText(`/proc/${this.#pid}/mountinfo`));
    if (!this.#local.has(device)) return undefined;
    return loadFunctions(`/proc/${this.#pid}/map_files/${start.toString(16)}-${end.toString(16)}`);
  }
}

/**
 * Functions of files, by device, inode, size and modification time; null if the file is not an ELF file. The least
 * recently used file comes first.
 */
const functionsCache = new Map<string, ElfFunctions | null>();
let cachedBytes = 0;

function loadFunctions(path: string): ElfFunctions | undefined {
  try {
    const { dev, ino, size, mtimeMs, mode } = statSync(path);
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) return undefined;
    const key = `${dev}:${ino}:${size}:${mtimeMs}`;
    const known = functionsCache.get(key);
    const functions = known === undefined ? readElfFunctions(path) : known;
    functionsCache.delete(key);
    functionsCache.set(key, functions);
    if (known === undefined) cachedBytes += functionsBytes(functions);
    while (cachedBytes > CACHE_BYTES_MAX && functionsCache.size > 1) evictOldest();
    return functions ?? undefined;
  } catch {
    return undefined; // the process has ended, or reading is not permitted
  }
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

function readElfFunctions(path: string): ElfFunctions | null {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return readFunctions(toFileBytes(fd, fstatSync(fd).size));
  } finally {
    closeSync(fd);
  }
}

/** Reads a file of /proc; '' if that is not possible. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
