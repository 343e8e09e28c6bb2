/**
 * Suggests names of the language for wrong ones: types of C, operators of other filters, removed actions. Each function
 * returns a hint, or undefined if it has no suggestion.
 */
import { ARG_TYPE_NAMES, argTypeForStruct } from '../../names/arg-types.js';
import { errorNumber } from '../../names/errors.js';
import { signalNumber } from '../../names/signals.js';
import type { Suggester } from './shape.js';

const useHint = (name: string | undefined): string | undefined => (name === undefined ? undefined : `use ${name}`);

/** Looks a name up without regard to case. */
function findIgnoringCase(table: Readonly<Record<string, string>>, written: string): string | undefined {
  const key = written.toLowerCase();
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/** Number types of C and of the kernel's headers. */
const NUMBER_ALIASES: Readonly<Record<string, string>> = {
  u8: 'uint8', u16: 'uint16', u32: 'uint32', u64: 'uint64', s8: 'sint8', s16: 'sint16', s32: 'sint32', s64: 'sint64',
  i8: 'int8', i16: 'int16', i32: 'int32', i64: 'int64',
  char: 'sint8', bool: 'uint8', boolean: 'uint8', short: 'int16', integer: 'int', signed: 'int', unsigned: 'uint32',
  uint: 'uint32', 'unsigned char': 'uint8', 'unsigned short': 'uint16', 'unsigned int': 'uint32',
  'unsigned long': 'ulong', 'unsigned long long': 'uint64', 'long long': 'int64', 'long int': 'long',
  ssize_t: 'long', loff_t: 'int64', off_t: 'long', pid_t: 'int', uid_t: 'uint32', gid_t: 'uint32', dev_t: 'uint32',
  umode_t: 'uint16', mode_t: 'uint32', fmode_t: 'uint32', gfp_t: 'uint32', key_t: 'int', sector_t: 'uint64',
  pointer: 'uint64', ptr: 'uint64', address: 'uint64', size: 'size_t', kuid_t: 'uint32', kgid_t: 'uint32',
}; // prettier-ignore

/** Other names of types that are not numbers. */
const TYPE_ALIASES: Readonly<Record<string, string>> = {
  str: 'string', text: 'string', cstring: 'string', comm: 'string', buffer: 'char_buf', buf: 'char_buf', bytes: 'char_buf',
  iovec: 'char_iovec', pathname: 'string', filepath: 'string', none: 'nop', void: 'nop', ignore: 'nop', syscall: 'syscall64',
}; // prettier-ignore

export const suggestType: Suggester = (written) => {
  const plain = written.replace(/\b(const|volatile|struct|union|enum|__user|__kernel)\b/g, ' ').replace(/\s+/g, ' ');
  const [, base = '', stars = '', array = ''] = /^ ?([\w ]*\w) ?([* ]*)(\[\d*\])? ?$/.exec(plain) ?? [];
  const isPointer = stars.includes('*') || array !== '';
  const lower = base.toLowerCase();
  const name = lower.replace(/^__(?=[us]\d)|(?<=^u?int\d+)_t$/g, '');
  if (isPointer && lower === 'char') return useHint('string');
  if (isPointer && lower === 'void') return 'use char_buf for the bytes that it points to, or uint64 for the address';
  if (isPointer) return useHint(argTypeForStruct(base)) ?? 'use uint64 for the address, or `resolve` to read a member';
  const number = findIgnoringCase(NUMBER_ALIASES, name) ?? ARG_TYPE_NAMES.find((type) => type === name);
  return useHint(number ?? findIgnoringCase(TYPE_ALIASES, name) ?? argTypeForStruct(base));
};

/** Operators of matchArgs, matchData and matchReturnArgs. */
const COMPARISON_ALIASES: Readonly<Record<string, string>> = {
  in: 'Equal, which takes several values', notin: 'NotEqual, which takes several values',
  '=': 'Equal', '==': 'Equal', eq: 'Equal', equals: 'Equal', is: 'Equal', '!=': 'NotEqual', ne: 'NotEqual', neq: 'NotEqual', not: 'NotEqual',
  '>': 'GT', '<': 'LT', greater: 'GT', less: 'LT',
  '>=': 'InRange', '<=': 'InRange', gte: 'InRange', lte: 'InRange', ge: 'InRange', le: 'InRange',
  greaterequal: 'InRange', lessequal: 'InRange', greaterthanorequal: 'InRange', lessthanorequal: 'InRange',
  between: 'InRange', range: 'InRange', suffix: 'Postfix', endswith: 'Postfix', notsuffix: 'NotPostfix',
  startswith: 'Prefix', beginswith: 'Prefix', contains: 'SubString', icontains: 'SubStringIgnCase',
  '&': 'Mask', bitmask: 'Mask', and: 'Mask', port: 'DPort', address: 'DAddr', ip: 'DAddr', cel: 'CelExpr',
}; // prettier-ignore

const PATTERN_OPERATORS = /^(not)?(regex|regexp|matches|match|like|glob|pattern|wildcard)$/i;
const NO_PATTERNS_HINT = 'there are no patterns: use Prefix, Postfix';

export const suggestComparison: Suggester = (written) =>
  PATTERN_OPERATORS.test(written)
    ? `${NO_PATTERNS_HINT} or SubString`
    : useHint(findIgnoringCase(COMPARISON_ALIASES, written));

/** Operators of filters on binaries. */
const BINARY_ALIASES: Readonly<Record<string, string>> = {
  equal: 'In', notequal: 'NotIn', '=': 'In', '==': 'In', '!=': 'NotIn', eq: 'In', is: 'In', equals: 'In',
  suffix: 'Postfix', endswith: 'Postfix', startswith: 'Prefix', beginswith: 'Prefix',
}; // prettier-ignore

export const suggestBinaryOperator: Suggester = (written) =>
  PATTERN_OPERATORS.test(written) ? NO_PATTERNS_HINT : useHint(findIgnoringCase(BINARY_ALIASES, written));

export const suggestCmdArgOperator: Suggester = (written) =>
  PATTERN_OPERATORS.test(written) ? NO_PATTERNS_HINT : useHint(findIgnoringCase(COMPARISON_ALIASES, written));

/** Operators of filters with a set of values. */
const SET_ALIASES: Readonly<Record<string, string>> = {
  equal: 'In', notequal: 'NotIn', '=': 'In', '==': 'In', '!=': 'NotIn', eq: 'In', is: 'In', equals: 'In', not: 'NotIn',
}; // prettier-ignore

export const suggestSetOperator: Suggester = (written) => useHint(findIgnoringCase(SET_ALIASES, written));

const REMOVED_FD_HINT =
  'Tetragon has removed it, and polytrace does not need it: an argument of type fd is the file behind a descriptor';
const ACTION_HINTS: Readonly<Record<string, string>> = {
  followfd: REMOVED_FD_HINT, unfollowfd: REMOVED_FD_HINT, copyfd: REMOVED_FD_HINT,
  kill: 'use Sigkill', terminate: 'use Signal with argSig 15', stop: 'use Signal with argSig 19',
  deny: 'use Override with argError -1', block: 'use Override with argError -1', reject: 'use Override with argError -1',
  return: 'use Override', log: 'use Post', alert: 'use Post', notify: 'use Post', audit: 'use Post', print: 'use Post', report: 'use Post',
  allow: 'use NoPost, which reports nothing and lets the call run', ignore: 'use NoPost', drop: 'use NoPost to report nothing, or Override to prevent the call',
}; // prettier-ignore

export const suggestAction: Suggester = (written) => findIgnoringCase(ACTION_HINTS, written);

const NAMESPACE_ALIASES: Readonly<Record<string, string>> = {
  network: 'Net', mount: 'Mnt', mnt_ns: 'Mnt', process: 'Pid', hostname: 'Uts', cgroups: 'Cgroup', users: 'User',
}; // prettier-ignore

export const suggestNamespace: Suggester = (written) => useHint(findIgnoringCase(NAMESPACE_ALIASES, written));

/** For argError: the value that a function returns instead of its own. */
export const suggestErrorNumber: Suggester = (written) => {
  const number = errorNumber(written.replace(/^-/, '').toUpperCase());
  return number === undefined ? undefined : `write the number: ${-number}`;
};

export const suggestSignalNumber: Suggester = (written) => {
  const number = signalNumber(written);
  return number === undefined ? undefined : `write the number: ${number}`;
};

const CALL_HINT = 'write `call`';
const HOOK_HINT = 'write `hook`, with the name without security_';
const FUNCTION_FIELD_HINTS = { function: CALL_HINT, symbol: CALL_HINT, name: CALL_HINT, hook: CALL_HINT };
/** Only hooks on functions have `data`. All other hooks read every value under `args`. */
const noDataHint = (also: string): string => `read the value under \`args\`${also}, and filter it with \`matchArgs\``;
const NO_DATA_HINT = noDataHint(', where `source: current_task` works too');
/** The hint for arguments of FollowFD, UnfollowFD and CopyFD. */
const REMOVED_ARGUMENT_HINT = 'remove it: it belongs to actions that Tetragon has removed';
const ARGUMENT_FIELD_HINTS = { name: 'write `label` for the name in the event, and `index` for the parameter' };
const FILTER_FIELD_HINTS = { op: 'write `operator`', type: 'remove it: the type is that of the argument' };
const ACTION_FIELD_HINTS = {
  argFd: REMOVED_ARGUMENT_HINT,
  argName: REMOVED_ARGUMENT_HINT,
  error: 'write `argError`',
  signal: 'write `argSig`',
  stackTrace: 'write `kernelStackTrace` or `userStackTrace`',
};

const FILTER_PLACE_HINT = 'write `matchArgs`, and below it a filter with `- index: …`, `operator` and `values`';

/** For each list of the language: hints for fields that do not exist in its items. */
const FIELD_HINTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  kprobes: FUNCTION_FIELD_HINTS,
  fentries: FUNCTION_FIELD_HINTS,
  tracepoints: {
    data: NO_DATA_HINT,
    name: 'write `event`',
    call: 'write `subsystem` and `event`',
    group: 'write `subsystem`',
  },
  uprobes: { function: 'write `symbols`', call: 'write `symbols`', binary: 'write `path`', file: 'write `path`' },
  usdts: { data: noDataHint(''), probe: 'write `name`', event: 'write `name`' },
  lsmhooks: {
    data: NO_DATA_HINT,
    name: HOOK_HINT,
    call: HOOK_HINT,
    syscall: 'remove it: an LSM hook is never a system call',
  },
  selectors: {
    action: 'write `matchActions`, and below it `- action: NAME`',
    actions: 'write `matchActions`',
    operator: FILTER_PLACE_HINT,
    values: FILTER_PLACE_HINT,
    index: FILTER_PLACE_HINT,
  },
  args: ARGUMENT_FIELD_HINTS,
  data: ARGUMENT_FIELD_HINTS,
  matchArgs: FILTER_FIELD_HINTS,
  matchReturnArgs: FILTER_FIELD_HINTS,
  matchData: FILTER_FIELD_HINTS,
  matchActions: ACTION_FIELD_HINTS,
  matchReturnActions: ACTION_FIELD_HINTS,
};

/** `parent`: the field that contains the object, or the list of objects, with the wrong field. */
export function suggestField(parent: string, field: string): string | undefined {
  const known = Object.hasOwn(FIELD_HINTS, parent) ? FIELD_HINTS[parent] : undefined;
  return known !== undefined && Object.hasOwn(known, field) ? known[field] : undefined;
}
