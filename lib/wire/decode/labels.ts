/** Formats the labels of metrics that are numbers in their keys. Pure. */
import type { CompiledValue, CountLabel } from '../../compiled/compiled-policy.js';
import { argType } from '../../names/arg-types.js';
import { capabilityName } from '../../names/capabilities.js';
import { errorName } from '../../names/errors.js';
import { hostArchitecture, SYSCALL_COMPAT, syscallName } from '../../names/syscalls.js';
import type { LabelWords } from './counts.js';
import { formatIpv6 } from '../../names/addresses.js';

/** The text of a label that is not known, and that of the binary of a kernel thread. */
export const UNKNOWN = '(unknown)';
export const KERNEL = '[kernel]';

const MINOR_BITS = 20;
const MAPPED_PREFIX = '::ffff:';

export function formatLabelNumber(
  of: Extract<CountLabel['of'], 'number' | 'address' | 'port' | 'device' | 'errno' | 'uid'>,
  words: LabelWords,
  type: CompiledValue['type'] | undefined,
): string {
  const [word] = words;
  switch (of) {
    case 'number':
      return formatNumber(word, type);
    case 'address':
      return formatAddress(words);
    case 'device':
      return `${word >> BigInt(MINOR_BITS)}:${word & ((1n << BigInt(MINOR_BITS)) - 1n)}`;
    case 'errno':
      return word === 0n ? 'OK' : (errorName(Number(word)) ?? String(word));
    case 'port':
    case 'uid':
      return String(word);
  }
}

function formatNumber(word: bigint, type: CompiledValue['type'] | undefined): string {
  const { class: valueClass } = argType(type ?? 'uint64');
  if (valueClass === 'signed') return String(BigInt.asIntN(64, word));
  if (valueClass === 'capability') return capabilityName(Number(word)) ?? String(word);
  return valueClass === 'syscall' ? syscallLabel(word & 0xffff_ffffn) : String(word);
}

/** 32-bit programs use other numbers. */
function syscallLabel(number: bigint): string {
  const isCompat = (number & SYSCALL_COMPAT) !== 0n;
  return isCompat ? `32-bit ${number & ~SYSCALL_COMPAT}` : (syscallName(number, hostArchitecture()) ?? String(number));
}

function formatAddress(words: LabelWords): string {
  const bytes = Buffer.alloc(16);
  words.forEach((word, i) => bytes.writeBigUInt64LE(word, 8 * i));
  const text = formatIpv6(bytes);
  return text.startsWith(MAPPED_PREFIX) ? text.slice(MAPPED_PREFIX.length) : text;
}
