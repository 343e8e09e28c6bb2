/** Decodes the kernel objects among the values of a hook: sockets, packets, credentials, BPF programs, modules. */
import type {
  BpfMapArgument,
  BpfProgramArgument,
  CredentialsArgument,
  ModuleArgument,
  PacketArgument,
  PerfEventArgument,
  SocketAddressArgument,
  SocketArgument,
  UserNamespaceArgument,
} from '../../../types/events.js';
import { formatIpv4, formatIpv6 } from '../../names/addresses.js';
import {
  BpfDetail,
  CredDetail,
  ModuleDetail,
  ModuleSignature,
  NetDetail,
  PerfDetail,
  UserNamespaceDetail,
} from '../layout.gen.js';
import { FAMILIES } from '../../names/network.js';
import {
  familyName,
  mapTypeName,
  perfTypeName,
  programTypeName,
  protocolName,
  socketTypeName,
  stateName,
} from '../../names/numbers.js';
import type { RecordChunk } from '../record-chunk.js';

const { AF_INET, AF_INET6 } = FAMILIES;
const { SIGNATURE_VALID, SIGNATURE_UNKNOWN } = ModuleSignature;

export function decodeSocket(
  chunk: RecordChunk,
  at: number,
  type: SocketArgument['type'],
  index: number,
): SocketArgument {
  const family = chunk.u32(at + NetDetail.family);
  return {
    type,
    index,
    family: familyName(family),
    protocol: protocolName(chunk.u32(at + NetDetail.protocol)),
    sourceAddress: formatAddress(chunk, at + NetDetail.source, family),
    destinationAddress: formatAddress(chunk, at + NetDetail.destination, family),
    sourcePort: chunk.u32(at + NetDetail.sourcePort),
    destinationPort: chunk.u32(at + NetDetail.destinationPort),
    mark: chunk.u32(at + NetDetail.mark),
    priority: chunk.u32(at + NetDetail.priority),
    socketType: socketTypeName(chunk.u32(at + NetDetail.type)),
    state: stateName(chunk.u32(at + NetDetail.state)),
    cookie: chunk.u64(at + NetDetail.cookie),
    address: chunk.u64(at + NetDetail.address),
  };
}

export function decodePacket(chunk: RecordChunk, at: number, type: 'skb', index: number): PacketArgument {
  const family = chunk.u32(at + NetDetail.family);
  const protocol = chunk.u32(at + NetDetail.protocol);
  return {
    type,
    index,
    family: familyName(family),
    protocol: protocolName(protocol),
    sourceAddress: formatAddress(chunk, at + NetDetail.source, family),
    destinationAddress: formatAddress(chunk, at + NetDetail.destination, family),
    sourcePort: chunk.u32(at + NetDetail.sourcePort),
    destinationPort: chunk.u32(at + NetDetail.destinationPort),
    mark: chunk.u32(at + NetDetail.mark),
    priority: chunk.u32(at + NetDetail.priority),
    protocolNumber: protocol,
    hash: chunk.u32(at + NetDetail.hash),
    length: chunk.u32(at + NetDetail.length),
    secPathLength: chunk.u32(at + NetDetail.secPathLen),
    secPathOffloads: chunk.u32(at + NetDetail.secPathOlen),
  };
}

/** Decodes a sockaddr. The BPF program reports its address and port as the source. */
export function decodeSocketAddress(
  chunk: RecordChunk,
  at: number,
  type: 'sockaddr',
  index: number,
): SocketAddressArgument {
  const family = chunk.u32(at + NetDetail.family);
  return {
    type,
    index,
    family: familyName(family),
    address: formatAddress(chunk, at + NetDetail.source, family),
    port: chunk.u32(at + NetDetail.sourcePort),
  };
}

function formatAddress(chunk: RecordChunk, at: number, family: number): string {
  if (family === AF_INET) return formatIpv4(chunk.u8(at), chunk.u8(at + 1), chunk.u8(at + 2), chunk.u8(at + 3));
  return family === AF_INET6 ? formatIpv6(chunk.bytes(at, at + 16)) : '';
}

export function decodeCredentials(chunk: RecordChunk, at: number, type: 'cred', index: number): CredentialsArgument {
  return {
    type,
    index,
    uid: chunk.u32(at + CredDetail.credsUid),
    gid: chunk.u32(at + CredDetail.credsGid),
    euid: chunk.u32(at + CredDetail.credsEuid),
    egid: chunk.u32(at + CredDetail.credsEgid),
    suid: chunk.u32(at + CredDetail.credsSuid),
    sgid: chunk.u32(at + CredDetail.credsSgid),
    fsuid: chunk.u32(at + CredDetail.credsFsuid),
    fsgid: chunk.u32(at + CredDetail.credsFsgid),
    capabilities: {
      permitted: chunk.u64(at + CredDetail.credsCapPermitted),
      effective: chunk.u64(at + CredDetail.credsCapEffective),
      inheritable: chunk.u64(at + CredDetail.credsCapInheritable),
    },
    securebits: chunk.u32(at + CredDetail.securebits),
    userNamespace: {
      level: chunk.u32(at + CredDetail.userLevel),
      owner: chunk.u32(at + CredDetail.userOwner),
      group: chunk.u32(at + CredDetail.userGroup),
      inode: chunk.u32(at + CredDetail.userInum),
    },
  };
}

export function decodeUserNamespace(
  chunk: RecordChunk,
  at: number,
  type: 'user_namespace',
  index: number,
): UserNamespaceArgument {
  return {
    type,
    index,
    level: chunk.u32(at + UserNamespaceDetail.level),
    owner: chunk.u32(at + UserNamespaceDetail.owner),
    group: chunk.u32(at + UserNamespaceDetail.group),
    inode: chunk.u32(at + UserNamespaceDetail.inum),
  };
}

export function decodeBpfProgram(
  chunk: RecordChunk,
  at: number,
  type: BpfProgramArgument['type'],
  index: number,
): BpfProgramArgument {
  return {
    type,
    index,
    programType: programTypeName(chunk.u32(at + BpfDetail.type)),
    instructions: chunk.u32(at + BpfDetail.instructions),
    name: readName(chunk, at + BpfDetail.name, BpfDetail.nameLength),
  };
}

export function decodeBpfMap(chunk: RecordChunk, at: number, type: 'bpf_map', index: number): BpfMapArgument {
  return {
    type,
    index,
    mapType: mapTypeName(chunk.u32(at + BpfDetail.type)),
    keySize: chunk.u32(at + BpfDetail.keySize),
    valueSize: chunk.u32(at + BpfDetail.valueSize),
    maxEntries: chunk.u32(at + BpfDetail.maxEntries),
    name: readName(chunk, at + BpfDetail.name, BpfDetail.nameLength),
  };
}

export function decodePerfEvent(chunk: RecordChunk, at: number, type: 'perf_event', index: number): PerfEventArgument {
  return {
    type,
    index,
    eventType: perfTypeName(chunk.u32(at + PerfDetail.type)),
    config: chunk.u64(at + PerfDetail.config),
    function: readName(chunk, at + PerfDetail.function, PerfDetail.functionLength),
    probeOffset: chunk.u64(at + PerfDetail.probeOffset),
  };
}

/** Decodes a module. `signatureValid` is absent if the kernel does not report it, or the struct could not be read. */
export function decodeModule(
  chunk: RecordChunk,
  at: number,
  type: ModuleArgument['type'],
  index: number,
  unreadable: boolean,
): ModuleArgument {
  const name = readName(chunk, at + ModuleDetail.name, ModuleDetail.nameLength);
  const signature = chunk.u32(at + ModuleDetail.signature);
  const taints = chunk.u64(at + ModuleDetail.taints);
  return signature === SIGNATURE_UNKNOWN || unreadable
    ? { type, index, name, taints }
    : { type, index, name, signatureValid: signature === SIGNATURE_VALID, taints };
}

/** Reads a name up to its first NUL. */
function readName(chunk: RecordChunk, at: number, capacity: number): string {
  const end = chunk.bytes(at, at + capacity).indexOf(0);
  return chunk.readString(at, end < 0 ? capacity : end);
}
