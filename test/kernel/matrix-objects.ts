/** The matrix: values that are reported, but cannot be compared. */
import type { Action, CompleteSubject, Hook, Subject, Expected } from './matrix.js';
import type { ArgTypeName } from '../../lib/policy/language/vocabulary.js';
import { ROOT } from './matrix-strings.js';

/** A module of Debian's kernels that needs no device and no other module. The test unpacks it. */
export const MODULE_FILE = '/srv/matrix-dummy.ko';
const MODULE = 'dummy';

function objectSubject(
  type: ArgTypeName,
  hook: Hook,
  action: Action,
  value: Expected['value'],
  json: Expected['json'],
): CompleteSubject<'cred'> {
  return {
    title: type,
    type,
    source: 'args',
    hook,
    tests: {},
    expected: [{ action, value: { type, ...value }, json }],
  };
}

const PROGRAM = { programType: 'BPF_PROG_TYPE_SOCKET_FILTER', instructions: 2, name: 'matrix_program' };

export const OBJECTS = {
  kiocb: [
    objectSubject(
      'kiocb',
      { call: 'shmem_file_read_iter', args: [{ index: 0, type: 'kiocb' }] },
      ['readfile', `${ROOT}/kiocb`],
      { path: `${ROOT}/kiocb` },
      { file_arg: { path: `${ROOT}/kiocb` } },
    ),
  ],
  iov_iter: [
    objectSubject(
      'iov_iter',
      { call: 'pipe_write', args: [{ index: 1, type: 'iov_iter' }] },
      ['pipev', 'three pieces of a text'],
      { value: Buffer.from('three pieces of a text') },
      { bytes_arg: Buffer.from('three pieces of a text').toString('base64') },
    ),
  ],
  cred: [
    objectSubject(
      'cred',
      { call: 'commit_creds', args: [{ index: 0, type: 'cred' }] },
      ['setuid', 77],
      { uid: 0, euid: 77, suid: 0 },
      { process_credentials_arg: { euid: 77 } },
    ),
  ],
  user_namespace: [
    objectSubject(
      'user_namespace',
      { call: 'cap_capable', args: [{ index: 1, type: 'user_namespace' }] },
      ['capable', 18],
      { level: 0, owner: 0, group: 0 },
      { user_ns_arg: { ns: { inum: 4026531837 } } },
    ),
  ],
  bpf_attr: [
    objectSubject(
      'bpf_attr',
      { call: 'security_bpf', args: [{ index: 1, type: 'bpf_attr' }] },
      ['bpfprog', PROGRAM.name],
      PROGRAM,
      { bpf_attr_arg: { ProgType: PROGRAM.programType, InsnCnt: 2, ProgName: PROGRAM.name } },
    ),
  ],
  bpf_prog: [
    objectSubject(
      'bpf_prog',
      { call: 'security_bpf_prog', args: [{ index: 0, type: 'bpf_prog' }] },
      ['bpfprog', PROGRAM.name],
      PROGRAM,
      { bpf_prog_arg: { ProgType: PROGRAM.programType, InsnCnt: 2, ProgName: PROGRAM.name } },
    ),
  ],
  bpf_map: [
    objectSubject(
      'bpf_map',
      {
        call: { '6.1': 'security_bpf_map_alloc', '6.12': 'security_bpf_map_create' },
        args: [{ index: 0, type: 'bpf_map' }],
      },
      ['bpfmap', 'matrix_map'],
      { mapType: 'BPF_MAP_TYPE_HASH', keySize: 4, valueSize: 8, maxEntries: 3, name: 'matrix_map' },
      {
        bpf_map_arg: {
          MapType: 'BPF_MAP_TYPE_HASH',
          KeySize: 4,
          ValueSize: 8,
          MaxEntries: 3,
          MapName: 'matrix_map',
        },
      },
    ),
  ],
  perf_event: [
    objectSubject(
      'perf_event',
      { call: 'security_perf_event_alloc', args: [{ index: 0, type: 'perf_event' }] },
      ['perf', 2],
      { eventType: 'PERF_TYPE_SOFTWARE', config: 2n },
      { perf_event_arg: { Type: 'PERF_TYPE_SOFTWARE', Config: '2' } },
    ),
  ],
  load_info: [
    objectSubject(
      'load_info',
      { call: 'mod_sysfs_setup', args: [{ index: 1, type: 'load_info' }] },
      ['module', MODULE_FILE, MODULE],
      { name: MODULE },
      { module_arg: { name: MODULE } },
    ),
  ],
  module: [
    objectSubject(
      'module',
      { call: 'do_init_module', args: [{ index: 0, type: 'module' }] },
      ['module', MODULE_FILE, MODULE],
      { name: MODULE },
      { module_arg: { name: MODULE } },
    ),
  ],
  nop: [
    {
      title: 'nop',
      type: 'nop',
      source: 'args',
      hook: { call: 'sys_lseek', syscall: true, args: [{ index: 0, type: 'nop' }] },
      tests: {},
      expected: [],
    },
  ],
} as const satisfies Readonly<Partial<Record<ArgTypeName, readonly Subject[]>>>;
