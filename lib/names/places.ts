/** Places in programs, in words. */
import type { ProcessUprobeEvent, ProcessUsdtEvent } from '../../types/events.js';
import type { ProgramPlace } from '../../types/policy.js';

/** PATH:PLACE */
export function uprobeName({
  path,
  symbol,
  offset,
  address,
}: Pick<ProcessUprobeEvent, 'path' | 'symbol' | 'offset' | 'address'>): string {
  const isStart = symbol !== '' && offset === 0n;
  return `${path}:${placeOf(symbol === '' ? undefined : symbol, isStart ? undefined : offset, address)}`;
}

/** The place alone, as the policy has it: SYMBOL, SYMBOL+0x10, 0x401136. */
export function placeInFile({
  symbol,
  symbolOffset,
  fileOffset,
  address,
}: Pick<ProgramPlace, 'symbol' | 'symbolOffset' | 'fileOffset' | 'address'>): string {
  return placeOf(symbol, symbolOffset ?? fileOffset, address);
}

/** PATH:PROVIDER:NAME */
export function probeName({ path, provider, name }: Pick<ProcessUsdtEvent, 'path' | 'provider' | 'name'>): string {
  return `${path}:${provider}:${name}`;
}

function placeOf(symbol: string | undefined, offset: bigint | undefined, address: bigint | undefined): string {
  if (symbol === undefined) return hex(address ?? offset ?? 0n);
  return offset === undefined ? symbol : `${symbol}+${hex(offset)}`;
}

function hex(place: bigint): string {
  return `0x${place.toString(16)}`;
}
