/**
 * Filters of clients: tetragon.Filter. The fields of a filter must all hold, one filter of a list has to match; what the deny list
 * matches is left out. They are compiled once for a stream.
 */
import type { Process, Redactor, TracerEvent } from 'polytrace';
import { DOCKER_CHARACTERS } from '../encode/process-fields.js';
import { exportedParent, type ProcessEvent } from '../encode/process-parts.js';
import { EventType, type CapFilter, type CapFilterSet, type Filter } from '../proto/tetragon/events.gen.js';
import { compileExpressions } from './cel.js';
import { compileSelector } from './labels.js';
import { Budget, FilterError, LIMITS } from './limits.js';
import { compilePatterns, remembered, rememberedText } from './patterns.js';

/** As in `redactor` of the library. */
const HIDDEN = '*****';

export type Test = (event: ProcessEvent) => boolean;

/** What compiling needs beyond the request. */
export interface FilterContext {
  /** An event in protobuf, for CEL. */
  readonly encoded: (event: TracerEvent) => Uint8Array;
  /** Patterns see the arguments without what this hides. Otherwise a client could find hidden parts by guessing. */
  readonly redact?: Redactor | undefined;
}

/** Returns undefined when every event passes. Throws FilterError. */
export function compileFilters(
  { allowList, denyList }: { readonly allowList: readonly Filter[]; readonly denyList: readonly Filter[] },
  context: FilterContext,
): Test | undefined {
  const budget = new Budget();
  const allow = compileList(allowList, 'allow_list', budget, context);
  const deny = compileList(denyList, 'deny_list', budget, context);
  if (allow.length === 0 && deny.length === 0) return undefined;
  return (event) => (allow.length === 0 || allow.some((test) => test(event))) && !deny.some((test) => test(event));
}

function compileList(list: readonly Filter[], name: string, budget: Budget, context: FilterContext): Test[] {
  if (list.length > LIMITS.filters) throw new FilterError(name, `more than ${LIMITS.filters} filters`);
  return list.map((filter, i) => {
    const tests = testsOf(filter, `${name}[${i}]`, budget, context);
    return (event) => tests.every((test) => test(event));
  });
}

/** The numbers of types of events. A number of the protocol without events here matches nothing. */
const TYPES: Readonly<Record<ProcessEvent['type'], EventType>> = {
  process_exec: EventType.PROCESS_EXEC,
  process_exit: EventType.PROCESS_EXIT,
  process_kprobe: EventType.PROCESS_KPROBE,
  process_tracepoint: EventType.PROCESS_TRACEPOINT,
  process_loader: EventType.PROCESS_LOADER,
  process_uprobe: EventType.PROCESS_UPROBE,
  process_lsm: EventType.PROCESS_LSM,
  process_usdt: EventType.PROCESS_USDT,
};

/** Cheap tests first: the last ones read texts. */
function testsOf(filter: Filter, at: string, budget: Budget, context: FilterContext): Test[] {
  const tests: Test[] = [];
  const given = <T>(field: string, values: readonly T[], make: (name: string) => Test): void => {
    if (values.length === 0) return;
    const name = `${at}.${field}`;
    if (values.length > LIMITS.values) throw new FilterError(name, `more than ${LIMITS.values} values`);
    tests.push(make(name));
  };
  const ofProcess = (field: string, patterns: readonly string[], text: (process: Process) => string): void =>
    given(field, patterns, (name) => {
      const test = remembered(text, compilePatterns(patterns, name, budget));
      return (event) => test(event.process);
    });
  /** A process without the value does not match. */
  const ofPod = (field: string, patterns: readonly string[], text: (process: Process) => string | undefined): void =>
    given(field, patterns, (name) => {
      const test = remembered((process: Process) => text(process) ?? '', compilePatterns(patterns, name, budget));
      return (event) => text(event.process) !== undefined && test(event.process);
    });
  const ofParent = (field: string, patterns: readonly string[], text: (process: Process) => string): void =>
    given(field, patterns, (name) => {
      const test = remembered(text, compilePatterns(patterns, name, budget));
      return (event) => {
        const parent = exportedParent(event);
        return parent !== undefined && test(parent);
      };
    });

  given('event_set', filter.eventSet, () => {
    const types = new Set(filter.eventSet);
    return (event) => types.has(TYPES[event.type]);
  });
  given('pid', filter.pid, () => {
    const pids = new Set(filter.pid);
    return (event) => pids.has(event.process.pid);
  });
  given('policy_names', filter.policyNames, () => {
    const names = new Set(filter.policyNames);
    return (event) => 'policyName' in event && names.has(event.policyName);
  });
  if (filter.inInitTree !== undefined) {
    const wanted = filter.inInitTree;
    tests.push(({ process }) => process.inInitTree === wanted);
  }
  if (filter.healthCheck !== undefined) {
    const wanted = filter.healthCheck;
    tests.push(({ process }) => isHealthCheck(process) === wanted);
  }
  given('pid_set', filter.pidSet, () => {
    const pids = new Set(filter.pidSet);
    return (event) => pids.has(event.process.pid) || lineage(event).some(({ pid }) => pids.has(pid));
  });
  given('namespace', filter.namespace, () => {
    const names = new Set(filter.namespace);
    return ({ process }) => names.has(process.pod?.namespace ?? '');
  });
  if (filter.capabilities !== undefined) tests.push(...capabilityTests(filter.capabilities));
  given('labels', filter.labels, (name) => {
    const selectors = filter.labels.map((selector, i) => compileSelector(selector, `${name}[${i}]`));
    return ({ process: { pod } }) => pod !== undefined && selectors.some((holds) => holds(pod.labels ?? {}));
  });
  ofPod('namespace_regex', filter.namespaceRegex, ({ pod }) => pod?.namespace);
  ofPod('pod_regex', filter.podRegex, ({ pod }) => pod?.name);
  ofPod('container_name_regex', filter.containerNameRegex, ({ pod }) => pod?.container?.name);
  ofPod('container_id', filter.containerId, ({ container }) => container?.id.slice(0, DOCKER_CHARACTERS));
  ofProcess('binary_regex', filter.binaryRegex, ({ binary }) => binary);
  ofParent('parent_binary_regex', filter.parentBinaryRegex, ({ binary }) => binary);
  given('ancestor_binary_regex', filter.ancestorBinaryRegex, (name) => {
    const patterns = compilePatterns(filter.ancestorBinaryRegex, name, budget);
    const test = remembered(({ binary }: Process) => binary, patterns);
    return (event) => lineage(event).some(test);
  });
  const argumentsOf = shownArguments(context.redact);
  ofProcess('arguments_regex', filter.argumentsRegex, argumentsOf);
  ofParent('parent_arguments_regex', filter.parentArgumentsRegex, argumentsOf);
  given('cel_expression', filter.celExpression, (name) =>
    compileExpressions(filter.celExpression, name, budget, context.encoded),
  );
  return tests;
}

/** The arguments as a client gets them. */
function shownArguments(redact: Redactor | undefined): (process: Process) => string {
  if (redact === undefined) return (process) => process.arguments;
  return rememberedText((process) => {
    const text = process.arguments;
    let shown = '';
    let end = 0;
    for (const [start, next] of redact(text, process.binary)) {
      shown += `${text.slice(end, start)}${HIDDEN}`;
      end = next;
    }
    return shown + text.slice(end);
  });
}

/** A process of a container that its kubelet may have started as a probe. */
function isHealthCheck({ pod }: Process): boolean {
  return pod?.container?.maybeExecProbe === true;
}

function lineage(event: ProcessEvent): readonly Process[] {
  return event.parent === undefined ? event.ancestors : [event.parent, ...event.ancestors];
}

function capabilityTests({ permitted, effective, inheritable }: CapFilter): Test[] {
  const tests: Test[] = [];
  const add = (set: CapFilterSet | undefined, of: 'permitted' | 'effective' | 'inheritable'): void => {
    if (set === undefined) return;
    const any = maskOf(set.any);
    const all = maskOf(set.all);
    const none = maskOf(set.none);
    const exactly = set.exactly.length === 0 ? undefined : maskOf(set.exactly);
    tests.push(({ process }) => {
      const mask = process.capabilities[of];
      if (any !== 0n && (mask & any) === 0n) return false;
      if ((mask & all) !== all || (mask & none) !== 0n) return false;
      return exactly === undefined || mask === exactly;
    });
  };
  add(permitted, 'permitted');
  add(effective, 'effective');
  add(inheritable, 'inheritable');
  return tests;
}

/** The numbers of the protocol are those of the kernel. */
function maskOf(numbers: readonly number[]): bigint {
  return numbers.reduce((mask, number) => mask | (1n << BigInt(number & 63)), 0n);
}
