/** Arguments of each type that an event can have, and functions that make some of them. */
import type {
  ArgumentOf,
  BpfMapArgument,
  BpfProgramArgument,
  BufferArgument,
  CredentialsArgument,
  HookArgument,
  ModuleArgument,
  PacketArgument,
  PerfEventArgument,
  SocketAddressArgument,
  SocketArgument,
  UserNamespaceArgument,
} from '../../../types/events.js';
import { fileArgument } from './arguments.js';

const ENDS = {
  family: 'AF_INET',
  protocol: 'IPPROTO_TCP',
  sourceAddress: '10.0.0.1',
  destinationAddress: '192.0.2.7',
  sourcePort: 40000,
  destinationPort: 443,
  mark: 5,
  priority: 6,
};

export function socketArgument(fields: Partial<SocketArgument> = {}): SocketArgument {
  const common = { socketType: 'SOCK_STREAM', state: 'TCP_ESTABLISHED', cookie: 7n, address: 2n ** 63n };
  return { type: 'sock', index: 0, ...ENDS, ...common, ...fields };
}

export function packetArgument(fields: Partial<PacketArgument> = {}): PacketArgument {
  const own = { protocolNumber: 6, hash: 7, length: 1500, secPathLength: 1, secPathOffloads: 2 };
  return { type: 'skb', index: 0, ...ENDS, ...own, ...fields };
}

export function socketAddressArgument(fields: Partial<SocketAddressArgument> = {}): SocketAddressArgument {
  return { type: 'sockaddr', index: 1, family: 'AF_INET6', address: '2001:db8::1', port: 53, ...fields };
}

export function bufferArgument(text: string, size: number, fields: Partial<BufferArgument> = {}): BufferArgument {
  const value = new Uint8Array(Buffer.from(text));
  return { type: 'char_buf', index: 1, value, size, truncated: size > value.length, ...fields };
}

export function credentialsArgument(fields: Partial<CredentialsArgument> = {}): CredentialsArgument {
  const ids = { uid: 0, gid: 1, euid: 2, egid: 3, suid: 4, sgid: 5, fsuid: 6, fsgid: 7 };
  const capabilities = { permitted: 3n, effective: 1n, inheritable: 0n };
  const userNamespace = { level: 1, owner: 1000, group: 1001, inode: 4026532000 };
  return { type: 'cred', index: 0, ...ids, capabilities, securebits: 0x81, userNamespace, ...fields };
}

export function userNamespaceArgument(fields: Partial<UserNamespaceArgument> = {}): UserNamespaceArgument {
  return { type: 'user_namespace', index: 0, level: 0, owner: 0, group: 0, inode: 4026531837, ...fields };
}

export function bpfProgramArgument(fields: Partial<BpfProgramArgument> = {}): BpfProgramArgument {
  const own = { programType: 'BPF_PROG_TYPE_KPROBE', instructions: 12, name: 'probe' };
  return { type: 'bpf_attr', index: 1, ...own, ...fields };
}

export function bpfMapArgument(fields: Partial<BpfMapArgument> = {}): BpfMapArgument {
  const own = { mapType: 'BPF_MAP_TYPE_HASH', keySize: 4, valueSize: 8, maxEntries: 16, name: 'counts' };
  return { type: 'bpf_map', index: 0, ...own, ...fields };
}

export function perfEventArgument(fields: Partial<PerfEventArgument> = {}): PerfEventArgument {
  const own = { eventType: 'PERF_TYPE_TRACEPOINT', config: 1n, function: 'do_exit', probeOffset: 4n };
  return { type: 'perf_event', index: 0, ...own, ...fields };
}

export function moduleArgument(fields: Partial<ModuleArgument> = {}): ModuleArgument {
  return { type: 'module', index: 0, name: 'dummy', signatureValid: false, taints: 0x3000n, ...fields };
}

/** A value of each type. */
export const EXAMPLE_ARGUMENTS: { readonly [T in HookArgument['type']]: ArgumentOf<T> } = {
  int: { type: 'int', index: 0, value: -(2 ** 31) },
  int8: { type: 'int8', index: 0, value: -128 },
  sint8: { type: 'sint8', index: 0, value: 127 },
  int16: { type: 'int16', index: 0, value: -32768 },
  sint16: { type: 'sint16', index: 0, value: 32767 },
  int32: { type: 'int32', index: 0, value: -1 },
  sint32: { type: 'sint32', index: 0, value: 2 ** 31 - 1 },
  uint8: { type: 'uint8', index: 0, value: 255 },
  uint16: { type: 'uint16', index: 0, value: 65535 },
  uint32: { type: 'uint32', index: 0, value: 2 ** 32 - 1 },
  int64: { type: 'int64', index: 0, value: -(2n ** 63n) },
  sint64: { type: 'sint64', index: 0, value: 2n ** 63n - 1n },
  long: { type: 'long', index: 0, value: -1n },
  uint64: { type: 'uint64', index: 0, value: 2n ** 64n - 1n },
  ulong: { type: 'ulong', index: 0, value: 2n ** 32n },
  size_t: { type: 'size_t', index: 0, value: 4096n },
  string: { type: 'string', index: 0, value: 'ü b', truncated: false },
  data_loc: { type: 'data_loc', index: 0, value: 'eth0', truncated: false },
  filename: { type: 'filename', index: 0, value: '/etc/a', truncated: true },
  net_device: { type: 'net_device', index: 0, value: 'lo', truncated: false },
  sockaddr_un: { type: 'sockaddr_un', index: 0, value: '@x', truncated: false },
  sockaddr_alg: { type: 'sockaddr_alg', index: 0, value: 'hash/sha256', features: 1, mask: 2, truncated: false },
  char_buf: { ...bufferArgument('abc', 3), type: 'char_buf' },
  const_buf: { ...bufferArgument('\0a', 2), type: 'const_buf' },
  char_iovec: { ...bufferArgument('abc', 99), type: 'char_iovec' },
  iov_iter: { ...bufferArgument('', 0), type: 'iov_iter' },
  file: { ...fileArgument('/etc/a b'), type: 'file' },
  path: { ...fileArgument('/a', 0, { flags: ['deleted'] }), type: 'path' },
  fd: { ...fileArgument('/a', 0, { fd: 7 }), type: 'fd' },
  dentry: { ...fileArgument('/a', 0, { flags: ['unreachable'] }), type: 'dentry' },
  linux_binprm: { ...fileArgument('/bin/a'), type: 'linux_binprm' },
  kiocb: { ...fileArgument('/a'), type: 'kiocb' },
  sock: { ...socketArgument(), type: 'sock' },
  socket: { ...socketArgument(), type: 'socket' },
  skb: packetArgument(),
  sockaddr: socketAddressArgument(),
  capability: { type: 'capability', index: 0, value: 21, name: 'CAP_SYS_ADMIN' },
  kernel_cap_t: { type: 'kernel_cap_t', index: 0, value: 1n, names: ['CAP_CHOWN'] },
  cap_inheritable: { type: 'cap_inheritable', index: 0, value: 0n, names: [] },
  cap_permitted: { type: 'cap_permitted', index: 0, value: 2n, names: ['CAP_DAC_OVERRIDE'] },
  cap_effective: { type: 'cap_effective', index: 0, value: 3n, names: ['CAP_CHOWN', 'CAP_DAC_OVERRIDE'] },
  syscall64: { type: 'syscall64', index: 0, value: 257n, name: 'openat', abi: 'x64' },
  cred: credentialsArgument(),
  user_namespace: userNamespaceArgument(),
  bpf_cmd: { type: 'bpf_cmd', index: 0, value: 5, name: 'BPF_PROG_LOAD' },
  bpf_attr: { ...bpfProgramArgument(), type: 'bpf_attr' },
  bpf_prog: { ...bpfProgramArgument(), type: 'bpf_prog' },
  bpf_map: bpfMapArgument(),
  perf_event: perfEventArgument(),
  module: { ...moduleArgument(), type: 'module' },
  load_info: { ...moduleArgument(), type: 'load_info' },
};
