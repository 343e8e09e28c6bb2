/** `polytrace trace exec`: programs that are started, and how they end. It needs no policy. */
import { RecentMap } from '../rules/recent-map.js';
import { CONTAINER, durationColumn, fieldColumn, PID, TIME, USER } from './columns.js';
import { makeRow, type Row, type TracerDefinition } from './tracer.js';

/** Running programs whose start is remembered, for the duration at their exit. */
const STARTS_MAX = 65_536;

export const execTracer: TracerDefinition = {
  name: 'exec',
  summary: 'programs that are started, and with --exits how they end',
  takes: { exits: 'also the ends of programs, with their duration and status' },
  needs: 'raw tracepoints',
  policies: () => [],
  usesProcessEvents: true,
  columns: ({ exits }) => [
    TIME,
    ...(exits === true ? [fieldColumn('EVENT', 5, 'event')] : []),
    PID,
    { title: 'PPID', width: 7, cell: ({ process }) => String(process?.parentPid ?? '-') },
    USER,
    CONTAINER,
    ...(exits === true ? [durationColumn('LASTED', 'durationNs'), fieldColumn('STATUS', 7, 'status')] : []),
    fieldColumn('COMMAND', 30, 'command'),
  ],
  createCollector: ({ exits }) => {
    const starts = new RecentMap<string, bigint>(STARTS_MAX);
    return {
      get forgotten() {
        return starts.evicted;
      },
      take(event): readonly Row[] {
        if (event.type === 'process_exec') {
          const { process, former } = event;
          if (exits === true) {
            if (former !== undefined) starts.delete(former.execId);
            starts.set(process.execId, event.timeNs);
          }
          return [makeRow(event, { event: 'exec', command: formatCommand(process.binary, process.arguments) })];
        }
        if (event.type !== 'process_exit' || exits !== true) return [];
        const { process, status, signal } = event;
        const start = starts.get(process.execId);
        // a process that was only forked has no start of its own
        if (start === undefined) return [];
        starts.delete(process.execId);
        return [
          makeRow(event, {
            event: 'exit',
            command: formatCommand(process.binary, process.arguments),
            durationNs: event.timeNs - start,
            status: signal ?? status,
          }),
        ];
      },
    };
  },
};

function formatCommand(binary: string, argv: string): string {
  return argv === '' ? binary : `${binary} ${argv}`;
}
