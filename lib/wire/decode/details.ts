/** Decodes the kernel objects that an event describes: sockets, packets, credentials, programs, modules. */
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
import { formatIpv4, formatIpv6 } from './addresses.js';
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
import type { Slab } from '../slab.js';

const { AF_INET, AF_INET6 } = FAMILIES;
const { SIGNATURE_VALID, SIGNATURE_UNKNOWN } = ModuleSignature;

export function decodeSocket(slab: Slab, at: number, type: SocketArgument['type'], index: number): SocketArgument {
  const family = slab.u32(at + NetDetail.family);
  return {
    type,
    index,
    family: familyName(family),
    protocol: protocolName(slab.u32(at + NetDetail.protocol)),
    sourceAddress: addressOf(slab, at + NetDetail.source, family),
    destinationAddress: addressOf(slab, at + NetDetail.destination, family),
    sourcePort: slab.u32(at + NetDetail.sourcePort),
    destinationPort: slab.u32(at + NetDetail.destinationPort),
    mark: slab.u32(at + NetDetail.mark),
    priority: slab.u32(at + NetDetail.priority),
    socketType: socketTypeName(slab.u32(at + NetDetail.type)),
    state: stateName(slab.u32(at + NetDetail.state)),
    cookie: slab.u64(at + NetDetail.cookie),
    address: slab.u64(at + NetDetail.address),
  };
}

export function decodePacket(slab: Slab, at: number, type: 'skb', index: number): PacketArgument {
  const family = slab.u32(at + NetDetail.family);
  const protocol = slab.u32(at + NetDetail.protocol);
  return {
    type,
    index,
    family: familyName(family),
    protocol: protocolName(protocol),
    sourceAddress: addressOf(slab, at + NetDetail.source, family),
    destinationAddress: addressOf(slab, at + NetDetail.destination, family),
    sourcePort: slab.u32(at + NetDetail.sourcePort),
    destinationPort: slab.u32(at + NetDetail.destinationPort),
    mark: slab.u32(at + NetDetail.mark),
    priority: slab.u32(at + NetDetail.priority),
    protocolNumber: protocol,
    hash: slab.u32(at + NetDetail.hash),
    length: slab.u32(at + NetDetail.length),
    secPathLength: slab.u32(at + NetDetail.secPathLen),
    secPathOffloads: slab.u32(at + NetDetail.secPathOlen),
  };
}

/** Decodes a sockaddr. Its address and port are reported as the source. */
export function decodeSocketAddress(slab: Slab, at: number, type: 'sockaddr', index: number): SocketAddressArgument {
  const family = slab.u32(at + NetDetail.family);
  return {
    type,
    index,
    family: familyName(family),
    address: addressOf(slab, at + NetDetail.source, family),
    port: slab.u32(at + NetDetail.sourcePort),
  };
}

function addressOf(slab: Slab, at: number, family: number): string {
  if (family === AF_INET) return formatIpv4(slab.u8(at), slab.u8(at + 1), slab.u8(at + 2), slab.u8(at + 3));
  return family === AF_INET6 ? formatIpv6(slab.bytes(at, at + 16)) : '';
}

export function decodeCredentials(slab: Slab, at: number, type: 'cred', index: number): CredentialsArgument {
  return {
    type,
    index,
    uid: slab.u32(at + CredDetail.credsUid),
    gid: slab.u32(at + CredDetail.credsGid),
    euid: slab.u32(at + CredDetail.credsEuid),
    egid: slab.u32(at + CredDetail.credsEgid),
    suid: slab.u32(at + CredDetail.credsSuid),
    sgid: slab.u32(at + CredDetail.credsSgid),
    fsuid: slab.u32(at + CredDetail.credsFsuid),
    fsgid: slab.u32(at + CredDetail.credsFsgid),
    capabilities: {
      permitted: slab.u64(at + CredDetail.credsCapPermitted),
      effective: slab.u64(at + CredDetail.credsCapEffective),
      inheritable: slab.u64(at + CredDetail.credsCapInheritable),
    },
    securebits: slab.u32(at + CredDetail.securebits),
    userNamespace: {
      level: slab.u32(at + CredDetail.userLevel),
      owner: slab.u32(at + CredDetail.userOwner),
      group: slab.u32(at + CredDetail.userGroup),
      inode: slab.u32(at + CredDetail.userInum),
    },
  };
}

export function decodeUserNamespace(
  slab: Slab,
  at: number,
  type: 'user_namespace',
  index: number,
): UserNamespaceArgument {
  return {
    type,
    index,
    level: slab.u32(at + UserNamespaceDetail.level),
    owner: slab.u32(at + UserNamespaceDetail.owner),
    group: slab.u32(at + UserNamespaceDetail.group),
    inode: slab.u32(at + UserNamespaceDetail.inum),
  };
}

export function decodeBpfProgram(
  slab: Slab,
  at: number,
  type: BpfProgramArgument['type'],
  index: number,
): BpfProgramArgument {
  return {
    type,
    index,
    programType: programTypeName(slab.u32(at + BpfDetail.type)),
    instructions: slab.u32(at + BpfDetail.instructions),
    name: nameAt(slab, at + BpfDetail.name, BpfDetail.nameLength),
  };
}

export function decodeBpfMap(slab: Slab, at: number, type: 'bpf_map', index: number): BpfMapArgument {
  return {
    type,
    index,
    mapType: mapTypeName(slab.u32(at + BpfDetail.type)),
    keySize: slab.u32(at + BpfDetail.keySize),
    valueSize: slab.u32(at + BpfDetail.valueSize),
    maxEntries: slab.u32(at + BpfDetail.maxEntries),
    name: nameAt(slab, at + BpfDetail.name, BpfDetail.nameLength),
  };
}

export function decodePerfEvent(slab: Slab, at: number, type: 'perf_event', index: number): PerfEventArgument {
  return {
    type,
    index,
    eventType: perfTypeName(slab.u32(at + PerfDetail.type)),
    config: slab.u64(at + PerfDetail.config),
    function: nameAt(slab, at + PerfDetail.function, PerfDetail.functionLength),
    probeOffset: slab.u64(at + PerfDetail.probeOffset),
  };
}

/** Decodes a module. `signatureValid` is absent if the kernel does not know it, or the struct could not be read. */
export function decodeModule(
  slab: Slab,
  at: number,
  type: ModuleArgument['type'],
  index: number,
  unreadable: boolean,
): ModuleArgument {
  const name = nameAt(slab, at + ModuleDetail.name, ModuleDetail.nameLength);
  const signature = slab.u32(at + ModuleDetail.signature);
  const taints = slab.u64(at + ModuleDetail.taints);
  return signature === SIGNATURE_UNKNOWN || unreadable
    ? { type, index, name, taints }
    : { type, index, name, signatureValid: signature === SIGNATURE_VALID, taints };
}

/** A name up to its first NUL. */
function nameAt(slab: Slab, at: number, room: number): string {
  const end = slab.bytes(at, at + room).indexOf(0);
  return slab.text(at, end < 0 ? room : end);
}
