import assert from 'node:assert/strict';
import { argumentJson } from '../../../lib/output/arguments-json.js';
import type { ArgumentField } from '../../../lib/output/export-fields.js';
import type {
  BufferArgument,
  CapabilitySetArgument,
  FileArgument,
  HookArgument,
  LongNumberArgument,
  NumberArgument,
  StringArgument,
} from '../../../types/events.js';
import { fileArgument, stringArgument } from './arguments.js';
import {
  socketAddressArgument,
  bufferArgument,
  credentialsArgument,
  bpfMapArgument,
  moduleArgument,
  packetArgument,
  perfEventArgument,
  bpfProgramArgument,
  socketArgument,
  userNamespaceArgument,
} from './values.js';

type Json = Readonly<Record<string, unknown>>;
/** Arguments of one type, with the JSON of each. */
type Cases = readonly [Case, ...Case[]];
type Case = readonly [argument: HookArgument, json: Json];

const NO_ENDS = { sourceAddress: '', destinationAddress: '', sourcePort: 0, destinationPort: 0 };

const SOCK = {
  family: 'AF_INET',
  type: 'SOCK_STREAM',
  protocol: 'IPPROTO_TCP',
  mark: 5,
  priority: 6,
  saddr: '10.0.0.1',
  daddr: '192.0.2.7',
  sport: 40000,
  dport: 443,
  cookie: '9223372036854775808',
  state: 'TCP_ESTABLISHED',
};

const narrow = (type: NumberArgument['type']): Cases => [[{ type, index: 0, value: -3 }, { int_arg: -3 }]];
const unsigned = (type: NumberArgument['type']): Cases => [[{ type, index: 0, value: 3 }, { uint_arg: 3 }]];
const long = (type: LongNumberArgument['type']): Cases => [
  [{ type, index: 0, value: -(2n ** 63n) }, { long_arg: '-9223372036854775808' }],
];
const unsignedLong = (type: LongNumberArgument['type']): Cases => [
  [{ type, index: 0, value: 2n ** 64n - 1n }, { size_arg: '18446744073709551615' }],
];
const text = (type: StringArgument['type']): Cases => [[{ ...stringArgument('a b', 0), type }, { string_arg: 'a b' }]];
const buffer = (type: BufferArgument['type']): Cases => [[bufferArgument('\0ÿ', 3, { type }), { bytes_arg: 'AMO/' }]];
const file = (type: FileArgument['type'], field: ArgumentField): Cases => [
  [fileArgument('/x', 0, { type }), { [field]: { path: '/x', permission: '-rw-r-----' } }],
];
const capabilities = (type: CapabilitySetArgument['type']): Cases => [
  [{ type, index: 0, value: 3n, names: [] }, { [`${type}_arg`]: '0000000000000003' }],
];

const CASES: Readonly<Record<HookArgument['type'], Cases>> = {
  int: narrow('int'),
  int8: narrow('int8'),
  sint8: narrow('sint8'),
  int16: narrow('int16'),
  sint16: narrow('sint16'),
  int32: narrow('int32'),
  sint32: narrow('sint32'),
  uint8: unsigned('uint8'),
  uint16: unsigned('uint16'),
  uint32: unsigned('uint32'),
  int64: long('int64'),
  sint64: long('sint64'),
  long: long('long'),
  uint64: unsignedLong('uint64'),
  ulong: unsignedLong('ulong'),
  size_t: unsignedLong('size_t'),
  string: [
    ...text('string'),
    [{ ...stringArgument('', 0), unreadable: true }, { error_arg: { Message: 'could not be read' } }],
  ],
  data_loc: text('data_loc'),
  filename: text('filename'),
  net_device: [[{ ...stringArgument('eth0', 0), type: 'net_device' }, { net_dev_arg: { name: 'eth0' } }]],
  sockaddr_un: [
    [
      { ...stringArgument('@abstract', 0), type: 'sockaddr_un' },
      { sockaddrun_arg: { family: 'AF_UNIX', path: '@abstract' } },
    ],
  ],
  sockaddr_alg: [
    [
      { type: 'sockaddr_alg', index: 0, value: 'aead/gcm(aes)', features: 0, mask: 8, truncated: false },
      { sockaddralg_arg: { family: 'AF_ALG', type: 'aead', mask: 8, name: 'gcm(aes)' } },
    ],
  ],
  char_buf: [
    ...buffer('char_buf'),
    [bufferArgument('abc', 5000), { truncated_bytes_arg: { bytes_arg: 'YWJj', orig_size: '5000' } }],
    [bufferArgument('abc', 3, { unreadable: true }), { truncated_bytes_arg: { bytes_arg: 'YWJj', orig_size: '3' } }],
    [bufferArgument('', 3, { unreadable: true }), { error_arg: { Message: 'could not be read' } }],
    [bufferArgument('', 0), { bytes_arg: '' }],
  ],
  const_buf: buffer('const_buf'),
  char_iovec: buffer('char_iovec'),
  iov_iter: buffer('iov_iter'),
  file: file('file', 'file_arg'),
  path: file('path', 'path_arg'),
  fd: file('fd', 'file_arg'),
  dentry: file('dentry', 'path_arg'),
  linux_binprm: file('linux_binprm', 'linux_binprm_arg'),
  kiocb: file('kiocb', 'file_arg'),
  sock: [
    [socketArgument(), { sock_arg: SOCK }],
    [
      socketArgument({ family: 'AF_UNIX', protocol: '0', ...NO_ENDS, mark: 0, priority: 0, state: '0', address: 0n }),
      { sock_arg: { family: 'AF_UNIX', type: 'SOCK_STREAM', protocol: '0', state: '0' } },
    ],
    [socketArgument({ unreadable: true }), { error_arg: { Message: 'could not be read' } }],
  ],
  socket: [[socketArgument({ type: 'socket' }), { sock_arg: SOCK }]],
  skb: [
    [
      packetArgument(),
      {
        skb_arg: {
          hash: 7,
          len: 1500,
          priority: 6,
          mark: 5,
          saddr: '10.0.0.1',
          daddr: '192.0.2.7',
          sport: 40000,
          dport: 443,
          proto: 6,
          sec_path_len: 1,
          sec_path_olen: 2,
          protocol: 'IPPROTO_TCP',
          family: 'AF_INET',
        },
      },
    ],
  ],
  sockaddr: [[socketAddressArgument(), { sockaddr_arg: { family: 'AF_INET6', addr: '2001:db8::1', port: 53 } }]],
  cred: [
    [
      credentialsArgument(),
      {
        process_credentials_arg: {
          uid: 0,
          gid: 1,
          euid: 2,
          egid: 3,
          suid: 4,
          sgid: 5,
          fsuid: 6,
          fsgid: 7,
          securebits: ['SecBitNoRoot', 'SecBitNoCapAmbientRaiseLocked'],
          caps: { permitted: ['CAP_CHOWN', 'DAC_OVERRIDE'], effective: ['CAP_CHOWN'] },
          user_ns: { level: 1, uid: 1000, gid: 1001, ns: { inum: 4026532000 } },
        },
      },
    ],
  ],
  user_namespace: [
    [userNamespaceArgument(), { user_ns_arg: { level: 0, uid: 0, gid: 0, ns: { inum: 4026531837, is_host: true } } }],
  ],
  capability: [
    [
      { type: 'capability', index: 0, value: 21, name: 'CAP_SYS_ADMIN' },
      { capability_arg: { value: 21, name: 'CAP_SYS_ADMIN' } },
    ],
    [
      { type: 'capability', index: 0, value: 1, name: 'CAP_DAC_OVERRIDE' },
      { capability_arg: { value: 1, name: 'DAC_OVERRIDE' } },
    ],
    [{ type: 'capability', index: 0, value: -1 }, { capability_arg: { value: -1 } }],
    [{ type: 'capability', index: 0, value: 2147483647 }, { capability_arg: { value: 2147483647 } }],
  ],
  kernel_cap_t: [
    ...capabilities('kernel_cap_t'),
    [{ type: 'kernel_cap_t', index: 0, value: 0n, names: [] }, { kernel_cap_t_arg: '0000000000000000' }],
  ],
  cap_inheritable: capabilities('cap_inheritable'),
  cap_permitted: capabilities('cap_permitted'),
  cap_effective: capabilities('cap_effective'),
  syscall64: [
    [{ type: 'syscall64', index: 0, value: 257n, name: 'openat', abi: 'x64' }, { syscall_id: { id: 257, abi: 'x64' } }],
  ],
  bpf_cmd: [
    [{ type: 'bpf_cmd', index: 0, value: 5, name: 'BPF_PROG_LOAD' }, { bpf_cmd_arg: 'BPF_PROG_LOAD' }],
    [{ type: 'bpf_cmd', index: 0, value: 200 }, { bpf_cmd_arg: 200 }],
  ],
  bpf_attr: [
    [bpfProgramArgument(), { bpf_attr_arg: { ProgType: 'BPF_PROG_TYPE_KPROBE', InsnCnt: 12, ProgName: 'probe' } }],
  ],
  bpf_prog: [
    [
      bpfProgramArgument({ type: 'bpf_prog', name: '' }),
      { bpf_prog_arg: { ProgType: 'BPF_PROG_TYPE_KPROBE', InsnCnt: 12 } },
    ],
  ],
  bpf_map: [
    [
      bpfMapArgument(),
      { bpf_map_arg: { MapType: 'BPF_MAP_TYPE_HASH', KeySize: 4, ValueSize: 8, MaxEntries: 16, MapName: 'counts' } },
    ],
  ],
  perf_event: [
    [
      perfEventArgument(),
      { perf_event_arg: { KprobeFunc: 'do_exit', Type: 'PERF_TYPE_TRACEPOINT', Config: '1', ProbeOffset: '4' } },
    ],
  ],
  module: [
    [
      moduleArgument(),
      {
        module_arg: {
          name: 'dummy',
          signature_ok: false,
          tainted: ['TAINT_OUT_OF_TREE_MODULE', 'TAINT_UNSIGNED_MODULE'],
        },
      },
    ],
  ],
  load_info: [
    [
      { type: 'load_info', index: 0, name: 'dummy', taints: 0n, label: 'm' },
      { module_arg: { name: 'dummy' }, label: 'm' },
    ],
  ],
};

describe('JSON output of arguments', () => {
  for (const [type, cases] of Object.entries(CASES)) {
    for (const [argument, json] of cases) {
      it(`${type} ${JSON.stringify(json)}`, () => {
        assert.equal(argument.type, type);
        assert.deepEqual(JSON.parse(argumentJson(argument)), json);
      });
    }
  }
});
