/** Implements the service grpc.health.v1.Health, which probes ask. */
import { create, toBinary } from '@bufbuild/protobuf';
import { status as Code, type ServerWritableStream } from '@grpc/grpc-js';
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
  HealthCheckResponseSchema,
  type HealthCheckRequest,
} from 'polytrace/protocol';
import { CallError } from './call-error.js';
import { createService, type Service } from './service.js';

/** Names of services: the empty name stands for all services, and the kubelet asks for `liveness`. */
const NAMES: ReadonlySet<string> = new Set(['', 'liveness', 'tetragon.FineGuidanceSensors']);

type WatchCall = ServerWritableStream<HealthCheckRequest, Buffer>;

/** The status of all services of a server. They serve until setServing(false). */
export class HealthStatus {
  readonly #watchers = new Set<WatchCall>();
  #status = Status.SERVING;

  readonly service: Service = createService(Health, {
    check: ({ service }) => {
      if (!NAMES.has(service)) throw new CallError(Code.NOT_FOUND, `there is no service ${service}`);
      return { status: this.#status };
    },
    list: () => ({ statuses: Object.fromEntries([...NAMES].map((name) => [name, { status: this.#status }])) }),
    watch: (call: WatchCall) => this.#watch(call),
  });

  /** Sends a change to all watchers. */
  setServing(isServing: boolean): void {
    const status = isServing ? Status.SERVING : Status.NOT_SERVING;
    if (status === this.#status) return;
    this.#status = status;
    for (const call of this.#watchers) call.write(encodeStatus(status));
  }

  #watch(call: WatchCall): void {
    const isKnown = NAMES.has(call.request.service);
    if (isKnown) {
      this.#watchers.add(call);
      call.on('cancelled', () => this.#watchers.delete(call));
    }
    call.write(encodeStatus(isKnown ? this.#status : Status.SERVICE_UNKNOWN));
  }
}

function encodeStatus(status: Status): Buffer {
  return Buffer.from(toBinary(HealthCheckResponseSchema, create(HealthCheckResponseSchema, { status })));
}
