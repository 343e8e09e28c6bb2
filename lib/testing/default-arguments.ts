/** The members that values of hooks have in events for tests, if the test does not give them. */
import type { ArgumentOf, HookArgument } from '../../types/events.js';

type ArgumentType = HookArgument['type'];

type RequiredNames<A> = { [K in keyof A]-?: Record<never, never> extends Pick<A, K> ? never : K }[keyof A];
type Defaults<T extends ArgumentType> = Omit<Pick<ArgumentOf<T>, RequiredNames<ArgumentOf<T>>>, 'type' | 'index'>;

const number = { value: 0 };
const longNumber = { value: 0n };
const string = { value: '', truncated: false };
const buffer = { value: new Uint8Array(), size: 0, truncated: false };
const file = { path: '', flags: [], permission: '-rw-r--r--', inode: 0n, device: { major: 0, minor: 0 }, links: 1 };
const network = {
  family: 'AF_INET',
  protocol: 'IPPROTO_TCP',
  sourceAddress: '127.0.0.1',
  destinationAddress: '127.0.0.1',
  sourcePort: 0,
  destinationPort: 0,
  mark: 0,
  priority: 0,
};
const socket = { ...network, socketType: 'SOCK_STREAM', state: 'TCP_ESTABLISHED', cookie: 0n, address: 0n };
const packet = { ...network, protocolNumber: 6, hash: 0, length: 0, secPathLength: 0, secPathOffloads: 0 };
const capabilitySet = { value: 0n, names: [] };
const userNamespace = { level: 0, owner: 0, group: 0, inode: 0 };
const credentials = {
  ...{ uid: 0, gid: 0, euid: 0, egid: 0, suid: 0, sgid: 0, fsuid: 0, fsgid: 0 },
  capabilities: { permitted: 0n, effective: 0n, inheritable: 0n },
  securebits: 0,
  userNamespace,
};
const program = { programType: 'BPF_PROG_TYPE_KPROBE', instructions: 0, name: '' };
const map = { mapType: 'BPF_MAP_TYPE_HASH', keySize: 0, valueSize: 0, maxEntries: 0, name: '' };
const perfEvent = { eventType: 'PERF_TYPE_SOFTWARE', config: 0n, function: '', probeOffset: 0n };
const module_ = { name: '', taints: 0n };

export const DEFAULT_ARGUMENTS: { readonly [T in ArgumentType]: Defaults<T> } = {
  int: number, int8: number, sint8: number, int16: number, sint16: number, int32: number, sint32: number,
  uint8: number, uint16: number, uint32: number,
  int64: longNumber, sint64: longNumber, long: longNumber, uint64: longNumber, ulong: longNumber, size_t: longNumber,
  string, data_loc: string, filename: string, net_device: string, sockaddr_un: string,
  sockaddr_alg: { value: '', features: 0, mask: 0, truncated: false },
  char_buf: buffer, const_buf: buffer, char_iovec: buffer, iov_iter: buffer,
  file, path: file, fd: file, dentry: file, linux_binprm: file, kiocb: file,
  sock: socket, socket, skb: packet,
  sockaddr: { family: 'AF_INET', address: '127.0.0.1', port: 0 },
  capability: number,
  kernel_cap_t: capabilitySet, cap_inheritable: capabilitySet, cap_permitted: capabilitySet, cap_effective: capabilitySet,
  syscall64: { value: 0n, abi: 'x64' },
  cred: credentials,
  user_namespace: userNamespace,
  bpf_cmd: number, bpf_attr: program, bpf_prog: program, bpf_map: map,
  perf_event: perfEvent,
  module: module_, load_info: module_,
}; // prettier-ignore
