/** The matrix: strings, buffers and paths. */
import type { ArgTypeName } from '../../lib/policy/language/vocabulary.js';
import type { Action, CompleteSubject, Hook, Subject, Tests, TestsOfType, Value } from './matrix.js';

/** The folder for the files of the matrix. */
export const ROOT = '/srv/matrix';
/** The folder for programs. The other files cannot be executed. */
export const PROGRAMS = `${ROOT}/programs`;
/** A path that does not exist and is not needed. */
const NOWHERE = '/no/such';

/** Rows for strings. They are short enough for the name of a network device, too. */
export function stringTests(begin: string, act: (text: string) => Action): TestsOfType<'string'> {
  const actOn = (name: string): Action => act(`${begin}${name}`);
  return {
    Equal: [{ values: [`${begin}a`, `${begin}other`], match: actOn('a'), miss: actOn('ab') }],
    Prefix: [{ values: [`${begin}pre`, `${begin}q`], match: actOn('prefix'), miss: actOn('pr') }],
    Postfix: [{ values: ['.conf', '.so'], match: actOn('b.conf'), miss: actOn('b.conf2') }],
    SubString: [{ values: ['needle', 'pin'], match: actOn('x-needle-y'), miss: actOn('x-NEEDLE-y') }],
    SubStringIgnCase: [{ values: ['NeeDle'], match: actOn('x-nEEDLe'), miss: actOn('x-needl-e') }],
  };
}

function stringSubject(
  type: ArgTypeName,
  hook: Hook,
  begin: string,
  act: (text: string) => Action,
  json: (text: string) => object,
  title: string = type,
): CompleteSubject<'string'> {
  const text = `${begin}x-needle-y`;
  return {
    title,
    type,
    source: 'args',
    hook,
    tests: stringTests(begin, act),
    expected: [
      { action: act(text), value: { type, value: isBuffer(type) ? Buffer.from(text) : text }, json: { ...json(text) } },
    ],
  };
}

/** The subject with additional tests. */
function withTests<T extends Tests>(
  subject: CompleteSubject<'string'>,
  more: T,
): CompleteSubject<'string'> & { readonly tests: T } {
  const own: Tests = subject.tests;
  const operators = Object.keys({ ...own, ...more }) as (keyof Tests)[];
  const tests: Tests = Object.fromEntries(
    operators.map((each) => [each, [...(own[each] ?? []), ...(more[each] ?? [])]]),
  );
  return { ...subject, tests: tests as TestsOfType<'string'> & T };
}

const isBuffer = (type: ArgTypeName): boolean => ['char_buf', 'char_iovec', 'const_buf'].includes(type);
function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

const SIZE: Value = { index: 2, type: 'size_t' };
const buffer = (type: ArgTypeName, more: Partial<Value> = {}): Value => ({ index: 1, type, sizeArgIndex: 3, ...more });

const STRING = stringSubject(
  'string',
  { call: 'sys_openat', syscall: true, args: [{ index: 1, type: 'string' }] },
  `${NOWHERE}/`,
  (text) => ['openat', text],
  (text) => ({ string_arg: text }),
);
const FILENAME = stringSubject(
  'filename',
  { call: 'do_unlinkat', args: [{ index: 1, type: 'filename' }] },
  `${NOWHERE}/`,
  (text) => ['unlinkat', text],
  (text) => ({ string_arg: text }),
);
const CHAR_BUF = [
  stringSubject(
    'char_buf',
    { call: 'sys_write', syscall: true, args: [buffer('char_buf'), SIZE] },
    'begin ',
    (text) => ['write', text],
    (text) => ({ bytes_arg: base64(text) }),
  ),
  stringSubject(
    'char_buf',
    {
      call: 'sys_read',
      syscall: true,
      args: [buffer('char_buf', { returnCopy: true }), SIZE],
      returnArg: { index: 0, type: 'int' },
    },
    'begin ',
    (text) => ['read', text],
    (text) => ({ bytes_arg: base64(text) }),
    'char_buf with returnCopy',
  ),
  {
    title: 'char_buf with maxData',
    type: 'char_buf',
    source: 'args',
    hook: { call: 'sys_write', syscall: true, args: [buffer('char_buf', { maxData: true }), SIZE] },
    tests: {
      Prefix: [{ values: ['xxx'], match: ['writelong', 20000, 'end'], miss: ['write', 'yxxx'] }],
    },
    expected: [
      {
        action: ['writelong', 20000, 'end'],
        value: { type: 'char_buf', value: Buffer.from(`${'x'.repeat(20000)}end`), size: 20003, truncated: false },
        json: { bytes_arg: base64(`${'x'.repeat(20000)}end`) },
      },
    ],
  },
] as const satisfies readonly Subject[];
const CHAR_IOVEC = stringSubject(
  'char_iovec',
  { call: 'sys_writev', syscall: true, args: [buffer('char_iovec'), SIZE] },
  'begin ',
  (text) => ['writev', text],
  (text) => ({ bytes_arg: base64(text) }),
);
const CONST_BUF = stringSubject(
  'const_buf',
  {
    call: 'security_inode_setxattr',
    args: [
      { index: 3, type: 'const_buf', sizeArgIndex: 5 },
      { index: 4, type: 'size_t' },
    ],
  },
  'begin ',
  (text) => ['xattr', `${ROOT}/xattr`, text],
  (text) => ({ bytes_arg: base64(text) }),
);
const SOCKADDR_UN = withTests(
  stringSubject(
    'sockaddr_un',
    { call: 'security_socket_connect', args: [{ index: 1, type: 'sockaddr_un' }] },
    `${NOWHERE}/`,
    (text) => ['unix', text],
    (text) => ({ sockaddrun_arg: { family: 'AF_UNIX', path: text } }),
  ),
  {
    Family: [
      { values: ['AF_UNIX'], match: ['unix', '@a'], miss: ['udp', '127.0.0.1', 0, '127.0.0.5', 9] },
      { values: ['AF_INET'], match: ['udp', '127.0.0.1', 0, '127.0.0.5', 9], miss: ['unix', '@b'] },
    ],
    Equal: [
      // an abstract name, and one that is padded
      { values: ['\0abstract'], match: ['unix', '@abstract'], miss: ['unix', 'abstract'] },
      { values: ['/no/padded\0\0\0'], match: ['unix', '/no/padded'], miss: ['unix', '/no/p'] },
      // without a NUL at its end
      { values: ['/no/end'], match: ['unixend', '/no/end'], miss: ['unixend', '/no/en'] },
    ],
  },
);
/** The bytes behind the length of the address are others, so the length has to be read. */
const SOCKADDR_UN_OF_CALL = withTests(
  stringSubject(
    'sockaddr_un',
    { call: 'sys_connect', syscall: true, args: [{ index: 1, type: 'sockaddr_un' }] },
    `${NOWHERE}/`,
    (text) => ['unixend', text],
    (text) => ({ sockaddrun_arg: { family: 'AF_UNIX', path: text } }),
    'sockaddr_un of a system call',
  ),
  {
    Equal: [
      { values: ['@abstract'], match: ['unixend', '@abstract'], miss: ['unixend', '@abstrac'] },
      {
        values: [`/${'p'.repeat(107)}`],
        match: ['unixend', `/${'p'.repeat(107)}`],
        miss: ['unixend', `/${'p'.repeat(106)}`],
      },
    ],
  },
);
const algorithm = (text: string): Action => ['alg', text];
const algorithmJson = (text: string): object => {
  const [type, name] = text.split('/');
  return { sockaddralg_arg: { family: 'AF_ALG', type, feat: 8, mask: 12, name } };
};
const SOCKADDR_ALG = [
  withTests(
    stringSubject(
      'sockaddr_alg',
      {
        call: 'security_socket_connect',
        args: [
          { index: 1, type: 'sockaddr_alg', sizeArgIndex: 3 },
          { index: 2, type: 'int' },
        ],
      },
      'aead/',
      algorithm,
      algorithmJson,
    ),
    {
      Family: [
        { values: ['AF_ALG'], match: algorithm('hash/md5'), miss: ['unix', '@c'] },
        { values: ['AF_UNIX'], match: ['unix', '@d'], miss: algorithm('hash/md4') },
      ],
      Postfix: [{ values: ['/sha512'], match: algorithm('hash/sha512'), miss: algorithm('aead/hmac(sha512)') }],
    },
  ),
  stringSubject(
    'sockaddr_alg',
    {
      call: 'sys_connect',
      syscall: true,
      args: [
        { index: 1, type: 'sockaddr_alg', sizeArgIndex: 3 },
        { index: 2, type: 'int' },
      ],
    },
    'skcipher/',
    algorithm,
    algorithmJson,
    'sockaddr_alg of a system call',
  ),
] as const;
const NET_DEVICE = stringSubject(
  'net_device',
  { call: 'dev_change_flags', args: [{ index: 0, type: 'net_device' }] },
  '',
  (text) => ['device', text],
  (text) => ({ net_dev_arg: { name: text } }),
);

function pathSubject(
  type: ArgTypeName,
  hook: Hook,
  act: (path: string) => Action,
  json: string,
  root = ROOT,
): CompleteSubject<'fd'> {
  const path = `${root}/x-needle-y`;
  return {
    title: type,
    type,
    source: 'args',
    hook,
    tests: stringTests(`${root}/`, act),
    expected: [{ action: act(path), value: { type, path }, json: { [json]: { path } } }],
  };
}

const readFile = (path: string): Action => ['readfile', path];
const chmod = (path: string): Action => ['chmod', path, 0o640];
const FILE = withTests(
  pathSubject('file', { call: 'security_file_permission', args: [{ index: 0, type: 'file' }] }, readFile, 'file_arg'),
  { FileType: [{ values: ['fifo', 'dir'], match: ['readdir', ROOT], miss: readFile(`${ROOT}/a`) }] },
);
const PATH = withTests(
  pathSubject('path', { call: 'security_path_chmod', args: [{ index: 0, type: 'path' }] }, chmod, 'path_arg'),
  { FileType: [{ values: ['regular'], match: chmod(`${ROOT}/a`), miss: ['chmod', ROOT, 0o755] }] },
);
const FD = pathSubject(
  'fd',
  { call: 'sys_lseek', syscall: true, args: [{ index: 0, type: 'fd' }] },
  (path) => ['seek', path, 0, 0],
  'file_arg',
);
const DENTRY = pathSubject(
  'dentry',
  { call: 'security_inode_unlink', args: [{ index: 1, type: 'dentry' }] },
  (path) => ['remove', path],
  'path_arg',
);
const LINUX_BINPRM = pathSubject(
  'linux_binprm',
  { call: 'security_bprm_check', args: [{ index: 0, type: 'linux_binprm' }] },
  (path) => ['exec', path],
  'linux_binprm_arg',
  PROGRAMS,
);

export const STRINGS = {
  string: [STRING],
  filename: [FILENAME],
  char_buf: CHAR_BUF,
  char_iovec: [CHAR_IOVEC],
  const_buf: [CONST_BUF],
  sockaddr_un: [SOCKADDR_UN, SOCKADDR_UN_OF_CALL],
  sockaddr_alg: SOCKADDR_ALG,
  net_device: [NET_DEVICE],
  file: [FILE],
  path: [PATH],
  fd: [FD],
  dentry: [DENTRY],
  linux_binprm: [LINUX_BINPRM],
} as const satisfies Readonly<Partial<Record<ArgTypeName, readonly Subject[]>>>;
