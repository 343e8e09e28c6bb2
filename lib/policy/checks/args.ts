/** Checks what a hook reads: its args, data and return value. */
import { HOOK_ARGS_MAX, HOOK_PARAM_MAX, PROBE_ARGS_MAX } from '../language/limits.js';
import type { ArgData, Hook } from '../model/model.js';
import { REGISTERS } from '../../names/kernel.js';
import { nearest } from '../parse/nearest.js';
import { quote, type Report } from '../parse/report.js';
import type { ArgTypeName } from '../language/vocabulary.js';

export function checkArgs(hook: Hook, report: Report): void {
  const { args = [], data = [] } = hook.data;
  checkIndexes(args, report);
  checkIndexes(data, report);
  const values = [...args, ...data];
  if (values.length > HOOK_ARGS_MAX) {
    const extra = values[HOOK_ARGS_MAX] as ArgData;
    report.add(
      'LIMIT_ARGS',
      report.places.value(extra),
      `${values.length} args and data; a hook reads at most ${HOOK_ARGS_MAX}`,
      'make a second hook for the others',
    );
  }
  // the others read fields of a record, and arguments that notes in the program describe
  const readsParameters = hook.kind === 'tracepoints' ? hook.data.raw === true : hook.kind !== 'usdts';
  if (readsParameters) {
    for (const arg of values) checkParameter(hook, arg, report);
  } else if (hook.kind === 'usdts') {
    for (const arg of values) checkProbeArg(hook, arg, report);
  }
  for (const arg of values) {
    checkArgFields(hook, arg, report);
    checkSource(arg, report);
  }
  checkReturn(hook, report);
}

function checkIndexes(args: readonly ArgData[], report: Report): void {
  const seen = new Set<string>();
  for (const arg of args) {
    if (arg.index === undefined) continue;
    // The same parameter may be read several times for different members of what it points to.
    const key = `${arg.index} ${arg.resolve ?? ''} ${arg.source ?? ''}`;
    if (seen.has(key)) {
      report.add(
        'DUPLICATE_INDEX',
        report.places.value(arg, 'index'),
        `index ${arg.index} stands here twice`,
        'keep one of the two',
      );
    }
    seen.add(key);
  }
}

/** Kernel objects: a system call is given user addresses and numbers, never these. */
const KERNEL_ONLY: ReadonlySet<ArgTypeName> = new Set<ArgTypeName>([
  'file', 'path', 'filename', 'dentry', 'sock', 'socket', 'skb', 'linux_binprm', 'cred', 'kiocb', 'bpf_map', 'perf_event',
  'user_namespace', 'module', 'load_info', 'net_device', 'bpf_prog', 'kernel_cap_t',
]); // prettier-ignore

function checkParameter(hook: Hook, arg: ArgData, report: Report): void {
  const { places } = report;
  const fromRegisters = arg.source === undefined;
  if (fromRegisters && arg.index !== undefined && arg.index >= HOOK_PARAM_MAX) {
    const message = `parameter ${arg.index} is not passed in a register; 0 to ${HOOK_PARAM_MAX - 1} can be read`;
    report.add('LIMIT_PARAMETER', places.value(arg, 'index'), message, 'remove the argument');
  }
  if (arg.sizeArgIndex !== undefined && arg.sizeArgIndex > HOOK_PARAM_MAX) {
    const message = `parameter ${arg.sizeArgIndex} is not passed in a register; sizeArgIndex is 1 to ${HOOK_PARAM_MAX}`;
    report.add('LIMIT_PARAMETER', places.value(arg, 'sizeArgIndex'), message, 'remove the argument');
  }
  checkBuffer(hook, arg, report);
  if (isSystemCall(hook)) checkSystemCallArg(arg, report);
  if (hook.kind === 'uprobes') checkProgramArg(hook, arg, report);
}

/** A note has room for as many as libbpf knows. */
function checkProbeArg(hook: Hook, arg: ArgData, report: Report): void {
  if (arg.source === undefined && arg.index !== undefined && arg.index >= PROBE_ARGS_MAX) {
    const message = `a static probe has at most ${PROBE_ARGS_MAX} arguments; 0 to ${PROBE_ARGS_MAX - 1} can be read`;
    report.add('LIMIT_PARAMETER', report.places.value(arg, 'index'), message, 'remove the argument');
  }
  if (arg.sizeArgIndex !== undefined && arg.sizeArgIndex > PROBE_ARGS_MAX) {
    const message = `a static probe has at most ${PROBE_ARGS_MAX} arguments; sizeArgIndex is 1 to ${PROBE_ARGS_MAX}`;
    report.add('LIMIT_PARAMETER', report.places.value(arg, 'sizeArgIndex'), message, 'remove the argument');
  }
  checkBuffer(hook, arg, report);
  checkProgramArg(hook, arg, report);
}

/** Of a list it is not told here. */
function isSystemCall({ kind, data }: Hook): boolean {
  if (kind !== 'kprobes' && kind !== 'fentries') return false;
  return data.syscall !== false && data.call?.startsWith('list:') !== true;
}

/** The kernel knows no types of programs: a file has them. */
function checkProgramArg({ data }: Hook, arg: ArgData, report: Report): void {
  if (arg.source !== undefined || !arg.resolve) return;
  const missing = (['btfPath', 'btfType'] as const).find((field) => {
    const container = field === 'btfPath' ? data : arg;
    return container[field as never] === undefined && !report.places.has(container, field);
  });
  if (missing === undefined) return;
  const message = `members of a program's structs need ${missing}`;
  const hint =
    missing === 'btfPath'
      ? 'add btfPath, a file with BTF of the program, to the hook; or read the parameter as string or char_buf'
      : 'add btfType, the name of the struct that the parameter points to';
  report.add('RESOLVE_USER_MEMORY', report.places.value(arg, 'resolve'), message, hint);
}

function checkSystemCallArg(arg: ArgData, report: Report): void {
  const { places } = report;
  if (arg.source === undefined && arg.resolve) {
    const message = 'what a parameter of a system call points to is in user space, where no members are followed';
    const hint = 'hook the function of the kernel that the call ends in, with `syscall: false`';
    report.add('RESOLVE_USER_MEMORY', places.value(arg, 'resolve'), message, hint);
  }
  if (arg.type === undefined || arg.resolve || !KERNEL_ONLY.has(arg.type)) return;
  const hint = 'for a path given to a system call use string; for a function of the kernel set `syscall: false`';
  report.add('SYSCALL_ARG_TYPE', places.value(arg, 'type'), `system calls have no parameter of type ${arg.type}`, hint);
}

/** Types whose size is not known from the type. */
const BUFFERS: ReadonlySet<ArgTypeName> = new Set<ArgTypeName>(['char_buf', 'char_iovec', 'const_buf', 'iov_iter']);

function checkArgFields(hook: Hook, arg: ArgData, report: Report): void {
  const { places } = report;
  const unused = (field: string, message: string, hint: string): void => {
    report.add('ARG_FIELD_UNUSED', places.key(arg, field), message, hint);
  };
  const isBuffer = arg.type === undefined || arg.type === 'auto' || BUFFERS.has(arg.type);
  if (arg.sizeArgIndex !== undefined && !isBuffer)
    unused('sizeArgIndex', `sizeArgIndex has no effect on ${String(arg.type)}`, 'remove it, or use char_buf');
  if (arg.maxData === true && !isBuffer)
    unused('maxData', `maxData has no effect on ${String(arg.type)}`, 'remove it, or use char_buf');
  if (arg.returnCopy === true && hook.data.return !== true)
    unused('returnCopy', 'returnCopy has no effect without `return: true`', 'add `return: true` and a returnArg');
  if (arg.btfTypeModule !== undefined && arg.btfType === undefined)
    unused('btfTypeModule', 'btfTypeModule has no effect without btfType', 'add btfType, or remove it');
  const sizeIndex = arg.sizeArgIndex;
  if (sizeIndex !== undefined && isBuffer && !(hook.data.args ?? []).some((other) => other.index === sizeIndex - 1)) {
    const message = `no argument with index ${sizeIndex - 1} in args, which sizeArgIndex ${sizeIndex} means`;
    report.add(
      'SIZE_ARG_WITHOUT_ARG',
      places.value(arg, 'sizeArgIndex'),
      message,
      'sizeArgIndex counts from 1; add the argument with the size',
    );
  }
  if (arg.resolve && !/^[A-Za-z_]\w*(\[\d{1,9}\])*(\.[A-Za-z_]\w*(\[\d{1,9}\])*)*$/.test(arg.resolve)) {
    report.add(
      'RESOLVE_SYNTAX',
      places.value(arg, 'resolve'),
      `${quote(arg.resolve)} is no path of members`,
      'names with dots between them, such as mm.owner.comm or files[0].name',
    );
  }
}

/** Types of which only a size, a number of pieces or the return value tells how much there is. */
const SIZED: ReadonlySet<ArgTypeName> = new Set<ArgTypeName>(['char_buf', 'char_iovec', 'const_buf']);

function checkBuffer(hook: Hook, arg: ArgData, report: Report): void {
  if (arg.type === undefined || !SIZED.has(arg.type) || arg.sizeArgIndex) return;
  if (arg.returnCopy === true && hook.data.return === true) return;
  const message = `nothing says how much the ${arg.type} holds`;
  const hint =
    'add sizeArgIndex, the position of the parameter with the size, from 1; or returnCopy with `return: true`';
  report.add('BUFFER_WITHOUT_SIZE', report.places.value(arg, 'type'), message, hint);
}

const SOURCES: readonly string[] = ['current_task', 'pt_regs'];

function checkSource(arg: ArgData, report: Report): void {
  const { source, resolve } = arg;
  if (source === undefined) return;
  const { places } = report;
  if (!SOURCES.includes(source)) {
    const close = nearest(source, SOURCES);
    const hint = close === undefined ? `known: ${SOURCES.join(', ')}` : `did you mean ${quote(close)}?`;
    report.add('SOURCE_UNKNOWN', places.value(arg, 'source'), `there is no source ${quote(source)}`, hint);
  } else if (!resolve) {
    const hint = source === 'pt_regs' ? 'add resolve: NAME, such as ax' : 'add resolve with the members, such as comm';
    report.add('SOURCE_WITHOUT_RESOLVE', places.value(arg, 'source'), `${source} needs resolve`, hint);
  } else if (source === 'pt_regs' && !REGISTERS.has(resolve)) {
    const close = nearest(resolve, [...REGISTERS]);
    const hint = close === undefined ? 'such as ax, di or ip; on arm64 x0, sp or pc' : `did you mean ${quote(close)}?`;
    report.add('REGISTER_UNKNOWN', places.value(arg, 'resolve'), `${quote(resolve)} is no register`, hint);
  }
}

function checkReturn(hook: Hook, report: Report): void {
  const { data } = hook;
  const { places } = report;
  const wantsReturn = data.return === true;
  if (wantsReturn && !places.has(data, 'returnArg')) {
    const hint = 'add a returnArg with index 0 and the type of the return value, such as int';
    report.add('RETURN_WITHOUT_RETURN_ARG', places.key(data, 'return'), '`return: true` needs a returnArg', hint);
  }
  if (!wantsReturn && data.returnArg !== undefined) {
    report.add(
      'RETURN_ARG_UNUSED',
      places.key(data, 'returnArg'),
      'returnArg has no effect without `return: true`',
      'add `return: true`, or remove returnArg',
    );
  }
}
