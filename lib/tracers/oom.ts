/** `polytrace trace oom`: processes that the kernel kills because memory is out. */
import { bytesColumn, fieldColumn, WHO } from './columns.js';
import { formatPolicy } from './policy-text.js';
import { isHookEvent, makeRow, type TracerDefinition } from './tracer.js';
import { findValue, numberValue, textValue } from './values.js';

const PAGE = 4096n;

export const oomTracer: TracerDefinition = {
  name: 'oom',
  summary: 'processes that the kernel kills because memory is out',
  needs: 'kprobes (CONFIG_KPROBE_EVENTS), or raw tracepoints with the types of the kernel',
  policies: ({ policyName }) => [
    formatPolicy(
      policyName,
      ['The victim that the kernel has chosen. The process of the event is the one that needed memory.'],
      {
        kprobes: [
          {
            call: 'oom_kill_process',
            syscall: false,
            args: [
              { index: 0, type: 'int', resolve: 'chosen.tgid', label: 'victimPid' },
              { index: 0, type: 'string', resolve: 'chosen.comm', label: 'victim' },
              { index: 0, type: 'uint64', resolve: 'totalpages', label: 'pages' },
              // null if the machine, and not a cgroup, has no memory left
              { index: 0, type: 'uint64', resolve: 'memcg', label: 'cgroup' },
              { index: 1, type: 'string', label: 'reason' },
            ],
          },
        ],
      },
    ),
    formatPolicy(policyName, ['The thread group that is killed.'], {
      tracepoints: [
        {
          subsystem: 'oom',
          event: 'mark_victim',
          raw: true,
          args: [
            { index: 0, type: 'int', resolve: 'tgid', label: 'victimPid' },
            { index: 0, type: 'string', resolve: 'comm', label: 'victim' },
          ],
        },
      ],
    }),
  ],
  columns: () => [
    ...WHO,
    fieldColumn('V-PID', 7, 'victimPid'),
    fieldColumn('VICTIM', 15, 'victim'),
    bytesColumn('LIMIT', 'limitBytes'),
    fieldColumn('SCOPE', 14, 'scope'),
  ],
  createCollector: () => ({
    forgotten: 0,
    take(event) {
      if (!isHookEvent(event)) return [];
      const hasScope = findValue(event, 'cgroup') !== undefined;
      return [
        makeRow(event, {
          victimPid: Number(numberValue(event, 'victimPid')),
          victim: textValue(event, 'victim') ?? '',
          ...(hasScope && {
            limitBytes: numberValue(event, 'pages') * PAGE,
            scope: numberValue(event, 'cgroup') === 0n ? 'machine' : 'cgroup',
          }),
          reason: textValue(event, 'reason') ?? '',
        }),
      ];
    },
  }),
};
