/** `polytrace trace connect`: TCP connections that programs open, their latency and their result. */
import { RecentMap } from '../rules/recent-map.js';
import { formatEndpoint } from '../names/endpoint.js';
import { durationColumn, fieldColumn, WHO } from './columns.js';
import { formatPolicy } from './policy-text.js';
import { isState, STATE, stateHook, toStateChange } from './sockets.js';
import { describeProcess, makeRow, type RowProcess, type TracerDefinition } from './tracer.js';
import { formatResult } from './values.js';

/** Connections that are being opened. */
const OPENING_MAX = 65_536;

export const connectTracer: TracerDefinition = {
  name: 'connect',
  summary: 'TCP connections that programs open, with latency and result',
  needs: 'raw tracepoints, and the types of the kernel (CONFIG_DEBUG_INFO_BTF)',
  policies: ({ policyName }) => [
    formatPolicy(
      policyName,
      [
        'The beginning of each TCP connection from this machine, and how the attempt ends.',
        'The end often runs in no process: filter processes by the first event of the same socket.',
      ],
      { tracepoints: [stateHook([], [isState(2, STATE.synSent), isState(1, STATE.synSent)])] },
    ),
  ],
  columns: () => [
    ...WHO,
    durationColumn('LATENCY', 'latencyNs'),
    fieldColumn('RESULT', 12, 'result'),
    fieldColumn('SOURCE', 21, 'source', { wide: true }),
    fieldColumn('DESTINATION', 21, 'destination'),
  ],
  createCollector: () => {
    const opening = new RecentMap<string, { readonly process: RowProcess; readonly startNs: bigint }>(OPENING_MAX);
    return {
      get forgotten() {
        return opening.evicted;
      },
      take(event) {
        const change = toStateChange(event);
        if (change === undefined) return [];
        const { event: of, socket, key, error } = change;
        if (change.new === STATE.synSent) {
          opening.set(key, { process: describeProcess(of.process, of.parent), startNs: of.timeNs });
          return [];
        }
        const start = opening.get(key);
        opening.delete(key);
        if (start === undefined) return [];
        const { process, startNs } = start;
        const { sourceAddress, sourcePort, destinationAddress, destinationPort } = socket;
        const result = change.new === STATE.established ? 'ok' : error === 0 ? 'closed' : formatResult(BigInt(-error));
        const fields = {
          latencyNs: of.timeNs - startNs,
          result,
          source: formatEndpoint(sourceAddress, sourcePort),
          destination: formatEndpoint(destinationAddress, destinationPort),
        };
        return [makeRow(of, fields, process)];
      },
    };
  },
};
