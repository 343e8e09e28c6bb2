/**
 * Encodes counted metrics as requests of OpenTelemetry's protocol (OTLP): cumulative sums since the policy was attached, and
 * histograms with explicit bounds. Bucket n of the kernel has the integers from 2^(n-1) to 2^n - 1, so the upper bounds
 * 2^n - 1 are exact. Those of an exponential histogram are powers of two, which its lower bucket includes.
 */
import { Writer } from 'polytrace/protocol';
import type { CountedMetric, CountedSample, CountedSeries } from '../counts/count-series.js';
import { bucketBound, BUCKETS, formatValue } from '../counts/sums.js';

/** Bytes of data points in a request. Collectors take at most 4 MiB over gRPC. */
const REQUEST_BYTES = 1024 * 1024;
const INT64_MAX = (1n << 63n) - 1n;
const CUMULATIVE = 2;

/** Labels that semantic conventions have a name for. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  binary: 'process.executable.path',
  pod: 'k8s.pod.name',
  namespace: 'k8s.namespace.name',
  container: 'container.name',
};

export interface RequestOptions {
  /** Attributes of the agent and its machine. */
  readonly resource: Readonly<Record<string, string>>;
  readonly version: string;
}

export interface MetricRequest {
  readonly bytes: Uint8Array;
  readonly points: number;
}

/** The protocol's name and form for the data points of a metric. */
interface Stream {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  readonly isHistogram: boolean;
  readonly write: (writer: Writer, sum: CountedSeries['sum']) => void;
}

/** Yields a request, or undefined after a point, where the caller can pause. */
export function* encodeRequests(
  { time, metrics }: CountedSample,
  options: RequestOptions,
): Generator<MetricRequest | undefined, void, void> {
  let request = new RequestBuilder(options);
  for (const counted of metrics) {
    for (const stream of listStreams(counted)) {
      request.open(stream);
      for (const series of counted.series) {
        request.add(encodePoint(counted, stream, series, time));
        if (request.isFull) {
          yield request.end();
          request = new RequestBuilder(options);
          request.open(stream);
        } else {
          yield undefined;
        }
      }
    }
  }
  const last = request.end();
  if (last.points > 0) yield last;
}

function listStreams({ metric: { name: own, kind, isDuration } }: CountedMetric): Stream[] {
  const name = `polytrace.count.${own}`;
  const unit = isDuration ? 's' : '';
  const calls: Stream = {
    name: kind === 'sum' ? `${name}.calls` : name,
    unit: '{call}',
    description: kind === 'sum' ? `Calls whose values are in the sum ${own}.` : `Calls that policies count as ${own}.`,
    isHistogram: false,
    write: (writer, sum) => writeInteger(writer, sum.calls),
  };
  switch (kind) {
    case 'counter':
      return [calls];
    case 'sum': {
      const write: Stream['write'] = (writer, { sum }) =>
        isDuration ? writer.double(POINT.asDouble, Number(formatValue(sum, true))) : writeInteger(writer, sum);
      return [{ name, unit, description: `Sum of what policies count as ${own}.`, isHistogram: false, write }, calls];
    }
    case 'histogram': {
      const bounds = encodeBounds(isDuration);
      const write: Stream['write'] = (writer, { calls: count, sum, buckets }) => {
        writer.bytes(HISTOGRAM_POINT.bounds, bounds);
        writer.bytes(HISTOGRAM_POINT.buckets, encodeFixed(buckets));
        writer.double(HISTOGRAM_POINT.sum, Number(formatValue(sum, isDuration)));
        writeFixed(writer, HISTOGRAM_POINT.count, count);
      };
      return [{ name, unit, description: `Values that policies count as ${own}.`, isHistogram: true, write }];
    }
  }
}

/** The tags of fields: the number of the field, and how its value is encoded. */
const POINT = { attributes: 0x3a, start: 0x11, time: 0x19, asDouble: 0x21, asInt: 0x31 };
const HISTOGRAM_POINT = {
  attributes: 0x4a,
  start: 0x11,
  time: 0x19,
  count: 0x21,
  sum: 0x29,
  buckets: 0x32,
  bounds: 0x3a,
};
const METRIC = { name: 0x0a, description: 0x12, unit: 0x1a, sum: 0x3a, histogram: 0x4a };
const DATA = { points: 0x0a, temporality: 0x10, isMonotonic: 0x18 };
const KEY_VALUE = { key: 0x0a, value: 0x12, string: 0x0a };
const SCOPE = { scope: 0x0a, metrics: 0x12, name: 0x0a, version: 0x12 };
const RESOURCE = { resource: 0x0a, scopes: 0x12, attributes: 0x0a };
const REQUEST = { resources: 0x0a };

const writer = new Writer();

/** The writer writes the last field first. */
function encodePoint(
  { metric }: CountedMetric,
  stream: Stream,
  { labels, sum }: CountedSeries,
  time: Date,
): Uint8Array {
  const tags = stream.isHistogram ? HISTOGRAM_POINT : POINT;
  writer.reset();
  const { policyName, policyNamespace = '', labelNames, since } = metric;
  labelNames.forEach((name, i) => writeAttribute(tags.attributes, ATTRIBUTES[name] ?? name, labels[i] ?? ''));
  writeAttribute(tags.attributes, 'polytrace.policy.namespace', policyNamespace);
  writeAttribute(tags.attributes, 'polytrace.policy.name', policyName);
  stream.write(writer, sum);
  writeFixed(writer, tags.time, toNanoseconds(time));
  writeFixed(writer, tags.start, toNanoseconds(since));
  return writer.take();
}

const toNanoseconds = (time: Date): bigint => BigInt(time.getTime()) * 1_000_000n;

/** An empty attribute is left out. */
function writeAttribute(tag: number, key: string, value: string): void {
  if (value === '') return;
  const before = writer.length;
  const valueBefore = writer.length;
  writer.stringAlways(KEY_VALUE.string, value);
  writer.message(KEY_VALUE.value, valueBefore);
  writer.stringAlways(KEY_VALUE.key, key);
  writer.message(tag, before);
}

function encodeFixed(values: readonly bigint[]): Uint8Array {
  const bytes = Buffer.alloc(8 * values.length);
  values.forEach((value, i) => bytes.writeBigUInt64LE(BigInt.asUintN(64, value), 8 * i));
  return bytes;
}

function writeFixed(to: Writer, tag: number, value: bigint): void {
  to.raw(encodeFixed([value]));
  to.varint(tag);
}

/** The protocol has signed integers. */
function writeInteger(to: Writer, value: bigint): void {
  writeFixed(to, POINT.asInt, value > INT64_MAX ? INT64_MAX : value);
}

function encodeBounds(isDuration: boolean): Uint8Array {
  const bounds = Array.from({ length: BUCKETS - 1 }, (_, i) => Number(formatValue(bucketBound(i) ?? 0n, isDuration)));
  const bytes = Buffer.alloc(8 * bounds.length);
  bounds.forEach((bound, i) => bytes.writeDoubleLE(bound, 8 * i));
  return bytes;
}

class RequestBuilder {
  readonly #options: RequestOptions;
  readonly #metrics: { readonly stream: Stream; readonly points: Uint8Array[] }[] = [];
  #bytes = 0;
  #points = 0;

  constructor(options: RequestOptions) {
    this.#options = options;
  }

  get isFull(): boolean {
    return this.#bytes >= REQUEST_BYTES;
  }

  open(stream: Stream): void {
    this.#metrics.push({ stream, points: [] });
  }

  add(point: Uint8Array): void {
    this.#metrics.at(-1)?.points.push(point);
    this.#bytes += point.length;
    this.#points += 1;
  }

  end(): MetricRequest {
    const { resource, version } = this.#options;
    writer.reset();
    const scopeBefore = writer.length;
    for (const { stream, points } of this.#metrics.filter((each) => each.points.length > 0).reverse()) {
      writeMetric(stream, points);
    }
    const nameBefore = writer.length;
    writer.string(SCOPE.version, version);
    writer.string(SCOPE.name, 'polytrace-agent');
    writer.message(SCOPE.scope, nameBefore);
    writer.message(RESOURCE.scopes, scopeBefore);
    const resourceBefore = writer.length;
    for (const [key, value] of Object.entries(resource)) writeAttribute(RESOURCE.attributes, key, value);
    writer.message(RESOURCE.resource, resourceBefore);
    writer.message(REQUEST.resources, 0);
    return { bytes: writer.take(), points: this.#points };
  }
}

function writeMetric({ name, unit, description, isHistogram }: Stream, points: readonly Uint8Array[]): void {
  const before = writer.length;
  const dataBefore = writer.length;
  if (!isHistogram) writer.bool(DATA.isMonotonic, true);
  writer.uint(DATA.temporality, CUMULATIVE);
  for (const point of [...points].reverse()) writer.bytes(DATA.points, point);
  writer.message(isHistogram ? METRIC.histogram : METRIC.sum, dataBefore);
  writer.string(METRIC.unit, unit);
  writer.string(METRIC.description, description);
  writer.string(METRIC.name, name);
  writer.message(SCOPE.metrics, before);
}
