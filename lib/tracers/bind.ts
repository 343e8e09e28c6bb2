/** `polytrace trace bind`: addresses that programs bind, and sockets that begin to listen. */
import type { PlainEvent, SocketAddressArgument, SocketArgument } from '../../types/events.js';
import { formatEndpoint } from '../names/endpoint.js';
import { fieldColumn, WHO } from './columns.js';
import { formatPolicy, selectors, type YamlObject } from './policy-text.js';
import { isHookEvent, makeRow, type TracerDefinition, type TraceOptions } from './tracer.js';
import { findValue, formatResult, returnNumber } from './values.js';

const NEGATIVE = [{ index: 0, operator: 'LessThan', values: ['0'] }];

export const bindTracer: TracerDefinition = {
  name: 'bind',
  summary: 'addresses that programs bind, and sockets that begin to listen',
  takes: { failed: 'only calls that fail' },
  needs: 'kprobes (CONFIG_KPROBE_EVENTS)',
  policies: (options) => [
    formatPolicy(options.policyName, ['Addresses that programs bind, and sockets that begin to listen.'], {
      kprobes: [
        bindHook('inet_bind', options),
        { ...bindHook('inet6_bind', options), optional: true },
        hook('inet_listen', [{ index: 1, type: 'int', label: 'backlog' }], options),
      ],
    }),
  ],
  columns: () => [
    ...WHO,
    fieldColumn('EVENT', 6, 'event'),
    fieldColumn('PROTO', 6, 'protocol'),
    fieldColumn('RESULT', 11, 'result'),
    fieldColumn('BACKLOG', 7, 'backlog', { wide: true, right: true }),
    fieldColumn('ADDRESS', 24, 'address'),
  ],
  createCollector: () => ({
    forgotten: 0,
    take(event) {
      if (!isHookEvent(event) || event.type !== 'process_kprobe') return [];
      const socket = findValue(event, 'socket') as SocketArgument | undefined;
      if (socket === undefined) return [];
      const isListen = event.functionName === 'inet_listen';
      const backlog = findValue(event, 'backlog');
      return [
        makeRow(event, {
          event: isListen ? 'listen' : 'bind',
          protocol: socket.protocol.replace('IPPROTO_', '').toLowerCase(),
          address: isListen ? formatEndpoint(socket.sourceAddress, socket.sourcePort) : boundAddress(event),
          result: formatBound(returnNumber(event) ?? 0n),
          ...(backlog?.type === 'int' && { backlog: backlog.value }),
        }),
      ];
    },
  }),
};

function formatBound(result: bigint): string {
  return result === 0n ? 'ok' : formatResult(result);
}

function boundAddress(event: PlainEvent): string {
  const { address, port } = findValue(event, 'address') as SocketAddressArgument;
  // the kernel chooses a port for 0
  return port === 0 ? `${formatEndpoint(address, 0).slice(0, -1)}any` : formatEndpoint(address, port);
}

function bindHook(call: string, options: TraceOptions): YamlObject {
  return hook(call, [{ index: 1, type: 'sockaddr', label: 'address' }], options);
}

function hook(call: string, args: readonly YamlObject[], options: TraceOptions): YamlObject {
  return {
    call,
    syscall: false,
    args: [{ index: 0, type: 'socket', label: 'socket' }, ...args],
    return: true,
    returnArg: { index: 0, type: 'int' },
    selectors: selectors(options, ...(options.failed === true ? [{ matchReturnArgs: NEGATIVE }] : [])),
  };
}
