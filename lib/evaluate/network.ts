/** Filters on sockets, packets and socket addresses, as bpf/details.bpf.h applies them. */
import type { PacketArgument, SocketAddressArgument, SocketArgument } from '../../types/events.js';
import type { AddressPrefix, NetField, NetFilters, ValueTable } from '../compiled/compiled-policy.js';
import { familyNumber, parseNetwork, protocolNumber, stateNumber } from '../policy/index.js';
import { selectorMask } from '../wire/encode/tables.js';
import type { Candidates } from './candidates.js';
import { applyEntry, applyGroup, findLongestEntry } from './tables.js';

type NetArgument = SocketArgument | PacketArgument | SocketAddressArgument;

/** The members of struct net_detail. A value that the kernel has not read is 0. */
interface NetDetail {
  readonly numbers: Readonly<Record<NetField, bigint>>;
  readonly source: string;
  readonly destination: string;
}

export function filterNet(
  candidates: Candidates,
  { groups = [], source, destination }: NetFilters,
  argument: NetArgument,
): void {
  const detail = netDetail(argument);
  for (const group of groups) applyGroup(candidates, group, detail.numbers[group.field]);
  filterAddress(candidates, source, detail.source);
  filterAddress(candidates, destination, detail.destination);
}

function netDetail(argument: NetArgument): NetDetail {
  const family = familyNumber(argument.family) ?? 0n;
  if (argument.type === 'sockaddr') {
    const numbers = { family, protocol: 0n, state: 0n, sourcePort: BigInt(argument.port), destinationPort: 0n };
    return { numbers, source: argument.address, destination: '' };
  }
  const { protocol, sourcePort, destinationPort, sourceAddress: source, destinationAddress: destination } = argument;
  const numbers = {
    family,
    protocol: protocolNumber(protocol) ?? 0n,
    state: argument.type === 'skb' ? 0n : (stateNumber(argument.state) ?? 0n),
    sourcePort: BigInt(sourcePort),
    destinationPort: BigInt(destinationPort),
  };
  return { numbers, source, destination };
}

/** An address of a family other than IPv4 and IPv6 is empty and in no network. */
function filterAddress(candidates: Candidates, table: ValueTable<AddressPrefix> | undefined, string: string): void {
  if (table === undefined || !candidates.hasPossible(selectorMask(table.used))) return;
  const address = string === '' ? undefined : parseNetwork(string);
  const found = address && findLongestEntry(table, ({ bits }) => bits, (network) => isInNetwork(address, network)); // prettier-ignore
  applyEntry(candidates, table, found);
}

function isInNetwork(address: AddressPrefix, { family, bytes, bits }: AddressPrefix): boolean {
  if (family !== address.family) return false;
  return bytes.every((byte, i) => {
    const mask = (0xff00 >> Math.min(Math.max(bits - 8 * i, 0), 8)) & 0xff;
    return ((address.bytes[i] ?? 0) & mask) === (byte & mask);
  });
}
