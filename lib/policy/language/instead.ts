/**
 * What people write in place of the names of the language: types of C, operators of other filters, removed actions.
 * Each function returns a hint, or undefined if it does not know what is meant.
 */
import { ARG_TYPE_NAMES, typeOfStruct } from '../../names/arg-types.js';
import { errorNumber } from '../../names/errors.js';
import { signalNumber } from '../../names/signals.js';
import type { Instead } from './shape.js';

const use = (name: string | undefined): string | undefined => (name === undefined ? undefined : `use ${name}`);

/** Looks a text up without regard to case. */
function lookup(table: Readonly<Record<string, string>>, written: string): string | undefined {
  const key = written.toLowerCase();
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/** Types of C and of the kernel's headers that are numbers. */
const NUMBERS: Readonly<Record<string, string>> = {
  u8: 'uint8', u16: 'uint16', u32: 'uint32', u64: 'uint64', s8: 'sint8', s16: 'sint16', s32: 'sint32', s64: 'sint64',
  i8: 'int8', i16: 'int16', i32: 'int32', i64: 'int64',
  char: 'sint8', bool: 'uint8', boolean: 'uint8', short: 'int16', integer: 'int', signed: 'int', unsigned: 'uint32',
  uint: 'uint32', 'unsigned char': 'uint8', 'unsigned short': 'uint16', 'unsigned int': 'uint32',
  'unsigned long': 'ulong', 'unsigned long long': 'uint64', 'long long': 'int64', 'long int': 'long',
  ssize_t: 'long', loff_t: 'int64', off_t: 'long', pid_t: 'int', uid_t: 'uint32', gid_t: 'uint32', dev_t: 'uint32',
  umode_t: 'uint16', mode_t: 'uint32', fmode_t: 'uint32', gfp_t: 'uint32', key_t: 'int', sector_t: 'uint64',
  pointer: 'uint64', ptr: 'uint64', address: 'uint64', size: 'size_t', kuid_t: 'uint32', kgid_t: 'uint32',
}; // prettier-ignore

/** Other words for types that are not numbers. */
const WORDS: Readonly<Record<string, string>> = {
  str: 'string', text: 'string', cstring: 'string', comm: 'string', buffer: 'char_buf', buf: 'char_buf', bytes: 'char_buf',
  iovec: 'char_iovec', pathname: 'string', filepath: 'string', none: 'nop', void: 'nop', ignore: 'nop', syscall: 'syscall64',
}; // prettier-ignore

export const typeInstead: Instead = (written) => {
  const plain = written.replace(/\b(const|volatile|struct|union|enum|__user|__kernel)\b/g, ' ').replace(/\s+/g, ' ');
  const [, base = '', stars = '', array = ''] = /^ ?([\w ]*\w) ?([* ]*)(\[\d*\])? ?$/.exec(plain) ?? [];
  const isPointer = stars.includes('*') || array !== '';
  const lower = base.toLowerCase();
  const name = lower.replace(/^__(?=[us]\d)|(?<=^u?int\d+)_t$/g, '');
  if (isPointer && lower === 'char') return use('string');
  if (isPointer && lower === 'void') return 'use char_buf for the bytes that it points to, or uint64 for the address';
  if (isPointer) return use(typeOfStruct(base)) ?? 'use uint64 for the address, or `resolve` to read a member';
  const number = lookup(NUMBERS, name) ?? ARG_TYPE_NAMES.find((type) => type === name);
  return use(number ?? lookup(WORDS, name) ?? typeOfStruct(base));
};

/** Operators of matchArgs, matchData and matchReturnArgs. */
const COMPARISONS: Readonly<Record<string, string>> = {
  in: 'Equal, which takes several values', notin: 'NotEqual, which takes several values',
  '=': 'Equal', '==': 'Equal', eq: 'Equal', equals: 'Equal', is: 'Equal', '!=': 'NotEqual', ne: 'NotEqual', neq: 'NotEqual', not: 'NotEqual',
  '>': 'GT', '<': 'LT', greater: 'GT', less: 'LT',
  '>=': 'InRange', '<=': 'InRange', gte: 'InRange', lte: 'InRange', ge: 'InRange', le: 'InRange',
  greaterequal: 'InRange', lessequal: 'InRange', greaterthanorequal: 'InRange', lessthanorequal: 'InRange',
  between: 'InRange', range: 'InRange', suffix: 'Postfix', endswith: 'Postfix', notsuffix: 'NotPostfix',
  startswith: 'Prefix', beginswith: 'Prefix', contains: 'SubString', icontains: 'SubStringIgnCase',
  '&': 'Mask', bitmask: 'Mask', and: 'Mask', port: 'DPort', address: 'DAddr', ip: 'DAddr', cel: 'CelExpr',
}; // prettier-ignore

const PATTERNS = /^(not)?(regex|regexp|matches|match|like|glob|pattern|wildcard)$/i;
const NO_PATTERNS = 'there are no patterns: use Prefix, Postfix';

export const comparisonInstead: Instead = (written) =>
  PATTERNS.test(written) ? `${NO_PATTERNS} or SubString` : use(lookup(COMPARISONS, written));

/** Operators of the filters on binaries. */
const BINARY: Readonly<Record<string, string>> = {
  equal: 'In', notequal: 'NotIn', '=': 'In', '==': 'In', '!=': 'NotIn', eq: 'In', is: 'In', equals: 'In',
  suffix: 'Postfix', endswith: 'Postfix', startswith: 'Prefix', beginswith: 'Prefix',
}; // prettier-ignore

export const binaryInstead: Instead = (written) =>
  PATTERNS.test(written) ? NO_PATTERNS : use(lookup(BINARY, written));

/** Operators of filters whose values are a set. */
const SETS: Readonly<Record<string, string>> = {
  equal: 'In', notequal: 'NotIn', '=': 'In', '==': 'In', '!=': 'NotIn', eq: 'In', is: 'In', equals: 'In', not: 'NotIn',
}; // prettier-ignore

export const setInstead: Instead = (written) => use(lookup(SETS, written));

const REMOVED_FD =
  'Tetragon has removed it, and polytrace does not need it: an argument of type fd is the file behind a descriptor';
const ACTIONS: Readonly<Record<string, string>> = {
  followfd: REMOVED_FD, unfollowfd: REMOVED_FD, copyfd: REMOVED_FD,
  kill: 'use Sigkill', terminate: 'use Signal with argSig 15', stop: 'use Signal with argSig 19',
  deny: 'use Override with argError -1', block: 'use Override with argError -1', reject: 'use Override with argError -1',
  return: 'use Override', log: 'use Post', alert: 'use Post', notify: 'use Post', audit: 'use Post', print: 'use Post', report: 'use Post',
  allow: 'use NoPost, which reports nothing and lets the call run', ignore: 'use NoPost', drop: 'use NoPost to report nothing, or Override to prevent the call',
}; // prettier-ignore

export const actionInstead: Instead = (written) => lookup(ACTIONS, written);

const NAMESPACE_WORDS: Readonly<Record<string, string>> = {
  network: 'Net', mount: 'Mnt', mnt_ns: 'Mnt', process: 'Pid', hostname: 'Uts', cgroups: 'Cgroup', users: 'User',
}; // prettier-ignore

export const namespaceInstead: Instead = (written) => use(lookup(NAMESPACE_WORDS, written));

/** For a number that is returned in place of the function's own. */
export const errorInstead: Instead = (written) => {
  const number = errorNumber(written.replace(/^-/, '').toUpperCase());
  return number === undefined ? undefined : `write the number: ${-number}`;
};

export const signalInstead: Instead = (written) => {
  const number = signalNumber(written);
  return number === undefined ? undefined : `write the number: ${number}`;
};

const CALL = 'write `call`';
const HOOK = 'write `hook`, with the name without security_';
const FUNCTION = { function: CALL, symbol: CALL, name: CALL, hook: CALL };
/** Only functions have `data`. All other hooks read every value under `args`. */
const noData = (also: string): string => `read the value under \`args\`${also}, and filter it with \`matchArgs\``;
const NO_DATA = noData(', where `source: current_task` works too');
/** Arguments of FollowFD, UnfollowFD and CopyFD. */
const REMOVED_ARGUMENT = 'remove it: it belongs to actions that Tetragon has removed';
const ARGUMENT = { name: 'write `label` for the name in the event, and `index` for the parameter' };
const FILTER = { op: 'write `operator`', type: 'remove it: the type is that of the argument' };
const ACTION = {
  argFd: REMOVED_ARGUMENT,
  argName: REMOVED_ARGUMENT,
  error: 'write `argError`',
  signal: 'write `argSig`',
  stackTrace: 'write `kernelStackTrace` or `userStackTrace`',
};

/** For each list of the language: fields that people write in its items and that do not exist there. */
const FIELDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  kprobes: FUNCTION,
  fentries: FUNCTION,
  tracepoints: {
    data: NO_DATA,
    name: 'write `event`',
    call: 'write `subsystem` and `event`',
    group: 'write `subsystem`',
  },
  uprobes: { function: 'write `symbols`', call: 'write `symbols`', binary: 'write `path`', file: 'write `path`' },
  usdts: { data: noData(''), probe: 'write `name`', event: 'write `name`' },
  lsmhooks: { data: NO_DATA, name: HOOK, call: HOOK, syscall: 'remove it: an LSM hook is never a system call' },
  args: ARGUMENT,
  data: ARGUMENT,
  matchArgs: FILTER,
  matchReturnArgs: FILTER,
  matchData: FILTER,
  matchActions: ACTION,
  matchReturnActions: ACTION,
};

/** `parent` is the field that contains the object, or the list of objects, in which `field` is written. */
export function fieldInstead(parent: string, field: string): string | undefined {
  const known = Object.hasOwn(FIELDS, parent) ? FIELDS[parent] : undefined;
  return known !== undefined && Object.hasOwn(known, field) ? known[field] : undefined;
}
