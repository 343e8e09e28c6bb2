/** Stack traces: the addresses in a record, and the functions that contain them. */
import type { StackFrame } from '../../types/events.js';
import { EventHeader, StringRef } from '../wire/layout.gen.js';
import type { RecordChunk } from '../wire/record-chunk.js';
import { findKernelFunction } from './kernel-symbols.js';
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

/** A frame has no symbol if no known function contains its address. */
export function resolveKernelFrames(addresses: readonly bigint[], withAddresses: boolean): StackFrame[] {
  return addresses.map((address) => {
    const frame = { ...findKernelFunction(address) };
    return withAddresses ? withAddress(frame, address) : frame;
  });
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
