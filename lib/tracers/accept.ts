/** `polytrace trace accept`: TCP connections that programs accept. */
import { formatEndpoint } from '../names/endpoint.js';
import { fieldColumn, WHO } from './columns.js';
import { formatPolicy, selectors } from './policy-text.js';
import { isHookEvent, makeRow, type TracerDefinition } from './tracer.js';

export const acceptTracer: TracerDefinition = {
  name: 'accept',
  summary: 'TCP connections that programs accept',
  needs: 'kprobes (CONFIG_KPROBE_EVENTS)',
  policies: (options) => [
    formatPolicy(options.policyName, ['TCP connections that programs accept.'], {
      kprobes: [
        {
          call: 'inet_csk_accept',
          syscall: false,
          return: true,
          returnArg: { index: 0, type: 'sock' },
          // without a connection, the function returns no socket
          selectors: selectors(options, {
            matchReturnArgs: [{ index: 0, operator: 'Family', values: ['AF_INET', 'AF_INET6'] }],
          }),
        },
      ],
    }),
  ],
  columns: () => [...WHO, fieldColumn('LOCAL', 21, 'local'), fieldColumn('REMOTE', 21, 'remote')],
  createCollector: () => ({
    forgotten: 0,
    take(event) {
      if (!isHookEvent(event) || event.type !== 'process_kprobe' || event.return?.type !== 'sock') return [];
      const { sourceAddress, sourcePort, destinationAddress, destinationPort, unreadable } = event.return;
      if (unreadable === true) return [];
      return [
        makeRow(event, {
          local: formatEndpoint(sourceAddress, sourcePort),
          remote: formatEndpoint(destinationAddress, destinationPort),
        }),
      ];
    },
  }),
};
