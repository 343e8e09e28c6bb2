/** `polytrace trace blockio`: requests to disks, and how long they take. */
import type { PlainEvent } from '../../types/events.js';
import { RecentMap } from '../rules/recent-map.js';
import { bytesColumn, byField, durationColumn, fieldColumn, WHO } from './columns.js';
import { Histogram } from './histogram.js';
import { formatPolicy, type YamlObject } from './policy-text.js';
import { BoundedSums } from './top-table.js';
import { describeProcess, isHookEvent, makeRow, type Row, type RowColumn, type RowProcess, type TracerDefinition } from './tracer.js'; // prettier-ignore
import { numberValue, textValue } from './values.js';

/** Requests that are at a disk. */
const REQUESTS_MAX = 65_536;
/** Pairs of a disk and an operation that are summed separately. */
const DISKS_MAX = 256;

/** enum req_op of linux/blk_types.h: the lowest 8 bits of cmd_flags. */
const OPERATIONS: Readonly<Record<number, string>> = { 0: 'read', 1: 'write', 2: 'flush', 3: 'discard', 5: 'secure erase', 9: 'write zeroes' }; // prettier-ignore

interface Request {
  readonly process: RowProcess;
  readonly startNs: bigint;
  readonly disk: string;
  readonly operation: string;
  readonly bytes: bigint;
  readonly sector: bigint;
}

interface DiskSum {
  readonly disk: string;
  readonly operation: string;
  bytes: bigint;
  readonly latencies: Histogram;
}

const COLUMNS: readonly RowColumn[] = [
  fieldColumn('DISK', 10, 'disk'),
  fieldColumn('OPERATION', 12, 'operation'),
  fieldColumn('REQUESTS', 8, 'requests', { right: true }),
  bytesColumn('BYTES', 'bytes'),
  durationColumn('MEDIAN', 'medianNs'),
  durationColumn('P99', 'p99Ns'),
  durationColumn('MAX', 'maximumNs'),
];

const EACH: readonly RowColumn[] = [
  ...WHO,
  fieldColumn('DISK', 8, 'disk'),
  fieldColumn('OPERATION', 9, 'operation'),
  bytesColumn('BYTES', 'bytes'),
  fieldColumn('SECTOR', 11, 'sector', { wide: true, right: true }),
  fieldColumn('RESULT', 6, 'result', { wide: true }),
  durationColumn('LATENCY', 'latencyNs'),
];

export const blockioTracer: TracerDefinition = {
  name: 'blockio',
  summary: 'requests to disks: a histogram of their latency, or each of them with --each',
  takes: { each: 'a line for each request, in place of histograms' },
  needs: 'raw tracepoints, and the types of the kernel (CONFIG_DEBUG_INFO_BTF)',
  interval: 5,
  policies: ({ policyName }) => {
    const format = (hooks: YamlObject): string =>
      formatPolicy(
        policyName,
        ['Requests when a driver gets them, and when the disk has completed them.', 'Often they are of no process: a thread of the kernel writes what others have written before.'],
        hooks,
      ); // prettier-ignore
    // before Linux 5.11, the first parameter was the queue; before 5.15, the disk was in the request
    return [
      format(hooks(0, 'q.disk.disk_name', 'uint8')),
      format(hooks(0, 'rq_disk.disk_name', 'int')),
      format(hooks(1, 'rq_disk.disk_name', 'int')),
    ];
  },
  columns: ({ each }) => (each === true ? EACH : COLUMNS),
  createCollector: ({ each, isWanted }) => {
    const requests = new RecentMap<string, Request>(REQUESTS_MAX);
    const sums = new BoundedSums<DiskSum>(DISKS_MAX, () => emptySum('(others)', '-'));
    let time = '';
    return {
      get forgotten() {
        return requests.evicted;
      },
      take(event): readonly Row[] {
        if (!isHookEvent(event) || event.type !== 'process_tracepoint') return [];
        const key = String(numberValue(event, 'request'));
        if (event.event === 'block_rq_issue') {
          if (isWanted(event.process)) requests.set(key, toRequest(event));
          return [];
        }
        const request = requests.get(key);
        if (request === undefined) return [];
        requests.delete(key);
        ({ time } = event);
        const { process, startNs, ...fields } = request;
        const latencyNs = event.timeNs - startNs;
        const error = numberValue(event, 'error');
        if (each === true) {
          return [makeRow(event, { ...fields, latencyNs, result: error === 0n ? 'ok' : 'failed' }, process)];
        }
        const { disk, operation, bytes } = fields;
        const sum = sums.get(`${disk} ${operation}`, () => emptySum(disk, operation));
        sum.bytes += bytes;
        sum.latencies.add(latencyNs);
        return [];
      },
      ...(each === true
        ? {}
        : {
            summarize: () => {
              const all = sums.take();
              const rows = all.map((sum) => sumRow(time, sum)).sort(byField('requests'));
              const histograms = all.map(({ disk, operation, latencies }) => {
                return { name: `${disk} ${operation}`, counts: latencies.counts, unitNs: Histogram.unitNs };
              });
              return { rows, columns: COLUMNS, histograms };
            },
          }),
    };
  },
};

function emptySum(disk: string, operation: string): DiskSum {
  return { disk, operation, bytes: 0n, latencies: new Histogram() };
}

function sumRow(time: string, { disk, operation, bytes, latencies }: DiskSum): Row {
  return {
    time,
    process: undefined,
    fields: {
      disk,
      operation,
      requests: latencies.count,
      bytes,
      medianNs: latencies.quantileNs(0.5),
      p99Ns: latencies.quantileNs(0.99),
      maximumNs: latencies.maximumNs,
      // from 1, 2, 4, … microseconds on
      histogram: latencies.counts.map(String),
    },
  };
}

function toRequest(event: Parameters<typeof makeRow>[0] & PlainEvent): Request {
  const flags = Number(numberValue(event, 'flags'));
  return {
    process: describeProcess(event.process, event.parent),
    startNs: event.timeNs,
    disk: textValue(event, 'disk') || '?',
    operation: OPERATIONS[flags & 255] ?? `operation ${flags & 255}`,
    bytes: numberValue(event, 'bytes'),
    sector: numberValue(event, 'sector'),
  };
}

function hooks(index: number, disk: string, error: 'uint8' | 'int'): YamlObject {
  const request = { index, type: 'uint64', label: 'request' };
  return {
    tracepoints: [
      {
        subsystem: 'block',
        event: 'block_rq_issue',
        raw: true,
        args: [
          request,
          { index, type: 'string', resolve: disk, label: 'disk' },
          { index, type: 'uint32', resolve: 'cmd_flags', label: 'flags' },
          { index, type: 'uint32', resolve: '__data_len', label: 'bytes' },
          { index, type: 'uint64', resolve: '__sector', label: 'sector' },
        ],
      },
      {
        subsystem: 'block',
        event: 'block_rq_complete',
        raw: true,
        args: [
          { ...request, index: 0 },
          { index: 1, type: error, label: 'error' },
        ],
      },
    ],
  };
}
