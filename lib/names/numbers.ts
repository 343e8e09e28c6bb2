/** Finds the names of numbers in the kernel's headers. Sources: linux/net.h, linux/bpf.h, linux/perf_event.h. */
import { FAMILIES, PROTOCOLS, TCP_STATES } from './network.js';

type NameByNumber = ReadonlyMap<number, string>;

/** If a number has two names, the first name is used. */
function invertNames(names: Readonly<Record<string, number>>): NameByNumber {
  return new Map(
    Object.entries(names)
      .reverse()
      .map(([name, number]) => [number, name]),
  );
}

function numberNames(prefix: string, first: number, names: string): NameByNumber {
  return new Map(
    names
      .trim()
      .split(/\s+/)
      .map((name, index) => [first + index, prefix + name]),
  );
}

const families = invertNames(FAMILIES);
const protocols = invertNames(PROTOCOLS);
const tcpStates = invertNames(TCP_STATES);
const socketTypes = invertNames({
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_RAW: 3,
  SOCK_RDM: 4,
  SOCK_SEQPACKET: 5,
  SOCK_DCCP: 6,
  SOCK_PACKET: 10,
});

const bpfCommands = numberNames(
  'BPF_',
  0,
  `MAP_CREATE MAP_LOOKUP_ELEM MAP_UPDATE_ELEM MAP_DELETE_ELEM MAP_GET_NEXT_KEY PROG_LOAD OBJ_PIN OBJ_GET PROG_ATTACH
  PROG_DETACH PROG_TEST_RUN PROG_GET_NEXT_ID MAP_GET_NEXT_ID PROG_GET_FD_BY_ID MAP_GET_FD_BY_ID OBJ_GET_INFO_BY_FD PROG_QUERY
  RAW_TRACEPOINT_OPEN BTF_LOAD BTF_GET_FD_BY_ID TASK_FD_QUERY MAP_LOOKUP_AND_DELETE_ELEM MAP_FREEZE BTF_GET_NEXT_ID
  MAP_LOOKUP_BATCH MAP_LOOKUP_AND_DELETE_BATCH MAP_UPDATE_BATCH MAP_DELETE_BATCH LINK_CREATE LINK_UPDATE LINK_GET_FD_BY_ID
  LINK_GET_NEXT_ID ENABLE_STATS ITER_CREATE LINK_DETACH PROG_BIND_MAP TOKEN_CREATE`,
);

const programTypes = numberNames(
  'BPF_PROG_TYPE_',
  0,
  `UNSPEC SOCKET_FILTER KPROBE SCHED_CLS SCHED_ACT TRACEPOINT XDP PERF_EVENT CGROUP_SKB CGROUP_SOCK LWT_IN LWT_OUT LWT_XMIT
  SOCK_OPS SK_SKB CGROUP_DEVICE SK_MSG RAW_TRACEPOINT CGROUP_SOCK_ADDR LWT_SEG6LOCAL LIRC_MODE2 SK_REUSEPORT FLOW_DISSECTOR
  CGROUP_SYSCTL RAW_TRACEPOINT_WRITABLE CGROUP_SOCKOPT TRACING STRUCT_OPS EXT LSM SK_LOOKUP SYSCALL NETFILTER`,
);

const mapTypes = numberNames(
  'BPF_MAP_TYPE_',
  0,
  `UNSPEC HASH ARRAY PROG_ARRAY PERF_EVENT_ARRAY PERCPU_HASH PERCPU_ARRAY STACK_TRACE CGROUP_ARRAY LRU_HASH LRU_PERCPU_HASH
  LPM_TRIE ARRAY_OF_MAPS HASH_OF_MAPS DEVMAP SOCKMAP CPUMAP XSKMAP SOCKHASH CGROUP_STORAGE REUSEPORT_SOCKARRAY
  PERCPU_CGROUP_STORAGE QUEUE STACK SK_STORAGE DEVMAP_HASH STRUCT_OPS RINGBUF INODE_STORAGE TASK_STORAGE BLOOM_FILTER
  USER_RINGBUF CGRP_STORAGE ARENA`,
);

const perfTypes = numberNames('PERF_TYPE_', 0, 'HARDWARE SOFTWARE TRACEPOINT HW_CACHE RAW BREAKPOINT');

/** The lookup returns decimal digits for a number without a name. */
const makeNameLookup =
  (names: NameByNumber) =>
  (number: number): string =>
    names.get(number) ?? String(number);

export const familyName = makeNameLookup(families);
export const protocolName = makeNameLookup(protocols);
export const stateName = makeNameLookup(tcpStates);
export const socketTypeName = makeNameLookup(socketTypes);
export const programTypeName = makeNameLookup(programTypes);
export const mapTypeName = makeNameLookup(mapTypes);
export const perfTypeName = makeNameLookup(perfTypes);

export function bpfCommandName(number: number): string | undefined {
  return bpfCommands.get(number);
}
