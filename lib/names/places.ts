/** Places in programs, in words. */
import type { ProcessUprobeEvent, ProcessUsdtEvent } from '../../types/events.js';

/** As a policy says it: PATH:SYMBOL, PATH:SYMBOL+0x10, PATH:0x401136. */
export function placeName(event: Pick<ProcessUprobeEvent, 'path' | 'symbol' | 'offset' | 'address'>): string {
  return `${event.path}:${placeIn(event)}`;
}

/** PATH:PROVIDER:NAME */
export function probeName({ path, provider, name }: Pick<ProcessUsdtEvent, 'path' | 'provider' | 'name'>): string {
  return `${path}:${provider}:${name}`;
}

function placeIn({ symbol, offset, address }: Pick<ProcessUprobeEvent, 'symbol' | 'offset' | 'address'>): string {
  const place = `0x${(address ?? offset).toString(16)}`;
  if (symbol === '') return place;
  return offset === 0n ? symbol : `${symbol}+${place}`;
}
