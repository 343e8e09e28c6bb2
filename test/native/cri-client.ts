/** Makes pods without a kubelet: the calls of Kubernetes' Container Runtime Interface, over gRPC. */
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect } from 'node:net';
import { retry } from '../retry.js';

/** A message of protobuf: numbers of fields with their values. A list repeats its field. */
type Message = readonly (readonly [field: number, value: string | number | Message | undefined])[];

export interface PodSpec {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
}

const OF_NODE = 2;

export class CriClient {
  readonly #session: ClientHttp2Session;

  constructor(socket: string) {
    this.#session = connectHttp2('http://localhost', { createConnection: () => connect(socket) });
    this.#session.on('error', () => undefined);
  }

  close(): void {
    this.#session.destroy();
  }

  /** Returns the id of the sandbox. */
  async runPod(pod: PodSpec): Promise<string> {
    return textIn(await this.#call('RunPodSandbox', [[1, sandboxConfig(pod)]]));
  }

  /** Returns the id of the container, which has not started. */
  async create(pod: PodSpec, sandbox: string, name: string, command: readonly string[]): Promise<string> {
    const config: Message = [
      [1, [[1, name]]],
      [2, [[1, 'docker.io/library/polytrace-test:1']]],
      ...command.map((word) => [3, word] as const),
      ...pairs(9, { ...kubelet(pod), 'io.kubernetes.container.name': name }),
      [15, [[2, [[3, [[1, OF_NODE]]]]]]],
    ];
    return textIn(await this.#call('CreateContainer', [[1, sandbox], [2, config], [3, sandboxConfig(pod)]])); // prettier-ignore
  }

  async start(container: string): Promise<void> {
    await this.#call('StartContainer', [[1, container]]);
  }

  async run(pod: PodSpec, sandbox: string, name: string, command: readonly string[]): Promise<string> {
    const id = await this.create(pod, sandbox, name, command);
    await this.start(id);
    return id;
  }

  async exec(container: string, command: readonly string[]): Promise<void> {
    await this.#call('ExecSync', [[1, container], ...command.map((word) => [2, word] as const), [3, 20]]);
  }

  /**
   * The runtime may fail to stop a container that ends at the same moment. The interface allows the same calls again,
   * and a kubelet makes them.
   */
  async removePod(sandbox: string): Promise<void> {
    const remove = async (): Promise<void> => {
      await this.#call('StopPodSandbox', [[1, sandbox]]);
      await this.#call('RemovePodSandbox', [[1, sandbox]]);
    };
    await retry(remove, { tries: 50, ms: 100 });
  }

  #call(method: string, request: Message): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        ':method': 'POST',
        ':path': `/runtime.v1.RuntimeService/${method}`,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      const chunks: Buffer[] = [];
      let problem: string | undefined;
      const look = (headers: Readonly<Record<string, unknown>>): void => {
        const status = headers['grpc-status'];
        if (status !== undefined && Number(status) !== 0) problem = `${method}: ${String(headers['grpc-message'])}`;
      };
      stream.on('response', look);
      stream.on('trailers', look);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', reject);
      stream.on('end', () => (problem === undefined ? resolve(Buffer.concat(chunks)) : reject(new Error(problem))));
      const body = encode(request);
      const header = Buffer.alloc(5);
      header.writeUInt32BE(body.length, 1);
      stream.end(Buffer.concat([header, body]));
    });
  }
}

/** The labels that the kubelet gives. */
function kubelet({ namespace, name, uid }: PodSpec): Record<string, string> {
  return {
    'io.kubernetes.pod.namespace': namespace,
    'io.kubernetes.pod.name': name,
    'io.kubernetes.pod.uid': uid,
  };
}

function sandboxConfig(pod: PodSpec): Message {
  return [
    [1, [[1, pod.name], [2, pod.uid], [3, pod.namespace]]], // prettier-ignore
    ...pairs(6, { ...pod.labels, ...kubelet(pod) }),
    ...pairs(7, { note: 'of the test' }),
    [8, [[2, [[1, [[1, OF_NODE]]]]]]],
  ];
}

const pairs = (field: number, values: Readonly<Record<string, string>>): Message =>
  Object.entries(values).map(([key, value]) => [field, [[1, key], [2, value]]]); // prettier-ignore

function encode(message: Message): Buffer {
  return Buffer.concat(
    message.map(([field, value]) => {
      if (value === undefined) return Buffer.alloc(0);
      if (typeof value === 'number') return Buffer.concat([varint(field * 8), varint(value)]);
      const bytes = typeof value === 'string' ? Buffer.from(value) : encode(value);
      return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes]);
    }),
  );
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  return Buffer.from([...bytes, value]);
}

/** The answers are a message with an id in field 1. */
const textIn = (answer: Buffer): string => /[0-9a-f]{64}/.exec(answer.toString('latin1'))?.[0] ?? '';
