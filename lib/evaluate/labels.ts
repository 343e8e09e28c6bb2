/** The texts of the labels of a Count for a recorded call, as bpf/counts.bpf.h and lib/tracer/metrics.ts make them. Pure. */
import type { HookArgument, PlainProcess } from '../../types/events.js';
import type { UncertaintyCode } from '../../types/recording.js';
import { hookValues } from '../compiled/compiled-hook.js';
import type { CompiledHook, CountLabel } from '../compiled/compiled-policy.js';
import { parseNetwork } from '../policy/index.js';
import { formatLabelNumber, KERNEL, UNKNOWN } from '../wire/decode/labels.js';
import { AbiLimit } from '../wire/layout.gen.js';
import { decodeString, encodeString } from '../wire/surrogate-escape.js';
import type { RecordedCall } from './call.js';
import { isComparedAs } from './comparison-kinds.js';
import { argumentNumber } from './numbers.js';
import { argumentBytes } from './strings.js';

/** A text, and the reason if the kernel may have another one. */
export interface LabelText {
  readonly text: string;
  readonly doubt?: UncertaintyCode;
}

const ERROR_MAX = 4095n;
const SLASH = 0x2f;

export function labelText(hook: CompiledHook, label: CountLabel, call: RecordedCall): LabelText {
  const { of, slot = 0 } = label;
  switch (of) {
    case 'binary':
    case 'parentBinary':
    case 'container':
    case 'pod':
    case 'namespace':
    case 'uid':
      // labels are about the process that called
      return call.isSocketOwner ? { text: UNKNOWN, doubt: 'SOCKET_OWNER' } : processText(of, call);
    case 'number':
    case 'text':
    case 'address':
    case 'port':
    case 'device':
    case 'errno': {
      const argument = call.values[slot];
      if (argument === undefined || argument.type !== hookValues(hook)[slot]?.type) {
        return { text: UNKNOWN, doubt: 'VALUE_NOT_RECORDED' };
      }
      return valueText(of, argument, label.folders ?? 0);
    }
  }
}

function processText(
  of: 'binary' | 'parentBinary' | 'container' | 'pod' | 'namespace' | 'uid',
  { process, parent }: RecordedCall,
): LabelText {
  const { container, pod, uid } = process;
  switch (of) {
    case 'binary':
      return binaryText(process);
    case 'parentBinary':
      return parent === undefined ? { text: UNKNOWN, doubt: 'PROCESS_UNKNOWN' } : binaryText(parent);
    case 'container':
      return { text: container?.name ?? container?.id ?? '' };
    case 'pod':
      return { text: pod?.name ?? '' };
    case 'namespace':
      return { text: pod?.namespace ?? '' };
    case 'uid':
      // the event has that at the exec
      return { text: String(uid), doubt: 'PROCESS_STATE' };
  }
}

function binaryText({ executable, flags }: PlainProcess): LabelText {
  const isUnsure = flags.split(' ').some((flag) => ['unknown', 'truncFilename', 'errorFilename'].includes(flag));
  if (isUnsure || executable === '') return { text: UNKNOWN, doubt: 'PROCESS_UNKNOWN' };
  // only the name of a kernel thread is no absolute path
  if (!executable.startsWith('/')) return { text: KERNEL };
  const text = decodeText(encodeString(executable));
  return executable.startsWith('/memfd:') ? { text, doubt: 'VALUE_REWRITTEN' } : { text };
}

function valueText(
  of: 'number' | 'text' | 'address' | 'port' | 'device' | 'errno',
  argument: HookArgument,
  folders: number,
): LabelText {
  if (of === 'text' && isComparedAs(argument, 'string', 'path')) return stringText(argument, folders);
  if (of === 'device' && 'device' in argument) return { text: `${argument.device.major}:${argument.device.minor}` };
  if (isComparedAs(argument, 'number')) {
    const number = argumentNumber(argument);
    if (of === 'errno') return { text: errorText(BigInt.asIntN(64, number)) };
    const { type } = argument;
    // the names of the machine that made the recording
    if (type === 'syscall64' && argument.name !== undefined && (argument.abi === 'x64' || argument.abi === 'arm64')) {
      return { text: argument.name };
    }
    return { text: formatLabelNumber('number', [number, 0n], type) };
  }
  if (isComparedAs(argument, 'socket')) {
    return { text: of === 'port' ? String(argument.destinationPort) : addressText(argument.destinationAddress) };
  }
  if (isComparedAs(argument, 'address')) {
    return { text: of === 'port' ? String(argument.port) : addressText(argument.address) };
  }
  return { text: UNKNOWN, doubt: 'VALUE_NOT_RECORDED' };
}

function errorText(value: bigint): string {
  return formatLabelNumber('errno', [value < 0n && value >= -ERROR_MAX ? -value : 0n, 0n], undefined);
}

function stringText(argument: Parameters<typeof argumentBytes>[0], folders: number): LabelText {
  const isUnread = 'path' in argument ? argument.flags.some((flag) => flag === 'fault' || flag === 'unknown') : argument.unreadable === true; // prettier-ignore
  // the kernel does not have the text either
  if (isUnread) return { text: UNKNOWN };
  const bytes = argumentBytes(argument);
  if (bytes !== undefined) return { text: decodeText(cutFolders(bytes, folders)) };
  return { text: 'path' in argument ? argument.path : UNKNOWN, doubt: 'VALUE_REWRITTEN' };
}

/** Same as cut_label() of bpf/counts.bpf.h. */
function cutFolders(bytes: Buffer, folders: number): Buffer {
  if (folders === 0) return bytes;
  let found = 0;
  const end = bytes.subarray(0, AbiLimit.COUNT_TEXT_MAX).findIndex((byte) => byte === SLASH && found++ >= folders);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/** Decodes the bytes that the kernel keeps: at most COUNT_TEXT_MAX, up to the first zero. */
function decodeText(bytes: Buffer): string {
  const kept = bytes.subarray(0, AbiLimit.COUNT_TEXT_MAX);
  const zero = kept.indexOf(0);
  return decodeString(kept, 0, zero < 0 ? kept.length : zero);
}

/** An address of a family other than IPv4 and IPv6 is zero in the kernel. */
function addressText(address: string): string {
  if (address === '') return '::';
  const network = parseNetwork(address);
  // IPv4 in IPv6 has the text of IPv4, as in formatLabelNumber()
  return network === undefined ? address : address.replace(/^::ffff:(?=\d+\.)/, '');
}
