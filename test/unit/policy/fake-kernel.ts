/** A fake kernel: a few functions and structs in a notation like C. */
import type {
  FunctionInfo,
  KernelInfo,
  MemberInfo,
  ParameterInfo,
  TracepointField,
  TypeInfo,
} from '../../../types/kernel.js';

const SCALARS: Readonly<Record<string, Pick<TypeInfo, 'kind' | 'size' | 'signed'>>> = {
  void: { kind: 'void', size: 0, signed: false },
  char: { kind: 'int', size: 1, signed: true },
  int: { kind: 'int', size: 4, signed: true },
  'unsigned int': { kind: 'int', size: 4, signed: false },
  'unsigned long': { kind: 'int', size: 8, signed: false },
  u16: { kind: 'int', size: 2, signed: false },
};

const STRUCTS: Readonly<Record<string, string>> = {
  file: 'struct path f_path; unsigned int f_flags',
  path: 'struct dentry * dentry',
  dentry: 'struct inode * d_inode; char[] d_iname',
  inode: 'unsigned long i_ino; u16 i_mode',
  linux_binprm: 'struct mm_struct * mm; struct file * file; char * filename',
  mm_struct: 'struct task_struct * owner',
  task_struct: 'struct task_struct * real_parent; char[] comm; int pid; struct fdtable files',
  fdtable: 'struct file *[] fd',
  cred: 'kuid_t uid',
  kuid_t: 'unsigned int val',
};
/** The sizes of structs that consist of one number. */
const STRUCT_SIZES: Readonly<Record<string, number>> = { kuid_t: 4 };

function parseType(text: string): TypeInfo {
  const base = {
    name: '',
    alias: '',
    size: 0,
    signed: false,
    target: (): undefined => undefined,
    members: (): MemberInfo[] => [],
  };
  if (text.endsWith('[]')) return { ...base, kind: 'array', target: () => parseType(text.slice(0, -2).trim()) };
  if (text.endsWith('*'))
    return { ...base, kind: 'pointer', size: 8, target: () => parseType(text.slice(0, -1).trim()) };
  const scalar = SCALARS[text];
  if (scalar !== undefined) return { ...base, ...scalar, name: text };
  const name = text.replace('struct ', '');
  return {
    ...base,
    kind: 'struct',
    name,
    size: STRUCT_SIZES[name] ?? 0,
    members: () => parseMembers(STRUCTS[name] ?? ''),
  };
}

/** Members whose offsets are eight bytes apart. */
function parseMembers(text: string): MemberInfo[] {
  return parseList(text, ';').map((member, i) => ({ ...member, bitOffset: 64 * i, bitfieldSize: 0 }));
}

function parseList(text: string, separator: string): ParameterInfo[] {
  const parts = text
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== '');
  return parts.map((part) => {
    const space = part.lastIndexOf(' ');
    return { name: part.slice(space + 1), type: parseType(part.slice(0, space)) };
  });
}

const FUNCTIONS: Readonly<Record<string, string>> = {
  security_file_permission: 'int (struct file * file, int mask)',
  security_path_truncate: 'int (struct path * path)',
  security_file_truncate: 'int (struct file * file)',
  security_bpf_map_create: 'int (struct bpf_map * map)',
  vfs_void: 'void (void * anything)',
  takes_text: 'int (char * text, struct path path, u16 small)',
  __x64_sys_openat: 'int (struct pt_regs * regs)',
  __do_sys_openat: 'int (int dfd, char * filename, int flags, u16 mode)',
  __x64_sys_mount: 'int (struct pt_regs * regs)',
  not_probed: 'int (int a)',
  security_path_chown: 'int (struct path * path, kuid_t uid, struct cred * cred)',
  makes_inode: 'struct inode * (void * anything)',
  reads: 'unsigned long (struct file * file, char * buffer, unsigned long count)',
  capset: 'int (struct kernel_cap_struct * effective, char *[] argv)',
  __x64_sys_connect: 'int (struct pt_regs * regs)',
  __do_sys_connect: 'int (int fd, struct sockaddr * address, struct file * odd)',
  bpf_lsm_file_open: 'int (struct file * file)',
  bpf_lsm_bprm_check_security: 'int (struct linux_binprm * bprm)',
};

function parsePrototype(text: string): FunctionInfo {
  const [, returns = '', params = ''] = /^(.*?) ?\((.*)\)$/.exec(text) ?? [];
  return { params: parseList(params, ','), returns: parseType(returns) };
}

/** One field of each kind. */
const KINDS: readonly TracepointField[] = [
  { name: 'text', type: '__data_loc char[]', offset: 8, size: 4 },
  { name: 'cpus', type: '__data_loc cpumask_t', offset: 12, size: 4 },
  { name: 'relative', type: '__rel_loc char[]', offset: 16, size: 4 },
  { name: 'comm', type: 'char[16]', offset: 20, size: 16 },
  { name: 'path', type: 'const char *', offset: 40, size: 8 },
  { name: 'file', type: 'struct file *', offset: 48, size: 8 },
  { name: 'anything', type: 'void *', offset: 56, size: 8 },
  { name: 'pid', type: 'pid_t', offset: 64, size: 4, signed: true },
  { name: 'address', type: '__u8[4]', offset: 68, size: 4 },
  { name: 'user', type: 'struct sockaddr *', offset: 72, size: 8 },
  { name: 'unknown', type: 'struct nowhere *', offset: 80, size: 8 },
];

const FIELDS: readonly TracepointField[] = [
  { name: 'common_type', type: 'unsigned short', offset: 0, size: 2 },
  { name: 'common_flags', type: 'unsigned char', offset: 2, size: 1 },
  { name: 'common_preempt_count', type: 'unsigned char', offset: 3, size: 1 },
  { name: 'common_pid', type: 'int', offset: 4, size: 4 },
  { name: 'id', type: 'long', offset: 8, size: 8, signed: true },
  { name: 'args', type: 'unsigned long[6]', offset: 16, size: 48 },
];

export const fakeKernel: KernelInfo = {
  name: 'Linux test',
  function: (name) => (FUNCTIONS[name] === undefined ? undefined : parsePrototype(FUNCTIONS[name])),
  functionNames: () => Object.keys(FUNCTIONS),
  attachableNames: () => Object.keys(FUNCTIONS).filter((name) => name !== 'not_probed'),
  attachable: (name) => (name === 'not_probed' ? false : undefined),
  overridable: (name) => (name === 'vfs_void' ? false : name.startsWith('security_') ? true : undefined),
  struct: (name) => (STRUCTS[name] === undefined ? undefined : parseType(`struct ${name}`)),
  structNames: () => Object.keys(STRUCTS),
  rawTracepoint: (event) =>
    event === 'sched_process_exec'
      ? parsePrototype('void (struct task_struct * p, int old_pid, struct linux_binprm * bprm)')
      : undefined,
  rawTracepointNames: () => ['sched_process_exec'],
  tracepoint: (subsystem, event) => {
    if (subsystem === 'unreadable') return undefined;
    if (event === 'kinds') return { fields: KINDS };
    return subsystem === 'raw_syscalls' && event === 'sys_enter' ? { fields: FIELDS } : null;
  },
  tracepointNames: (subsystem) =>
    subsystem === undefined ? ['raw_syscalls', 'sched'] : subsystem === 'raw_syscalls' ? ['sys_enter', 'sys_exit'] : [],
};
