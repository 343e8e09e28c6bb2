/** Stack traces: addresses of a record, with what is known of the functions that they are in. */
import { readFileSync } from 'node:fs';
import type { StackFrame } from '../../types/events.js';
import { EventHeader, TextRef } from '../wire/layout.gen.js';
import type { Slab } from '../wire/slab.js';
import { MappedFiles } from './mapped-files.js';

/** Undefined when there is none. `ref`: where the record says where it is. */
export function addressesOf(slab: Slab, at: number, ref: number): readonly bigint[] | undefined {
  const offset = slab.u32(at + ref + TextRef.offset);
  const length = slab.u16(at + ref + TextRef.length);
  if (length === 0 || offset + length > slab.u32(at + EventHeader.size)) return undefined;
  return Array.from({ length: Math.floor(length / 8) }, (_, i) => slab.u64(at + offset + 8 * i));
}

/** A function of the kernel, up to where the next one starts. */
interface KernelSymbol {
  readonly start: bigint;
  readonly symbol: string;
  readonly module?: string;
}

export function kernelFrames(addresses: readonly bigint[], withAddresses: boolean): StackFrame[] {
  return addresses.map((address) => {
    const found = symbolAt(address, kernelSymbols());
    const frame = found === undefined ? {} : kernelFrame(found, address);
    return withAddresses ? withAddress(frame, address) : frame;
  });
}

function kernelFrame({ start, symbol, module }: KernelSymbol, address: bigint): StackFrame {
  const offset = address - start;
  return module === undefined ? { symbol, offset } : { symbol, module, offset };
}

function withAddress(frame: StackFrame, address: bigint): StackFrame {
  const open: { address?: bigint } = frame;
  open.address = address;
  return frame;
}

/** Of a process that has ended, or is not known, nothing but the addresses is known. */
export function userFrames(
  addresses: readonly bigint[],
  pid: number | undefined,
  withAddresses: boolean,
): StackFrame[] {
  const files = pid === undefined ? undefined : new MappedFiles(pid);
  return addresses.map((address) => {
    const frame = files?.frame(address) ?? {};
    return withAddresses ? withAddress(frame, address) : frame;
  });
}

/** The last that starts at or before the address. */
function symbolAt(address: bigint, symbols: readonly KernelSymbol[]): KernelSymbol | undefined {
  let low = 0;
  let high = symbols.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((symbols[middle] as KernelSymbol).start <= address) low = middle + 1;
    else high = middle;
  }
  return symbols[low - 1];
}

let kernel: { readonly symbols: readonly KernelSymbol[]; readonly readAt: number } | undefined;
/** Modules and programs come and go. */
const KALLSYMS_MS = 60_000;

function kernelSymbols(): readonly KernelSymbol[] {
  if (kernel === undefined || performance.now() - kernel.readAt > KALLSYMS_MS) {
    kernel = { symbols: parseKallsyms(read('/proc/kallsyms')), readAt: performance.now() };
  }
  return kernel.symbols;
}

/** Of functions: `ffffffff81000000 T _stext [module]`. All addresses are 0 where the kernel hides them. */
export function parseKallsyms(text: string): KernelSymbol[] {
  const symbols: KernelSymbol[] = [];
  for (const [, hex, symbol = '', module] of text.matchAll(/^([0-9a-f]+) [tTwW] (\S+)(?:\s+\[(.+)\])?$/gm)) {
    const start = BigInt(`0x${hex}`);
    if (start !== 0n) symbols.push({ start, symbol, ...(module === undefined ? {} : { module }) });
  }
  return symbols.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
