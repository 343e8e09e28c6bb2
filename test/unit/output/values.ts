/** Makes arguments of each type that an event can have, except numbers, strings and files. */
import type {
  BpfMapArgument,
  BpfProgramArgument,
  BufferArgument,
  CredentialsArgument,
  ModuleArgument,
  PacketArgument,
  PerfEventArgument,
  SocketAddressArgument,
  SocketArgument,
  UserNamespaceArgument,
} from '../../../types/events.js';

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
