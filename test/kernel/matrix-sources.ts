/**
 * The matrix: the same types as return values, as members of a parameter's struct or of the task, and from registers.
 */
import { statSync } from 'node:fs';
import type { ArgTypeName } from '../../lib/policy/language/vocabulary.js';
import { lseek, signedTests, unsignedTests } from './matrix-numbers.js';
import { PROGRAMS, ROOT, stringTests } from './matrix-strings.js';
import type { Action, Subject, Expected, Tests, TestsOfType, Value } from './matrix.js';

/** Tests a return value: the offset that lseek returns, or its error. */
const seek = (offset: bigint | number): Action => ['seek', `${ROOT}/offsets`, offset, 0];
const returnSubject = (type: ArgTypeName, tests: Tests, expected: Expected[]): Subject => ({
  title: `${type} as a return value`,
  type,
  source: 'return',
  hook: { call: 'sys_lseek', syscall: true, args: [], returnArg: { index: 0, type } },
  tests,
  expected,
});

/** lseek refuses negative offsets with EINVAL (22), and descriptors that are not open with EBADF (9). */
const ERROR_TESTS: TestsOfType<'int'> = {
  Equal: [{ values: ['-9', '-1'], match: lseek(0n), miss: seek(-1) }],
  GreaterThan: [{ values: ['-22'], match: seek(0), miss: seek(-1) }],
  LessThan: [{ values: ['0'], match: lseek(0n), miss: seek(0) }],
  InMap: [{ values: ['5', '-9'], match: lseek(0n), miss: seek(4) }],
  InRange: [{ values: ['-10:-1'], match: lseek(0n), miss: seek(-1) }],
  Mask: [{ values: ['0x10'], match: seek(0x30), miss: seek(0x20) }],
  CelExpr: [{ values: ['arg0 < 0 && arg0 != -9'], match: seek(-1), miss: lseek(0n) }],
};

const RETURNS: readonly Subject[] = [
  returnSubject('int', ERROR_TESTS, [{ action: lseek(0n), value: { type: 'int', value: -9 }, json: { int_arg: -9 } }]),
  returnSubject('long', ERROR_TESTS, [
    { action: seek(-1), value: { type: 'long', value: -22n }, json: { long_arg: '-22' } },
  ]),
  returnSubject(
    'size_t',
    {
      Equal: [{ values: ['0x123456789'], match: seek(0x123456789), miss: seek(0x23456789) }],
    },
    [],
  ),
  returnSubject(
    'uint8',
    unsignedTests(8, (value) => seek(0x1234500n | value)),
    [],
  ),
  returnSubject(
    'int16',
    signedTests(16, (value) => seek(0x12340000n | BigInt.asUintN(16, value))),
    [],
  ),
  {
    title: 'file as a return value',
    type: 'file',
    source: 'return',
    hook: { call: 'do_filp_open', args: [], returnArg: { index: 0, type: 'file' } },
    tests: stringTests(`${ROOT}/`, (path) => ['create', path, 0]),
    expected: [
      {
        action: ['create', `${ROOT}/returned`, 0],
        value: { type: 'file', path: `${ROOT}/returned` },
        json: { file_arg: { path: `${ROOT}/returned` } },
      },
      // The function returns an error in place of a pointer.
      { action: ['openat', '/no/such/file'], value: { type: 'file', path: '' }, json: {} },
    ],
  },
  {
    title: 'sock as a return value',
    type: 'sock',
    source: 'return',
    hook: { call: 'sk_alloc', args: [], returnArg: { index: 0, type: 'sock' } },
    tests: {
      Family: [{ values: ['AF_INET6'], match: ['socket', 10], miss: ['socket', 2] }],
    },
    expected: [],
  },
];

/** A member of the struct that a parameter points to. */
function memberSubject(
  call: string,
  value: Value,
  tests: Tests,
  expected: Expected[] = [],
  kernels?: readonly string[],
): Subject {
  return {
    title: `${value.type} by resolve: ${value.resolve ?? ''}`,
    type: value.type,
    source: 'args',
    hook: { call, args: [value] },
    tests,
    expected,
    ...(kernels === undefined ? {} : { kernels }),
  };
}

const file = (name: string): Action => ['readfile', `${ROOT}/${name}`];
const tcp = (port: number): Action => ['tcp', '127.0.0.5', port, '127.0.0.1', 5005];
const inodeNumber = (path: string): string => String(statSync(path, { throwIfNoEntry: false })?.ino ?? 1);
/** The port in network byte order. */
const networkPort = (port: number): string => `${((port & 0xff) << 8) | (port >> 8)}`;

const MEMBERS: readonly Subject[] = [
  memberSubject(
    'security_file_permission',
    { index: 0, type: 'uint16', resolve: 'f_inode.i_mode' },
    {
      Mask: [{ values: ['0x4000'], match: ['readdir', ROOT], miss: file('a') }],
    },
    [{ action: ['readdir', ROOT], value: { type: 'uint16', value: 0o40755 }, json: { uint_arg: 0o40755 } }],
  ),
  memberSubject(
    'security_file_permission',
    { index: 0, type: 'string', resolve: 'f_path.dentry.d_name.name' },
    stringTests('', file),
    [
      {
        action: file('x-needle-y'),
        value: { type: 'string', value: 'x-needle-y' },
        json: { string_arg: 'x-needle-y' },
      },
    ],
  ),
  // A member of an unnamed struct in an unnamed union.
  memberSubject(
    'security_file_permission',
    { index: 0, type: 'uint32', resolve: 'f_path.dentry.d_name.len' },
    {
      Equal: [{ values: ['7'], match: file('a-seven'), miss: file('a-longer-one') }],
    },
  ),
  // An element of an array.
  memberSubject(
    'security_file_permission',
    { index: 0, type: 'uint8', resolve: 'f_path.dentry.d_iname[2]' },
    {
      Equal: [{ values: [`${'x'.charCodeAt(0)}`], match: file('ab' + 'x'), miss: file('abc') }],
    },
  ),
  memberSubject(
    'security_file_permission',
    { index: 0, type: 'path', resolve: 'f_path' },
    stringTests(`${ROOT}/`, (path) => ['readfile', path]),
  ),
  memberSubject(
    'security_file_permission',
    { index: 0, type: 'dentry', resolve: 'f_path.dentry.d_parent' },
    {
      Equal: [{ values: [PROGRAMS], match: ['readfile', `${PROGRAMS}/plain`], miss: file('plain') }],
    },
  ),
  memberSubject(
    'tcp_connect',
    { index: 0, type: 'uint16', resolve: '__sk_common.skc_dport' },
    {
      Equal: [
        {
          values: [networkPort(5030)],
          match: ['tcp', '127.0.0.5', 0, '127.0.0.1', 5030],
          miss: ['tcp', '127.0.0.5', 0, '127.0.0.1', 5031],
        },
      ],
    },
  ),
  // A larger struct, whose first member is the parameter.
  memberSubject(
    'tcp_connect',
    { index: 0, type: 'uint16', btfType: 'tcp_sock', resolve: 'inet_conn.icsk_inet.inet_sport' },
    {
      Equal: [{ values: [networkPort(2030)], match: tcp(2030), miss: tcp(2031) }],
    },
  ),
  memberSubject(
    'security_bprm_check',
    { index: 0, type: 'string', resolve: 'filename' },
    stringTests(`${PROGRAMS}/`, (path) => ['exec', path]),
  ),
  // A struct of a module, whose first member is the inode. It does not exist if the module is built into the kernel.
  memberSubject(
    'security_inode_permission',
    { index: 0, type: 'uint64', btfType: 'fuse_inode', btfTypeModule: 'fuse', resolve: 'inode.i_ino' },
    // Equal is not tested here: its negation would match the folders of the path too.
    {
      CelExpr: [
        {
          values: [`arg0 == ${inodeNumber('/usr/bin')}u`],
          match: ['openat', '/usr/bin'],
          miss: ['openat', '/usr/lib'],
        },
      ],
    },
    [],
    ['6.1'],
  ),
];

/** A member of the current task. */
function taskSubject(type: ArgTypeName, resolve: string, tests: Tests, expected: Expected[] = []): Subject {
  return {
    title: `${type} of the task: ${resolve}`,
    type,
    source: 'data',
    hook: { call: 'sys_lseek', syscall: true, args: [], data: { index: 0, type, source: 'current_task', resolve } },
    tests,
    expected,
  };
}

const DATA: readonly Subject[] = [
  taskSubject('string', 'real_parent.comm', {
    Equal: [{ values: ['matrix-parent'], match: ['nested', 'matrix-parent'], miss: ['nested', 'matrix-other'] }],
  }),
  taskSubject(
    'file',
    'mm.exe_file',
    stringTests(`${PROGRAMS}/`, (path) => ['program', path]),
  ),
  taskSubject(
    'uint64',
    'signal.rlim[4].rlim_cur',
    unsignedTests(63, (value) => ['rlimit', value]),
  ),
  taskSubject(
    'uint32',
    'cred.euid.val',
    unsignedTests(31, (value) => ['seteuid', value]),
  ),
];

/** Registers contain parameters at the start of a function. Only a kprobe can read them there. */
const REGISTERS: readonly Subject[] = [
  {
    title: 'int from a register',
    type: 'int',
    source: 'data',
    attach: 'kprobe',
    hook: {
      call: 'security_file_permission',
      args: [],
      data: { index: 0, type: 'int', source: 'pt_regs', resolve: 'si' },
    },
    tests: {
      Equal: [{ values: ['4'], match: file('a'), miss: ['writefile', `${ROOT}/a`] }],
    },
    expected: [],
  },
];

export const OTHER_SOURCES: readonly Subject[] = [...RETURNS, ...MEMBERS, ...DATA, ...REGISTERS];
