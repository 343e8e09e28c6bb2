/** GetEvents, health and reflection, tested by a client with an independent definition of the protocol. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Client as GenericClient,
  credentials,
  loadPackageDefinition,
  status as Code,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, type DescriptorProto } from '@bufbuild/protobuf/wkt';
import { stringArgument } from '../../../../test/unit/output/arguments.js';
import { execEvent, exitEvent, kprobeEvent, lostEvent, plainProcess } from '../../../../test/unit/output/events.js';
import {
  ProtocolClient,
  eventFields,
  processFields as sentProcess,
  type EventReader,
  type Reply,
} from '../../native/support.js';
import { PROTOCOL } from '../../native/protocol.js';
import { TestServer } from './server.js';

const container = { id: 'ab'.repeat(32), name: 'nginx', maybeExecProbe: true as const };
const web = execEvent(
  {
    pod: { namespace: 'shop', name: 'web-7', labels: { app: 'web', tier: 'front' }, container },
    container,
    pid: 7,
    binary: '/usr/sbin/nginx',
    arguments: '-g "daemon off;"',
    argv: ['-g', 'daemon off;'],
    inInitTree: true,
    capabilities: { permitted: 0b110n, effective: 0b10n, inheritable: 0n },
  },
  {
    parent: plainProcess({ pid: 6, binary: '/bin/sh', arguments: '-c run', argv: ['-c', 'run'] }),
    ancestors: [plainProcess({ pid: 1, binary: '/sbin/init' })],
  },
);
const hook = kprobeEvent('sys_read', [stringArgument('a', 0)], { policyName: 'files' });
/** The last events of a test. A filter that denies one of them lets the other one pass. */
const END = kprobeEvent('end', [], { policyName: 'end' });
const probe = { namespace: 'end', name: 'end', container: { id: 'e', maybeExecProbe: true as const } };
const OTHER_END = { ...END, process: plainProcess({ pid: 99, binary: '/end', inInitTree: true, pod: probe }) };
const UNTIL_END = { policy_names: ['end'] };

/** For each field: a filter that matches `web` (or the event), and one that does not. */
const FIELDS: Readonly<Record<string, readonly [matches: object, not: object, of?: typeof hook]>> = {
  binary_regex: [{ binary_regex: ['^/nothing', '(?i)NgInX$'] }, { binary_regex: ['^nginx'] }],
  namespace: [{ namespace: ['x', 'shop'] }, { namespace: ['sho'] }],
  health_check: [{ health_check: { value: true } }, { health_check: { value: false } }],
  pid: [{ pid: [1, 7] }, { pid: [6] }],
  pid_set: [{ pid_set: [1] }, { pid_set: [2] }],
  event_set: [{ event_set: ['PROCESS_EXEC'] }, { event_set: ['PROCESS_EXIT', 'PROCESS_LSM'] }],
  pod_regex: [{ pod_regex: ['^web-\\d$'] }, { pod_regex: ['^eb'] }],
  arguments_regex: [{ arguments_regex: ['daemon off'] }, { arguments_regex: ['^daemon'] }],
  labels: [{ labels: ['app in (web, api),tier!=back,!gone'] }, { labels: ['app notin (web)'] }],
  policy_names: [{ policy_names: ['x', 'files'] }, { policy_names: ['file'] }, hook],
  capabilities: [
    {
      capabilities: { permitted: { all: ['DAC_OVERRIDE', 'CAP_DAC_READ_SEARCH'] }, effective: { none: ['CAP_KILL'] } },
    },
    { capabilities: { permitted: { any: ['CAP_CHOWN'] } } },
  ],
  parent_binary_regex: [{ parent_binary_regex: ['sh$'] }, { parent_binary_regex: ['nginx'] }],
  cel_expression: [
    { cel_expression: ['process_exec.process.pid == 7u && process_exec.parent.binary.startsWith("/bin")'] },
    { cel_expression: ['process_exec.process.pid == 8u'] },
  ],
  parent_arguments_regex: [{ parent_arguments_regex: ['^-c'] }, { parent_arguments_regex: ['daemon'] }],
  container_id: [{ container_id: ['^(ab){15}a$'] }, { container_id: ['(ab){16}'] }],
  in_init_tree: [{ in_init_tree: { value: true } }, { in_init_tree: { value: false } }],
  ancestor_binary_regex: [{ ancestor_binary_regex: ['init'] }, { ancestor_binary_regex: ['nginx'] }],
  container_name_regex: [{ container_name_regex: ['^nginx$'] }, { container_name_regex: ['apache'] }],
  namespace_regex: [{ namespace_regex: ['^s.*p$'] }, { namespace_regex: ['^hop'] }],
};

describe('the protocol, by a client of its own', function () {
  this.timeout(60_000);
  let server: TestServer;
  let client: ProtocolClient;

  beforeEach(async () => {
    server = new TestServer();
    await server.listen();
    client = new ProtocolClient(server.address);
  });
  afterEach(async () => {
    client.close();
    await server.close();
  });

  async function openReader(request: object): Promise<EventReader> {
    const reader = client.events(request);
    await reader.open;
    return reader;
  }

  /** Returns the messages before the last event. */
  async function readUpToEnd(reader: EventReader): Promise<Reply[]> {
    const isEnd = (message: Reply): boolean => eventFields(message)['function_name'] === 'end';
    await reader.waitFor(isEnd);
    return reader.seen.slice(0, reader.seen.findIndex(isEnd));
  }

  it('knows all fields of a filter', () => {
    const block = /message Filter \{([^}]*)\}/.exec(PROTOCOL)?.[1] ?? '';
    const names = [...block.matchAll(/(\w+) = \d+;/g)].map(([, name]) => name);
    assert.equal(names.length, 19);
    assert.deepEqual(Object.keys(FIELDS).sort(), names.sort());
  });

  it('each field of a filter allows, denies, and leaves out what does not match', async () => {
    const streams = await Promise.all(
      Object.entries(FIELDS).flatMap(([name, [matches, not, event]]) => {
        const own = event ?? web;
        const cases: readonly (readonly [object, boolean])[] = [
          [{ allow_list: [matches, UNTIL_END] }, true],
          [{ allow_list: [not, UNTIL_END] }, false],
          [{ deny_list: [matches] }, false],
          [{ deny_list: [not] }, true],
        ];
        return cases.map(async ([request, isSent]) => ({
          name,
          own,
          request,
          isSent,
          reader: await openReader(request),
        }));
      }),
    );
    server.dispatch([web, hook, END, OTHER_END]);
    for (const { name, own, request, isSent, reader } of streams) {
      const wanted = own === web ? 'process_exec' : 'process_kprobe';
      const before = await readUpToEnd(reader);
      const isThere = before.some(
        (message) => message['event'] === wanted && eventFields(message)['policy_name'] !== 'end',
      );
      assert.equal(isThere, isSent, `${name}: ${JSON.stringify(request)}`);
    }
  });

  it('fields of a filter must all hold, one filter is enough, and a denied event is not allowed', async () => {
    const cases: readonly (readonly [object, boolean])[] = [
      [{ allow_list: [{ pid: [7], binary_regex: ['cat'] }, UNTIL_END] }, false],
      [{ allow_list: [{ pid: [1] }, { pid: [7] }, UNTIL_END] }, true],
      [{ allow_list: [{ pid: [7] }, UNTIL_END], deny_list: [{ namespace: ['shop'] }] }, false],
      [{ allow_list: [{}] }, true],
      [{}, true],
    ];
    const readers = await Promise.all(cases.map(([request]) => openReader(request)));
    server.dispatch([web, END]);
    for (const [i, reader] of readers.entries()) {
      const isThere = (await readUpToEnd(reader)).some((message) => message['event'] === 'process_exec');
      assert.equal(isThere, cases[i]?.[1], JSON.stringify(cases[i]?.[0]));
    }
  });

  it('a mistake in a filter is INVALID_ARGUMENT, and names the field', async () => {
    for (const [request, details] of [
      [{ allow_list: [{ binary_regex: ['ok', '('] }] }, /^allow_list\[0\]\.binary_regex\[1\]: /],
      [{ deny_list: [{ cel_expression: ['process_exec.'] }] }, /^deny_list\[0\]\.cel_expression\[0\]: /],
      [{ field_filters: [{ fields: { paths: ['process.binari'] } }] }, /^field_filters\[0\]\.fields: /],
      [{ aggregation_options: { window_size: { seconds: 3600 } } }, /^aggregation_options\.window_size: /],
    ] as const) {
      const error = await client.events(request).ended;
      assert.equal(error?.code, Code.INVALID_ARGUMENT, JSON.stringify(request));
      assert.match(error.details, details);
    }
    assert.equal(server.hub.streams.size, 0);
  });

  it('field filters keep or leave out fields, of all or of some types', async () => {
    const fieldsRequest = (paths: readonly string[], action: string, more: object = {}): object => ({
      field_filters: [{ fields: { paths }, action, ...more }],
    });
    const [kept, left, only, others] = await Promise.all([
      openReader(fieldsRequest(['process.binary', 'args.string_arg'], 'INCLUDE')),
      openReader(fieldsRequest(['process.pid', 'args'], 'EXCLUDE')),
      openReader(fieldsRequest(['process'], 'EXCLUDE', { event_set: ['PROCESS_EXEC'] })),
      openReader(
        fieldsRequest(['process'], 'EXCLUDE', { event_set: ['PROCESS_EXEC'], invert_event_set: { value: true } }),
      ),
    ] as const);
    server.dispatch([web, hook, lostEvent()]);
    const waitForKind = async (reader: EventReader, kind: string): Promise<Reply> =>
      reader.waitFor((message) => message['event'] === kind);

    const small = await waitForKind(kept, 'process_kprobe');
    assert.deepEqual(
      Object.keys(eventFields(small))
        .filter((name) => !isEmpty(eventFields(small)[name]))
        .sort(),
      ['args', 'process'],
    );
    assert.equal(sentProcess(small)['binary'], '/usr/bin/cat');
    assert.ok(isEmpty(sentProcess(small)['pid']) && isEmpty(sentProcess(small)['exec_id']));
    assert.equal(small['node_name'], 'node');
    assert.ok(!isEmpty(small['time']));
    // no filter can remove the report of a loss
    const loss = eventFields(await waitForKind(kept, 'rate_limit_info'));
    assert.equal(loss['number_of_dropped_process_events'], '12');

    const filtered = await waitForKind(left, 'process_kprobe');
    assert.ok(isEmpty(sentProcess(filtered)['pid']) && isEmpty(eventFields(filtered)['args']));
    assert.deepEqual(
      [eventFields(filtered)['function_name'], sentProcess(filtered)['exec_id']],
      ['sys_read', hook.process.execId],
    );
    for (const [reader, without, having] of [
      [only, 'process_exec', 'process_kprobe'],
      [others, 'process_kprobe', 'process_exec'],
    ] as const) {
      assert.deepEqual(sentProcess(await waitForKind(reader, without)), {});
      assert.ok(!isEmpty(sentProcess(await waitForKind(reader, having))['binary']));
    }
  });

  it('aggregation: events that are equal but for their time are one, with their number', async () => {
    const reader = await openReader({
      aggregation_options: { window_size: { nanos: 50_000_000 }, channel_buffer_size: 100 },
    });
    const times = Array.from({ length: 5 }, (_, i) => exitEvent({}, { timeNs: BigInt(i) * 10n ** 9n }));
    const later = times.map((event) => ({ ...event, type: 'process_exec' as const, status: undefined }));
    server.dispatch([...later, hook, ...later, lostEvent()]);
    const counts = new Map<string, number>();
    const sumCounts = (): number => [...counts.values()].reduce((a, b) => a + b, 0);
    let messages = 0;
    for (; sumCounts() < 11; messages++) {
      const message = await reader.waitFor((each) => reader.seen.indexOf(each) >= messages);
      if (message['event'] === 'rate_limit_info') continue;
      const { count } = message['aggregation_info'] as { count: string };
      const kind = message['event'] as string;
      counts.set(kind, (counts.get(kind) ?? 0) + Number(count));
    }
    assert.deepEqual(Object.fromEntries(counts), { process_exec: 10, process_kprobe: 1 });
    // one of each kind; two if the window ended between
    assert.ok(messages <= 5, `${messages} messages`);
    // a loss is sent at once, without a count of equal events
    assert.ok(reader.seen.some((each) => each['event'] === 'rate_limit_info' && isEmpty(each['aggregation_info'])));
  });

  it('aggregation: what a window has is sent when the agent ends', async () => {
    const second = new TestServer();
    await second.listen();
    const own = new ProtocolClient(second.address);
    const reader = own.events({ aggregation_options: { window_size: { seconds: 600 } } });
    await reader.open;
    second.dispatch([hook, hook, hook]);
    const end = second.close();
    const { aggregation_info: info } = await reader.waitFor(() => true);
    assert.deepEqual(info, { count: '3' });
    await reader.ended;
    own.close();
    await end;
  });

  it('grpc.health.v1 answers for all services, and tells a watcher of a change', async () => {
    const health = createClient<{
      Check(request: object, done: (error: ServiceError | null, reply?: Reply) => void): void;
      List(request: object, done: (error: ServiceError | null, reply?: Reply) => void): void;
      Watch(request: object): ClientReadableStream<Reply>;
    }>(HEALTH, 'grpc.health.v1', 'Health', server.address);
    const checkHealth = (service: string): Promise<unknown> =>
      new Promise((resolve, reject) => {
        health.Check({ service }, (error, reply) => (error === null ? resolve(reply?.['status']) : reject(error)));
      });
    for (const name of ['', 'liveness', 'tetragon.FineGuidanceSensors'])
      assert.equal(await checkHealth(name), 'SERVING');
    await assert.rejects(checkHealth('other'), { code: Code.NOT_FOUND });
    const list = await new Promise((resolve, reject) => {
      health.List({}, (error, reply) => (error === null ? resolve(reply?.['statuses']) : reject(error)));
    });
    const serving = { status: 'SERVING' };
    assert.deepEqual(list, { '': serving, liveness: serving, 'tetragon.FineGuidanceSensors': serving });
    const unknown = health.Watch({ service: 'other' });
    unknown.on('error', () => undefined);
    const [first] = (await once(unknown, 'data')) as [Reply];
    assert.equal(first['status'], 'SERVICE_UNKNOWN');
    unknown.cancel();
    const watch = health.Watch({ service: 'liveness' });
    const seen: unknown[] = [];
    await new Promise<void>((resolve) => {
      watch.on('error', () => undefined);
      watch.on('data', ({ status }: Reply) => {
        if (seen.push(status) === 1) server.server.setServing(false);
        else resolve();
      });
    });
    assert.deepEqual(seen, ['SERVING', 'NOT_SERVING']);
    assert.equal(await checkHealth('liveness'), 'NOT_SERVING');
    watch.cancel();
    health.close();
  });

  for (const version of ['v1', 'v1alpha']) {
    it(`reflection (${version}) has the services, and all names and numbers of the protocol`, async () => {
      const reflection = createClient<{ ServerReflectionInfo(): ClientDuplexStream<object, Reply> }>(
        REFLECTION.replace('VERSION', version),
        `grpc.reflection.${version}`,
        'ServerReflection',
        server.address,
      );
      const stream = reflection.ServerReflectionInfo();
      const askReflection = (request: object): Promise<Reply> =>
        new Promise((resolve, reject) => {
          stream.once('data', resolve);
          stream.once('error', reject);
          stream.write(request);
        });
      const list = (await askReflection({ list_services: '*' }))['list_services_response'] as {
        service: { name: string }[];
      };
      const names = list.service.map(({ name }) => name);
      for (const name of ['tetragon.FineGuidanceSensors', 'tetragon.EventLogService']) {
        assert.ok(names.includes(name), names.join());
      }
      let seen: ProtoShape = {};
      for (const symbol of ['tetragon.FineGuidanceSensors', 'tetragon.EventLogService']) {
        const found = await askReflection({ file_containing_symbol: symbol });
        const files = (found['file_descriptor_response'] as { file_descriptor_proto: Buffer[] }).file_descriptor_proto;
        for (const file of files) seen = { ...seen, ...protoShape(file) };
      }
      const expected = expectedShape();
      for (const [message, fields] of Object.entries(expected)) {
        for (const [field, number] of Object.entries(fields)) {
          assert.equal(seen[message]?.[field], number, `${message}.${field}`);
        }
      }
      assert.ok(Object.keys(expected).length > 100);
      stream.end();
      reflection.close();
    });
  }

  it('reflection refuses a request that is not one', async () => {
    const client = new GenericClient(server.address, credentials.createInsecure());
    const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
    const keep = (bytes: Buffer): Buffer => bytes;
    const stream = client.makeBidiStreamRequest(path, keep, keep);
    const failed = once(stream, 'error') as Promise<[ServiceError]>;
    stream.write(Buffer.from([0xff, 0xff]));
    const [refused] = await failed;
    assert.equal(refused.code, Code.INVALID_ARGUMENT);
    client.close();
  });
});

type ProtoShape = Record<string, Record<string, number>>;

/** Returns the numbers of all fields and enum values of a file, by message. */
function protoShape(file: Uint8Array): ProtoShape {
  const { messageType, enumType } = fromBinary(FileDescriptorProtoSchema, file);
  const found: ProtoShape = {};
  const addMessage = (prefix: string, { name, field, nestedType, enumType: enums, options }: DescriptorProto): void => {
    if (options?.mapEntry === true) return;
    found[prefix + name] = Object.fromEntries(field.map((each) => [each.name, each.number]));
    for (const nested of nestedType) addMessage(`${prefix}${name}.`, nested);
    for (const each of enums) addEnum(`${prefix}${name}.`, each);
  };
  const addEnum = (prefix: string, { name, value }: (typeof enumType)[number]): void => {
    found[prefix + name] = Object.fromEntries(value.map((each) => [each.name, each.number]));
  };
  for (const each of messageType) addMessage('', each);
  for (const each of enumType) addEnum('', each);
  return found;
}

function expectedShape(): ProtoShape {
  const definition = loadProto(PROTOCOL);
  const file = (definition['tetragon.Process'] as { fileDescriptorProtos: Buffer[] }).fileDescriptorProtos;
  return file.map(protoShape).reduce((all, each) => ({ ...all, ...each }), {});
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);
}

const HEALTH = `syntax = "proto3";
package grpc.health.v1;
message HealthCheckRequest { string service = 1; }
message HealthListRequest {}
message HealthListResponse { map<string, HealthCheckResponse> statuses = 1; }
message HealthCheckResponse {
  enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
  ServingStatus status = 1;
}
service Health {
  rpc Check(HealthCheckRequest) returns (HealthCheckResponse);
  rpc List(HealthListRequest) returns (HealthListResponse);
  rpc Watch(HealthCheckRequest) returns (stream HealthCheckResponse);
}
`;

const REFLECTION = `syntax = "proto3";
package grpc.reflection.VERSION;
message ServerReflectionRequest {
  oneof message_request { string file_containing_symbol = 4; string list_services = 7; }
}
message FileDescriptorResponse { repeated bytes file_descriptor_proto = 1; }
message ServiceResponse { string name = 1; }
message ListServiceResponse { repeated ServiceResponse service = 1; }
message ServerReflectionResponse {
  oneof message_response {
    FileDescriptorResponse file_descriptor_response = 4;
    ListServiceResponse list_services_response = 6;
  }
}
service ServerReflection {
  rpc ServerReflectionInfo(stream ServerReflectionRequest) returns (stream ServerReflectionResponse);
}
`;

function loadProto(proto: string): ReturnType<typeof loadSync> {
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-proto-'));
  const file = join(folder, 'service.proto');
  writeFileSync(file, proto);
  try {
    return loadSync(file, { keepCase: true, enums: String, oneofs: true });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function createClient<T>(proto: string, packageName: string, name: string, address: string): T & Client {
  const services = loadPackageDefinition(loadProto(proto));
  const found = packageName.split('.').reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], services);
  const Service = (found as Record<string, new (...args: unknown[]) => T & Client>)[name];
  assert.ok(Service !== undefined);
  return new Service(address, credentials.createInsecure());
}
