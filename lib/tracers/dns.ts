/** `polytrace trace dns`: questions to name servers and their answers. */
import type { PlainEvent } from '../../types/events.js';
import { RecentMap } from '../rules/recent-map.js';
import { formatEndpoint } from '../names/endpoint.js';
import { CONTAINER, durationColumn, fieldColumn, PID, PROCESS, TIME, USER } from './columns.js';
import { decodeDns, type DnsMessage } from './dns-message.js';
import { formatPolicy, selectors, type YamlObject } from './policy-text.js';
import {
  describeProcess,
  isHookEvent,
  makeRow,
  type HookPlainEvent,
  type Row,
  type RowProcess,
  type TracerDefinition,
  type TraceOptions,
} from './tracer.js';
import { bytesValue, findValue, numberValue } from './values.js';

/** Questions that wait for an answer. */
const QUESTIONS_MAX = 16_384;
/** A question without an answer is reported after this time. */
const TIMEOUT_NS = 5_000_000_000n;

interface Question {
  readonly process: RowProcess;
  readonly time: string;
  readonly timeNs: bigint;
  readonly name: string;
  readonly type: string;
  readonly server: string | undefined;
}

export const dnsTracer: TracerDefinition = {
  name: 'dns',
  summary: 'questions to name servers (UDP), with answers, result and latency',
  needs: 'kprobes (CONFIG_KPROBE_EVENTS), and the types of the kernel (CONFIG_DEBUG_INFO_BTF)',
  policies: (options) => [
    formatPolicy(
      options.policyName,
      ['Messages to name servers, and from them, by UDP and port 53.', 'The messages are bytes, which trace decodes.'],
      { kprobes: [sendHook(options), sendHook6(options), receiveHook(options)] },
    ),
  ],
  columns: () => [
    TIME,
    { ...PID, width: 6 },
    { ...PROCESS, width: 9 },
    USER,
    CONTAINER,
    fieldColumn('TYPE', 4, 'type'),
    fieldColumn('RESULT', 8, 'result'),
    durationColumn('LATENCY', 'latencyNs'),
    fieldColumn('SERVER', 18, 'server', { wide: true }),
    fieldColumn('NAME', 20, 'name'),
    fieldColumn('ANSWERS', 18, 'answers'),
  ],
  createCollector: () => {
    const questions = new RecentMap<string, Question>(QUESTIONS_MAX);
    return {
      get forgotten() {
        return questions.evicted;
      },
      take(event): readonly Row[] {
        if (!isHookEvent(event) || event.type !== 'process_kprobe') return [];
        const message = decodeMessage(event);
        const socket = findValue(event, 'socket');
        if (message?.question === undefined || socket?.type !== 'sock') return [];
        const key = `${socket.address} ${message.id} ${message.question.type} ${message.question.name.toLowerCase()}`;
        if (!message.isResponse) {
          questions.set(key, toQuestion(event, message.question));
          return [];
        }
        const question = questions.get(key);
        questions.delete(key);
        return [answerRow(event, message, message.question, question)];
      },
      tick(nowNs) {
        const rows: Row[] = [];
        questions.removeOver(
          ({ timeNs }) => nowNs - timeNs > TIMEOUT_NS,
          ({ process, time, name, type, server }) => {
            rows.push({ time, process, fields: { type, result: 'no answer', name, ...(server && { server }) } });
          },
        );
        return rows;
      },
    };
  },
};

const SOCKET = { index: 0, type: 'sock', label: 'socket' };
/** 53 as a big-endian number of 16 bits. */
const PORT_53 = '0x3500';

/** A message that is sent: the socket, and the pieces of the program's memory. With --pid, only of these processes. */
function sendHook(options: TraceOptions): YamlObject {
  return {
    call: 'ip_make_skb',
    syscall: false,
    message: 'A question to a name server',
    args: [
      SOCKET,
      { index: 1, type: 'uint16', btfType: 'flowi4', resolve: 'uli.ports.dport', label: 'port' },
      { index: 1, type: 'uint32', btfType: 'flowi4', resolve: 'daddr', label: 'server' },
      { index: 3, type: 'iov_iter', btfType: 'msghdr', resolve: 'msg_iter', label: 'message' },
    ],
    selectors: selectors(options, { matchArgs: [{ args: [1], operator: 'Equal', values: [PORT_53] }] }),
  };
}

/** IPv6, of connected sockets. */
function sendHook6(options: TraceOptions): YamlObject {
  return {
    call: 'ip6_make_skb',
    syscall: false,
    optional: true,
    message: 'A question to a name server',
    args: [SOCKET, { index: 2, type: 'iov_iter', btfType: 'msghdr', resolve: 'msg_iter', label: 'message' }],
    selectors: selectors(options, { matchArgs: [{ index: 0, operator: 'DPort', values: ['53'] }] }),
  };
}

/** A message that a program takes from its socket. A peek has a negative length. */
function receiveHook(options: TraceOptions): YamlObject {
  return {
    call: 'skb_consume_udp',
    syscall: false,
    message: 'An answer of a name server',
    args: [
      SOCKET,
      { index: 1, type: 'skb', label: 'packet' },
      { index: 2, type: 'int', label: 'length' },
      { index: 1, type: 'char_buf', resolve: 'data', sizeArgIndex: 3, label: 'message' },
      // the bytes that are not behind `data`, but in other pages
      { index: 1, type: 'uint32', resolve: 'data_len', label: 'elsewhere' },
    ],
    selectors: selectors(options, {
      matchArgs: [
        { index: 2, operator: 'GreaterThan', values: ['11'] },
        { index: 1, operator: 'SPort', values: ['53'] },
      ],
    }),
  };
}

function decodeMessage(event: PlainEvent): DnsMessage | undefined {
  const read = bytesValue(event, 'message');
  if (read === undefined) return undefined;
  const here = Math.max(read.size - Number(numberValue(event, 'elsewhere')), 0);
  const bytes = read.bytes.subarray(0, here);
  return decodeDns(bytes, bytes.length >= read.size);
}

function toQuestion(event: HookPlainEvent, { name, type }: NonNullable<DnsMessage['question']>): Question {
  return {
    process: describeProcess(event.process, event.parent),
    time: event.time,
    timeNs: event.timeNs,
    name,
    type,
    server: serverAddress(event),
  };
}

function serverAddress(event: PlainEvent): string | undefined {
  const server = findValue(event, 'server');
  // big-endian bytes that were read as a little-endian number
  if (server?.type === 'uint32') {
    const bytes = [0, 8, 16, 24].map((shift) => (server.value >>> shift) & 255);
    return formatEndpoint(bytes.join('.'), 53);
  }
  const socket = findValue(event, 'socket');
  return socket?.type === 'sock' ? formatEndpoint(socket.destinationAddress, socket.destinationPort) : undefined;
}

function answerRow(
  event: HookPlainEvent,
  { code, answers, truncated }: DnsMessage,
  { name, type }: NonNullable<DnsMessage['question']>,
  question: Question | undefined,
): Row {
  const packet = findValue(event, 'packet');
  const server = packet?.type === 'skb' ? formatEndpoint(packet.sourceAddress, packet.sourcePort) : question?.server;
  return makeRow(event, {
    type,
    result: code,
    ...(question !== undefined && { latencyNs: event.timeNs - question.timeNs }),
    ...(server !== undefined && { server }),
    name,
    answers: [
      ...answers.map((answer) => (answer.type === type ? answer.value : `${answer.type} ${answer.value}`)),
      ...(truncated ? ['…'] : []),
    ],
  });
}
