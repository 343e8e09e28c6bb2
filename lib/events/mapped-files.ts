/**
 * Files that a process has mapped: where in which one an address is, and which function that is.
 *
 * The process chose the files. They are read through /proc/PID/map_files, which leads to what is mapped, whatever has the name now;
 * only where the file system is the kernel's own affair, as another process could let a read wait for ever; and within bounds.
 */
import { closeSync, constants, openSync, readFileSync, readSync, statSync } from 'node:fs';
import type { StackFrame } from '../../types/events.js';
import { readFunctions, type ElfFunctions } from '../elf/elf-functions.js';

/** Of all files together. */
const CACHE_BYTES_MAX = 128 * 1024 * 1024;

export interface MappedRange {
  readonly start: bigint;
  readonly end: bigint;
  /** Where the first byte of the file would be. */
  readonly base: bigint;
  /** Device, as /proc/PID/mountinfo has it. */
  readonly device: string;
  readonly module: string;
}

/** Of /proc/PID/maps, in the order of addresses. What no file is behind, such as `[vdso]`, has a name as well. */
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

/** Those that ask another process, or another machine, for what they have. */
const REMOTE = /^(fuse|nfs|cifs|smb|9p|ceph|afs|coda|lustre|gfs|ocfs)/;

/** Devices of file systems that are not. Of /proc/PID/mountinfo. */
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

  /** What is known of the address. */
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

/** By device, inode, size and time of the last change; null: it is no ELF file. The least recently used first. */
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
    return undefined; // the process has ended, or we may not look
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
    return readFunctions((offset, length) => {
      const buffer = Buffer.alloc(length);
      return buffer.subarray(0, readSync(fd, buffer, 0, length, offset));
    });
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
