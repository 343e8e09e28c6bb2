/** The gRPC client of an agent. */
import { readFileSync } from 'node:fs';
import {
  create,
  fromBinary,
  toBinary,
  type DescMethod,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import {
  Client,
  credentials,
  Metadata,
  status as Code,
  type CallOptions,
  type ChannelCredentials,
  type ClientReadableStream,
  type ServiceError,
} from '@grpc/grpc-js';
import type { AgentStatus } from '../../types/client.js';
import type { StopSignal } from '../../types/compatibility.js';
import type { MetricsSample } from '../../types/metrics.js';
import {
  FineGuidanceSensors,
  formatJsonLine,
  formatTimestamp,
  GetEventsResponseSchema,
  MetricService,
  omitServerAddress,
  restoreRawBytes,
  toGetEventsRequest,
  toJsonObject,
  toMetricsSample,
  toPlainEvent,
  TracingPolicyMode,
  TracingPolicyState,
  type ClientEvent,
  type EventsRequest,
  type GetEventsResponse,
  type ReadMetricsResponse,
} from '../protocol/index.js';

export interface AgentAddress {
  /** unix:///PATH or HOST:PORT. */
  readonly address: string;
  /** Encrypts the connection also without any of the files. */
  readonly tls?: boolean;
  /** PEM files for TLS. Without any, the connection is not encrypted. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Sent with each call. Only an encrypted connection, or one to this machine, may have it. */
  readonly token?: string | undefined;
}

/** The agent did not answer, or it answered with an error. */
export class AgentError extends Error {
  /** True when the connection failed or was lost. */
  readonly isUnavailable: boolean;
  /** Name of the status of gRPC, such as `NOT_FOUND`. */
  readonly status: string;

  constructor(message: string, status: Code) {
    super(message);
    this.isUnavailable = status === Code.UNAVAILABLE || status === Code.DEADLINE_EXCEEDED;
    this.status = Code[status];
  }
}

export interface PolicyRow {
  readonly id: number;
  readonly name: string;
  readonly namespace: string;
  readonly state: string;
  readonly mode: string;
  readonly file: string;
  readonly error: string;
  readonly memory: number;
  readonly matched: number;
  readonly posted: number;
  readonly enforced: number;
  readonly suppressed: number;
  readonly lost: number;
  readonly hooks: readonly {
    readonly name: string;
    readonly attach: string;
    readonly matched: number;
    readonly posted: number;
    readonly lost: number;
  }[];
}

interface AgentInfo
  extends Omit<AgentStatus, 'health' | 'startTime' | 'stats'>, Omit<AgentStatus['stats'], 'lostByHook'> {}

const MESSAGE_BYTES_MAX = 10 * 1024 * 1024;
/** Bytes that the agent may send before it waits for the client. With the 64 KiB of HTTP/2, both work half as much again. */
const WINDOW_BYTES = 1024 * 1024;
const CALL_MS = 30_000;

export class AgentClient {
  readonly #client: Client;
  readonly #address: string;
  readonly #metadata: Metadata;

  /** Throws an Error if a file cannot be read, or if the token would be sent in the clear. */
  constructor(options: AgentAddress) {
    this.#address = options.address;
    this.#metadata = createMetadata(options);
    this.#client = new Client(options.address, createCredentials(options), {
      'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
      'grpc.enable_retries': 0,
      'grpc-node.flow_control_window': WINDOW_BYTES,
    });
  }

  /**
   * Streams the events from now on. `onOpen` is called when the agent has accepted the request. Rejects with
   * AgentError.
   */
  async *events(
    request: EventsRequest,
    signal: AbortSignal,
    onOpen: () => void,
  ): AsyncGenerator<readonly ClientEvent[], void> {
    const { input, name, parent } = FineGuidanceSensors.method.getEvents;
    const call = this.#client.makeServerStreamRequest(
      `/${parent.typeName}/${name}`,
      (message: MessageShape<typeof input>) => Buffer.from(toBinary(input, message)),
      decodeEvent,
      toGetEventsRequest(request),
      this.#metadata,
    );
    const cancel = (): void => call.cancel();
    signal.addEventListener('abort', cancel);
    if (signal.aborted) cancel();
    try {
      call.once('metadata', onOpen);
      yield* this.#readBatches(call, signal);
    } finally {
      signal.removeEventListener('abort', cancel);
      call.cancel();
    }
  }

  /**
   * Yields everything that has arrived since the last batch. While the caller uses a batch, at most a few messages
   * are buffered.
   */
  async *#readBatches(
    call: ClientReadableStream<GetEventsResponse>,
    signal: AbortSignal,
  ): AsyncGenerator<readonly ClientEvent[], void> {
    let waiting: GetEventsResponse[] = [];
    let wake: () => void = () => undefined;
    let failure: ServiceError | undefined;
    let isOver = false;
    call.on('data', (message: GetEventsResponse) => {
      waiting.push(message);
      if (waiting.length >= BATCH_MESSAGES) call.pause();
      wake();
    });
    call.on('error', (error: ServiceError) => {
      failure = error;
      isOver = true;
      wake();
    });
    call.on('end', () => {
      isOver = true;
      wake();
    });
    for (;;) {
      if (waiting.length > 0) {
        const batch = waiting;
        waiting = [];
        call.resume();
        yield batch.map(toClientEvent);
        continue;
      }
      if (isOver) break;
      await new Promise<void>((resolve) => (wake = resolve));
    }
    if (failure !== undefined && !signal.aborted) throw this.#toAgentError(failure);
  }

  /** Reads the numbers that policies count, of all policies or of those with these names. Rejects with AgentError. */
  async metrics(policyNames: readonly string[], signal?: StopSignal): Promise<MetricsSample> {
    const messages: ReadMetricsResponse[] = [];
    await this.#readAll(MetricService.method.readMetrics, { policyNames: [...policyNames] }, messages, signal);
    return toMetricsSample(messages);
  }

  /** Adds all messages of a stream that ends. Rejects with AgentError, also when the signal cancels the call. */
  #readAll<M extends DescMethod>(
    method: M,
    request: MessageInitShape<M['input']>,
    messages: MessageShape<M['output']>[],
    signal?: StopSignal,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = (): void => call.cancel();
      const call = this.#client.makeServerStreamRequest(...this.#describeCall(method, request));
      signal?.addEventListener('abort', cancel);
      if (signal?.aborted === true) cancel();
      call.on('data', (message: MessageShape<M['output']>) => messages.push(message));
      const end = (): void => signal?.removeEventListener('abort', cancel);
      call.once('end', () => {
        end();
        resolve();
      });
      call.on('error', (error: ServiceError) => {
        end();
        reject(this.#toAgentError(error));
      });
    });
  }

  async policies(): Promise<PolicyRow[]> {
    const { policies } = await this.call(FineGuidanceSensors.method.listTracingPolicies, {});
    return policies.map((policy) => ({
      id: Number(policy.id),
      name: policy.name,
      namespace: policy.namespace,
      state: TracingPolicyState[policy.state].replace('TP_STATE_', '').toLowerCase(),
      mode: TracingPolicyMode[policy.mode].replace('TP_MODE_', '').toLowerCase(),
      file: policy.file,
      error: policy.error,
      memory: Number(policy.kernelMemoryBytes),
      matched: Number(policy.counts?.matched ?? 0),
      posted: Number(policy.counts?.posted ?? policy.stats?.actionCounters?.post ?? 0),
      enforced: Number(policy.counts?.enforced ?? 0),
      suppressed: Number(policy.counts?.suppressed ?? 0),
      lost: Number(policy.counts?.lost ?? 0),
      hooks: policy.hooks.map(({ functionName, attach, counts }) => ({
        name: functionName,
        attach,
        matched: Number(counts?.matched ?? 0),
        posted: Number(counts?.posted ?? 0),
        lost: Number(counts?.lost ?? 0),
      })),
    }));
  }

  async addPolicy(yaml: string): Promise<void> {
    await this.call(FineGuidanceSensors.method.addTracingPolicy, { yaml });
  }

  async deletePolicy(name: string, namespace: string): Promise<void> {
    await this.call(FineGuidanceSensors.method.deleteTracingPolicy, { name, namespace });
  }

  /** Fields that are absent stay unchanged. */
  async configurePolicy(
    name: string,
    namespace: string,
    { enable, mode }: { readonly enable?: boolean; readonly mode?: 'enforce' | 'monitor' },
  ): Promise<void> {
    await this.call(FineGuidanceSensors.method.configureTracingPolicy, {
      name,
      namespace,
      ...(enable === undefined ? {} : { enable }),
      ...(mode === undefined
        ? {}
        : { mode: mode === 'enforce' ? TracingPolicyMode.TP_MODE_ENFORCE : TracingPolicyMode.TP_MODE_MONITOR }),
    });
  }

  /** Returns one line on the state of the agent. */
  async health(): Promise<string> {
    const { healthStatus } = await this.call(FineGuidanceSensors.method.getHealth, {});
    return healthStatus[0]?.details ?? 'unknown';
  }

  /** Returns the counters in one level, for a table. */
  async info(): Promise<AgentInfo> {
    const { startTime, stats, ...facts } = await this.state();
    const { lostByHook, ...counters } = stats;
    void [startTime, lostByHook];
    return { ...facts, ...counters };
  }

  async state(signal?: StopSignal): Promise<Omit<AgentStatus, 'health'>> {
    const reply = await this.call(FineGuidanceSensors.method.getInfo, {}, signal);
    const { version, nodeName, kernel, startTime, stats, conf } = reply;
    return {
      version,
      nodeName,
      kernel,
      startTime: startTime === undefined ? '' : formatTimestamp(startTime),
      stats: {
        events: Number(stats?.events ?? 0),
        lost: Number(stats?.lost ?? 0),
        lostByHook: (stats?.lostRecords ?? []).map(({ hook, policyName, reason, count }) => {
          return { hook, policyName, reason, count: Number(count) };
        }),
        processes: Number(stats?.processes ?? 0),
        streams: stats?.streams ?? 0,
        bufferSize: Number(stats?.bufferSize ?? 0),
        bufferUsed: Number(stats?.bufferUsed ?? 0),
      },
      // The value is an encoded StringValue.
      configuration: Object.fromEntries(conf.map(({ key, value }) => [key, decodeStringValue(value?.value)])),
    };
  }

  close(): void {
    this.#client.close();
  }

  /** Calls a method of the service. Rejects with AgentError, also when the signal cancels the call. */
  call<M extends DescMethod>(
    method: M,
    request: MessageInitShape<M['input']>,
    signal?: StopSignal,
  ): Promise<MessageShape<M['output']>> {
    return new Promise((resolve, reject) => {
      const cancel = (): void => call.cancel();
      const call = this.#client.makeUnaryRequest(...this.#describeCall(method, request), (error, reply) => {
        signal?.removeEventListener('abort', cancel);
        if (error === null && reply !== undefined) resolve(reply);
        else reject(this.#toAgentError(error as ServiceError));
      });
      signal?.addEventListener('abort', cancel);
    });
  }

  /** Returns the path, the serializers, the message and the options of a call that ends. */
  #describeCall<M extends DescMethod>(
    { input, output, name, parent }: M,
    request: MessageInitShape<M['input']>,
  ): [
    path: string,
    serialize: (message: MessageShape<M['input']>) => Buffer,
    deserialize: (bytes: Buffer) => MessageShape<M['output']>,
    message: MessageShape<M['input']>,
    metadata: Metadata,
    options: CallOptions,
  ] {
    return [
      `/${parent.typeName}/${name}`,
      (message) => Buffer.from(toBinary(input, message)),
      (bytes) => fromBinary(output, bytes) as MessageShape<M['output']>,
      create(input, request as never) as MessageShape<M['input']>,
      this.#metadata,
      // grpc-js compares it with the clock of the system
      // eslint-disable-next-line no-restricted-properties
      { deadline: Date.now() + CALL_MS },
    ];
  }

  #toAgentError({ code, details }: ServiceError): AgentError {
    const error = new AgentError(details, code);
    if (!error.isUnavailable) return error;
    // the library's message has the error of the last connection between words of its own
    const [, reason = details] = /Last error: (?:Error: )?(.*?)\.? Resolution note:/.exec(details) ?? [];
    return new AgentError(`no agent answers at ${this.#address}: ${reason}`, code);
  }
}

/** Maximum of messages that wait in the client. More messages wait in the agent, which counts those that it drops. */
const BATCH_MESSAGES = 512;

function decodeEvent(bytes: Uint8Array): GetEventsResponse {
  const message = fromBinary(GetEventsResponseSchema, bytes);
  restoreRawBytes(GetEventsResponseSchema, message, bytes);
  return message;
}

function toClientEvent(message: GetEventsResponse): ClientEvent {
  return { view: toPlainEvent(message), json: () => formatJsonLine(toJsonObject(GetEventsResponseSchema, message)) };
}

function isEncrypted({ tls, ca, cert, key }: AgentAddress): boolean {
  return tls === true || ca !== undefined || cert !== undefined || key !== undefined;
}

/** Addresses that no other machine can listen to. */
const LOCAL_ADDRESS = /^(unix:|localhost:|127\.\d+\.\d+\.\d+:|\[::1\]:)/;

function createMetadata(options: AgentAddress): Metadata {
  const metadata = new Metadata();
  const { address, token } = options;
  if (token === undefined) return metadata;
  if (!isEncrypted(options) && !LOCAL_ADDRESS.test(address)) {
    throw new AgentError(
      `everybody on the way to ${address} could read the token: it needs TLS`,
      Code.INVALID_ARGUMENT,
    );
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new AgentError('the token has other characters than printable ones of ASCII', Code.INVALID_ARGUMENT);
  }
  metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

function createCredentials(options: AgentAddress): ChannelCredentials {
  if (!isEncrypted(options)) return credentials.createInsecure();
  const { ca, cert, key } = options;
  const readPem = (file: string | undefined): Buffer | null => (file === undefined ? null : readFileSync(file));
  const secure = credentials.createSsl(readPem(ca), readPem(key), readPem(cert));
  return omitServerAddress(secure, options.address.replace(/:\d+$/, ''));
}

function decodeStringValue(bytes: Uint8Array | undefined): string {
  if (bytes === undefined || bytes.length < 2) return '';
  const lengthBytes = bytes.subarray(1).findIndex((byte) => byte < 0x80) + 1;
  return Buffer.from(bytes.subarray(1 + lengthBytes)).toString('utf8');
}
