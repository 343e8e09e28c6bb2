/** Stack traces: addresses of a record, with what is known of the functions that they are in. */
import { readFileSync } from 'node:fs';
import type { StackFrame } from '../../types/events.js';
import { EventHeader, TextRef } from '../wire/layout.gen.js';
import type { Slab } from '../wire/slab.js';

/** Undefined when there is none. `ref`: where the record says where it is. */
export function addressesOf(slab: Slab, at: number, ref: number): readonly bigint[] | undefined {
  const offset = slab.u32(at + ref + TextRef.offset);
  const length = slab.u16(at + ref + TextRef.length);
  if (length === 0 || offset + length > slab.u32(at + EventHeader.size)) return undefined;
  return Array.from({ length: Math.floor(length / 8) }, (_, i) => slab.u64(at + offset + 8 * i));
}

interface Range {
  readonly start: bigint;
  readonly frame: Omit<StackFrame, 'address' | 'offset'>;
  /** What the frame's offset counts from. */
  readonly base: bigint;
  readonly end?: bigint;
}

export function kernelFrames(addresses: readonly bigint[], withAddresses: boolean): StackFrame[] {
  return addresses.map((address) => frameOf(address, kernelSymbols(), withAddresses));
}

/** Of a process that has ended, nothing but the addresses is known. */
export function userFrames(addresses: readonly bigint[], pid: number, withAddresses: boolean): StackFrame[] {
  const modules = modulesOf(pid);
  return addresses.map((address) => frameOf(address, modules, withAddresses));
}

function frameOf(address: bigint, ranges: readonly Range[], withAddresses: boolean): StackFrame {
  const shown = withAddresses ? { address } : {};
  const range = rangeOf(address, ranges);
  return range === undefined ? shown : { ...range.frame, offset: address - range.base, ...shown };
}

/** The last that starts at or before the address, unless it ends before it. */
function rangeOf(address: bigint, ranges: readonly Range[]): Range | undefined {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ranges[middle] as Range).start <= address) low = middle + 1;
    else high = middle;
  }
  const range = ranges[low - 1];
  return range?.end !== undefined && range.end <= address ? undefined : range;
}

let kernel: { readonly symbols: readonly Range[]; readonly readAt: number } | undefined;
/** Modules and programs come and go. */
const KALLSYMS_MS = 60_000;

function kernelSymbols(): readonly Range[] {
  if (kernel === undefined || performance.now() - kernel.readAt > KALLSYMS_MS) {
    kernel = { symbols: parseKallsyms(read('/proc/kallsyms')), readAt: performance.now() };
  }
  return kernel.symbols;
}

/** Of functions: `ffffffff81000000 T _stext [module]`. All addresses are 0 where the kernel hides them. */
export function parseKallsyms(text: string): Range[] {
  const symbols: Range[] = [];
  for (const [, hex, symbol = '', module] of text.matchAll(/^([0-9a-f]+) [tTwW] (\S+)(?:\s+\[(.+)\])?$/gm)) {
    const start = BigInt(`0x${hex}`);
    if (start !== 0n)
      symbols.push({ start, base: start, frame: { symbol, ...(module === undefined ? {} : { module }) } });
  }
  return symbols.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
}

function modulesOf(pid: number): readonly Range[] {
  return parseMaps(read(`/proc/${pid}/maps`));
}

/** Offsets count from the start of the file. */
export function parseMaps(text: string): Range[] {
  const lines = text.matchAll(/^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ \d+ +(\S.*)$/gm);
  return [...lines].map(([, start, end, offset, module = '']) => {
    const first = BigInt(`0x${start}`);
    return { start: first, end: BigInt(`0x${end}`), base: first - BigInt(`0x${offset}`), frame: { module } };
  });
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
