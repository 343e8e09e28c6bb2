/** Implements the service polytrace.MetricService: readings of the numbers that policies count. Every client may read them. */
import { create, toBinary } from '@bufbuild/protobuf';
import { status as Code, type ServerWritableStream } from '@grpc/grpc-js';
import {
  MetricService,
  ReadMetricsResponseSchema,
  toMetricsMessages,
  type ReadMetricsRequest,
} from 'polytrace/protocol';
import type { PolicyCounts } from '../counts/policy-counts.js';
import { CallError } from './call-error.js';
import { createService, type Service } from './service.js';

type Call = ServerWritableStream<ReadMetricsRequest, never>;

/** Most calls at the same time. They share readings. */
const CALLS_MAX = 64;
const NAMES_MAX = 1024;
/** A client that does not read its answer gives up its place after this time. */
const CALL_MS = 60_000;

export function metricService(counts: Pick<PolicyCounts, 'readAll'>): Service {
  const calls = new Set<Call>();
  const answer = async (call: Call): Promise<void> => {
    if (calls.size >= CALLS_MAX)
      throw new CallError(Code.RESOURCE_EXHAUSTED, `more than ${CALLS_MAX} readings of metrics`);
    const { policyNames } = call.request;
    if (policyNames.length > NAMES_MAX)
      throw new CallError(Code.INVALID_ARGUMENT, `policy_names: at most ${NAMES_MAX}`);
    calls.add(call);
    const tooSlow = new CallError(Code.DEADLINE_EXCEEDED, 'the client reads too slowly');
    const timer = setTimeout(() => call.emit('error', tooSlow), CALL_MS);
    try {
      const { time, metrics } = await counts.readAll();
      const names = new Set(policyNames);
      const wanted = names.size === 0 ? metrics : metrics.filter(({ policyName }) => names.has(policyName));
      for (const message of toMetricsMessages({ time, metrics: wanted })) {
        if (call.cancelled || call.destroyed || !calls.has(call)) return;
        const bytes = toBinary(ReadMetricsResponseSchema, create(ReadMetricsResponseSchema, message));
        await writeMessage(call, Buffer.from(bytes));
      }
    } finally {
      clearTimeout(timer);
      calls.delete(call);
    }
    call.end();
  };
  return createService(MetricService, {
    readMetrics: (call) => {
      answer(call).catch((error: unknown) => {
        call.emit('error', error instanceof CallError ? error : new CallError(Code.INTERNAL, String(error)));
      });
    },
  });
}

/** Resolves when the client has room for more, or when it is gone. */
function writeMessage(call: Call, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      for (const name of ['cancelled', 'close', 'error']) call.off(name, end);
      resolve();
    };
    for (const name of ['cancelled', 'close', 'error']) call.on(name, end);
    call.write(bytes as never, end);
  });
}
