/** Stack traces: the addresses in a record, and the functions that contain them. */
import { readFileSync } from 'node:fs';
import type { StackFrame } from '../../types/events.js';
import { EventHeader, TextRef } from '../wire/layout.gen.js';
import type { Slab } from '../wire/slab.js';
import { MappedFiles } from './mapped-files.js';

/**
 * Reads the addresses of a stack trace; undefined if there is none. `ref` is the place of its reference in the record.
 */
export function addressesOf(slab: Slab, at: number, ref: number): readonly bigint[] | undefined {
  const offset = slab.u32(at + ref + TextRef.offset);
  const length = slab.u16(at + ref + TextRef.length);
  if (length === 0 || offset + length > slab.u32(at + EventHeader.size)) return undefined;
  return Array.from({ length: Math.floor(length / 8) }, (_, i) => slab.u64(at + offset + 8 * i));
}

/** A function of the kernel. It extends to the start of the next one. */
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

/** The frames of a program. If the process has ended or is not known, they contain only addresses. */
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

/** The last symbol that starts at or before the address. */
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
/** How long symbols are cached. Modules and BPF programs can be loaded and unloaded. */
const KALLSYMS_MS = 60_000;

function kernelSymbols(): readonly KernelSymbol[] {
  if (kernel === undefined || performance.now() - kernel.readAt > KALLSYMS_MS) {
    kernel = { symbols: parseKallsyms(read('/proc/kallsyms')), readAt: performance.now() };
  }
  return kernel.symbols;
}

/** Parses lines of functions such as `ffffffff81000000 T _stext [module]`. If the kernel hides addresses, all are 0. */
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
