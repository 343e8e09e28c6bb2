/** Locates a hook's values on this kernel and machine: members by their offsets, registers, and files by their inodes. */
import {
  formatHookPosition,
  isRegister,
  isReturnSlot,
  formatValuePosition,
  hookValues,
} from '../compiled/compiled-hook.js';
import { closeSync } from 'node:fs';
import type { ErrorCode } from '../../types/codes.js';
import type { FunctionInfo, KernelInfo } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import type { NativeSession } from '../native/binding.js';
import { loadKernelInfo } from '../native/btf.js';
import { fileReader } from '../native/file-reader.js';
import type { CompiledHook, TableEntry, CompiledValue } from '../compiled/compiled-policy.js';
import { isFailure, resolveSteps, startType, type ResolveFailure } from '../policy/index.js';
import { findRegister } from '../names/kernel.js';
import { type RegisterLocation, type ResolvedValue } from '../wire/encode/context.js';
import { AbiLimit } from '../wire/layout.gen.js';
import { needsPointer } from '../wire/reads.js';
import type { Inode } from '../wire/encode/tables.js';

/** Returns the offsets of members by slot. Throws KernelError if this kernel does not have them. */
export function resolveValues(
  hook: CompiledHook,
  prototype: FunctionInfo | undefined,
  kernel: KernelInfo,
): Map<number, ResolvedValue> {
  const result = new Map<number, ResolvedValue>();
  const programBtf = loadProgramBtf(hook);
  hookValues(hook).forEach((value, slot) => {
    if (value.resolve === undefined || value.resolve === '' || isRegister(value)) return;
    // fields.ts locates the fields of tracepoints
    if (hook.kind === 'tracepoint' && value.source === undefined) return;
    const types = value.source === undefined ? (programBtf ?? kernel) : kernel;
    result.set(slot, resolveValue(hook, value, isReturnSlot(hook, slot), prototype, types));
  });
  return result;
}

/** Throws KernelError BTF_UNREADABLE. */
function loadProgramBtf(hook: CompiledHook): KernelInfo | undefined {
  const { btfPath } = hook;
  if (btfPath === undefined) return undefined;
  try {
    return loadKernelInfo(btfPath);
  } catch (error) {
    const { code, message, hint } = error as KernelError;
    throw new KernelError(code, `${formatHookPosition(hook)}: ${message}`, hint);
  }
}

function resolveValue(
  hook: CompiledHook,
  value: CompiledValue,
  returned: boolean,
  prototype: FunctionInfo | undefined,
  kernel: KernelInfo,
): ResolvedValue {
  const fail = ({ code, message, hint }: Omit<ResolveFailure, 'code'> & { code: ErrorCode }): never => {
    throw new KernelError(code, `${formatValuePosition(hook, value)}: ${message}`, hint);
  };
  if (hook.syscall && value.source === undefined && !returned) {
    throw new KernelError(
      'RESOLVE_USER_MEMORY',
      `${formatValuePosition(hook, value)}: parameters of system calls point to user memory, where members cannot be followed`,
      'hook the kernel function that the system call uses, such as security_socket_connect',
    );
  }
  const start = startType(kernel, value, prototype, returned);
  if (start === undefined) {
    throw new KernelError(
      'RESOLVE_TYPE_UNKNOWN',
      `${formatValuePosition(hook, value)}: ${kernel.name} does not say the type of the value that \`resolve\` starts from`,
      'name the type with btfType',
    );
  }
  if (isFailure(start)) return fail(start);
  const resolved = resolveSteps(start, value.resolve as string);
  if (isFailure(resolved)) return fail(resolved);
  const steps = needsPointer(value.type) && resolved.end.isPointer ? followLast(resolved.steps) : resolved.steps;
  if (steps.length > AbiLimit.RESOLVE_STEPS_MAX) {
    const message = `${value.resolve} is more than ${AbiLimit.RESOLVE_STEPS_MAX} pointers away`;
    return fail({ code: 'LIMIT_RESOLVE', message, hint: 'start from a parameter that is closer to the value' });
  }
  return { steps, width: resolved.end.width };
}

/** Adds a step that follows the pointer at the last address. */
export function followLast(steps: ResolvedValue['steps']): ResolvedValue['steps'] {
  const last = steps.at(-1);
  if (last === undefined || last.follow) return [...steps, { offset: 0, follow: true }];
  return [...steps.slice(0, -1), { offset: last.offset, follow: true }];
}

/** Returns the registers in struct pt_regs by slot. Throws KernelError REGISTER_UNKNOWN. */
export function locateRegisters(
  hook: CompiledHook,
  kernel: KernelInfo,
  architecture: string,
): Map<number, RegisterLocation> {
  const result = new Map<number, RegisterLocation>();
  hookValues(hook).forEach((value, slot) => {
    if (!isRegister(value)) return;
    const name = value.resolve ?? '';
    const register = findRegister(name, architecture);
    const offset = register === undefined ? undefined : registerOffset(register.member, kernel, architecture);
    if (register === undefined || offset === undefined) {
      throw new KernelError(
        'REGISTER_UNKNOWN',
        `${formatValuePosition(hook, value)}: there is no register ${JSON.stringify(name)} on ${architecture}`,
        architecture === 'arm64' ? 'use x0 to x30, sp or pc' : 'use a register such as rax, edi, r10 or rip',
      );
    }
    result.set(slot, { offset, bytes: register.bytes });
  });
  return result;
}

function registerOffset(name: string, kernel: KernelInfo, architecture: string): number | undefined {
  const members = kernel.struct('pt_regs')?.members() ?? [];
  const memberOffset = (member: string): number | undefined => {
    const found = members.find((candidate) => candidate.name === member);
    return found === undefined ? undefined : found.bitOffset / 8;
  };
  const number = architecture === 'arm64' ? /^x(\d+)$/.exec(name)?.[1] : undefined;
  const first = memberOffset('regs');
  if (number === undefined) return memberOffset(name);
  return first === undefined ? undefined : first + 8 * Number(number);
}

/**
 * Returns the slots of parameters that are pointers to void. BPF programs must not load a pointer to const void from their
 * context, and TypeInfo does not show const.
 */
export function voidPointerSlots(hook: CompiledHook, prototype: FunctionInfo | undefined): Set<number> {
  const params = hook.syscall ? [] : (prototype?.params ?? []);
  const isVoid = (value: CompiledValue, slot: number): boolean => {
    const type = params[value.index]?.type;
    const isParameter = value.source === undefined && !isReturnSlot(hook, slot);
    return isParameter && type?.kind === 'pointer' && (type.target()?.kind ?? 'void') === 'void';
  };
  return new Set([...hookValues(hook).entries()].filter(([slot, value]) => isVoid(value, slot)).map(([slot]) => slot));
}

/**
 * Returns the inodes of the files that filters with `inode: true` name, by slot. If a path does not exist yet, or its file
 * system does not answer, its inode is added when the path first appears.
 */
export async function readInodes(
  hook: CompiledHook,
  session: NativeSession,
): Promise<Map<number, TableEntry<Inode>[]>> {
  const result = new Map<number, TableEntry<Inode>[]>();
  for (const [slot, { texts }] of hookValues(hook).entries()) {
    const selectors = new Set(texts.inode ?? []);
    if (selectors.size === 0) continue;
    const filterSelectors = (mask: readonly number[]): number[] => mask.filter((selector) => selectors.has(selector));
    const entries: TableEntry<Inode>[] = [];
    for (const { value, match, reject } of texts.equal?.entries ?? []) {
      const selected = { match: filterSelectors(match), reject: filterSelectors(reject) };
      if (selected.match.length + selected.reject.length === 0) continue;
      const inode = await readInode(value, session);
      if (inode !== undefined) entries.push({ value: inode, ...selected });
    }
    result.set(slot, entries);
  }
  return result;
}

async function readInode(path: string, session: NativeSession): Promise<Inode | undefined> {
  const fd = await fileReader().openPath(path);
  if (typeof fd !== 'number') return undefined;
  try {
    return session.readInode(fd);
  } finally {
    closeSync(fd);
  }
}
