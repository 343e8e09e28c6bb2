/**
 * Finds the file, the offset and the function of an address in a process.
 *
 * The process chose the files, so they are read with care. /proc/PID/map_files leads to the mapped file itself, even if
 * its name now belongs to another file. Only files of local file systems are read, because on others a process could
 * block a read for ever. The size of the reads is limited.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import type { StackFrame } from '../../types/events.js';
import { fileOf } from '../elf/elf.js';
import { readFunctions, type ElfFunctions } from '../elf/elf-functions.js';

/** Most bytes that the functions of all files together may use. */
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
    this.#ranges = parseMaps(textOf(`/proc/${pid}/maps`));
  }

  /** The known facts about an address. */
  frame(address: bigint): Omit<StackFrame, 'address'> {
    const range = this.#ranges.find(({ start, end }) => address >= start && address < end);
    if (range === undefined) return {};
    const fileOffset = address - range.base;
    const functions = this.#functionsOf(range);
    const { symbol, offset = fileOffset } = functions?.find(fileOffset) ?? {};
    const { module } = range;
    const frame: { symbol?: string; module: string; offset: bigint; fileOffset: bigint; buildId?: string } =
      symbol === undefined ? { module, offset, fileOffset } : { symbol, module, offset, fileOffset };
    if (functions?.buildId !== undefined) frame.buildId = functions.buildId;
    return frame;
  }

  #functionsOf({ start, end, device, module }: MappedRange): ElfFunctions | undefined {
    if (!module.startsWith('/')) return undefined;
    this.#local ??= localDevices(textOf(`/proc/${this.#pid}/mountinfo`));
    if (!this.#local.has(device)) return undefined;
    return functionsOfFile(`/proc/${this.#pid}/map_files/${start.toString(16)}-${end.toString(16)}`);
  }
}

/**
 * Functions by device, inode, size and time of the last change; null if it is not an ELF file. The least recently used
 * comes first.
 */
const cache = new Map<string, ElfFunctions | null>();
let cachedBytes = 0;

function functionsOfFile(path: string): ElfFunctions | undefined {
  try {
    const { dev, ino, size, mtimeMs, mode } = statSync(path);
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) return undefined;
    const key = `${dev}:${ino}:${size}:${mtimeMs}`;
    const known = cache.get(key);
    const functions = known === undefined ? readFile(path) : known;
    cache.delete(key);
    cache.set(key, functions);
    if (known === undefined) cachedBytes += bytesOf(functions);
    while (cachedBytes > CACHE_BYTES_MAX && cache.size > 1) forgetOldest();
    return functions ?? undefined;
  } catch {
    return undefined; // the process has ended, or reading is not permitted
  }
}

function bytesOf(functions: ElfFunctions | null | undefined): number {
  return functions?.bytes ?? 1024;
}

function forgetOldest(): void {
  const [oldest] = cache.keys();
  if (oldest === undefined) return;
  cachedBytes -= bytesOf(cache.get(oldest));
  cache.delete(oldest);
}

function readFile(path: string): ElfFunctions | null {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return readFunctions(fileOf(fd, fstatSync(fd).size));
  } finally {
    closeSync(fd);
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
