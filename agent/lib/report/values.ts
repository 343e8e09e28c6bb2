/** Values of hooks as texts of a report, and the files and addresses among them. */
import type { HookArgument, PlainEvent } from 'polytrace';

/** A path of the kernel has at most 4096 bytes. Longer texts are cut. */
const TEXT_MAX = 8192;
const BYTES_MAX = 512;

export function cut(text: string): string {
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text;
}

export function valueOf(argument: HookArgument): string {
  if ('path' in argument) return cut(argument.path);
  if ('sourceAddress' in argument) {
    const { sourceAddress, sourcePort, destinationAddress, destinationPort, protocol } = argument;
    return `${end(sourceAddress, sourcePort)} → ${end(destinationAddress, destinationPort)} ${protocol}`.trim();
  }
  if ('address' in argument && 'port' in argument) return end(argument.address, argument.port);
  if ('unreadable' in argument) return '(unreadable)';
  if ('value' in argument) return cut(plainValue(argument.value));
  return cut(membersOf(argument));
}

function plainValue(value: unknown): string {
  if (!(value instanceof Uint8Array))
    return typeof value === 'object' ? JSON.stringify(value, readable) : String(value);
  const bytes = Buffer.from(value.subarray(0, BYTES_MAX));
  const text = bytes.toString('latin1');
  const shown = /^[\t\n\r -~]*$/.test(text) ? JSON.stringify(text) : `0x${bytes.toString('hex')}`;
  return value.length > BYTES_MAX ? `${shown}… (${value.length} bytes)` : shown;
}

/** Its members that are not about the argument itself: `name=x size=3`. */
function membersOf(argument: HookArgument): string {
  const { type: _type, index: _index, label: _label, ...members } = argument as unknown as Record<string, unknown>;
  return Object.entries(members)
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([name, value]) => `${name}=${plainValue(value)}`)
    .join(' ');
}

function readable(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

function end(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Files that the event is about. */
export function filesOf(event: PlainEvent): string[] {
  if (event.type === 'process_loader') return pathsOnly([event.path]);
  if (!('args' in event)) return [];
  return pathsOnly(event.args.map((each) => ('path' in each ? each.path : textOf(each))));
}

/** A name that a system call was given can be a path. */
function textOf(argument: HookArgument): string {
  const isName = argument.type === 'string' || argument.type === 'filename' || argument.type === 'data_loc';
  if (!isName || !('value' in argument) || typeof argument.value !== 'string') return '';
  return argument.value.startsWith('/') ? argument.value : '';
}

function pathsOnly(texts: readonly string[]): string[] {
  return [...new Set(texts.filter((text) => text !== '').map(cut))];
}

/** The other ends of connections, and addresses that a call was given. */
export function addressesOf(args: readonly HookArgument[]): string[] {
  const ends = args.flatMap((each) => {
    if ('destinationAddress' in each) return [[each.destinationAddress, each.destinationPort] as const];
    return 'address' in each && 'port' in each ? [[each.address, each.port] as const] : [];
  });
  return [...new Set(ends.filter(([address]) => address !== '').map(([address, port]) => end(address, port)))];
}
