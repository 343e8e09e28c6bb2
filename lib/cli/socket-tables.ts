/** Reads /proc/PID/net/tcp and the like: the sockets of a network namespace (Documentation/networking/proc_net_tcp.rst). */
import { readFileSync } from 'node:fs';
import { formatIpv6 } from '../names/addresses.js';
import { formatEndpoint } from '../names/endpoint.js';
import { TCP_STATES } from '../names/network.js';

export interface ListedSocket {
  readonly protocol: string;
  readonly state: string;
  readonly local: string;
  readonly remote: string;
  readonly receiveQueue: number;
  readonly sendQueue: number;
  readonly inode: number;
  /** It waits for connections or packets from anybody. */
  readonly isWaiting: boolean;
  /** A process of the network namespace. */
  readonly namespacePid: number;
}

const TABLES = ['tcp', 'tcp6', 'udp', 'udp6', 'raw', 'raw6'] as const;

export function readSocketTables(pid: number, withUnix: boolean, root = '/proc'): ListedSocket[] {
  const read = (name: string): string => {
    try {
      return readFileSync(`${root}/${pid}/net/${name}`, 'utf8');
    } catch {
      // the process has ended, or the kernel has no IPv6
      return '';
    }
  };
  return [
    ...TABLES.flatMap((name) => parseSocketTable(name, read(name), pid)),
    ...(withUnix ? parseUnixTable(read('unix'), pid) : []),
  ];
}

const STATE_NAMES = new Map(Object.entries(TCP_STATES).map(([name, number]) => [number, name.replace('TCP_', '')]));
const LISTEN = 10;

/** Parses a table of addresses. A line that has another form is left out. */
export function parseSocketTable(name: string, text: string, namespacePid: number): ListedSocket[] {
  const protocol = name.replace('6', '');
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [, local = '', remote = '', state = '', queues = '', , , , , inode = ''] = fields;
      const [from, to] = [parseAddress(local), parseAddress(remote)];
      if (from === undefined || to === undefined || inode === '') return [];
      const number = parseInt(state, 16);
      const isConnected = !to.endsWith(':0');
      const [sendQueue = 0, receiveQueue = 0] = queues.split(':').map((each) => parseInt(each, 16));
      return [
        {
          protocol,
          state: protocol === 'tcp' ? (STATE_NAMES.get(number) ?? state) : isConnected ? 'CONNECTED' : 'UNCONNECTED',
          local: from,
          remote: isConnected ? to : '-',
          receiveQueue,
          sendQueue,
          inode: Number(inode),
          isWaiting: protocol === 'tcp' ? number === LISTEN : !isConnected,
          namespacePid,
        },
      ];
    });
}

/** An address as words of 32 bits in the byte order of the machine, which is little-endian here, and a port. */
function parseAddress(text: string): string | undefined {
  const [, hex = '', port = ''] = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(text) ?? [];
  if (hex === '') return undefined;
  const bytes = Buffer.from(hex, 'hex');
  bytes.swap32();
  const number = parseInt(port, 16);
  return formatEndpoint(bytes.length === 4 ? bytes.join('.') : formatIpv6(bytes), number);
}

const UNIX_TYPES: Readonly<Record<string, string>> = { '0001': 'stream', '0002': 'dgram', '0005': 'seqpacket' };
/** __SO_ACCEPTCON: the socket listens. */
const ACCEPTS = 0x10000;

export function parseUnixTable(text: string, namespacePid: number): ListedSocket[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, flags = '', type = '', state = '', inode = '', path = ''] =
        /^\S+: \S+ \S+ (\S+) (\S+) (\S+) +(\d+) ?(.*)$/.exec(line) ?? [];
      if (inode === '') return [];
      const isWaiting = (parseInt(flags, 16) & ACCEPTS) !== 0;
      return [
        {
          protocol: 'unix',
          state: isWaiting ? 'LISTEN' : state === '03' ? 'CONNECTED' : 'UNCONNECTED',
          local: path === '' ? `(${UNIX_TYPES[type] ?? type})` : path,
          remote: '-',
          receiveQueue: 0,
          sendQueue: 0,
          inode: Number(inode),
          isWaiting,
          namespacePid,
        },
      ];
    });
}
