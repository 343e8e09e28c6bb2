/**
 * Infers the types that a policy leaves open (`type: auto` or no type) from the prototypes of the kernel's functions and
 * from the formats of its tracepoints.
 */
import type { FunctionInfo, KernelInfo, TypeInfo } from '../../../types/kernel.js';
import { findRegister } from '../../names/kernel.js';
import { HOOK_KINDS, argType, type ArgTypeName, type HookKind } from '../language/vocabulary.js';
import { expandCall } from '../model/lists.js';
import type { ArgData, HookData, PolicyData } from '../model/model.js';
import type { Report } from '../parse/report.js';
import { argTypeForField } from './fields.js';
import { resolveStart } from './parameters.js';
import { findFunction, findSyscall } from './prototypes.js';
import { fieldStart, isFailure, resolveSteps, startType } from './resolve.js';
import { formatType } from './format-type.js';
import { argTypeForBtf } from './value-types.js';

const isUntyped = ({ type }: ArgData): boolean => type === undefined || type === 'auto';

export function hookArgs({ args = [], data = [], returnArg }: HookData): ArgData[] {
  return [...args, ...data, ...(returnArg === undefined ? [] : [returnArg])];
}

/** The values of a policy whose types must be inferred. */
export function untypedValues({ spec = {} }: PolicyData): ArgData[] {
  return HOOK_KINDS.flatMap((kind) => (spec[kind] ?? []).flatMap((hook) => hookArgs(hook).filter(isUntyped)));
}

/** Returns the policy with the inferred types. A type that cannot be inferred is reported and stays open. */
export function inferTypes(policy: PolicyData, kernel: KernelInfo, report: Report): PolicyData {
  const { spec } = policy;
  if (spec === undefined) return policy;
  const { positions } = report;
  const copyWith = <T extends object>(from: T, changes: Partial<T>): T => {
    const to = { ...from, ...changes };
    positions.copy(from, to);
    return to;
  };
  const copyList = <T extends object>(from: readonly T[], to: readonly T[]): readonly T[] => {
    positions.copy(from, to);
    return to;
  };
  const inferHook = (kind: HookKind, hook: HookData): HookData => {
    if (!hookArgs(hook).some(isUntyped)) return hook;
    const target = findTypeSource(policy, kind, hook, kernel);
    if (target === 'skipped') return removeValues(hook, copyWith);
    const inferArg = (arg: ArgData, isReturn = false): ArgData => {
      if (!isUntyped(arg)) return arg;
      const found = inferType(arg, isReturn, target, kernel);
      if (typeof found === 'string') return copyWith(arg, { type: found, inferred: true });
      if (found !== undefined) {
        report.add('TYPE_NOT_INFERRED', positions.value(arg, 'type'), found.message, found.hint);
      }
      return arg;
    };
    const inferArgs = (values: readonly ArgData[] | undefined): readonly ArgData[] | undefined =>
      values && copyList(values, values.map((arg) => inferArg(arg))); // prettier-ignore
    const { args, data, returnArg } = hook;
    return copyWith(hook, {
      ...(args === undefined ? {} : { args: inferArgs(args) ?? [] }),
      ...(data === undefined ? {} : { data: inferArgs(data) ?? [] }),
      ...(returnArg === undefined ? {} : { returnArg: inferArg(returnArg, true) }),
    });
  };
  const kinds = HOOK_KINDS.flatMap((kind) => {
    const hooks = spec[kind];
    return hooks === undefined ? [] : [[kind, copyList(hooks, hooks.map((hook) => inferHook(kind, hook)))] as const]; // prettier-ignore
  });
  return copyWith(policy, { spec: copyWith(spec, Object.fromEntries(kinds)) });
}

/** For a hook whose target may be missing, and is missing in this kernel: it then reads and compares nothing. */
function removeValues(hook: HookData, copyWith: (from: HookData, changes: Partial<HookData>) => HookData): HookData {
  return copyWith(hook, { args: [], data: [], selectors: [], return: false });
}

/** The declaration of what a hook is attached to. It gives the types of the hook's values. */
interface TypeSource {
  readonly name: string;
  readonly isSyscall?: boolean;
  readonly prototype?: FunctionInfo | undefined;
  readonly fields?: NonNullable<ReturnType<KernelInfo['tracepoint']>>['fields'];
  /** The reason if there are no types. */
  readonly reason?: string;
}

function findTypeSource(
  policy: PolicyData,
  kind: HookKind,
  hook: HookData,
  kernel: KernelInfo,
): TypeSource | 'skipped' | undefined {
  const missing = hook.ignore?.callNotFound === true || hook.optional === true ? 'skipped' : undefined;
  switch (kind) {
    case 'kprobes':
    case 'fentries': {
      const calls = expandCall(policy, hook.call ?? '', hook.syscall ?? true, kernel);
      for (const { name, syscall } of calls) {
        const found = syscall ? findSyscall(name, kernel) : findFunction(name, kernel);
        if (found !== undefined) return { isSyscall: syscall, ...found };
        if (kernel.attachable(name) === true) return { name, reason: `${kernel.name} has no types for ${name}` };
      }
      return missing;
    }
    case 'lsmhooks': {
      const prototype = kernel.function(`bpf_lsm_${hook.hook}`);
      return prototype === undefined ? missing : { name: hook.hook ?? '', prototype };
    }
    case 'tracepoints': {
      const { subsystem = '', event = '' } = hook;
      if (hook.raw === true) {
        const prototype = kernel.rawTracepoint(event);
        return prototype === undefined ? missing : { name: event, prototype };
      }
      const found = kernel.tracepoint(subsystem, event);
      if (found === null) return missing;
      const name = `${subsystem}/${event}`;
      return found === undefined
        ? { name, reason: `the format of ${name} cannot be read: tracefs is not mounted, or is that of another kernel` }
        : { name, fields: found.fields };
    }
    case 'uprobes':
    case 'usdts':
      return { name: hook.path ?? '', reason: 'the kernel does not know the types of a program' };
  }
}

interface InferenceFailure {
  readonly message: string;
  readonly hint: string;
}

const WRITE_TYPE_HINT = 'write the type of the value';

function inferType(
  arg: ArgData,
  isReturn: boolean,
  target: TypeSource | undefined,
  kernel: KernelInfo,
): ArgTypeName | InferenceFailure | undefined {
  const { index = 0, resolve, source } = arg;
  if (source === 'duration') return 'uint64';
  if (source === 'pt_regs') {
    const register = findRegister(resolve ?? '', 'x64') ?? findRegister(resolve ?? '', 'arm64');
    return register === undefined ? undefined : `uint${(8 * register.bytes) as 8 | 16 | 32 | 64}`;
  }
  const field = source === undefined ? target?.fields?.[index] : undefined;
  if (field !== undefined && !resolve) {
    const message = `${field.name} of ${target?.name} has the type ${field.type}, for which polytrace has no type`;
    return (
      argTypeForField(field, arg.sizeArgIndex !== undefined) ?? {
        message,
        hint: 'write the type of the value, or use `raw: true`',
      }
    );
  }
  if (target === undefined && source === undefined) return undefined; // check.ts reports the missing target
  const start =
    source === 'current_task'
      ? kernel.struct('task_struct')
      : field === undefined
        ? startType(kernel, resolveStart(arg), target?.prototype, isReturn)
        : fieldStart(kernel, field, resolveStart(arg));
  if (start === undefined) {
    const isBeyond = target?.prototype !== undefined || target?.fields !== undefined;
    if (isBeyond && source === undefined) return undefined; // check.ts reports the missing parameter or field
    const message = `the type of this value is not known: ${target?.reason ?? `${kernel.name} has no types for ${target?.name}`}`;
    return { message, hint: WRITE_TYPE_HINT };
  }
  if (isFailure(start)) return undefined;
  const end = resolve ? resolveSteps(start, resolve) : undefined;
  if (end !== undefined && isFailure(end)) return undefined; // parameters.ts reports the error of `resolve`
  return inferEndType(end?.end.type ?? start, arg, target);
}

function inferEndType(type: TypeInfo, arg: ArgData, target: TypeSource | undefined): ArgTypeName | InferenceFailure {
  const found = argTypeForBtf(type, arg.sizeArgIndex !== undefined || arg.returnCopy === true);
  const isUserObject = target?.isSyscall === true && arg.source === undefined;
  if (found !== undefined && !(isUserObject && argType(found).receivers === 'kernel')) return found;
  const message = `${formatType(type)} is a type that polytrace cannot read`;
  return { message, hint: 'use `resolve` to read a member, nop to leave it out, or a number type to read the address' };
}
