/** Finds the parameters with the sizes of buffers and addresses. */
import { hookValues, isReturnSlot } from '../compiled/compiled-hook.js';
import type { CompiledHook, CompiledValue } from '../compiled/compiled-policy.js';
import type { FunctionInfo, KernelInfo } from '../../types/kernel.js';
import type { SizeParameter } from '../wire/encode/context.js';
import { isPacketBytes } from '../names/arg-types.js';
import { READS } from '../wire/reads.js';

/** Bytes of a register, and of the sizes of most system calls. */
const WORD_BYTES = 8;
const INT_BYTES = 4;

/** The parameters, from 1, of system calls whose sizes are of type int. BTF does not have these prototypes. */
const INT_SIZES: Readonly<Record<string, readonly number[]>> = {
  bind: [3],
  connect: [3],
  getdents: [3],
  getdents64: [3],
  readlink: [3],
  readlinkat: [4],
  sendto: [6],
  setdomainname: [2],
  sethostname: [2],
  setsockopt: [5],
  syslog: [3],
};
/** The parameters, from 1, that have the length of the address before them. */
const ADDRESS_LENGTHS: Readonly<Record<string, number>> = { bind: 3, connect: 3, sendto: 6 };

/** Returns the parameters by the slots of their values. `prototype` is that of the hooked function, if it is known. */
export function locateSizes(
  hook: CompiledHook,
  prototype: FunctionInfo | undefined,
  kernel?: Pick<KernelInfo, 'struct'>,
): Map<number, SizeParameter> {
  const result = new Map<number, SizeParameter>();
  hookValues(hook).forEach((value, slot) => {
    if (value.source === 'current_task' || isReturnSlot(hook, slot)) return;
    const length =
      kernel !== undefined && hook.kind === 'raw_tracepoint' && isPacketBytes(value) ? packetLength(kernel) : undefined;
    if (length !== undefined) {
      result.set(slot, { param: value.index + 1, width: INT_BYTES, packetLength: length });
      return;
    }
    const param =
      value.sizeArgIndex ?? (hook.syscall ? syscallLength(hook, value) : findLength(value, prototype?.params));
    if (param !== undefined) result.set(slot, { param, width: findWidth(hook, param, prototype) });
  });
  return result;
}

/**
 * Returns the position, from 1, of the parameter or field that follows the address of a local socket and has its length.
 * Bytes behind that length do not belong to the path.
 */
export function findLength(
  value: CompiledValue,
  params: readonly { readonly name: string }[] | undefined,
): number | undefined {
  if (!isLocalAddress(value)) return undefined;
  return /len/i.test(params?.[value.index + 1]?.name ?? '') ? value.index + 2 : undefined;
}

/** Bytes from the start of struct sk_buff to `len`. Undefined if `data_len` is not its neighbour, which the programs need. */
function packetLength(kernel: Pick<KernelInfo, 'struct'>): number | undefined {
  const members = kernel.struct('sk_buff')?.members() ?? [];
  const offset = (name: string): number => (members.find((member) => member.name === name)?.bitOffset ?? NaN) / 8;
  return offset('data_len') === offset('len') + INT_BYTES ? offset('len') : undefined;
}

function syscallLength({ call }: CompiledHook, value: CompiledValue): number | undefined {
  const param = ADDRESS_LENGTHS[syscallName(call)];
  return isLocalAddress(value) && param === value.index + 2 ? param : undefined;
}

const isLocalAddress = ({ type, resolve = '' }: CompiledValue): boolean => type === 'sockaddr_un' && resolve === '';

/** The bytes of the register above those of the type can have any value, so exactly the bytes of the type are read. */
function findWidth(hook: CompiledHook, param: number, prototype: FunctionInfo | undefined): number {
  if (hook.syscall) return INT_SIZES[syscallName(hook.call)]?.includes(param) === true ? INT_BYTES : WORD_BYTES;
  const known = prototype?.params[param - 1]?.type.size ?? 0;
  if (known > 0) return Math.min(known, WORD_BYTES);
  const declared = hook.args.find(({ index, source }) => source === undefined && index === param - 1);
  return (declared === undefined ? 0 : READS[declared.type].width) || WORD_BYTES;
}

/** `sys_connect`, `__x64_sys_connect` and `connect` are one call. */
function syscallName(call: string): string {
  return call.replace(/^(?:__[a-z0-9]+_)?(?:compat_)?sys_/, '');
}
