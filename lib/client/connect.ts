/** `connect`: the events and policies of an agent, for a process without privileges. */
import type { AgentConnection, AgentPolicy, AgentStatus, ConnectOptions } from '../../types/client.js';
import type { AgentEvent, PlainEvent } from '../../types/events.js';
import type { MetricsSample } from '../../types/metrics.js';
import type { PolicyMode } from '../../types/policy.js';
import type {
  EventsOptions,
  LoadOptions,
  PlainEventsOptions,
  PolicySource,
  PolicyStatus,
  TracerIterator,
} from '../../types/tracer.js';
import { PolytraceError, throwIfAborted } from '../errors.js';
import { makeAgentEvent } from '../events/made-events.js';
import type { AgentClient } from '../grpc/client.js';
import { parsePolicy } from '../policy/index.js';
import { checkOptionNames, type OptionNames } from '../tracer/bad-option.js';
import { MetricsIterators } from '../tracer/metrics-iterator.js';
import { checkEventsOptions, checkLoadOptions, checkSignal } from '../tracer/options.js';
import { checkPolicySource } from '../tracer/policy-source.js';
import { toPublicError } from './errors.js';
import type { StreamContext } from './event-batches.js';
import { AgentBatches, AgentEvents } from './iterators.js';
import { loadGrpc } from '../grpc/load.js';
import { loadProtocol } from '../protocol/load.js';
import { readPolicySource, splitPolicyName, toAgentPolicy } from './policies.js';

const ADDRESS = /^(unix:\/\/\/?[^/].*|[^/\s]+:\d{1,5})$/;

const CONNECT_OPTIONS: OptionNames<ConnectOptions> = { tls: true, token: true, reconnect: true, signal: true };

export async function connect(address: string, options: ConnectOptions = {}): Promise<AgentConnection> {
  checkOptionNames(options, CONNECT_OPTIONS);
  const { tls = false, token, reconnect = true, signal } = options;
  if (typeof address !== 'string' || !ADDRESS.test(address)) {
    throw badOption(`the address is ${JSON.stringify(address)}`, 'use unix:///PATH or HOST:PORT');
  }
  if (token !== undefined && (typeof token !== 'string' || token === '')) {
    throw badOption('`token` is no text', 'pass one line of the file of --server-token-file');
  }
  checkSignal(signal);
  throwIfAborted(signal);
  const files = typeof tls === 'object' ? tls : {};
  const client = openClient({ address, tls: tls !== false, ...files, token });
  try {
    const { nodeName } = await client.state(signal);
    throwIfAborted(signal);
    return new Connection({ client, nodeName, reconnect }) as AgentConnection;
  } catch (error) {
    client.close();
    throwIfAborted(signal);
    throw toPublicError(error);
  }
}

function openClient(address: ConstructorParameters<typeof AgentClient>[0]): AgentClient {
  try {
    return new (loadGrpc().AgentClient)(address);
  } catch (error) {
    throw badOption(
      `the connection is not possible: ${(error as Error).message}`,
      'check the address, `tls` and `token`',
    );
  }
}

function badOption(message: string, hint: string): PolytraceError {
  return new PolytraceError('BAD_OPTION', message, hint);
}

type AnyEventsOptions = EventsOptions | PlainEventsOptions;

class Connection implements Omit<AgentConnection, 'events' | 'batches'> {
  readonly #context: StreamContext;
  readonly #iterators = new Set<TracerIterator<unknown>>();
  readonly #metricsIterators = new MetricsIterators();
  #closed: Promise<void> | undefined;

  constructor(context: StreamContext) {
    this.#context = context;
  }

  get #client(): AgentClient {
    return this.#context.client;
  }

  events(options: AnyEventsOptions = {}): TracerIterator<AgentEvent | PlainEvent> {
    return new AgentEvents<AgentEvent | PlainEvent>(this.batches(options));
  }

  batches(options: AnyEventsOptions = {}): TracerIterator<readonly (AgentEvent | PlainEvent)[]> {
    this.#checkOpen();
    checkEventsOptions(options);
    const { plain, ...filters } = options;
    const convert = plain === true ? (event: PlainEvent): PlainEvent => event : makeAgentEvent;
    const iterator = new AgentBatches<AgentEvent | PlainEvent>(this.#context, filters, convert, () =>
      this.#iterators.delete(iterator),
    );
    this.#iterators.add(iterator);
    return iterator;
  }

  [Symbol.asyncIterator](): TracerIterator<AgentEvent> {
    return this.events() as TracerIterator<AgentEvent>;
  }

  /** The agent cannot cancel a load, so policies of an aborted call are removed after they are loaded. */
  async addPolicy(source: PolicySource, options: LoadOptions = {}): Promise<PolicyStatus[]> {
    const added: string[] = [];
    let status: PolicyStatus[];
    try {
      status = await this.#sendPolicies(source, false, options, added);
    } finally {
      if (options.signal?.aborted === true) for (const name of added) await this.removePolicy(name);
    }
    throwIfAborted(options.signal);
    return status;
  }

  /** After the first policy is sent, the signal has no effect, because the former policies are gone. */
  replacePolicy(source: PolicySource, options: LoadOptions = {}): Promise<PolicyStatus[]> {
    return this.#sendPolicies(source, true, options, []);
  }

  /** Each policy is checked here first, so that a mistake has its place in the file. Adds the names of the sent policies. */
  #sendPolicies(
    source: PolicySource,
    replace: boolean,
    options: LoadOptions,
    names: string[],
  ): Promise<PolicyStatus[]> {
    return this.#run(async () => {
      checkPolicySource(source);
      checkLoadOptions(options);
      const { mode, signal } = options;
      throwIfAborted(signal);
      const { FineGuidanceSensors } = loadProtocol();
      for (const { yaml, file } of readPolicySource(source)) {
        const { name, namespace } = parsePolicy(yaml, file === undefined ? {} : { file });
        if (signal?.aborted === true && !replace) return [];
        await this.#client.call(FineGuidanceSensors.method.addTracingPolicy, {
          yaml,
          replace,
          ...(mode === undefined ? {} : { mode: toModeNumber(mode) }),
        });
        names.push(namespace === undefined ? name : `${namespace}/${name}`);
      }
      const policies = await this.#listPolicies();
      return policies.flatMap(({ name, status }) => (status !== undefined && names.includes(name) ? [status] : []));
    });
  }

  removePolicy(name: string): Promise<void> {
    return this.#run(async () => {
      const { deleteTracingPolicy } = loadProtocol().FineGuidanceSensors.method;
      await this.#client.call(deleteTracingPolicy, splitPolicyName(name));
    });
  }

  enablePolicy(name: string): Promise<void> {
    return this.#configure(name, { enable: true });
  }

  disablePolicy(name: string): Promise<void> {
    return this.#configure(name, { enable: false });
  }

  setPolicyMode(name: string, mode: PolicyMode): Promise<void> {
    return this.#configure(name, { mode });
  }

  #configure(full: string, change: { readonly enable?: boolean; readonly mode?: PolicyMode }): Promise<void> {
    const { name, namespace } = splitPolicyName(full);
    return this.#run(() => this.#client.configurePolicy(name, namespace, change));
  }

  policies(): Promise<AgentPolicy[]> {
    return this.#run(() => this.#listPolicies());
  }

  async #listPolicies(): Promise<AgentPolicy[]> {
    const { listTracingPolicies } = loadProtocol().FineGuidanceSensors.method;
    const { policies } = await this.#client.call(listTracingPolicies, {});
    return policies.map(toAgentPolicy);
  }

  metrics(): Promise<MetricsSample> {
    return this.#run(() => this.#client.metrics([]));
  }

  metricsEvery(milliseconds: number): AsyncIterableIterator<MetricsSample> {
    this.#checkOpen();
    return this.#metricsIterators.start(() => this.metrics(), milliseconds);
  }

  status(): Promise<AgentStatus> {
    return this.#run(async () => {
      const { version, nodeName, kernel, startTime, configuration, stats } = await this.#client.state();
      return { version, nodeName, kernel, startTime, health: await this.#client.health(), stats, configuration };
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#metricsIterators.end();
    await Promise.all([...this.#iterators].map((iterator) => iterator.return?.()));
    this.#client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run<T>(action: () => Promise<T>): Promise<T> {
    this.#checkOpen();
    try {
      return await action();
    } catch (error) {
      throw toPublicError(error);
    }
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) throw new PolytraceError('CLOSED', 'the connection is closed', 'connect again');
  }
}

function toModeNumber(mode: PolicyMode): number {
  const { TracingPolicyMode } = loadProtocol();
  return mode === 'enforce' ? TracingPolicyMode.TP_MODE_ENFORCE : TracingPolicyMode.TP_MODE_MONITOR;
}
