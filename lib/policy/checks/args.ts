/** Checks the values that a hook reads: its args, data and return value. */
import { HOOK_ARGS_MAX, HOOK_PARAM_MAX, PROBE_ARGS_MAX } from '../language/limits.js';
import type { ArgData, Hook } from '../model/model.js';
import { findRegister, REGISTERS } from '../../names/kernel.js';
import { nearestHint } from '../parse/nearest-name.js';
import { quote, type Report } from '../parse/report.js';
import {
  ARG_TYPES,
  argType,
  BUFFER_TYPES,
  hasReturn,
  isPacketBytes,
  SIZED_TYPES,
  type ValueClass,
} from '../language/vocabulary.js';

export function checkArgs(hook: Hook, report: Report): void {
  const { args = [], data = [] } = hook.data;
  const values = [...args, ...data];
  if (values.length > HOOK_ARGS_MAX) {
    const extra = values[HOOK_ARGS_MAX] as ArgData;
    report.add(
      'LIMIT_ARGS',
      report.positions.value(extra),
      `this hook has ${values.length} args and data; at most ${HOOK_ARGS_MAX} are allowed`,
      'make a second hook for the rest',
    );
  }
  // Other tracepoints read fields of a record. Usdts read arguments that ELF notes of the program describe.
  const readsParameters = hook.kind === 'tracepoints' ? hook.data.raw === true : hook.kind !== 'usdts';
  if (readsParameters) {
    for (const arg of values) checkParameter(hook, arg, report);
  } else {
    for (const arg of values) {
      if (hook.kind === 'usdts') checkProbeArg(hook, arg, report);
      else checkBuffer(hook, arg, report);
    }
  }
  for (const arg of values) {
    checkArgFields(hook, arg, report);
    checkSource(hook, arg, report);
  }
  checkReturn(hook, report);
}

function checkParameter(hook: Hook, arg: ArgData, report: Report): void {
  const { positions } = report;
  const fromRegisters = arg.source === undefined;
  if (fromRegisters && arg.index !== undefined && arg.index >= HOOK_PARAM_MAX) {
    const message = `parameter ${arg.index} is not passed in a register; only parameters 0 to ${HOOK_PARAM_MAX - 1} can be read`;
    report.add('LIMIT_PARAMETER', positions.value(arg, 'index'), message, 'remove the argument');
  }
  if (arg.sizeArgIndex !== undefined && arg.sizeArgIndex > HOOK_PARAM_MAX) {
    const message = `parameter ${arg.sizeArgIndex} is not passed in a register; sizeArgIndex must be from 1 to ${HOOK_PARAM_MAX}`;
    report.add('LIMIT_PARAMETER', positions.value(arg, 'sizeArgIndex'), message, 'remove the argument');
  }
  checkBuffer(hook, arg, report);
  const isUnclear = hook.data.syscall === undefined && report.positions.isIncomplete(hook.data);
  if (isSystemCall(hook) && !isUnclear) checkSystemCallArg(arg, report);
  if (hook.kind === 'uprobes') checkProgramArg(hook, arg, report);
}

/** Checks an argument of a static probe. The limit is the number of arguments that libbpf supports. */
function checkProbeArg(hook: Hook, arg: ArgData, report: Report): void {
  if (arg.source === undefined && arg.index !== undefined && arg.index >= PROBE_ARGS_MAX) {
    const message = `a static probe has at most ${PROBE_ARGS_MAX} arguments; only 0 to ${PROBE_ARGS_MAX - 1} can be read`;
    report.add('LIMIT_PARAMETER', report.positions.value(arg, 'index'), message, 'remove the argument');
  }
  if (arg.sizeArgIndex !== undefined && arg.sizeArgIndex > PROBE_ARGS_MAX) {
    const message = `a static probe has at most ${PROBE_ARGS_MAX} arguments; sizeArgIndex must be from 1 to ${PROBE_ARGS_MAX}`;
    report.add('LIMIT_PARAMETER', report.positions.value(arg, 'sizeArgIndex'), message, 'remove the argument');
  }
  checkBuffer(hook, arg, report);
  checkProgramArg(hook, arg, report);
}

/** False for `list:NAME`: the type of the list decides there. */
function isSystemCall({ kind, data }: Hook): boolean {
  if (kind !== 'kprobes' && kind !== 'fentries') return false;
  return data.syscall !== false && data.call?.startsWith('list:') !== true;
}

/** Checks that the struct types of a program come from a file with BTF, because the kernel does not have them. */
function checkProgramArg({ data }: Hook, arg: ArgData, report: Report): void {
  if (arg.source !== undefined || !arg.resolve) return;
  const missing = (['btfPath', 'btfType'] as const).find((field) => {
    const container = field === 'btfPath' ? data : arg;
    return container[field as never] === undefined && !report.positions.hasField(container, field);
  });
  if (missing === undefined) return;
  const message = `reading members of a program's structs needs ${missing}`;
  const hint =
    missing === 'btfPath'
      ? 'add btfPath, a file with BTF of the program, to the hook, or read the parameter as string or char_buf'
      : 'add btfType, the name of the struct that the parameter points to';
  report.add('RESOLVE_USER_MEMORY', report.positions.value(arg, 'resolve'), message, hint);
}

function checkSystemCallArg(arg: ArgData, report: Report): void {
  const { positions } = report;
  if (arg.source === undefined && arg.resolve) {
    const message = 'parameters of system calls point to user memory, where members cannot be followed';
    const hint = 'hook the kernel function that the system call uses, with `syscall: false`';
    report.add('RESOLVE_USER_MEMORY', positions.value(arg, 'resolve'), message, hint);
  }
  if (arg.type === undefined || arg.resolve || argType(arg.type).receivers !== 'kernel') return;
  const hint = 'use string for a path that is passed to a system call; set `syscall: false` for a kernel function';
  report.add(
    'SYSCALL_ARG_TYPE',
    positions.value(arg, 'type'),
    `system calls have no parameter of type ${arg.type}`,
    hint,
  );
}

function checkArgFields(hook: Hook, arg: ArgData, report: Report): void {
  const { positions } = report;
  const reportUnused = (field: string, message: string, hint: string): void => {
    report.add('ARG_FIELD_UNUSED', positions.key(arg, field), message, hint);
  };
  const isBuffer = arg.type === undefined || arg.type === 'auto' || BUFFER_TYPES.has(arg.type);
  const canHaveSize = isBuffer || arg.type === 'sockaddr_alg' || arg.type === 'sockaddr_un';
  if (arg.sizeArgIndex !== undefined && !canHaveSize)
    reportUnused('sizeArgIndex', `sizeArgIndex has no effect on ${String(arg.type)}`, 'remove it, or use char_buf');
  if (arg.maxData === true && !isBuffer)
    reportUnused('maxData', `maxData has no effect on ${String(arg.type)}`, 'remove it, or use char_buf');
  if (arg.returnCopy === true && !hasReturn(hook.kind))
    reportUnused('returnCopy', `returnCopy has no effect on ${hook.kind}, which see no return`, 'remove it');
  if (arg.btfTypeModule !== undefined && arg.btfType === undefined)
    reportUnused('btfTypeModule', 'btfTypeModule has no effect without btfType', 'add btfType, or remove it');
  const sizeIndex = arg.sizeArgIndex;
  if (
    sizeIndex !== undefined &&
    canHaveSize &&
    !(hook.data.args ?? []).some((other) => other.index === sizeIndex - 1)
  ) {
    const message = `sizeArgIndex ${sizeIndex} means the argument with index ${sizeIndex - 1}, which is not in args`;
    report.add(
      'SIZE_ARG_WITHOUT_ARG',
      positions.value(arg, 'sizeArgIndex'),
      message,
      'sizeArgIndex counts from 1; add the argument that contains the size',
    );
  }
  if (arg.resolve && !/^([A-Za-z_]\w*|\[\d{1,9}\])(\[\d{1,9}\])*(\.[A-Za-z_]\w*(\[\d{1,9}\])*)*$/.test(arg.resolve)) {
    report.add(
      'RESOLVE_SYNTAX',
      positions.value(arg, 'resolve'),
      `${quote(arg.resolve)} is not a path of members`,
      arg.resolve.includes('->')
        ? 'write a dot for each ->: pointers are followed'
        : 'write names with dots between them, such as mm.owner.comm or files[0].name',
    );
  }
}

function checkBuffer(hook: Hook, arg: ArgData, report: Report): void {
  if (arg.type === undefined || !SIZED_TYPES.has(arg.type) || arg.sizeArgIndex) return;
  if (arg.returnCopy === true && hasReturn(hook.kind)) return;
  if (hook.kind === 'tracepoints' && hook.data.raw === true && isPacketBytes(arg)) return;
  const message = `the size of the ${arg.type} is not known`;
  const hint =
    'add sizeArgIndex, the position (from 1) of the parameter with the size' +
    (hasReturn(hook.kind) ? ', or returnCopy' : '');
  report.add('BUFFER_WITHOUT_SIZE', report.positions.value(arg, 'type'), message, hint);
}

const ARG_SOURCES: readonly string[] = ['current_task', 'pt_regs', 'duration'];

function checkSource(hook: Hook, arg: ArgData, report: Report): void {
  const { source, resolve } = arg;
  if (source === undefined) return;
  const { positions } = report;
  if (!ARG_SOURCES.includes(source)) {
    const hint = nearestHint(source, ARG_SOURCES, `known: ${ARG_SOURCES.join(', ')}`);
    report.add('SOURCE_UNKNOWN', positions.value(arg, 'source'), `there is no source ${quote(source)}`, hint);
  } else if (source === 'duration') {
    checkDuration(hook, arg, report);
  } else if (!resolve) {
    const hint =
      source === 'pt_regs' ? 'add resolve with a register, such as rax' : 'add resolve with the members, such as comm';
    report.add('SOURCE_WITHOUT_RESOLVE', positions.value(arg, 'source'), `${source} needs resolve`, hint);
  } else if (source === 'pt_regs' && !REGISTERS.has(resolve)) {
    const hint = nearestHint(resolve, [...REGISTERS], 'use a register such as rax, edi or rip; on arm64 x0, sp or pc');
    report.add('REGISTER_UNKNOWN', positions.value(arg, 'resolve'), `${quote(resolve)} is not a register`, hint);
  } else if (source === 'pt_regs') {
    checkRegister(arg, resolve, report);
  }
}

/** Checks a value with the source `duration`: nanoseconds from the entry of the function to its return. */
function checkDuration(hook: Hook, arg: ArgData, report: Report): void {
  const { positions } = report;
  const span = positions.value(arg, 'source');
  if (!hasReturn(hook.kind)) {
    const message = `hooks under ${hook.kind} have no duration`;
    report.add('DURATION_NOT_POSSIBLE', span, message, 'a duration ends at a return: use kprobes, fentries or uprobes');
  } else if (hook.data.args?.includes(arg) === true) {
    report.add('DURATION_NOT_POSSIBLE', span, 'the duration is not an argument', 'move it to data');
  }
  if (arg.type !== undefined && arg.type !== 'uint64') {
    const message = `a duration cannot be read as ${arg.type}`;
    report.add('ARG_TYPE_MISMATCH', positions.value(arg, 'type'), message, 'use uint64: it is in nanoseconds');
  }
  for (const field of ['resolve', 'btfType', 'returnCopy'] as const) {
    if (!arg[field]) continue;
    const message = `${field} has no effect on a duration`;
    report.add('ARG_FIELD_UNUSED', positions.key(arg, field), message, 'remove it');
  }
}

/** Checks that a part of a register is read as a number. Only a whole register can hold an address. */
function checkRegister(arg: ArgData, name: string, report: Report): void {
  const bytes = Math.max(...['x64', 'arm64'].map((architecture) => findRegister(name, architecture)?.bytes ?? 0));
  if (bytes >= 8 || arg.type === undefined || fitsPartOfRegister(ARG_TYPES[arg.type].class)) return;
  const message = `${name} is a number of ${8 * bytes} bits, which cannot be read as ${String(arg.type)}`;
  report.add(
    'ARG_TYPE_MISMATCH',
    report.positions.value(arg, 'type'),
    message,
    'use a number, or name the whole register',
  );
}

/** True for plain numbers, and for values that are not read or whose type is not known yet. */
function fitsPartOfRegister(valueClass: ValueClass): boolean {
  switch (valueClass) {
    case 'signed':
    case 'unsigned':
    case 'capability':
    case 'nop':
    case 'auto':
      return true;
    case 'capabilities':
    case 'syscall':
    case 'text':
    case 'unixAddress':
    case 'algorithmAddress':
    case 'path':
    case 'file':
    case 'sock':
    case 'skb':
    case 'sockaddr':
    case 'opaque':
      return false;
  }
}

function checkReturn(hook: Hook, report: Report): void {
  const { data } = hook;
  const { positions } = report;
  const wantsReturn = data.return === true;
  if (wantsReturn && !positions.hasField(data, 'returnArg')) {
    const hint = 'add a returnArg with index 0 and the type of the return value, such as int';
    report.add('RETURN_WITHOUT_RETURN_ARG', positions.key(data, 'return'), '`return: true` needs a returnArg', hint);
  }
  if (!wantsReturn && data.returnArg !== undefined) {
    report.add(
      'RETURN_ARG_UNUSED',
      positions.key(data, 'returnArg'),
      'returnArg has no effect without `return: true`',
      'add `return: true`, or remove returnArg',
    );
  }
}
