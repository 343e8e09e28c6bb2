/**
 * Log records of OpenTelemetry, from lines of the JSON export. So they have what the lines have: fields that are left out and parts
 * that are hidden are in no attribute. Names are those of OpenTelemetry's semantic conventions.
 */
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';

/** What all records have in common. */
export type Common = Pick<ReadableLogRecord, 'resource' | 'instrumentationScope'>;

type Json = Readonly<Record<string, unknown>>;
type Attributes = Record<string, string | number>;

const INFO = 9;
const WARN = 13;

/** Throws a SyntaxError for a line that is no JSON. */
export function recordOf(line: string, common: Common, now = Date.now()): ReadableLogRecord {
  const { node_name: _node, cluster_name: _cluster, time, aggregation_info: equal, ...rest } = JSON.parse(line) as Json;
  const [type = '', event] = Object.entries(rest)[0] ?? [];
  const isLoss = type === 'lost';
  return {
    ...common,
    hrTime: timeOf(typeof time === 'string' ? time : ''),
    hrTimeObserved: [Math.floor(now / 1000), (now % 1000) * 1_000_000],
    eventName: `polytrace.${type}`,
    severityNumber: isLoss ? WARN : INFO,
    severityText: isLoss ? 'WARN' : 'INFO',
    body: line,
    attributes: isLoss ? lossAttributes(object(event)) : { ...attributesOf(object(event)), ...countOf(object(equal)) },
    droppedAttributesCount: 0,
  };
}

/** Seconds and nanoseconds of an RFC 3339 time. */
function timeOf(time: string): [number, number] {
  const [, whole = '', fraction = ''] = /^(.*?)(?:\.(\d{1,9}))?Z$/.exec(time) ?? [];
  const ms = Date.parse(`${whole}Z`);
  return [Number.isNaN(ms) ? 0 : ms / 1000, Number(fraction.padEnd(9, '0'))];
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function lossAttributes(loss: Json): Attributes {
  return present({
    'polytrace.hook': loss['hook'],
    'polytrace.policy.name': loss['policy_name'],
    'polytrace.lost.reason': loss['reason'],
    'polytrace.lost.count': loss['count'],
  });
}

/** Equal events that are one record. */
function countOf({ count }: Json): Attributes {
  return typeof count === 'string' ? { 'polytrace.aggregation.count': Number(count) } : {};
}

function attributesOf(event: Json): Attributes {
  const process = object(event['process']);
  const { binary, arguments: words = '' } = process;
  return present({
    ...podAttributes(process),
    'process.pid': process['pid'],
    'process.parent_pid': object(event['parent'])['pid'],
    'process.executable.path': binary,
    'process.executable.name': typeof binary === 'string' ? binary.slice(binary.lastIndexOf('/') + 1) : undefined,
    'process.command_line': typeof binary === 'string' ? `${binary} ${String(words)}`.trimEnd() : undefined,
    'process.working_directory': process['cwd'],
    'process.creation.time': process['start_time'],
    'process.user.id': process['uid'],
    'process.user.name': object(process['user'])['name'],
    'process.exit.code': 'status' in event && !('signal' in event) ? event['status'] : undefined,
    'polytrace.exec_id': process['exec_id'],
    'polytrace.policy.name': event['policy_name'],
    'polytrace.hook': event['function_name'] ?? event['event'] ?? event['symbol'] ?? event['name'],
    'polytrace.action': event['action'],
  });
}

/** The attributes for the kinds of workloads that have one. */
const WORKLOADS: Readonly<Record<string, string>> = {
  Deployment: 'k8s.deployment.name',
  ReplicaSet: 'k8s.replicaset.name',
  StatefulSet: 'k8s.statefulset.name',
  DaemonSet: 'k8s.daemonset.name',
  Job: 'k8s.job.name',
  CronJob: 'k8s.cronjob.name',
};

function podAttributes(process: Json): Json {
  const pod = object(process['pod']);
  const container = object(pod['container']);
  const workload = WORKLOADS[String(pod['workload_kind'])];
  return {
    'container.id': idOf(container['id'] ?? process['docker']),
    'container.image.name': object(container['image'])['name'],
    'k8s.namespace.name': pod['namespace'],
    'k8s.pod.name': pod['name'],
    'k8s.pod.uid': pod['uid'],
    'k8s.container.name': container['name'],
    ...(workload === undefined ? {} : { [workload]: pod['workload'] }),
  };
}

/** Without the runtime: `containerd://…`. */
function idOf(id: unknown): unknown {
  return typeof id === 'string' ? id.replace(/^[a-z-]+:\/\//, '') : undefined;
}

/** Texts and numbers that are there. */
function present(values: Json): Attributes {
  const entries = Object.entries(values).filter(([, value]) => typeof value === 'string' || typeof value === 'number');
  return Object.fromEntries(entries.filter(([, value]) => value !== '')) as Attributes;
}
