/** A gRPC server with synthetic events, and clients that use an independent definition of the protocol. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fromBinary } from '@bufbuild/protobuf';
import type { AgentEvent, PlainEvent } from 'polytrace';
import { PolicyCounts } from '../../../lib/counts/policy-counts.js';
import { EventCalls } from '../../../lib/grpc/get-events.js';
import { RuntimeHookSource } from '../../../lib/grpc/runtime-hook.js';
import type { RoleRules } from '../../../lib/grpc/roles.js';
import { eventLogService } from '../../../lib/grpc/event-log.js';
import { metricService } from '../../../lib/grpc/metrics.js';
import { callerIdentifier, sensorsService } from '../../../lib/grpc/sensors.js';
import { GrpcServer, type ServerSettings } from '../../../lib/grpc/server.js';
import { openLog } from '../../../lib/log/log.js';
import { Journal } from '../../../lib/policies/journal.js';
import { PolicyStore } from '../../../lib/policies/store.js';
import { GetEventsResponseSchema, type RateLimitInfo } from 'polytrace/protocol';
import { EventHub } from '../../../lib/streams/hub.js';

const NODE_NAME = 'node';

export class TestServer {
  readonly folder = mkdtempSync(join(tmpdir(), 'polytrace-grpc-'));
  readonly socket = join(this.folder, 'agent.sock');
  readonly address = `unix://${this.socket}`;
  readonly hub: EventHub;
  readonly log: string[] = [];
  /** The sockets whose peers were looked up. */
  readonly peers: object[] = [];
  readonly #calls: EventCalls;
  #server: GrpcServer | undefined;

  /** `tracer` has what the calls of the test use. */
  constructor(
    queueBytes?: number,
    private readonly tracer: object = {},
  ) {
    this.hub = new EventHub({ nodeName: NODE_NAME, ...(queueBytes !== undefined && { queueBytes }) });
    this.#calls = new EventCalls(this.hub, this.#openLog());
  }

  #openLog(): ReturnType<typeof openLog> {
    const write = (chunk: Buffer, _: unknown, done: () => void): void => {
      this.log.push(chunk.toString());
      done();
    };
    return openLog({ level: 'debug', format: 'json' }, new Writable({ write }));
  }

  /** Listens on the socket, or as the settings say. Returns the addresses. */
  async listen(settings: Partial<ServerSettings> = {}, roles: Partial<RoleRules> = {}): Promise<string[]> {
    const log = this.#openLog();
    const tracer = this.tracer as never;
    const context = {
      tracer,
      runtimeHook: new RuntimeHookSource(),
      store: new PolicyStore(tracer, log),
      hub: this.hub,
      calls: this.#calls,
      log,
      journal: new Journal(log),
      peerCredentials: (socket: object) => {
        this.peers.push(socket);
        return { pid: 7, uid: 1000, gid: 1001 };
      },
      preflight: () => ({ kernel: '6.12', features: [] }) as never,
      version: '1.2.3',
      nodeName: NODE_NAME,
      startedAt: 0,
      configuration: {},
    };
    const all = { addresses: [this.address], insecureClients: true, ...settings };
    const rules = { readOnly: false, tlsAdmins: [], ...roles };
    const services = [
      sensorsService(context, rules),
      metricService(new PolicyCounts(tracer, 100, 0)),
      eventLogService({ rotation: undefined, journal: context.journal, identify: callerIdentifier(context) }, rules),
    ];
    const server = new GrpcServer(all, services, log);
    const addresses = await server.listen();
    this.#server = server;
    return addresses;
  }

  get server(): GrpcServer {
    assert.ok(this.#server !== undefined);
    return this.#server;
  }

  dispatch(events: readonly PlainEvent[]): void {
    this.hub.dispatch(events as readonly AgentEvent[]);
  }

  /** Resolves when `count` clients read events. */
  waitForStreams(count: number): Promise<void> {
    return waitUntil(() => this.hub.streams.size === count);
  }

  async close(): Promise<void> {
    await this.#calls.close(0);
    await this.#server?.close(100);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const UNTIL_MS = 50_000;

/** Polls until the condition holds. Fails after a time, so that a failing test ends. */
export async function waitUntil(holds: () => unknown): Promise<void> {
  const end = Date.now() + UNTIL_MS;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `never: ${holds.toString()}`);
    await sleep(5);
  }
}

/** Returns a gRPC message: a flag, the length, and the bytes. */
export function frameMessage(message: Uint8Array, flag = 0): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame[0] = flag;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

const PATH = '/tetragon.FineGuidanceSensors/';
const HEADERS = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };

/** A plain HTTP/2 client. It can send what no gRPC client would, and reads only on demand. */
export class RawClient {
  readonly session: ClientHttp2Session;

  /** `windowBytes`: what the server may send before it waits. Default: that of HTTP/2, 65,535. */
  constructor(socket: string, windowBytes?: number) {
    const settings = windowBytes === undefined ? {} : { initialWindowSize: windowBytes };
    this.session = connect('http://localhost', { createConnection: () => connectSocket(socket), settings });
    this.session.on('error', () => undefined);
    if (windowBytes !== undefined) this.session.on('connect', () => this.session.setLocalWindowSize(windowBytes));
  }

  /** Starts a call with the bytes as its body. */
  call(name: string, body: Uint8Array): ClientHttp2Stream {
    const stream = this.session.request({ ...HEADERS, ':path': PATH + name });
    stream.on('error', () => undefined);
    stream.end(body);
    return stream;
  }

  /** Resolves with the gRPC status of a call, or undefined if the server closed the stream without one. */
  status(name: string, body: Uint8Array): Promise<number | undefined> {
    const stream = this.call(name, body);
    return new Promise((resolve) => {
      let status: number | undefined;
      const note = (headers: Record<string, unknown>): void => {
        if (headers['grpc-status'] !== undefined) status = Number(headers['grpc-status']);
      };
      stream.on('response', note).on('trailers', note);
      stream.on('close', () => resolve(status));
      stream.resume();
    });
  }

  close(): void {
    this.session.destroy();
  }
}

/** Counts the events of a stream, and the lost events that its messages report. */
export class EventCounter {
  received = 0;
  lost = 0;
  readonly #counts: (loss: RateLimitInfo) => boolean;
  #rest = Buffer.alloc(0);

  /** `counts` returns true for a loss that has to be counted. */
  constructor(counts: (loss: RateLimitInfo) => boolean = () => true) {
    this.#counts = counts;
  }

  add(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (bytes.length >= 5) {
      const end = 5 + bytes.readUInt32BE(1);
      if (bytes.length < end) break;
      this.#addMessage(bytes.subarray(5, end));
      bytes = bytes.subarray(end);
    }
    this.#rest = Buffer.from(bytes);
  }

  /** The message of a loss begins with its field, rate_limit_info (40001). Only these messages are decoded. */
  #addMessage(message: Buffer): void {
    if (message[0] !== 0x8a || message[1] !== 0xc4 || message[2] !== 0x13) {
      this.received += 1;
      return;
    }
    const { event } = fromBinary(GetEventsResponseSchema, message);
    assert.ok(event.case === 'rateLimitInfo');
    if (this.#counts(event.value)) this.lost += Number(event.value.numberOfDroppedProcessEvents);
  }
}

export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Creates an authority, and a certificate for this machine that it signs, with openssl. */
export function createCertificates(folder: string, name: string): Certificates {
  const pemPath = (file: string): string => join(folder, `${name}-${file}.pem`);
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { stdio: 'pipe' });
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    pemPath('ca-key'),
    '-out',
    pemPath('ca'),
  );
  openssl('req', ...key, '-subj', '/CN=localhost', '-keyout', pemPath('key'), '-out', pemPath('request'));
  const names = pemPath('names');
  writeFileSync(names, 'subjectAltName=DNS:localhost,IP:127.0.0.1');
  const authority = ['-CA', pemPath('ca'), '-CAkey', pemPath('ca-key'), '-CAcreateserial'];
  openssl(
    'x509',
    '-req',
    '-in',
    pemPath('request'),
    ...authority,
    '-days',
    '2',
    '-extfile',
    names,
    '-out',
    pemPath('cert'),
  );
  return { ca: pemPath('ca'), cert: pemPath('cert'), key: pemPath('key') };
}
