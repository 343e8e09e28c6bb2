/**
 * Finds the types that a policy leaves to the kernel, by `type: auto` or by no type: from the prototypes of functions,
 * and from the formats of tracepoints.
 */
import type { FunctionInfo, KernelInfo, TypeInfo } from '../../../types/kernel.js';
import { registerOf } from '../../names/kernel.js';
import { HOOK_KINDS, argType, type ArgTypeName, type HookKind } from '../language/vocabulary.js';
import { callsOf } from '../model/lists.js';
import type { ArgData, HookData, PolicyData } from '../model/model.js';
import type { Report } from '../parse/report.js';
import { fieldType } from './fields.js';
import { startOf } from './parameters.js';
import { findFunction, findSyscall } from './prototypes.js';
import { fieldStart, isFailure, resolveSteps, startType } from './resolve.js';
import { showType } from './show.js';
import { typeOfValue } from './value-types.js';

const isOpen = ({ type }: ArgData): boolean => type === undefined || type === 'auto';

export function valuesOf({ args = [], data = [], returnArg }: HookData): ArgData[] {
  return [...args, ...data, ...(returnArg === undefined ? [] : [returnArg])];
}

/** The values whose types are not known yet. */
export function openValues({ spec = {} }: PolicyData): ArgData[] {
  return HOOK_KINDS.flatMap((kind) => (spec[kind] ?? []).flatMap((hook) => valuesOf(hook).filter(isOpen)));
}

/** Returns the policy with the types. A type that cannot be found is reported and stays open. */
export function inferTypes(policy: PolicyData, kernel: KernelInfo, report: Report): PolicyData {
  const { spec } = policy;
  if (spec === undefined) return policy;
  const { places } = report;
  const copied = <T extends object>(from: T, changes: Partial<T>): T => {
    const to = { ...from, ...changes };
    places.copy(from, to);
    return to;
  };
  const listed = <T extends object>(from: readonly T[], to: readonly T[]): readonly T[] => {
    places.copy(from, to);
    return to;
  };
  const hookWith = (kind: HookKind, hook: HookData): HookData => {
    if (!valuesOf(hook).some(isOpen)) return hook;
    const target = targetOf(policy, kind, hook, kernel);
    if (target === 'skipped') return withoutValues(hook, copied);
    const typed = (arg: ArgData, isReturn = false): ArgData => {
      if (!isOpen(arg)) return arg;
      const found = typeOf(arg, isReturn, target, kernel);
      if (typeof found === 'string') return copied(arg, { type: found, inferred: true });
      if (found !== undefined) {
        report.add('TYPE_NOT_INFERRED', places.value(arg, 'type'), found.message, found.hint);
      }
      return arg;
    };
    const list = (values: readonly ArgData[] | undefined): readonly ArgData[] | undefined =>
      values && listed(values, values.map((arg) => typed(arg))); // prettier-ignore
    const { args, data, returnArg } = hook;
    return copied(hook, {
      ...(args === undefined ? {} : { args: list(args) ?? [] }),
      ...(data === undefined ? {} : { data: list(data) ?? [] }),
      ...(returnArg === undefined ? {} : { returnArg: typed(returnArg, true) }),
    });
  };
  const kinds = HOOK_KINDS.flatMap((kind) => {
    const hooks = spec[kind];
    return hooks === undefined ? [] : [[kind, listed(hooks, hooks.map((hook) => hookWith(kind, hook)))] as const]; // prettier-ignore
  });
  return copied(policy, { spec: copied(spec, Object.fromEntries(kinds)) });
}

/** A hook that this kernel does not have, and that the policy allows to be missing: it reads and compares nothing. */
function withoutValues(hook: HookData, copied: (from: HookData, changes: Partial<HookData>) => HookData): HookData {
  return copied(hook, { args: [], data: [], selectors: [], return: false });
}

/** Where the values of a hook come from; undefined if the hook's target is not in the kernel, which is another mistake. */
interface Target {
  readonly name: string;
  readonly isSyscall?: boolean;
  readonly prototype?: FunctionInfo | undefined;
  readonly fields?: NonNullable<ReturnType<KernelInfo['tracepoint']>>['fields'];
  /** Why there are no types. */
  readonly reason?: string;
}

function targetOf(
  policy: PolicyData,
  kind: HookKind,
  hook: HookData,
  kernel: KernelInfo,
): Target | 'skipped' | undefined {
  const missing = hook.ignore?.callNotFound === true || hook.optional === true ? 'skipped' : undefined;
  switch (kind) {
    case 'kprobes':
    case 'fentries': {
      const calls = callsOf(policy, hook.call ?? '', hook.syscall ?? true, kernel);
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
    default:
      return { name: hook.path ?? '', reason: 'the kernel does not know the types of a program' };
  }
}

interface NotFound {
  readonly message: string;
  readonly hint: string;
}

const WRITE = 'write the type of the value';

function typeOf(
  arg: ArgData,
  isReturn: boolean,
  target: Target | undefined,
  kernel: KernelInfo,
): ArgTypeName | NotFound | undefined {
  const { index = 0, resolve, source } = arg;
  if (source === 'pt_regs') {
    const register = registerOf(resolve ?? '', 'x64') ?? registerOf(resolve ?? '', 'arm64');
    return register === undefined ? undefined : `uint${(8 * register.bytes) as 8 | 16 | 32 | 64}`;
  }
  const field = source === undefined ? target?.fields?.[index] : undefined;
  if (field !== undefined && !resolve) {
    const message = `${field.name} of ${target?.name} has the type ${field.type}, for which polytrace has no type`;
    return (
      fieldType(field, arg.sizeArgIndex !== undefined) ?? {
        message,
        hint: 'write the type of the value, or use `raw: true`',
      }
    );
  }
  if (target === undefined && source === undefined) return undefined; // it is reported that there is no such target
  const start =
    source === 'current_task'
      ? kernel.struct('task_struct')
      : field === undefined
        ? startType(kernel, startOf(arg), target?.prototype, isReturn)
        : fieldStart(kernel, field, startOf(arg));
  if (start === undefined) {
    const isBeyond = target?.prototype !== undefined || target?.fields !== undefined;
    if (isBeyond && source === undefined) return undefined; // it is reported that there is no such parameter or field
    const message = `the type of this value is not known: ${target?.reason ?? `${kernel.name} has no types for ${target?.name}`}`;
    return { message, hint: WRITE };
  }
  if (isFailure(start)) return undefined;
  const end = resolve ? resolveSteps(start, resolve) : undefined;
  if (end !== undefined && isFailure(end)) return undefined; // reported as a mistake of `resolve`
  return typeOfEnd(end?.end.type ?? start, arg, target);
}

function typeOfEnd(type: TypeInfo, arg: ArgData, target: Target | undefined): ArgTypeName | NotFound {
  const found = typeOfValue(type, arg.sizeArgIndex !== undefined || arg.returnCopy === true);
  const isUserObject = target?.isSyscall === true && arg.source === undefined;
  if (found !== undefined && !(isUserObject && argType(found).kernelOnly === true)) return found;
  const message = `${showType(type)} is a type that polytrace cannot read`;
  return { message, hint: 'use `resolve` to read a member, nop to leave it out, or a number type to read the address' };
}
