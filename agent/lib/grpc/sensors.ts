/** Implements the service tetragon.FineGuidanceSensors, with one function for each call. */
import { create } from '@bufbuild/protobuf';
import { anyPack, StringValueSchema, timestampFromMs } from '@bufbuild/protobuf/wkt';
import { status as Code } from '@grpc/grpc-js';
import {
  KernelError,
  PolicyError,
  PolytraceError,
  type PolicyMode,
  type PreflightReport,
  type Tracer,
} from 'polytrace';
import {
  AgentStatsSchema,
  ConfigFlag,
  type ConfigureTracingPolicyRequest,
  FineGuidanceSensors,
  HealthStatusResult,
  HealthStatusType,
  LogLevel as LevelNumber,
  TracingPolicyMode,
} from 'polytrace/protocol';
import { LOG_LEVELS, type Log, type LogLevel } from '../log/log.js';
import { policyKey } from '../policies/claim.js';
import { formatError } from '../policies/format-error.js';
import { PolicyExists } from '../policies/reconciler.js';
import { PolicyHeld, UnknownPolicy } from '../policies/client-changes.js';
import type { Caller, Journal } from '../policies/journal.js';
import type { PolicyStore } from '../policies/store.js';
import type { EventHub } from '../streams/hub.js';
import { identifyCaller, type Call, type CallerLookup } from './caller.js';
import type { EventCalls } from './get-events.js';
import { formatHealth } from './health-details.js';
import { toPolicyStatus } from './policy-status.js';
import { listProbes } from './probes.js';
import { dumpProcesses } from './process-dump.js';
import { roleCheck, type RoleRules } from './roles.js';
import type { RuntimeHookSource } from './runtime-hook.js';
import { CallError } from './call-error.js';
import { createService, type Methods, type Service } from './service.js';

export interface SensorsContext {
  readonly tracer: Pick<Tracer, 'process' | 'stats'>;
  readonly runtimeHook: RuntimeHookSource;
  readonly store: PolicyStore;
  readonly hub: EventHub;
  readonly calls: EventCalls;
  readonly log: Log;
  readonly journal: Journal;
  readonly peerCredentials: CallerLookup['peerCredentials'];
  readonly preflight: () => PreflightReport;
  readonly version: string;
  readonly nodeName: string;
  readonly startedAt: number;
  /** Effective options, without secrets. */
  readonly configuration: Readonly<Record<string, string>>;
}

/** The only supported domain of policies. */
const DOMAIN = '';

export function sensorsService(context: SensorsContext, roles: RoleRules): Service {
  const { store, log, calls, runtimeHook, journal } = context;
  const identify = callerIdentifier(context);
  const methods: Methods<typeof FineGuidanceSensors> = {
    getEvents: (call) => calls.open(call),
    getHealth: () => ({ healthStatus: [healthStatus(context)] }),
    addTracingPolicy: ({ yaml, domain, replace, mode }, call) =>
      withCallErrors(async () => {
        checkDomain(domain);
        if (yaml === '') throw new CallError(Code.INVALID_ARGUMENT, 'yaml: the policy is empty');
        const wanted = mode === undefined ? undefined : toPolicyMode(mode);
        await store.add(yaml, { replace, mode: wanted, by: identify(call) });
        return {};
      }),
    deleteTracingPolicy: ({ name, namespace, domain }, call) =>
      withCallErrors(async () => {
        checkDomain(domain);
        await store.remove(policyKey(name, namespace), identify(call));
        return {};
      }),
    listTracingPolicies: ({ domain }) => ({
      policies: domain === DOMAIN ? store.list().map(toPolicyStatus) : [],
    }),
    configureTracingPolicy: (request, call) =>
      withCallErrors(async () => {
        await configurePolicy(store, request, identify(call));
        return {};
      }),
    enableTracingPolicy: (request, call) => setPolicyEnabled(store, request, true, identify(call)),
    disableTracingPolicy: (request, call) => setPolicyEnabled(store, request, false, identify(call)),
    listDomains: () => ({ domains: [DOMAIN] }),
    listSensors: () => rejectDeprecated('ListSensors', 'ListTracingPolicies'),
    enableSensor: () => rejectDeprecated('EnableSensor', 'ConfigureTracingPolicy'),
    disableSensor: () => rejectDeprecated('DisableSensor', 'ConfigureTracingPolicy'),
    removeSensor: () => rejectDeprecated('RemoveSensor', 'DeleteTracingPolicy'),
    getVersion: () => ({ version: context.version }),
    getInfo: () => agentInfo(context),
    runtimeHook: ({ event }) =>
      withCallErrors(async () => {
        if (event.case === undefined) throw new CallError(Code.INVALID_ARGUMENT, 'event: createContainer is needed');
        await runtimeHook.announce(event.value);
        return {};
      }),
    getDebug: async ({ flag }) => {
      if (flag === ConfigFlag.LOG_LEVEL) return { flag, arg: { case: 'level', value: toLevelNumber(log.level) } };
      if (flag !== ConfigFlag.DUMP_PROCESS_CACHE)
        throw new CallError(Code.INVALID_ARGUMENT, `flag: ${flag as number} is not known`);
      const processes = await dumpProcesses(context.tracer, context.hub);
      return { flag, arg: { case: 'processes', value: { processes: processes.map((process) => ({ process })) } } };
    },
    setDebug: ({ flag, arg }, call) => {
      if (flag !== ConfigFlag.LOG_LEVEL || arg.case !== 'level') {
        throw new CallError(Code.INVALID_ARGUMENT, 'only CONFIG_FLAG_LOG_LEVEL can be set, with a level');
      }
      const before = log.level;
      log.level = toLevelName(arg.value);
      const change = { operation: 'setting_change', setting: 'log-level', before, after: log.level } as const;
      journal.recordSetting('a client changed the level of the log', { ...change, way: 'client', by: identify(call) });
      return { flag, arg };
    },
  };
  return createService(FineGuidanceSensors, methods, roleCheck(roles));
}

/** Returns a function that says who makes a call. */
export function callerIdentifier({
  peerCredentials,
  tracer,
}: Pick<SensorsContext, 'peerCredentials' | 'tracer'>): (call: Call) => Caller {
  return (call) => identifyCaller(call, { peerCredentials, findProcess: (pid) => tracer.process(pid) });
}

function rejectDeprecated(name: string, other: string): never {
  throw new CallError(Code.UNIMPLEMENTED, `${name} is deprecated and not supported: use ${other}`);
}

function checkDomain(domain: string): void {
  if (domain !== DOMAIN) throw new CallError(Code.NOT_FOUND, `there is no domain '${domain}'`);
}

function setPolicyEnabled(
  store: PolicyStore,
  { name, namespace, domain }: { readonly name: string; readonly namespace: string; readonly domain: string },
  enable: boolean,
  by: Caller,
): Promise<Record<string, never>> {
  return withCallErrors(async () => {
    checkDomain(domain);
    await store.configure(policyKey(name, namespace), { enable }, by);
    return {};
  });
}

/** A field that is absent changes nothing. */
async function configurePolicy(
  store: PolicyStore,
  { name, namespace, domain, enable, mode }: ConfigureTracingPolicyRequest,
  by: Caller,
): Promise<void> {
  checkDomain(domain);
  const wanted = mode === undefined ? undefined : toPolicyMode(mode);
  await store.configure(policyKey(name, namespace), { enable, mode: wanted }, by);
}

function toPolicyMode(mode: TracingPolicyMode): PolicyMode {
  if (mode === TracingPolicyMode.TP_MODE_ENFORCE) return 'enforce';
  if (mode === TracingPolicyMode.TP_MODE_MONITOR) return 'monitor';
  throw new CallError(Code.INVALID_ARGUMENT, 'mode: it has to be TP_MODE_ENFORCE or TP_MODE_MONITOR');
}

/** Runs a call and converts its errors to gRPC status codes. */
async function withCallErrors<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof CallError) throw error;
    if (error instanceof UnknownPolicy) throw new CallError(Code.NOT_FOUND, error.message);
    if (error instanceof PolicyExists) throw new CallError(Code.ALREADY_EXISTS, error.message);
    if (error instanceof PolicyHeld) throw new CallError(Code.FAILED_PRECONDITION, error.message);
    if (error instanceof PolicyError) throw new CallError(Code.INVALID_ARGUMENT, formatError(error));
    if (error instanceof KernelError || error instanceof PolytraceError) {
      throw new CallError(Code.FAILED_PRECONDITION, formatError(error));
    }
    throw new CallError(Code.INTERNAL, formatError(error));
  }
}

function healthStatus({ store, tracer }: SensorsContext): {
  readonly event: HealthStatusType;
  readonly status: HealthStatusResult;
  readonly details: string;
} {
  const details = formatHealth(store, tracer.stats());
  return { event: HealthStatusType.STATUS, status: HealthStatusResult.HEALTH_STATUS_RUNNING, details };
}

function agentInfo({ tracer, hub, preflight, version, nodeName, startedAt, configuration }: SensorsContext): object {
  const report = preflight();
  const { events, lost, lostByHook, processes, bufferSize, bufferUsed } = tracer.stats();
  return {
    version,
    name: 'polytrace',
    probes: listProbes(report),
    conf: Object.entries(configuration).map(([key, value]) => ({
      key,
      value: anyPack(StringValueSchema, create(StringValueSchema, { value })),
    })),
    build: { goVersion: '', commit: '', time: '', modified: '' },
    nodeName,
    kernel: report.kernel,
    startTime: timestampFromMs(startedAt),
    stats: create(AgentStatsSchema, {
      events: BigInt(events),
      lost: BigInt(lost),
      lostRecords: lostByHook.map(({ hook, policyName, reason, count }) => ({
        hook,
        policyName,
        reason,
        count: BigInt(count),
      })),
      processes: BigInt(processes),
      bufferSize: BigInt(bufferSize),
      bufferUsed: BigInt(bufferUsed),
      streams: hub.streams.size,
    }),
  };
}

/** The log levels of the protocol. A level that the log does not have is mapped to the next one. */
const LEVELS: readonly (readonly [LevelNumber, LogLevel])[] = [
  [LevelNumber.FATAL, 'fatal'],
  [LevelNumber.PANIC, 'fatal'],
  [LevelNumber.ERROR, 'error'],
  [LevelNumber.WARN, 'warn'],
  [LevelNumber.INFO, 'info'],
  [LevelNumber.DEBUG, 'debug'],
  [LevelNumber.TRACE, 'trace'],
];

function toLevelNumber(level: string): LevelNumber {
  return LEVELS.find(([, name]) => name === level)?.[0] ?? LevelNumber.INFO;
}

function toLevelName(number: LevelNumber): LogLevel {
  const name = LEVELS.find(([each]) => each === number)?.[1];
  if (name === undefined) throw new CallError(Code.INVALID_ARGUMENT, `level: one of ${LOG_LEVELS.join(', ')}`);
  return name;
}
