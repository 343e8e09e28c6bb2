import assert from 'node:assert/strict';
import { argumentJson } from '../../../lib/output/arguments-json.js';
import type { HookArgument } from '../../../types/events.js';
import { fileArgument, stringArgument } from './events.js';
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

type Case = readonly [argument: HookArgument, json: Readonly<Record<string, unknown>>];

function mapTypes<T extends HookArgument['type']>(types: readonly T[], make: (type: T) => Case): Case[] {
  return types.map(make);
}

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

describe('JSON output of arguments', () => {
  const cases: readonly Case[] = [
    ...mapTypes(['int8', 'sint8', 'int16', 'sint16', 'int32', 'sint32'], (type) => [
      { type, index: 0, value: -3 },
      { int_arg: -3 },
    ]),
    ...mapTypes(['uint8', 'uint16'], (type) => [{ type, index: 0, value: 3 }, { uint_arg: 3 }]),
    ...mapTypes(['int64', 'sint64', 'long'], (type) => [
      { type, index: 0, value: -(2n ** 63n) },
      { long_arg: '-9223372036854775808' },
    ]),
    ...mapTypes(['uint64', 'ulong'], (type) => [
      { type, index: 0, value: 2n ** 64n - 1n },
      { size_arg: '18446744073709551615' },
    ]),
    [{ ...stringArgument('eth0', 0), type: 'net_device' }, { net_dev_arg: { name: 'eth0' } }],
    [
      { ...stringArgument('@abstract', 0), type: 'sockaddr_un' },
      { sockaddrun_arg: { family: 'AF_UNIX', path: '@abstract' } },
    ],
    [{ ...stringArgument('', 0), unreadable: true }, { error_arg: { Message: 'could not be read' } }],
    ...mapTypes(['char_buf', 'const_buf', 'char_iovec', 'iov_iter'], (type) => [
      bufferArgument('\0ÿ', 3, { type }),
      { bytes_arg: 'AMO/' },
    ]),
    [bufferArgument('abc', 5000), { truncated_bytes_arg: { bytes_arg: 'YWJj', orig_size: '5000' } }],
    [bufferArgument('abc', 3, { unreadable: true }), { truncated_bytes_arg: { bytes_arg: 'YWJj', orig_size: '3' } }],
    [bufferArgument('', 3, { unreadable: true }), { error_arg: { Message: 'could not be read' } }],
    [bufferArgument('', 0), { bytes_arg: '' }],
    [fileArgument('/x', 0, { type: 'dentry' }), { path_arg: { path: '/x', permission: '-rw-r-----' } }],
    [fileArgument('/x', 0, { type: 'kiocb' }), { file_arg: { path: '/x', permission: '-rw-r-----' } }],
    [fileArgument('/x', 0, { type: 'linux_binprm' }), { linux_binprm_arg: { path: '/x', permission: '-rw-r-----' } }],
    [socketArgument(), { sock_arg: SOCK }],
    [socketArgument({ type: 'socket' }), { sock_arg: SOCK }],
    [
      socketArgument({ family: 'AF_UNIX', protocol: '0', ...NO_ENDS, mark: 0, priority: 0, state: '0', address: 0n }),
      { sock_arg: { family: 'AF_UNIX', type: 'SOCK_STREAM', protocol: '0', state: '0' } },
    ],
    [socketArgument({ unreadable: true }), { error_arg: { Message: 'could not be read' } }],
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
    [socketAddressArgument(), { sockaddr_arg: { family: 'AF_INET6', addr: '2001:db8::1', port: 53 } }],
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
    [userNamespaceArgument(), { user_ns_arg: { level: 0, uid: 0, gid: 0, ns: { inum: 4026531837, is_host: true } } }],
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
    ...mapTypes(['kernel_cap_t', 'cap_inheritable', 'cap_permitted', 'cap_effective'], (type) => [
      { type, index: 0, value: 3n, names: [] },
      { [`${type}_arg`]: '0000000000000003' },
    ]),
    [{ type: 'kernel_cap_t', index: 0, value: 0n, names: [] }, { kernel_cap_t_arg: '0000000000000000' }],
    [{ type: 'syscall64', index: 0, value: 257n, name: 'openat', abi: 'x64' }, { syscall_id: { id: 257, abi: 'x64' } }],
    [{ type: 'bpf_cmd', index: 0, value: 5, name: 'BPF_PROG_LOAD' }, { bpf_cmd_arg: 'BPF_PROG_LOAD' }],
    [{ type: 'bpf_cmd', index: 0, value: 200 }, { bpf_cmd_arg: 200 }],
    [bpfProgramArgument(), { bpf_attr_arg: { ProgType: 'BPF_PROG_TYPE_KPROBE', InsnCnt: 12, ProgName: 'probe' } }],
    [
      bpfProgramArgument({ type: 'bpf_prog', name: '' }),
      { bpf_prog_arg: { ProgType: 'BPF_PROG_TYPE_KPROBE', InsnCnt: 12 } },
    ],
    [
      bpfMapArgument(),
      { bpf_map_arg: { MapType: 'BPF_MAP_TYPE_HASH', KeySize: 4, ValueSize: 8, MaxEntries: 16, MapName: 'counts' } },
    ],
    [
      perfEventArgument(),
      { perf_event_arg: { KprobeFunc: 'do_exit', Type: 'PERF_TYPE_TRACEPOINT', Config: '1', ProbeOffset: '4' } },
    ],
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
    [
      { type: 'load_info', index: 0, name: 'dummy', taints: 0n, label: 'm' },
      { module_arg: { name: 'dummy' }, label: 'm' },
    ],
  ];
  for (const [argument, json] of cases) {
    it(`${argument.type} ${JSON.stringify(json)}`, () => assert.deepEqual(JSON.parse(argumentJson(argument)), json));
  }
});
