/** The values of an event that an exception compares. Pure. */
import type { ArgumentOf, HookArgument } from '../../types/events.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import { isComparedAs } from '../evaluate/comparison-kinds.js';
import { isPlainText, type Refusal } from './identity.js';

/** How a value is compared: as a number, as a text, as a path, or as one end of a socket. */
type ValueKind = 'number' | 'text' | 'path' | 'remote' | 'local' | 'address';

export interface LearnedValue {
  /** Position in `args`. */
  readonly position: number;
  readonly kind: ValueKind;
  /** The number, text or path; of a socket, the port and the address: `443 192.0.2.1`. */
  readonly text: string;
  /** The file is executed or mapped as code. */
  readonly isExecuted?: true;
}

/** Longest text that filters compare. */
const TEXT_MAX = 254;

const EXECUTING = /bprm|mmap|execve|sched_process_exec|do_open_execat|load_elf/;

/** The values that filters can compare, in the order of the hook; or why they cannot be. */
export function readValues(hook: CompiledHook, args: readonly HookArgument[]): LearnedValue[] | Refusal {
  const slots = hook.args.flatMap(({ type }, position) =>
    type === 'nop' || type === 'auto' ? [] : [{ type, position }],
  );
  if (slots.length !== args.length || slots.some(({ type }, i) => args[i]?.type !== type)) return 'value_incomplete';
  const isExecuting = EXECUTING.test(hook.call) || EXECUTING.test(hook.tracepoint?.event ?? '');
  const values: LearnedValue[] = [];
  for (const [i, { position }] of slots.entries()) {
    const value = readValue(args[i] as HookArgument, position, isExecuting);
    if (typeof value === 'string') return value;
    if (value !== undefined) values.push(value);
  }
  return values;
}

/** Undefined for a value that filters do not compare. */
function readValue(argument: HookArgument, position: number, isExecuting: boolean): LearnedValue | Refusal | undefined {
  if (isComparedAs(argument, 'number')) {
    if (isSet(argument.type)) return undefined;
    // a system call of another table is not the same as its number
    if (argument.type === 'syscall64' && argument.abi !== undefined && /386|arm32/.test(argument.abi))
      return 'value_incomplete';
    return { position, kind: 'number', text: BigInt(argument.value).toString() };
  }
  if (isComparedAs(argument, 'socket')) return readSocket(argument, position);
  if (isComparedAs(argument, 'address')) {
    const { family, address, port } = argument;
    const isInternet = family === 'AF_INET' || family === 'AF_INET6';
    return isInternet ? { position, kind: 'address', text: `${port} ${address}` } : 'no_condition';
  }
  if (isComparedAs(argument, 'path')) {
    const { path, flags } = argument;
    if (flags.some((flag) => flag === 'unknown' || flag === 'truncated' || flag === 'fault')) return 'value_incomplete';
    if (!path.startsWith('/')) return undefined;
    if (path.length > TEXT_MAX || !isPlainText(path)) return 'text_not_plain';
    const isExecuted = isExecuting || argument.type === 'linux_binprm';
    return { position, kind: 'path', text: path, ...(isExecuted ? { isExecuted } : {}) };
  }
  if (isComparedAs(argument, 'string')) {
    if (argument.truncated || ('unreadable' in argument && argument.unreadable === true)) return 'value_incomplete';
    if (typeof argument.value !== 'string') return undefined;
    return argument.value.length > TEXT_MAX || !isPlainText(argument.value)
      ? 'text_not_plain'
      : { position, kind: 'text', text: argument.value };
  }
  return undefined;
}

const isSet = (type: HookArgument['type']): boolean => type.startsWith('cap_') || type === 'kernel_cap_t';

function readSocket(socket: ArgumentOf<'sock' | 'socket' | 'skb'>, position: number): LearnedValue | Refusal {
  const { family, sourceAddress, sourcePort, destinationAddress, destinationPort } = socket;
  if (family !== 'AF_INET' && family !== 'AF_INET6') return 'no_condition';
  return destinationPort !== 0
    ? { position, kind: 'remote', text: `${destinationPort} ${destinationAddress}` }
    : { position, kind: 'local', text: `${sourcePort} ${sourceAddress}` };
}
