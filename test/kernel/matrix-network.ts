/** The matrix: sockets, their addresses, and packets. */
import type { ArgTypeName } from '../../lib/policy/language/vocabulary.js';
import type { Action, CompleteSubject, Hook, OperatorTest, Subject, TestsOfType } from './matrix.js';

/** An address that the test adds to the loopback device. */
export const ADDED = '2001:db8::1';

type Ends = (source: string, sourcePort: number, destination: string, destinationPort: number) => Action;

const over =
  (word: string): Ends =>
  (...ends) => [word, ...ends];
const tcp = over('tcp');
const udp = over('udp');
const send = over('send');

/** With port 0 the kernel chooses a free port. */
const from = (act: Ends, address: string, port = 0): Action => act(address, port, '127.0.0.1', 5005);
const to = (act: Ends, address: string, port = 5005): Action => act('127.0.0.1', 0, address, port);
const six = (act: Ends, address: string): Action => act(address, 0, address, 5005);

type SourceTests = TestsOfType<'sockaddr'>;
type DestinationTests = Readonly<Record<'DPort' | 'DPortPriv' | 'DAddr', readonly OperatorTest[]>>;

function sourceTests(act: Ends): SourceTests {
  return {
    SPort: [
      { values: ['1005', '2000:2010'], match: from(act, '127.0.0.5', 2010), miss: from(act, '127.0.0.5', 2011) },
      { values: ['2012'], match: from(act, '127.0.0.5', 2012), miss: from(act, '127.0.0.5', 2013) },
    ],
    SPortPriv: [{ match: from(act, '127.0.0.5', 1023), miss: from(act, '127.0.0.5', 1024) }],
    SAddr: [
      { values: ['127.1.0.0/16', '2001:db8::/32'], match: from(act, '127.1.2.3'), miss: from(act, '127.2.2.3') },
      { values: ['127.1.0.0/16', '2001:db8::/32'], match: six(act, ADDED), miss: six(act, '::1') },
    ],
    Family: [{ values: ['AF_INET6', '4'], match: six(act, '::1'), miss: from(act, '127.0.0.5') }],
  };
}

function destinationTests(act: Ends): DestinationTests {
  return {
    DPort: [{ values: ['5006', '6000:6010'], match: to(act, '127.0.0.5', 6000), miss: to(act, '127.0.0.5', 5999) }],
    DPortPriv: [{ match: to(act, '127.0.0.5', 1023), miss: to(act, '127.0.0.5', 1024) }],
    DAddr: [
      { values: ['127.1.2.3', '127.3.0.0/16'], match: to(act, '127.1.2.3'), miss: to(act, '127.1.2.4') },
      { values: ['::1/128'], match: six(act, '::1'), miss: six(act, ADDED) },
    ],
  };
}

const LOCK: Hook = { call: 'lock_sock_nested', args: [{ index: 0, type: 'sock' }] };
const SOCK: CompleteSubject<'sock'> = {
  title: 'sock',
  type: 'sock',
  source: 'args',
  hook: { call: 'tcp_connect', args: [{ index: 0, type: 'sock' }] },
  tests: {
    ...sourceTests(tcp),
    ...destinationTests(tcp),
    Protocol: [
      { values: ['IPPROTO_TCP', '200'], hook: LOCK, match: from(tcp, '127.0.0.5'), miss: from(udp, '127.0.0.5') },
    ],
    State: [
      { values: ['TCP_LISTEN', '9'], hook: LOCK, match: ['listen', '127.0.0.5', 0], miss: from(tcp, '127.0.0.5') },
    ],
  },
  expected: [
    {
      action: tcp('127.0.0.5', 2020, '127.0.0.6', 5020),
      value: {
        type: 'sock',
        family: 'AF_INET',
        protocol: 'IPPROTO_TCP',
        state: 'TCP_SYN_SENT',
        sourceAddress: '127.0.0.5',
        sourcePort: 2020,
        destinationAddress: '127.0.0.6',
        destinationPort: 5020,
      },
      json: {
        sock_arg: {
          family: 'AF_INET',
          type: 'SOCK_STREAM',
          protocol: 'IPPROTO_TCP',
          saddr: '127.0.0.5',
          daddr: '127.0.0.6',
          sport: 2020,
          dport: 5020,
          state: 'TCP_SYN_SENT',
        },
      },
    },
    {
      action: tcp(ADDED, 2021, '::1', 5021),
      value: { type: 'sock', family: 'AF_INET6', sourceAddress: ADDED, destinationAddress: '::1' },
      json: { sock_arg: { family: 'AF_INET6', saddr: ADDED, daddr: '::1' } },
    },
  ],
};

const SOCKET: CompleteSubject<'socket'> = {
  title: 'socket',
  type: 'socket',
  source: 'args',
  hook: { call: 'security_socket_getpeername', args: [{ index: 0, type: 'socket' }] },
  tests: {
    ...sourceTests(udp),
    ...destinationTests(udp),
    Protocol: [
      {
        values: ['IPPROTO_TCP'],
        match: ['peer', 'stream', '127.0.0.5', 0],
        miss: ['peer', 'datagram', '127.0.0.5', 0],
      },
    ],
    State: [{ values: ['TCP_ESTABLISHED'], match: from(udp, '127.0.0.5'), miss: ['peer', 'datagram', '127.0.0.5', 0] }],
  },
  expected: [
    {
      action: udp('127.0.0.5', 2022, '127.0.0.6', 5022),
      value: { type: 'socket', family: 'AF_INET', protocol: 'IPPROTO_UDP', sourcePort: 2022, destinationPort: 5022 },
      json: { sock_arg: { protocol: 'IPPROTO_UDP', saddr: '127.0.0.5', daddr: '127.0.0.6', sport: 2022, dport: 5022 } },
    },
  ],
};

const SKB: CompleteSubject<'skb'> = {
  title: 'skb',
  type: 'skb',
  source: 'args',
  hook: { call: '__dev_queue_xmit', args: [{ index: 0, type: 'skb' }] },
  tests: {
    ...sourceTests(send),
    ...destinationTests(send),
    Protocol: [{ values: ['IPPROTO_UDP'], match: from(send, '127.0.0.5'), miss: from(tcp, '127.0.0.5') }],
  },
  expected: [
    {
      action: send('127.0.0.5', 2023, '127.0.0.6', 5023),
      value: {
        type: 'skb',
        family: 'AF_INET',
        protocol: 'IPPROTO_UDP',
        sourceAddress: '127.0.0.5',
        sourcePort: 2023,
        destinationAddress: '127.0.0.6',
        destinationPort: 5023,
      },
      json: {
        skb_arg: {
          family: 'AF_INET',
          protocol: 'IPPROTO_UDP',
          saddr: '127.0.0.5',
          daddr: '127.0.0.6',
          sport: 2023,
          dport: 5023,
        },
      },
    },
  ],
};

/** The address and port that a process connects to. In a sockaddr they are those of the source. */
function sockaddrTests(): TestsOfType<'sockaddr'> {
  return {
    SPort: [{ values: ['5006', '6000:6010'], match: to(udp, '127.0.0.5', 6010), miss: to(udp, '127.0.0.5', 6011) }],
    SPortPriv: [{ match: to(udp, '127.0.0.5', 1023), miss: to(udp, '127.0.0.5', 1024) }],
    SAddr: [
      { values: ['127.1.0.0/16'], match: to(udp, '127.1.2.3'), miss: to(udp, '127.2.2.3') },
      { values: ['2001:db8::/32'], match: six(udp, ADDED), miss: six(udp, '::1') },
    ],
    Family: [{ values: ['AF_INET6', 'AF_UNIX'], match: ['unix', '/no/such'], miss: to(udp, '127.0.0.5') }],
  };
}

const SOCKADDR: CompleteSubject<'sockaddr'> = {
  title: 'sockaddr',
  type: 'sockaddr' satisfies ArgTypeName,
  source: 'args',
  hook: { call: 'security_socket_connect', args: [{ index: 1, type: 'sockaddr' }] },
  tests: sockaddrTests(),
  expected: [
    {
      action: to(udp, '127.0.0.6', 5024),
      value: { type: 'sockaddr', family: 'AF_INET', address: '127.0.0.6', port: 5024 },
      json: { sockaddr_arg: { family: 'AF_INET', addr: '127.0.0.6', port: 5024 } },
    },
  ],
};

export const NETWORK = {
  sock: [SOCK],
  socket: [SOCKET],
  skb: [SKB],
  sockaddr: [SOCKADDR],
} as const satisfies Readonly<Partial<Record<ArgTypeName, readonly Subject[]>>>;
