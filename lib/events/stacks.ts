/** Stack traces: the addresses in a record, and the functions that contain them. */
import type { StackFrame } from '../../types/events.js';
import { readProcFile } from '../process/proc-files.js';
import { EventHeader, StringRef } from '../wire/layout.gen.js';
import type { RecordChunk } from '../wire/record-chunk.js';
import type { ResolvedFrame } from './mapped-files.js';

/**
 * Reads the addresses of a stack trace; undefined if there is none. `ref` is the offset of its reference in the record.
 */
export function readStackAddresses(chunk: RecordChunk, at: number, ref: number): readonly bigint[] | undefined {
  const offset = chunk.u32(at + ref + StringRef.offset);
  const length = chunk.u16(at + ref + StringRef.length);
  if (length === 0 || offset + length > chunk.u32(at + EventHeader.size)) return undefined;
  return Array.from({ length: Math.floor(length / 8) }, (_, i) => chunk.u64(at + offset + 8 * i));
}

/** A kernel function. It extends to the start of the next one. */
interface KernelSymbol {
  readonly start: bigint;
  readonly symbol: string;
  readonly module?: string;
}

export function resolveKernelFrames(addresses: readonly bigint[], withAddresses: boolean): StackFrame[] {
  const { symbols, frames } = loadKernelSymbols();
  return addresses.map((address) => {
    let frame = frames.get(address);
    if (frame === undefined) {
      const found = findSymbol(address, symbols);
      frame = found === undefined ? {} : formatKernelFrame(found, address);
      if (frames.size < KNOWN_FRAMES_MAX) frames.set(address, frame);
    }
    return withAddresses ? withAddress({ ...frame }, address) : { ...frame };
  });
}

function formatKernelFrame({ start, symbol, module }: KernelSymbol, address: bigint): StackFrame {
  const offset = address - start;
  return module === undefined ? { symbol, offset } : { symbol, module, offset };
}

function withAddress(frame: StackFrame, address: bigint): StackFrame {
  const open: { address?: bigint } = frame;
  open.address = address;
  return frame;
}

/** Returns the frames of a program. Of an address that was not resolved, only the address is known. */
export function toUserFrames(
  addresses: readonly bigint[],
  resolved: ReadonlyMap<bigint, ResolvedFrame>,
  withAddresses: boolean,
): StackFrame[] {
  return addresses.map((address) => {
    const frame = resolved.get(address) ?? {};
    return withAddresses ? withAddress({ ...frame }, address) : frame;
  });
}

/** Finds the last symbol that starts at or before the address. */
function findSymbol(address: bigint, symbols: readonly KernelSymbol[]): KernelSymbol | undefined {
  let low = 0;
  let high = symbols.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((symbols[middle] as KernelSymbol).start <= address) low = middle + 1;
    else high = middle;
  }
  return symbols[low - 1];
}

interface KernelSymbols {
  readonly symbols: readonly KernelSymbol[];
  /** The frames of addresses that were resolved with these symbols. */
  readonly frames: Map<bigint, StackFrame>;
  readonly readAt: number;
}

let kallsyms: KernelSymbols | undefined;
/** Symbols are cached for this time only, because modules and BPF programs are loaded and unloaded. */
const KALLSYMS_MS = 60_000;
/** Most return addresses of the kernel that are remembered. Ordinary machines have some hundred of them in stacks. */
const KNOWN_FRAMES_MAX = 4096;

function loadKernelSymbols(): KernelSymbols {
  if (kallsyms === undefined || performance.now() - kallsyms.readAt > KALLSYMS_MS) {
    const symbols = parseKallsyms(readProcFile('/proc/kallsyms'));
    kallsyms = { symbols, frames: new Map(), readAt: performance.now() };
  }
  return kallsyms;
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
