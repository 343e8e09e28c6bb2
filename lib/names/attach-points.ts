/** Formats the attach points of uprobes and static probes. */
import type { ProcessUprobeEvent, ProcessUsdtEvent, TracerEvent } from '../../types/events.js';
import type { UprobeAttachPoint } from '../../types/policy.js';

/** PATH:SYMBOL, PATH:SYMBOL+0x10 or PATH:0x401136. */
export function uprobeName({
  path,
  symbol,
  offset,
  address,
}: Pick<ProcessUprobeEvent, 'path' | 'symbol' | 'offset' | 'address'>): string {
  const isStart = symbol !== '' && offset === 0n;
  return `${path}:${formatLocation(symbol === '' ? undefined : symbol, isStart ? undefined : offset, address)}`;
}

/** The attach point without the path, as in the policy: SYMBOL, SYMBOL+0x10 or 0x401136. */
export function formatAttachPoint({
  symbol,
  symbolOffset,
  fileOffset,
  address,
}: Pick<UprobeAttachPoint, 'symbol' | 'symbolOffset' | 'fileOffset' | 'address'>): string {
  return formatLocation(symbol, symbolOffset ?? fileOffset, address);
}

/** PATH:PROVIDER:NAME */
export function probeName({ path, provider, name }: Pick<ProcessUsdtEvent, 'path' | 'provider' | 'name'>): string {
  return `${path}:${provider}:${name}`;
}

function formatLocation(symbol: string | undefined, offset: bigint | undefined, address: bigint | undefined): string {
  if (symbol === undefined) return formatHex(address ?? offset ?? 0n);
  return offset === undefined ? symbol : `${symbol}+${formatHex(offset)}`;
}

export function formatHex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

/** Returns the name of the event's hook in `lost` events. */
export function hookName(event: TracerEvent): string {
  switch (event.type) {
    case 'process_kprobe':
    case 'process_lsm':
      return event.functionName;
    case 'process_uprobe':
      return uprobeName(event);
    case 'process_usdt':
      return probeName(event);
    case 'process_tracepoint':
      return `${event.subsystem}/${event.event}`;
    case 'lost':
      return event.hook;
    case 'process_exec':
    case 'process_exit':
    case 'process_loader':
    case 'process_throttle':
      return event.type;
  }
}
