/** Checks arguments against the prototype of a function, and `resolve` paths against the kernel's structs. */
import type { FunctionInfo, KernelInfo, TracepointField, TypeInfo } from '../../../types/kernel.js';
import type { ArgData, HookData } from '../model/model.js';
import { quote, type Report } from '../parse/report.js';
import { argType, readFacts, type ArgTypeName } from '../language/vocabulary.js';
import { fieldStart, isFailure, resolveSteps, startType, type ResolveStart } from './resolve.js';
import { formatType } from './format-type.js';
import { isCapabilities, isCharacter, argTypeForBtf, unwrapNumber } from './value-types.js';

/** True if there are filters on the argument, and none of them excludes values. */
export type HasOnlyPositiveFilters = (arg: ArgData) => boolean;

/** Where `hasOnlyPositiveFilters` holds, a string that is a struct on this kernel is only a warning. */
export function checkParameters(
  args: readonly ArgData[],
  prototype: FunctionInfo,
  name: string,
  kernel: KernelInfo,
  report: Report,
  hasOnlyPositiveFilters: HasOnlyPositiveFilters = () => false,
): void {
  for (const arg of args) {
    if (arg.index === undefined || arg.source !== undefined) continue;
    const param = prototype.params[arg.index];
    if (param === undefined) {
      const message = `${name} has no parameter ${arg.index}`;
      report.add(
        'ARG_BEYOND_PROTOTYPE',
        report.positions.value(arg, 'index'),
        message,
        `on ${kernel.name} it has ${formatParams(prototype)}`,
      );
      continue;
    }
    const start = startType(kernel, resolveStart(arg), prototype);
    checkStart(arg, start, `parameter ${arg.index} of ${name}`, report, hasOnlyPositiveFilters);
  }
}

/** `start` is the type of the value, or the type that `resolve` starts from. `what` names the value in messages. */
function checkStart(
  arg: ArgData,
  start: ReturnType<typeof startType>,
  what: string,
  report: Report,
  hasOnlyPositiveFilters: HasOnlyPositiveFilters = () => false,
): void {
  if (start === undefined) return;
  if (isFailure(start)) {
    if (arg.btfTypeModule !== undefined) {
      const hint = 'check on the machine that runs the policy, with the module loaded';
      report.add('NOT_CHECKED', report.positions.value(arg, 'btfTypeModule'), `${what} was not checked: ${start.message}`, hint); // prettier-ignore
      return;
    }
    report.add(start.code, report.positions.value(arg, 'btfType'), start.message, start.hint);
  } else if (arg.resolve) {
    const end = resolveEndType(arg, start, report);
    if (end !== undefined) checkType(arg, end, `${arg.resolve} of ${what}`, report);
  } else if (arg.btfType === undefined) {
    if (arg.type === 'string' && isStructPointer(start) && hasOnlyPositiveFilters(arg))
      warnStructAsString(arg, start, what, report);
    else checkType(arg, start, what, report);
  }
}

/** Checks a field with `resolve`, which starts from the struct that the field points to. */
export function checkResolvedField(
  arg: ArgData,
  field: TracepointField,
  name: string,
  kernel: KernelInfo,
  report: Report,
): void {
  const start = fieldStart(kernel, field, resolveStart(arg));
  if (start !== undefined) {
    checkStart(arg, start, `${field.name} of ${name}`, report);
    return;
  }
  const message = `${field.name} of ${name} has the type ${field.type}, which does not name the struct that contains ${quote(arg.resolve ?? '')}`;
  report.add('ARG_TYPE_MISMATCH', report.positions.value(arg, 'resolve'), message, 'name the struct with btfType');
}

export function resolveStart({ index = 0, btfType, btfTypeModule }: ArgData): ResolveStart {
  return {
    index,
    ...(btfType === undefined ? {} : { btfType }),
    ...(btfTypeModule === undefined ? {} : { btfTypeModule }),
  };
}

function formatParams({ params }: FunctionInfo): string {
  return params.length === 0
    ? 'none'
    : params.map((param, i) => `${i} ${param.name}: ${formatType(param.type)}`).join(', ');
}

export function checkReturnType(
  data: HookData,
  prototype: FunctionInfo,
  name: string,
  kernel: KernelInfo,
  report: Report,
): void {
  if (data.return !== true || data.returnArg === undefined) return;
  if (prototype.returns.kind === 'void') {
    report.add(
      'RETURN_OF_VOID',
      report.positions.key(data, 'return'),
      `${name} returns nothing`,
      'remove `return: true` and returnArg',
    );
    return;
  }
  const start = startType(kernel, resolveStart(data.returnArg), prototype, true);
  checkStart(data.returnArg, start, `the return value of ${name}`, report);
}

/** Checks values that are read from the current task instead of a parameter. */
export function checkSource(data: HookData, kernel: KernelInfo, report: Report): void {
  for (const arg of [...(data.args ?? []), ...(data.data ?? [])]) {
    if (arg.source !== 'current_task' || !arg.resolve) continue;
    const task = kernel.struct('task_struct');
    const end = task === undefined ? undefined : resolveEndType(arg, task, report);
    if (end !== undefined) checkType(arg, end, `${arg.resolve} of the task`, report);
  }
}

/**
 * A parameter that is a string on other kernels can be a struct here. Positive filters then never match, so a warning is
 * enough. A negated filter would match every call.
 */
function warnStructAsString(arg: ArgData, type: TypeInfo, what: string, report: Report): void {
  const message = `${what} is ${formatType(type)} on this kernel: as a string, it is bytes of the struct, and no filter on it finds a text`;
  report.add('ARG_TEXT_OF_STRUCT', report.positions.value(arg, 'type'), message, suggestType(type));
}

function isStructPointer(type: TypeInfo): boolean {
  const target = type.kind === 'pointer' ? type.target() : undefined;
  return target?.kind === 'struct' || target?.kind === 'union';
}

/** The type at the end of the `resolve` path. Reports the first member that does not exist. */
function resolveEndType(arg: ArgData, start: TypeInfo, report: Report): TypeInfo | undefined {
  const found = resolveSteps(start, arg.resolve ?? '');
  if (!isFailure(found)) return found.end.type;
  report.add(found.code, report.positions.value(arg, 'resolve'), found.message, found.hint);
  return undefined;
}

function checkType(arg: ArgData, type: TypeInfo, what: string, report: Report): void {
  if (arg.type === undefined) return;
  if (!canReadAs(type, arg.type)) {
    const message = `${what} is ${formatType(type)}, which cannot be read as ${arg.type}`;
    report.add('ARG_TYPE_MISMATCH', report.positions.value(arg, 'type'), message, suggestType(type));
    return;
  }
  const { bits = 32, pointed = false } = argType(arg.type);
  if (readFacts(arg.type).form !== 'number' || pointed || bits <= type.size * 8 || type.size === 0) return;
  const message = `${what} has ${type.size * 8} bits, but ${arg.type} reads ${bits}`;
  report.add(
    'ARG_WIDER_THAN_PARAMETER',
    report.positions.value(arg, 'type'),
    message,
    `use ${suggestType(type).replace(/^use /, '')}`,
  );
}

/** True if a value of this type of the kernel can be an argument of this type. */
function canReadAs(type: TypeInfo, name: ArgTypeName): boolean {
  const { pointed = false, structs = [] } = argType(name);
  switch (readFacts(name).form) {
    case 'nothing':
      return true;
    case 'number':
      if (pointed) return isCapabilities(type) || isPointerTo(type, isCapabilities);
      return ['int', 'enum', 'pointer'].includes(unwrapNumber(type).kind);
    case 'characters':
      return isStringType(type);
    case 'location':
      return false; // only a field of a tracepoint
    case 'bytes':
      return type.kind === 'pointer' || type.kind === 'array';
    case 'iovecs':
      return isPointerTo(type, (target) => target.name === 'iovec');
    case 'struct': {
      const target = type.kind === 'pointer' ? type.target() : type;
      return target !== undefined && (target.kind === 'void' || structs.includes(target.name));
    }
  }
}

/** True for a `void *` too. */
function isPointerTo(type: TypeInfo, fits: (target: TypeInfo) => boolean): boolean {
  if (type.kind !== 'pointer') return false;
  const target = type.target();
  return target === undefined || target.kind === 'void' || fits(target);
}

/** True for characters, and for a `void *`. */
function isStringType(type: TypeInfo): boolean {
  if (type.kind === 'array') return isCharacter(type.target() ?? type);
  return isPointerTo(type, isCharacter);
}

function suggestType(type: TypeInfo): string {
  const known = argTypeForBtf(type);
  return known === undefined ? 'correct the index or the type, or use `resolve` to read a member' : `use ${known}`;
}
