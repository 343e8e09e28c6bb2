/** Reads the values of events by their labels, whatever their types. */
import type { HookArgument, PlainEvent } from '../../types/events.js';
import { errorName } from '../names/errors.js';

/** Finds a value by its label, among the arguments, the data and the return value. */
export function findValue(event: PlainEvent, label: string): HookArgument | undefined {
  if (!('args' in event)) return undefined;
  const isWanted = (each: HookArgument): boolean => each.label === label;
  const found = event.args.find(isWanted);
  if (found !== undefined || !('data' in event)) return found;
  return event.data.find(isWanted);
}

/** A value as a number: 0n if it is absent or no number. */
export function numberValue(event: PlainEvent, label: string): bigint {
  return toNumber(findValue(event, label));
}

function toNumber(value: HookArgument | undefined): bigint {
  if (value === undefined || !('value' in value)) return 0n;
  const { value: number } = value;
  return typeof number === 'bigint' ? number : typeof number === 'number' ? BigInt(number) : 0n;
}

/** A string, or a path. A string that could not be read is undefined. */
export function textValue(event: PlainEvent, label: string): string | undefined {
  const value = findValue(event, label);
  if (value === undefined || ('unreadable' in value && value.unreadable === true)) return undefined;
  if ('path' in value) return value.path;
  return 'value' in value && typeof value.value === 'string' ? value.value : undefined;
}

/** Bytes of a buffer, and whether the original is longer. */
export function bytesValue(
  event: PlainEvent,
  label: string,
): { readonly bytes: Uint8Array; readonly size: number } | undefined {
  const value = findValue(event, label);
  if (value === undefined || !('value' in value) || !(value.value instanceof Uint8Array)) return undefined;
  return { bytes: value.value, size: 'size' in value ? value.size : value.value.length };
}

/** The return value of a hook. */
export function returnNumber(event: PlainEvent): bigint | undefined {
  return 'return' in event && event.return !== undefined ? toNumber(event.return) : undefined;
}

/** The result of a call of the kernel: a number, or the name of an error. */
export function formatResult(result: bigint): string {
  if (result >= 0n || result < -4095n) return String(result);
  const number = Number(-result);
  return errorName(number) ?? KERNEL_ERRORS[number] ?? `error ${number}`;
}

/** Errors that the kernel uses inside. A signal interrupted the call. */
const KERNEL_ERRORS: Readonly<Record<number, string>> = {
  512: 'ERESTARTSYS',
  513: 'ERESTARTNOINTR',
  514: 'ERESTARTNOHAND',
  516: 'ERESTART_RESTARTBLOCK',
};

/** A 32-bit number that a value of 64 bits may have as a negative one. */
export function signed32(value: bigint): bigint {
  return BigInt.asIntN(32, value);
}

export function formatDuration(ns: bigint): string {
  const value = Number(ns);
  if (value < 1000) return `${value}ns`;
  if (value < 999_950) return `${trim(value / 1000)}us`;
  if (value < 999_950_000) return `${trim(value / 1_000_000)}ms`;
  if (value < 600_000_000_000) return `${trim(value / 1_000_000_000)}s`;
  const minutes = Math.floor(value / 60_000_000_000);
  return minutes < 600 ? `${minutes}m` : `${Math.floor(minutes / 60)}h`;
}

export function formatBytes(count: number | bigint): string {
  let value = Number(count);
  if (value < 1024) return String(value);
  for (const unit of ['K', 'M', 'G', 'T']) {
    value /= 1024;
    if (value < 999.5) return `${trim(value)}${unit}`;
  }
  return `${trim(value / 1024)}P`;
}

/** At most three digits. */
function trim(value: number): string {
  return value < 99.95 ? value.toFixed(1) : String(Math.round(value));
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
