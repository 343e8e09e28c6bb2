/** Decodes the kernel objects that an event describes: sockets, packets, credentials, programs, modules. */
import type {
  BpfMapArgument,
  BpfProgramArgument,
  CredentialsArgument,
  HookArgument,
  ModuleArgument,
  PacketArgument,
  PerfEventArgument,
  SocketAddressArgument,
  SocketArgument,
  UserNamespaceArgument,
} from '../../../types/events.js';
import { formatIpv4, formatIpv6 } from './addresses.js';
import { BpfDetail, CredDetail, ModuleDetail, NetDetail, PerfDetail, UserNamespaceDetail } from '../layout.gen.js';
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

const AF_INET = 2;
const AF_INET6 = 10;
/** Of struct module_detail. */
const SIGNATURE_UNKNOWN = 2;

/** What every value of a type has. */
export interface Common<T extends HookArgument['type']> {
  readonly type: T;
  readonly index: number;
  readonly label?: string;
  readonly unreadable?: true;
}

export function decodeSocket(slab: Slab, at: number, common: Common<SocketArgument['type']>): SocketArgument {
  return {
    ...common,
    ...decodeEnds(slab, at),
    socketType: socketTypeName(slab.u32(at + NetDetail.type)),
    state: stateName(slab.u32(at + NetDetail.state)),
    cookie: slab.u64(at + NetDetail.cookie),
  };
}

export function decodePacket(slab: Slab, at: number, common: Common<'skb'>): PacketArgument {
  return {
    ...common,
    ...decodeEnds(slab, at),
    protocolNumber: slab.u32(at + NetDetail.protocol),
    hash: slab.u32(at + NetDetail.hash),
    length: slab.u32(at + NetDetail.length),
    secPathLength: slab.u32(at + NetDetail.secPathLen),
    secPathOffloads: slab.u32(at + NetDetail.secPathOlen),
  };
}

/** The address and port of a sockaddr are its source's. */
export function decodeSocketAddress(slab: Slab, at: number, common: Common<'sockaddr'>): SocketAddressArgument {
  const family = slab.u32(at + NetDetail.family);
  return {
    ...common,
    family: familyName(family),
    address: addressOf(slab, at + NetDetail.source, family),
    port: slab.u32(at + NetDetail.sourcePort),
  };
}

function decodeEnds(slab: Slab, at: number) {
  const family = slab.u32(at + NetDetail.family);
  return {
    family: familyName(family),
    protocol: protocolName(slab.u32(at + NetDetail.protocol)),
    sourceAddress: addressOf(slab, at + NetDetail.source, family),
    destinationAddress: addressOf(slab, at + NetDetail.destination, family),
    sourcePort: slab.u32(at + NetDetail.sourcePort),
    destinationPort: slab.u32(at + NetDetail.destinationPort),
    mark: slab.u32(at + NetDetail.mark),
    priority: slab.u32(at + NetDetail.priority),
  };
}

function addressOf(slab: Slab, at: number, family: number): string {
  if (family === AF_INET) return formatIpv4(slab.bytes.subarray(at, at + 4));
  return family === AF_INET6 ? formatIpv6(slab.bytes.subarray(at, at + 16)) : '';
}

export function decodeCredentials(slab: Slab, at: number, common: Common<'cred'>): CredentialsArgument {
  return {
    ...common,
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

export function decodeUserNamespace(slab: Slab, at: number, common: Common<'user_namespace'>): UserNamespaceArgument {
  return {
    ...common,
    level: slab.u32(at + UserNamespaceDetail.level),
    owner: slab.u32(at + UserNamespaceDetail.owner),
    group: slab.u32(at + UserNamespaceDetail.group),
    inode: slab.u32(at + UserNamespaceDetail.inum),
  };
}

export function decodeBpfProgram(
  slab: Slab,
  at: number,
  common: Common<BpfProgramArgument['type']>,
): BpfProgramArgument {
  return {
    ...common,
    programType: programTypeName(slab.u32(at + BpfDetail.type)),
    instructions: slab.u32(at + BpfDetail.instructions),
    name: nameAt(slab, at + BpfDetail.name, BpfDetail.nameLength),
  };
}

export function decodeBpfMap(slab: Slab, at: number, common: Common<'bpf_map'>): BpfMapArgument {
  return {
    ...common,
    mapType: mapTypeName(slab.u32(at + BpfDetail.type)),
    keySize: slab.u32(at + BpfDetail.keySize),
    valueSize: slab.u32(at + BpfDetail.valueSize),
    maxEntries: slab.u32(at + BpfDetail.maxEntries),
    name: nameAt(slab, at + BpfDetail.name, BpfDetail.nameLength),
  };
}

export function decodePerfEvent(slab: Slab, at: number, common: Common<'perf_event'>): PerfEventArgument {
  return {
    ...common,
    eventType: perfTypeName(slab.u32(at + PerfDetail.type)),
    config: slab.u64(at + PerfDetail.config),
    function: nameAt(slab, at + PerfDetail.function, PerfDetail.functionLength),
    probeOffset: slab.u64(at + PerfDetail.probeOffset),
  };
}

export function decodeModule(slab: Slab, at: number, common: Common<ModuleArgument['type']>): ModuleArgument {
  const signature = slab.u32(at + ModuleDetail.signature);
  return {
    ...common,
    name: nameAt(slab, at + ModuleDetail.name, ModuleDetail.nameLength),
    ...(signature === SIGNATURE_UNKNOWN || common.unreadable ? {} : { signatureValid: signature === 1 }),
    taints: slab.u64(at + ModuleDetail.taints),
  };
}

/** Up to the first NUL. */
function nameAt(slab: Slab, at: number, room: number): string {
  const end = slab.bytes.subarray(at, at + room).indexOf(0);
  return slab.text(at, end < 0 ? room : end);
}
