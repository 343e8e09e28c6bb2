/** Checks TracerOptions and adds defaults. */
import { Resolver } from 'node:dns';
import { hostname } from 'node:os';
import { isAbsolute } from 'node:path';
import { inspect } from 'node:util';
import type { StopSignal } from '../../types/compatibility.js';
import type { ContainerFilter } from '../../types/output.js';
import type { PolicyMode } from '../../types/policy.js';
import type {
  CgroupRate,
  CloseOptions,
  EventsOptions,
  LoadOptions,
  PlainEventsOptions,
  PolicySource,
  RequestOptions,
  TracerOptions,
} from '../../types/tracer.js';
import type { EventType } from '../../types/events.js';
import { EVENT_TYPES } from '../names/event-types.js';
import { badOptionError, checkOptionNames, type OptionNames } from './bad-option.js';
import { resolveContainerOptions, type ResolvedContainerOptions } from './container-options.js';
import { checkPolicySource } from './policy-source.js';
import { checkBtfOption } from '../native/btf.js';
import { RecordLimit } from '../wire/layout.gen.js';

export interface ResolvedOptions {
  readonly attach: 'auto' | 'fentry' | 'kprobe';
  readonly bufferSize: number;
  readonly coalesceMs: number;
  /** Set by openPolledTracer(). */
  readonly polls?: boolean;
  readonly nodeName: string;
  readonly nodeLabels: Readonly<Record<string, string>>;
  /** Undefined: exec events have no environment. Empty: they have every variable. */
  readonly environment: ReadonlySet<string> | undefined;
  /** Undefined: no limit. */
  readonly cgroupRate: CgroupRate | undefined;
  readonly includeSelf: boolean;
  readonly maxQueued: number;
  readonly enforcement: boolean;
  readonly allowMissedCalls: boolean;
  readonly mode: PolicyMode | undefined;
  readonly stackAddresses: boolean;
  readonly countHits: boolean;
  readonly optimize: boolean;
  readonly cachePaths: boolean;
  readonly groupPolicies: boolean;
  /** Undefined if requests are not allowed. */
  readonly allowRequests: RequestOptions | undefined;
  readonly persist: string | undefined;
  readonly takeOver: boolean;
  /** Undefined without sources of containers. */
  readonly containers: ResolvedContainerOptions | undefined;
  /** Stops the opening. */
  readonly signal: StopSignal | undefined;
  /** Empty for the kernel's own BTF. */
  readonly btf: string;
}

const MIB = 1024 * 1024;
/** The smallest power of two that can hold the longest record. */
const BUFFER_BYTES_MIN = 2 ** Math.ceil(Math.log2(RecordLimit.RECORD_SIZE_MAX));
const BUFFER_BYTES_MAX = 1024 * MIB;
const OPTION_NAMES: OptionNames<TracerOptions> = {
  policies: true,
  onProgress: true,
  attach: true,
  bufferSize: true,
  coalesceMs: true,
  nodeName: true,
  nodeLabels: true,
  environment: true,
  cgroupRate: true,
  includeSelf: true,
  maxQueued: true,
  enforcement: true,
  allowMissedCalls: true,
  mode: true,
  stackAddresses: true,
  countHits: true,
  optimize: true,
  cachePaths: true,
  groupPolicies: true,
  allowRequests: true,
  persist: true,
  takeOver: true,
  containers: true,
  signal: true,
  btf: true,
};

/** Throws PolytraceError BAD_OPTION. */
export function resolveOptions(options: TracerOptions): ResolvedOptions {
  checkOptionNames(options, OPTION_NAMES);
  const { attach = 'auto', bufferSize = 64 * MIB, coalesceMs = 20, includeSelf = false, maxQueued = 65536 } = options;
  if (!['auto', 'fentry', 'kprobe'].includes(attach)) {
    throw badOptionError('attach', `is ${String(attach)}`, 'use auto, fentry or kprobe');
  }
  if (options.policies !== undefined && !Array.isArray(options.policies)) {
    throw badOptionError('policies', `is ${typeof options.policies}`, 'use an array, also for a single policy');
  }
  const sources: readonly PolicySource[] = options.policies ?? [];
  sources.forEach((source, index) => checkPolicySource(source, `option policies[${index}]`));
  const { onProgress } = options;
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw badOptionError('onProgress', `is ${inspect(onProgress)}`, 'use a function');
  }
  const isPowerOfTwo = typeof bufferSize === 'number' && Number.isInteger(Math.log2(bufferSize));
  if (!isPowerOfTwo || bufferSize < BUFFER_BYTES_MIN || bufferSize > BUFFER_BYTES_MAX) {
    const range = `from ${BUFFER_BYTES_MIN} (${BUFFER_BYTES_MIN / 1024} KiB) to ${BUFFER_BYTES_MAX} (1 GiB)`;
    const why = bufferSize < BUFFER_BYTES_MIN ? `; an event can have up to ${RecordLimit.RECORD_SIZE_MAX} bytes` : '';
    throw badOptionError('bufferSize', `is ${bufferSize}`, `use a power of two ${range}${why}`);
  }
  if (typeof coalesceMs !== 'number' || !(coalesceMs >= 0 && coalesceMs <= 1000)) {
    throw badOptionError('coalesceMs', `is ${coalesceMs}`, 'use a number from 0 to 1000');
  }
  const { persist } = options;
  if (persist !== undefined && !(typeof persist === 'string' && isAbsolute(persist))) {
    throw badOptionError('persist', `is ${String(persist)}`, 'use an absolute path, such as /sys/fs/bpf/NAME');
  }
  const { takeOver = true } = options;
  checkBoolean('takeOver', takeOver);
  if (!takeOver && persist === undefined) {
    throw badOptionError('takeOver', 'is false', 'only a tracer with `persist` has something to take over');
  }
  const { enforcement = false, mode, stackAddresses = false, countHits = false } = options;
  if (typeof enforcement !== 'boolean')
    throw badOptionError('enforcement', `is ${String(enforcement)}`, 'use true or false');
  const { allowMissedCalls = false } = options;
  checkBoolean('allowMissedCalls', allowMissedCalls);
  if (typeof stackAddresses !== 'boolean') {
    throw badOptionError('stackAddresses', `is ${String(stackAddresses)}`, 'use true or false');
  }
  if (typeof countHits !== 'boolean') throw badOptionError('countHits', `is ${String(countHits)}`, 'use true or false');
  const { optimize = true, cachePaths = true } = options;
  checkBoolean('optimize', optimize);
  checkBoolean('cachePaths', cachePaths);
  const { groupPolicies = persist === undefined } = options;
  checkBoolean('groupPolicies', groupPolicies);
  if (groupPolicies && persist !== undefined) {
    const hint = 'use one of the two: the program of a group cannot be left to the next tracer';
    throw badOptionError('groupPolicies', 'is true, and `persist` is set', hint);
  }
  checkMode(mode);
  checkSignal(options.signal);
  checkBtfOption(options.btf);
  if (typeof includeSelf !== 'boolean')
    throw badOptionError('includeSelf', `is ${String(includeSelf)}`, 'use true or false');
  if (!Number.isInteger(maxQueued) || maxQueued < 1) {
    throw badOptionError('maxQueued', `is ${maxQueued}`, 'use a whole number from 1 on');
  }
  const nodeName = options.nodeName ?? process.env['NODE_NAME'] ?? hostname();
  if (typeof nodeName !== 'string' || nodeName === '')
    throw badOptionError('nodeName', 'is not a text', 'use the name of a node');
  return {
    attach,
    bufferSize,
    coalesceMs,
    nodeName,
    nodeLabels: checkNodeLabels(options.nodeLabels),
    environment: resolveEnvironment(options.environment),
    cgroupRate: resolveCgroupRate(options.cgroupRate),
    includeSelf,
    maxQueued,
    enforcement,
    allowMissedCalls,
    mode,
    stackAddresses,
    countHits,
    optimize,
    cachePaths,
    groupPolicies,
    allowRequests: resolveRequestOptions(options.allowRequests),
    persist,
    takeOver,
    containers: resolveContainerOptions(options.containers),
    signal: options.signal,
    btf: options.btf ?? '',
  } satisfies Record<Exclude<keyof TracerOptions, 'policies' | 'onProgress'>, unknown>;
}

const EVENTS_MAX = 2 ** 32 - 1;
const INTERVAL_MS_MAX = 24 * 60 * 60 * 1000;

function resolveCgroupRate(value: TracerOptions['cgroupRate']): CgroupRate | undefined {
  if (value === undefined) return undefined;
  const { events, intervalMs } = (value ?? {}) as Partial<CgroupRate>;
  const isCount = (count: unknown, max: number): count is number =>
    Number.isInteger(count) && (count as number) >= 1 && (count as number) <= max;
  if (!isCount(events, EVENTS_MAX) || !isCount(intervalMs, INTERVAL_MS_MAX)) {
    const range = `whole numbers from 1, at most ${EVENTS_MAX} events and ${INTERVAL_MS_MAX} ms`;
    throw badOptionError('cgroupRate', `is ${inspect(value)}`, `use { events, intervalMs } with ${range}`);
  }
  return { events, intervalMs };
}

function resolveEnvironment(value: TracerOptions['environment'] = false): ReadonlySet<string> | undefined {
  if (typeof value === 'boolean') return value ? new Set() : undefined;
  const isName = (name: unknown): boolean => typeof name === 'string' && name !== '' && !name.includes('=');
  if (!Array.isArray(value) || value.length === 0 || !value.every(isName)) {
    throw badOptionError('environment', `is ${inspect(value)}`, 'use true, false or an array of names of variables');
  }
  return new Set(value as readonly string[]);
}

/** Returns a copy of the labels. Throws PolytraceError BAD_OPTION. */
export function checkNodeLabels(labels: TracerOptions['nodeLabels'] = {}): Readonly<Record<string, string>> {
  const isLabels =
    typeof labels === 'object' &&
    labels !== null &&
    !Array.isArray(labels) &&
    Object.values(labels).every((value) => typeof value === 'string');
  if (!isLabels)
    throw badOptionError('nodeLabels', `is ${inspect(labels)}`, 'use an object with texts, { NAME: VALUE }');
  return { ...labels };
}

function resolveRequestOptions(value: TracerOptions['allowRequests'] = false): RequestOptions | undefined {
  if (typeof value === 'boolean') return value ? {} : undefined;
  const allowed = 'use true, false or { nameServers: [ADDRESS] }';
  if (typeof value !== 'object' || value === null || Object.keys(value).some((name) => name !== 'nameServers')) {
    throw badOptionError('allowRequests', `is ${inspect(value)}`, allowed);
  }
  const { nameServers } = value;
  try {
    if (nameServers !== undefined) new Resolver().setServers(nameServers);
  } catch (error) {
    throw badOptionError(
      'allowRequests',
      `has nameServers ${inspect(nameServers)}: ${(error as Error).message}`,
      allowed,
    );
  }
  return value;
}

/** Throws PolytraceError BAD_OPTION. */
export function checkCloseOptions(options: CloseOptions, persist: string | undefined): void {
  checkOptionNames(options, { keep: true });
  const { keep = false } = options;
  if (typeof keep !== 'boolean') throw badOptionError('keep', `is ${String(keep)}`, 'use true or false');
  if (keep && persist === undefined) {
    throw badOptionError(
      'keep',
      'is true',
      'only a tracer that was opened with `persist` can keep its policies active',
    );
  }
}

function checkBoolean(name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw badOptionError(name, `is ${inspect(value)}`, 'use true or false');
}

/** Throws PolytraceError BAD_OPTION. */
export function checkLoadOptions(options: LoadOptions): void {
  checkOptionNames(options, { mode: true, signal: true });
  checkMode(options.mode);
  checkSignal(options.signal);
}

/** Throws PolytraceError BAD_OPTION. */
export function checkSignal(signal: unknown): void {
  if (signal === undefined || typeof (signal as StopSignal | null)?.addEventListener === 'function') return;
  throw badOptionError('signal', 'is not an AbortSignal', 'use the `signal` of an AbortController');
}

/** Throws PolytraceError BAD_OPTION. */
export function checkMode(mode: unknown): void {
  if (mode === undefined || mode === 'enforce' || mode === 'monitor') return;
  throw badOptionError('mode', `is ${inspect(mode)}`, 'enforce or monitor');
}

const CONTAINER_FILTERS = ['pods', 'namespaces', 'containers'] as const;
const EVENTS_OPTION_NAMES: OptionNames<EventsOptions | PlainEventsOptions> = {
  types: true,
  policyNames: true,
  pods: true,
  namespaces: true,
  containers: true,
  labels: true,
  host: true,
  signal: true,
  plain: true,
};

/** Throws PolytraceError BAD_OPTION. Without this check, an iterator with a misspelt type would never get an event. */
export function checkEventsOptions(options: EventsOptions | PlainEventsOptions): void {
  checkOptionNames(options, EVENTS_OPTION_NAMES);
  const { types, policyNames, signal, plain = false } = options;
  if (types !== undefined && !(Array.isArray(types) && types.every((type: EventType) => EVENT_TYPES.includes(type)))) {
    throw badOptionError('types', `is ${String(types)}`, `use an array of ${EVENT_TYPES.join(', ')}`);
  }
  if (policyNames !== undefined && !Array.isArray(policyNames)) {
    throw badOptionError('policyNames', `is ${String(policyNames)}`, 'use an array of names');
  }
  checkContainerFilter(options);
  checkSignal(signal);
  if (typeof plain !== 'boolean') throw badOptionError('plain', `is ${String(plain)}`, 'use true or false');
}

function checkContainerFilter(options: ContainerFilter): void {
  const isPattern = (value: unknown): boolean => typeof value === 'string' || value instanceof RegExp;
  for (const name of CONTAINER_FILTERS) {
    const value: unknown = options[name];
    if (value !== undefined && !(Array.isArray(value) && value.every(isPattern))) {
      throw badOptionError(name, `is ${inspect(value)}`, 'use an array of names and regular expressions');
    }
  }
  const { labels, host = false } = options;
  if (labels !== undefined && !(Array.isArray(labels) && labels.every((label) => typeof label === 'string'))) {
    throw badOptionError('labels', `is ${inspect(labels)}`, 'use an array of label selectors');
  }
  if (typeof host !== 'boolean') throw badOptionError('host', `is ${String(host)}`, 'use true or false');
}

/** Longest and shortest time between two samples of metrics, in milliseconds. */
const SAMPLE_MS_MAX = 86_400_000;
const SAMPLE_MS_MIN = 10;

/** Checks the time between two samples of metrics. Throws PolytraceError BAD_OPTION. */
export function checkInterval(milliseconds: unknown): void {
  if (Number.isInteger(milliseconds) && Number(milliseconds) >= SAMPLE_MS_MIN && Number(milliseconds) <= SAMPLE_MS_MAX)
    return;
  const hint = `a whole number of milliseconds, ${SAMPLE_MS_MIN} to ${SAMPLE_MS_MAX}`;
  throw badOptionError('milliseconds', `is ${inspect(milliseconds)}`, hint);
}
