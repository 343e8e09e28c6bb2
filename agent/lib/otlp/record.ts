/**
 * Converts lines of the JSON export to OpenTelemetry log records. Attributes have only data of the line, so removed
 * fields and redacted parts stay hidden. The names follow OpenTelemetry's semantic conventions.
 */
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';

/** The members that all records share. */
export type Common = Pick<ReadableLogRecord, 'resource' | 'instrumentationScope'>;

type Json = Readonly<Record<string, unknown>>;
type Attributes = Record<string, string | number>;

const INFO = 9;
const WARN = 13;

/** Throws a SyntaxError if the line is not JSON. */
export function toLogRecord(line: string, common: Common, now = Date.now()): ReadableLogRecord {
  const { node_name: _node, cluster_name: _cluster, time, aggregation_info: equal, ...rest } = JSON.parse(line) as Json;
  const [type = '', event] = Object.entries(rest)[0] ?? [];
  const isLoss = type === 'lost';
  return {
    ...common,
    hrTime: toHrTime(typeof time === 'string' ? time : ''),
    hrTimeObserved: [Math.floor(now / 1000), (now % 1000) * 1_000_000],
    eventName: `polytrace.${type}`,
    severityNumber: isLoss ? WARN : INFO,
    severityText: isLoss ? 'WARN' : 'INFO',
    body: line,
    attributes: isLoss
      ? lossAttributes(asObject(event))
      : { ...eventAttributes(asObject(event)), ...aggregationAttributes(asObject(equal)) },
    droppedAttributesCount: 0,
  };
}

/** Parses an RFC 3339 time to seconds and nanoseconds. */
function toHrTime(time: string): [number, number] {
  const [, dateTime = '', fraction = ''] = /^(.*?)(?:\.(\d{1,9}))?Z$/.exec(time) ?? [];
  const ms = Date.parse(`${dateTime}Z`);
  return [Number.isNaN(ms) ? 0 : ms / 1000, Number(fraction.padEnd(9, '0'))];
}

function asObject(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function lossAttributes(loss: Json): Attributes {
  return omitEmpty({
    'polytrace.hook': loss['hook'],
    'polytrace.policy.name': loss['policy_name'],
    'polytrace.lost.reason': loss['reason'],
    'polytrace.lost.count': loss['count'],
  });
}

/** Returns the number of equal events that the record stands for. */
function aggregationAttributes({ count }: Json): Attributes {
  return typeof count === 'string' ? { 'polytrace.aggregation.count': Number(count) } : {};
}

function eventAttributes(event: Json): Attributes {
  const process = asObject(event['process']);
  const { binary, arguments: args = '' } = process;
  return omitEmpty({
    ...podAttributes(process),
    'process.pid': process['pid'],
    'process.parent_pid': asObject(event['parent'])['pid'],
    'process.executable.path': binary,
    'process.executable.name': typeof binary === 'string' ? binary.slice(binary.lastIndexOf('/') + 1) : undefined,
    'process.command_line': typeof binary === 'string' ? `${binary} ${String(args)}`.trimEnd() : undefined,
    'process.working_directory': process['cwd'],
    'process.creation.time': process['start_time'],
    'process.user.id': process['uid'],
    'process.user.name': asObject(process['user'])['name'],
    'process.exit.code': 'status' in event && !('signal' in event) ? event['status'] : undefined,
    'polytrace.exec_id': process['exec_id'],
    'polytrace.policy.name': event['policy_name'],
    'polytrace.hook': event['function_name'] ?? event['event'] ?? event['symbol'] ?? event['name'],
    'polytrace.action': event['action'],
  });
}

/** The attribute names of workload kinds that have one. */
const WORKLOADS: Readonly<Record<string, string>> = {
  Deployment: 'k8s.deployment.name',
  ReplicaSet: 'k8s.replicaset.name',
  StatefulSet: 'k8s.statefulset.name',
  DaemonSet: 'k8s.daemonset.name',
  Job: 'k8s.job.name',
  CronJob: 'k8s.cronjob.name',
};

function podAttributes(process: Json): Json {
  const pod = asObject(process['pod']);
  const container = asObject(pod['container']);
  const workload = WORKLOADS[String(pod['workload_kind'])];
  return {
    'container.id': bareContainerId(container['id'] ?? process['docker']),
    'container.image.name': asObject(container['image'])['name'],
    'k8s.namespace.name': pod['namespace'],
    'k8s.pod.name': pod['name'],
    'k8s.pod.uid': pod['uid'],
    'k8s.container.name': container['name'],
    ...(workload === undefined ? {} : { [workload]: pod['workload'] }),
  };
}

/** Removes the prefix of the runtime, such as `containerd://`. */
function bareContainerId(id: unknown): unknown {
  return typeof id === 'string' ? id.replace(/^[a-z-]+:\/\//, '') : undefined;
}

/** Keeps only numbers and non-empty strings. */
function omitEmpty(values: Json): Attributes {
  const entries = Object.entries(values).filter(([, value]) => typeof value === 'string' || typeof value === 'number');
  return Object.fromEntries(entries.filter(([, value]) => value !== '')) as Attributes;
}
