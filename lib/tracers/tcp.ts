/** `polytrace trace tcp`: TCP connections when they end: how long they were open, and their bytes in both directions. */
import { RecentMap } from '../rules/recent-map.js';
import { formatEndpoint } from '../names/endpoint.js';
import { bytesColumn, durationColumn, fieldColumn, PID, PROCESS, TIME, USER, CONTAINER } from './columns.js';
import { formatPolicy } from './policy-text.js';
import { isState, STATE, stateHook, tcpNumber, toStateChange, type StateChange } from './sockets.js';
import { describeProcess, makeRow, type Row, type RowProcess, type TracerDefinition } from './tracer.js';
import { formatResult, numberValue } from './values.js';

/** Open connections that are remembered. */
const CONNECTIONS_MAX = 65_536;

interface Connection {
  direction: 'out' | 'in';
  startNs: bigint;
  process: RowProcess | undefined;
  /** The kernel forgets the local port before the end. */
  local?: string;
}

export const tcpTracer: TracerDefinition = {
  name: 'tcp',
  summary: 'TCP connections when they end: duration, bytes in both directions, round-trip time',
  needs: 'raw tracepoints, and the types of the kernel (CONFIG_DEBUG_INFO_BTF)',
  policies: ({ policyName }) => [
    formatPolicy(
      policyName,
      [
        'TCP connections: when they are opened, when a process closes them, and their end.',
        'Only the events of the states 2, 4 and 9 run in the process that has the connection.',
      ],
      {
        tracepoints: [
          stateHook(
            [
              tcpNumber('sent', 'bytes_acked', 'uint64'),
              tcpNumber('received', 'bytes_received', 'uint64'),
              // an eighth of a microsecond
              tcpNumber('roundTrip', 'srtt_us', 'uint32'),
              tcpNumber('retransmitted', 'total_retrans', 'uint32'),
            ],
            [isState(2, ...Object.values(STATE))],
          ),
        ],
      },
    ),
  ],
  columns: () => [
    TIME,
    PID,
    { ...PROCESS, width: 10 },
    USER,
    CONTAINER,
    fieldColumn('DIR', 3, 'direction'),
    durationColumn('LASTED', 'durationNs'),
    bytesColumn('SENT', 'sentBytes'),
    bytesColumn('RECVD', 'receivedBytes'),
    durationColumn('RTT', 'roundTripNs', { wide: true }),
    fieldColumn('RETRANS', 7, 'retransmitted', { wide: true, right: true }),
    fieldColumn('LOCAL', 21, 'local', { wide: true }),
    fieldColumn('REMOTE', 21, 'remote'),
  ],
  createCollector: () => {
    const connections = new RecentMap<string, Connection>(CONNECTIONS_MAX);
    return {
      get forgotten() {
        return connections.evicted;
      },
      take(event) {
        const change = toStateChange(event);
        if (change === undefined) return [];
        const { key } = change;
        const known = connections.get(key);
        if (change.new !== STATE.close) {
          const next = follow(change, known);
          const { sourceAddress, sourcePort } = change.socket;
          if (sourcePort !== 0) next.local = formatEndpoint(sourceAddress, sourcePort);
          connections.set(key, next);
          return [];
        }
        connections.delete(key);
        // a listening socket, and one that was never opened, have no peer
        return change.socket.destinationPort === 0 ? [] : [closedRow(change, known)];
      },
    };
  },
};

/** Only the steps that a process makes itself tell which process has the connection. */
function follow({ event, old, new: next }: StateChange, known: Connection | undefined): Connection {
  const isOfProcess = next !== STATE.established;
  const process = isOfProcess ? describeProcess(event.process, event.parent) : undefined;
  if (next === STATE.synSent) return { direction: 'out', startNs: event.timeNs, process };
  if (next === STATE.established) {
    // after SYN_SENT, the connection is known, and its process, too
    if (old === STATE.synSent && known !== undefined) return known;
    return { direction: old === STATE.synSent ? 'out' : 'in', startNs: event.timeNs, process: undefined };
  }
  // a connection that is older than the tracer has no start
  if (known === undefined) return { direction: 'in', startNs: 0n, process };
  known.process ??= process;
  return known;
}

function closedRow(change: StateChange, known: Connection | undefined): Row {
  const { event, socket, error } = change;
  const { sourceAddress, sourcePort, destinationAddress, destinationPort } = socket;
  const start = known?.startNs ?? 0n;
  return {
    ...makeRow(event, {
      // the direction of an older connection is not known
      ...(start === 0n ? {} : { direction: known?.direction, durationNs: event.timeNs - start }),
      sentBytes: numberValue(event, 'sent'),
      receivedBytes: numberValue(event, 'received'),
      roundTripNs: (numberValue(event, 'roundTrip') * 1000n) / 8n,
      retransmitted: numberValue(event, 'retransmitted'),
      local: known?.local ?? (sourcePort === 0 ? sourceAddress : formatEndpoint(sourceAddress, sourcePort)),
      remote: formatEndpoint(destinationAddress, destinationPort),
      ...(error === 0 ? {} : { error: formatResult(BigInt(-error)) }),
    }),
    process: known?.process,
  };
}
