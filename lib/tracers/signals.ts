/** `polytrace trace signals` and `polytrace trace kill`: signals that the kernel generates, and calls of kill(2). */
import { signalName } from '../names/signals.js';
import { fieldColumn, WHO } from './columns.js';
import { formatPolicy, selectors } from './policy-text.js';
import { collectCalls, syscallFunctions, syscallTracepoints, type SyscallSpec } from './syscalls.js';
import { isHookEvent, makeRow, type TracerDefinition } from './tracer.js';
import { formatResult, numberValue, signed32, textValue } from './values.js';

/** enum of trace/events/signal.h. */
const RESULTS = ['delivered', 'ignored', 'pending', 'lost', 'info lost'];

export const signalsTracer: TracerDefinition = {
  name: 'signals',
  summary: 'signals, who caused them and who gets them',
  needs: 'raw tracepoints, and the types of the kernel (CONFIG_DEBUG_INFO_BTF)',
  policies: (options) => [
    formatPolicy(options.policyName, ['Each signal. The process of the event is the one that caused it.'], {
      tracepoints: [
        {
          subsystem: 'signal',
          event: 'signal_generate',
          raw: true,
          args: [
            { index: 0, type: 'int', label: 'signal' },
            { index: 2, type: 'int', resolve: 'tgid', label: 'targetPid' },
            { index: 2, type: 'string', resolve: 'comm', label: 'target' },
            { index: 4, type: 'int', label: 'result' },
          ],
          selectors: selectors(options),
        },
      ],
    }),
  ],
  columns: () => [
    ...WHO,
    fieldColumn('SIGNAL', 10, 'signal'),
    fieldColumn('TO-PID', 7, 'targetPid'),
    fieldColumn('RESULT', 9, 'result'),
    fieldColumn('TO', 16, 'target'),
  ],
  createCollector: () => ({
    forgotten: 0,
    take(event) {
      if (!isHookEvent(event)) return [];
      const result = Number(numberValue(event, 'result'));
      return [
        makeRow(event, {
          signal: signalName(Number(numberValue(event, 'signal'))),
          targetPid: Number(numberValue(event, 'targetPid')),
          target: textValue(event, 'target') ?? '',
          result: RESULTS[result] ?? String(result),
        }),
      ];
    },
  }),
};

const PID_AND_SIGNAL = (pid: number): SyscallSpec['args'] => [
  { index: pid, type: 'int', label: 'pid' },
  { index: pid + 1, type: 'int', label: 'signal' },
];
const CALLS: readonly SyscallSpec[] = [
  { name: 'kill', args: PID_AND_SIGNAL(0) },
  { name: 'tkill', args: PID_AND_SIGNAL(0) },
  { name: 'tgkill', args: PID_AND_SIGNAL(1) },
];

export const killTracer: TracerDefinition = {
  name: 'kill',
  summary: 'calls of kill, tkill and tgkill, also those that fail',
  takes: { failed: 'only calls that fail' },
  needs: 'kprobes (CONFIG_KPROBE_EVENTS), or tracepoints of system calls (CONFIG_FTRACE_SYSCALLS)',
  policies: (options) => [
    formatPolicy(options.policyName, ['Calls of kill(2), tkill(2) and tgkill(2).'], syscallFunctions(CALLS, options)),
    formatPolicy(options.policyName, ['Calls of kill(2), tkill(2) and tgkill(2): entry and exit.'], syscallTracepoints(CALLS, options)), // prettier-ignore
  ],
  columns: () => [
    ...WHO,
    fieldColumn('CALL', 6, 'call'),
    fieldColumn('SIGNAL', 10, 'signal'),
    fieldColumn('RESULT', 7, 'result'),
    fieldColumn('TO-PID', 8, 'targetPid'),
  ],
  createCollector: ({ failed }) =>
    collectCalls(({ entry, name, result }) => {
      if (failed === true && result >= 0n) return undefined;
      const signal = Number(numberValue(entry, 'signal'));
      return makeRow(entry, {
        call: name,
        // signal 0 only asks whether the process is there
        signal: signal === 0 ? '0' : signalName(signal),
        targetPid: Number(signed32(numberValue(entry, 'pid'))),
        result: result < 0n ? formatResult(result) : 'ok',
      });
    }),
};
