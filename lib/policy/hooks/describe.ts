/** Describes a hook: its values with their types in C and in a policy, and whether it can be overridden. */
import type { ElfInfo } from '../../elf/elf-info.js';
import type { AvailableHook, HookParameter } from '../../../types/hooks.js';
import type { FunctionInfo, KernelInfo, TypeInfo } from '../../../types/kernel.js';
import { argTypeForField } from '../kernel/fields.js';
import { formatType } from '../kernel/format-type.js';
import { findSyscall } from '../kernel/prototypes.js';
import { argTypeForBtf } from '../kernel/value-types.js';
import { argType } from '../language/vocabulary.js';
import { HOOK_PARAM_MAX, PROBE_ARGS_MAX } from '../language/limits.js';
import type { HookName } from './names.js';

type Facts = Pick<AvailableHook, 'parameters' | 'returns' | 'overridable' | 'group'>;

/** `groups` has the group of each tracepoint. */
export function describeKernelHook(
  { kind, name }: HookName,
  kernel: KernelInfo,
  groups: ReadonlyMap<string, string>,
): Facts {
  switch (kind) {
    case 'syscall': {
      const found = findSyscall(name, kernel);
      const facts =
        found?.prototype === undefined ? describeEntry(kernel, name) : describePrototype(found.prototype, true);
      return { ...facts, ...overridable(found?.name, kernel) };
    }
    case 'lsm': {
      const prototype = kernel.function(`bpf_lsm_${name}`);
      return { ...describePrototype(prototype), overridable: prototype?.returns.kind === 'int' };
    }
    case 'tracepoint': {
      const [group = '', event = ''] = name.split('/');
      return { ...describeFields(kernel, group, event), overridable: false };
    }
    case 'raw_tracepoint': {
      const group = groups.get(name);
      const { parameters } = describePrototype(nameParameters(kernel, name));
      return { ...(parameters && { parameters }), ...(group !== undefined && { group }), overridable: false };
    }
    case 'function':
      return { ...describePrototype(kernel.function(name)), ...overridable(name, kernel) };
    case 'usdt':
    case 'uprobe':
      return {};
  }
}

function overridable(name: string | undefined, kernel: KernelInfo): Pick<Facts, 'overridable'> {
  const known = name === undefined ? undefined : kernel.overridable(name);
  return known === undefined ? {} : { overridable: known };
}

function describePrototype(prototype: FunctionInfo | undefined, isSyscall = false): Facts {
  if (prototype === undefined) return {};
  const parameters = prototype.params.map(({ name, type }, index) => ({
    index,
    name,
    ...describeType(type, isSyscall, index < HOOK_PARAM_MAX),
  }));
  if (prototype.returns.kind === 'void') return { parameters };
  return { parameters, returns: describeType(prototype.returns, isSyscall) };
}

/** `isReachable`: BPF programs can read a parameter in this place. */
function describeType(type: TypeInfo, isSyscall: boolean, isReachable = true): Pick<HookParameter, 'cType' | 'type'> {
  const found = isReachable ? argTypeForBtf(type) : undefined;
  const fits = found !== undefined && !(isSyscall && argType(found).receivers === 'kernel');
  return { cType: formatType(type), ...(fits && { type: found }) };
}

function describeFields(kernel: KernelInfo, group: string, event: string): Facts {
  const fields = kernel.tracepoint(group, event)?.fields;
  if (fields === undefined) return {};
  const parameters = fields.flatMap((field, index) => {
    if (field.name.startsWith('common_')) return [];
    const type = argTypeForField(field);
    return [{ index, name: field.name, cType: field.type, ...(type && { type }) }];
  });
  return { parameters };
}

/**
 * Describes a system call whose function is inlined, so that BTF does not have it, by the tracepoint at its entry. The
 * tracepoint stores each parameter as 8 bytes. Newer kernels add copies of texts (`__data_loc`).
 */
function describeEntry(kernel: KernelInfo, name: string): Facts {
  const fields = kernel.tracepoint('syscalls', name.replace(/^sys_/, 'sys_enter_'))?.fields;
  const returns = { cType: 'long int', type: 'int64' } as const;
  if (fields === undefined) return { returns };
  const own = fields.filter(({ name: field, type }) => !/^(common_|__syscall_nr$)/.test(field) && !type.startsWith('__data_loc')); // prettier-ignore
  const parameters = own.map((field, index) => {
    const size = ENTRY_BYTES[field.type.replace(/^const /, '')];
    const type = argTypeForField(size === undefined ? field : { ...field, size, signed: !field.type.startsWith('u') });
    const isUsable = type !== undefined && argType(type).receivers !== 'kernel';
    return { index, name: field.name, cType: field.type.replace(/^const /, ''), ...(isUsable && { type }) };
  });
  return { parameters, returns };
}

/** The real sizes of the parameters that a tracepoint of a system call stores as 8 bytes. */
const ENTRY_BYTES: Readonly<Record<string, number>> = {
  int: 4,
  pid_t: 4,
  clockid_t: 4,
  'unsigned int': 4,
  unsigned: 4,
  u32: 4,
  uid_t: 4,
  gid_t: 4,
  umode_t: 2,
};

/** Returns the prototype of a raw tracepoint. The names are those of the kernel's function that calls the programs. */
function nameParameters(kernel: KernelInfo, event: string): FunctionInfo | undefined {
  const prototype = kernel.rawTracepoint(event);
  const named = kernel.function(`__traceiter_${event}`)?.params.slice(1) ?? [];
  if (prototype === undefined || named.length !== prototype.params.length) return prototype;
  return { ...prototype, params: prototype.params.map((each, i) => ({ ...each, name: named[i]?.name ?? '' })) };
}

/** The static probes and functions of a file. A static probe with several places has the arguments of the first one. */
export function listFileHooks({ symbols, probes }: ElfInfo): (HookName & Facts)[] {
  const usdts = [...probes].map(([name, places]) => ({
    kind: 'usdt' as const,
    name,
    parameters: (places[0]?.args ?? []).map((cType, index) => ({ index, name: '', cType, ...probeType(cType, index) })),
    overridable: false,
  }));
  const functions = [...symbols].flatMap(([name, address]) =>
    address === null ? [] : [{ kind: 'uprobe' as const, name, overridable: true }],
  );
  return [...usdts, ...functions];
}

/** The type of an argument of a static probe: SIZE@PLACE, with a negative size for a signed number. */
function probeType(specification: string, index: number): Pick<HookParameter, 'type'> {
  const [, sign, digits] = /^(-?)(\d+)@/.exec(specification) ?? [];
  const bits = Number(digits) * 8;
  if (index >= PROBE_ARGS_MAX || ![8, 16, 32, 64].includes(bits)) return {};
  return { type: `${sign === '-' ? 'int' : 'uint'}${bits as 8 | 16 | 32 | 64}` };
}
