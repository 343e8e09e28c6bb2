/** Does what the threads of the addon do, on the main thread, for tests without the addon. */
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import type { FilePart, FileReader, Mapping } from '../../lib/native/file-reader.js';

type Reader = Pick<FileReader, 'readPart' | 'findMappings' | 'openPath' | 'openMapped'>;

export class FakeFileReader implements Reader {
  /** Nothing is answered in time. */
  isSilent = false;

  async readPart(path: string, offset: number, length: number): Promise<FilePart | false | undefined> {
    const fd = await this.#open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (typeof fd !== 'number') return fd;
    try {
      const stat = fstatSync(fd, { bigint: true });
      if (!stat.isFile()) return false;
      const bytes = Buffer.alloc(length);
      const count = readSync(fd, bytes, 0, length, offset);
      const { dev: device, ino: inode, size, mtimeNs: modifiedNs } = stat;
      return { device, inode, size: Number(size), modifiedNs, bytes: bytes.subarray(0, count) };
    } finally {
      closeSync(fd);
    }
  }

  async findMappings(pid: number, addresses: readonly bigint[]): Promise<(Mapping | false)[] | undefined> {
    await Promise.resolve();
    if (this.isSilent) return undefined;
    const lines = readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n');
    const all = lines.flatMap((line): Mapping[] => {
      const [, start, end, offset, name = ''] = /^(\S+)-(\S+) \S+ (\S+) \S+ \d+ *(.*)$/.exec(line) ?? [];
      if (start === undefined) return [];
      const toNumber = (hex = ''): bigint => BigInt(`0x${hex}`);
      return [{ start: toNumber(start), end: toNumber(end), offset: toNumber(offset), isLocal: true, name }];
    });
    return addresses.map((address) => all.find(({ start, end }) => address >= start && address < end) ?? false);
  }

  openPath(path: string): Promise<number | false | undefined> {
    return this.#open(path, constants.O_RDONLY);
  }

  async openMapped(_pid: number, path: string, major: number, minor: number): Promise<number | false | undefined> {
    const fd = await this.#open(path, constants.O_RDONLY);
    if (typeof fd !== 'number') return fd;
    const { dev } = statSync(path);
    if (((dev >>> 8) & 0xfff) === major && (dev & 0xff) === (minor & 0xff)) return fd;
    closeSync(fd);
    return false;
  }

  async #open(path: string, flags: number): Promise<number | false | undefined> {
    await Promise.resolve();
    if (this.isSilent) return undefined;
    try {
      return openSync(path, flags);
    } catch {
      return false;
    }
  }
}
