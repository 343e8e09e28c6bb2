/** Checks args against the prototype of a function, and paths of members against the kernel's structs. */
import type { FunctionInfo, KernelInfo, TracepointField, TypeInfo } from '../../../types/kernel.js';
import type { ArgData, HookData } from '../model/model.js';
import { quote, type Report } from '../parse/report.js';
import { ARG_TYPES, argType, type TypeFacts } from '../language/vocabulary.js';
import { fieldStart, isFailure, resolveSteps, startType, type Start } from './resolve.js';
import { showType } from './show.js';
import { isCapabilities, isCharacter, typeOfValue } from './value-types.js';

/** True if no filter leaves out values of the argument. */
export type OnlySought = (arg: ArgData) => boolean;

/** Without `isOnlySought`, a text must be a text on this kernel. */
export function checkParameters(
  args: readonly ArgData[],
  prototype: FunctionInfo,
  name: string,
  kernel: KernelInfo,
  report: Report,
  isOnlySought: OnlySought = () => false,
): void {
  for (const arg of args) {
    if (arg.index === undefined || arg.source !== undefined) continue;
    const param = prototype.params[arg.index];
    if (param === undefined) {
      const message = `${name} has no parameter ${arg.index}`;
      report.add(
        'ARG_BEYOND_PROTOTYPE',
        report.places.value(arg, 'index'),
        message,
        `on ${kernel.name} it has ${listParams(prototype)}`,
      );
      continue;
    }
    const start = startType(kernel, startOf(arg), prototype);
    checkStart(arg, start, `parameter ${arg.index} of ${name}`, report, isOnlySought);
  }
}

/** `start` is the type of the value, or the type that `resolve` starts from. */
function checkStart(
  arg: ArgData,
  start: ReturnType<typeof startType>,
  what: string,
  report: Report,
  isOnlySought: OnlySought = () => false,
): void {
  if (start === undefined) return;
  if (isFailure(start)) {
    if (arg.btfTypeModule !== undefined) {
      const hint = 'check on the machine that runs the policy, with the module loaded';
      report.add('NOT_CHECKED', report.places.value(arg, 'btfTypeModule'), `${what} was not checked: ${start.message}`, hint); // prettier-ignore
      return;
    }
    report.add(start.code, report.places.value(arg, 'btfType'), start.message, start.hint);
  } else if (arg.resolve) {
    const end = resolve(arg, start, report);
    if (end !== undefined) checkType(arg, end, `${arg.resolve} of ${what}`, report);
  } else if (arg.btfType === undefined) {
    if (arg.type === 'string' && isStructPointer(start) && isOnlySought(arg)) warnText(arg, start, what, report);
    else checkType(arg, start, what, report);
  }
}

/** `resolve` starts from the struct that the field points to. */
export function checkResolvedField(
  arg: ArgData,
  field: TracepointField,
  name: string,
  kernel: KernelInfo,
  report: Report,
): void {
  const start = fieldStart(kernel, field, startOf(arg));
  if (start !== undefined) {
    checkStart(arg, start, `${field.name} of ${name}`, report);
    return;
  }
  const message = `${field.name} of ${name} has the type ${field.type}, which does not name the struct that contains ${quote(arg.resolve ?? '')}`;
  report.add('ARG_TYPE_MISMATCH', report.places.value(arg, 'resolve'), message, 'name the struct with btfType');
}

export function startOf({ index = 0, btfType, btfTypeModule }: ArgData): Start {
  return {
    index,
    ...(btfType === undefined ? {} : { btfType }),
    ...(btfTypeModule === undefined ? {} : { btfTypeModule }),
  };
}

function listParams({ params }: FunctionInfo): string {
  return params.length === 0
    ? 'none'
    : params.map((param, i) => `${i} ${param.name}: ${showType(param.type)}`).join(', ');
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
      report.places.key(data, 'return'),
      `${name} returns nothing`,
      'remove `return: true` and returnArg',
    );
    return;
  }
  const start = startType(kernel, startOf(data.returnArg), prototype, true);
  checkStart(data.returnArg, start, `the return value of ${name}`, report);
}

/** Checks args that do not come from a parameter. `current_task` is the process that runs the hooked function. */
export function checkSource(data: HookData, kernel: KernelInfo, report: Report): void {
  for (const arg of [...(data.args ?? []), ...(data.data ?? [])]) {
    if (arg.source !== 'current_task' || !arg.resolve) continue;
    const task = kernel.struct('task_struct');
    const end = task === undefined ? undefined : resolve(arg, task, report);
    if (end !== undefined) checkType(arg, end, `${arg.resolve} of the task`, report);
  }
}

/**
 * A policy for another kernel, where the parameter was a text: it finds nothing here, and does no harm. With a filter that
 * leaves texts out, it would report or act on everything.
 */
function warnText(arg: ArgData, type: TypeInfo, what: string, report: Report): void {
  const message = `${what} is ${showType(type)} on this kernel: as a string, it is bytes of the struct, and no filter on it finds a text`;
  report.add('ARG_TEXT_OF_STRUCT', report.places.value(arg, 'type'), message, suggestion(type));
}

function isStructPointer(type: TypeInfo): boolean {
  const target = type.kind === 'pointer' ? type.target() : undefined;
  return target?.kind === 'struct' || target?.kind === 'union';
}

/** Follows the members one after the other, through pointers. Reports the first that does not exist. */
function resolve(arg: ArgData, start: TypeInfo, report: Report): TypeInfo | undefined {
  const found = resolveSteps(start, arg.resolve ?? '');
  if (!isFailure(found)) return found.end.type;
  report.add(found.code, report.places.value(arg, 'resolve'), found.message, found.hint);
  return undefined;
}

function checkType(arg: ArgData, type: TypeInfo, what: string, report: Report): void {
  if (arg.type === undefined) return;
  const facts: TypeFacts = ARG_TYPES[arg.type];
  const mismatch = (hint: string): void => {
    report.add(
      'ARG_TYPE_MISMATCH',
      report.places.value(arg, 'type'),
      `${what} is ${showType(type)}, which cannot be read as ${String(arg.type)}`,
      hint,
    );
  };
  const wanted = argType(arg.type).structs;
  if (wanted !== undefined) {
    const target = type.kind === 'pointer' ? type.target() : type;
    const fits = target !== undefined && (target.kind === 'void' || wanted.includes(target.name));
    if (!fits) mismatch(suggestion(type));
  } else if (arg.type === 'string') {
    if (!isText(type)) mismatch(suggestion(type));
  } else if (arg.type === 'char_buf' || arg.type === 'const_buf') {
    if (type.kind !== 'pointer' && type.kind !== 'array') mismatch(suggestion(type));
  } else if (arg.type === 'char_iovec') {
    if (!isPointerTo(type, ({ kind, name }) => kind === 'void' || name === 'iovec')) mismatch(suggestion(type));
  } else if (facts.class === 'capabilities') {
    if (!isPointerTo(type, (target) => target.kind === 'void' || isCapabilities(target)) && !isCapabilities(type))
      mismatch(suggestion(type));
  } else if (facts.class !== 'nop' && facts.class !== 'auto') {
    const isNumber = type.kind === 'int' || type.kind === 'enum' || type.kind === 'pointer';
    if (!isNumber) mismatch(suggestion(type));
    else if ((facts.bits ?? 32) > type.size * 8 && type.size > 0) {
      const message = `${what} has ${type.size * 8} bits, but ${arg.type} reads ${facts.bits}`;
      report.add(
        'ARG_WIDER_THAN_PARAMETER',
        report.places.value(arg, 'type'),
        message,
        `use ${suggestion(type).replace(/^use /, '')}`,
      );
    }
  }
}

function isPointerTo(type: TypeInfo, fits: (target: TypeInfo) => boolean): boolean {
  if (type.kind !== 'pointer') return false;
  const target = type.target();
  return target === undefined || fits(target);
}

/** Characters, or memory of which the prototype says nothing. */
function isText(type: TypeInfo): boolean {
  if (type.kind === 'array') return isCharacter(type.target() ?? type);
  return isPointerTo(type, (target) => target.kind === 'void' || isCharacter(target));
}

function suggestion(type: TypeInfo): string {
  const known = typeOfValue(type);
  return known === undefined ? 'correct the index or the type, or use `resolve` to read a member' : `use ${known}`;
}
