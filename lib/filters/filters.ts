/**
 * Compiles the filters of clients (tetragon.Filter), once for a stream. A filter matches when all its fields match.
 * An event passes when a filter of the allow list matches and none of the deny list.
 */
import type { AgentEvent, ChangeEvent, Process, Redactor } from '../../types/index.js';
import { DOCKER_CHARACTERS } from '../encode/process-fields.js';
import { exportedParent, type ProcessEvent } from '../encode/process-encoder.js';
import { EventType, type CapFilter, type CapFilterSet, type Filter } from '../proto/tetragon/events.gen.js';
import { compileExpressions } from './cel.js';
import { compileSelector } from './labels.js';
import { Budget, FilterError, LIMITS } from './limits.js';
import { compilePatterns, memoizeTest, memoizeString } from './patterns.js';

/** The same text as in `redactor` of the library. */
const HIDDEN = '*****';

/** The events that clients can filter: all but lost events. */
export type FilteredEvent = ProcessEvent | ChangeEvent;

export type EventTest = (event: FilteredEvent) => boolean;

type ProcessTest = (event: ProcessEvent) => boolean;

/** Inputs of the compilation besides the request. */
export interface FilterContext {
  /** Returns the encoded event, for CEL. */
  readonly eventBytes: (event: AgentEvent) => Uint8Array;
  /** Patterns are matched against the redacted arguments. Otherwise a client could guess hidden parts. */
  readonly redact?: Redactor | undefined;
}

/** Returns undefined when every event passes. Throws FilterError. */
export function compileFilters(
  { allowList, denyList }: { readonly allowList: readonly Filter[]; readonly denyList: readonly Filter[] },
  context: FilterContext,
): EventTest | undefined {
  const budget = new Budget();
  const allow = compileList(allowList, 'allow_list', budget, context);
  const deny = compileList(denyList, 'deny_list', budget, context);
  if (allow.length === 0 && deny.length === 0) return undefined;
  return (event) => (allow.length === 0 || allow.some((test) => test(event))) && !deny.some((test) => test(event));
}

function compileList(list: readonly Filter[], name: string, budget: Budget, context: FilterContext): EventTest[] {
  if (list.length > LIMITS.filters) throw new FilterError(name, `more than ${LIMITS.filters} filters`);
  return list.map((filter, i) => {
    const { tests, processTests } = compileTests(filter, `${name}[${i}]`, budget, context);
    return (event) => {
      if (!tests.every((test) => test(event))) return false;
      // a change is of no process
      return processTests.length === 0 || ('process' in event && processTests.every((test) => test(event)));
    };
  });
}

/** The numbers of the event types. A number that is not here matches nothing. */
export const TYPE_NUMBERS: Readonly<Record<FilteredEvent['type'], EventType>> = {
  process_exec: EventType.PROCESS_EXEC,
  process_exit: EventType.PROCESS_EXIT,
  process_kprobe: EventType.PROCESS_KPROBE,
  process_tracepoint: EventType.PROCESS_TRACEPOINT,
  process_loader: EventType.PROCESS_LOADER,
  process_uprobe: EventType.PROCESS_UPROBE,
  process_lsm: EventType.PROCESS_LSM,
  process_usdt: EventType.PROCESS_USDT,
  process_throttle: EventType.PROCESS_THROTTLE,
  change: EventType.CHANGE,
};

interface FilterTests {
  readonly tests: readonly EventTest[];
  readonly processTests: readonly ProcessTest[];
}

/** Cheap tests come first, and those with patterns last. */
function compileTests(filter: Filter, at: string, budget: Budget, context: FilterContext): FilterTests {
  const tests: EventTest[] = [];
  const processTests: ProcessTest[] = [];
  const addTo =
    <Test>(list: Test[]) =>
    <T>(field: string, values: readonly T[], make: (name: string) => Test): void => {
      if (values.length === 0) return;
      const name = `${at}.${field}`;
      if (values.length > LIMITS.values) throw new FilterError(name, `more than ${LIMITS.values} values`);
      list.push(make(name));
    };
  const addEventTest = addTo(tests);
  const addTest = addTo(processTests);
  const addProcessTest = (field: string, patterns: readonly string[], getString: (process: Process) => string): void =>
    addTest(field, patterns, (name) => {
      const test = memoizeTest(getString, compilePatterns(patterns, name, budget));
      return (event) => test(event.process);
    });
  /** A process without the value does not match. */
  const addPodTest = (
    field: string,
    patterns: readonly string[],
    getString: (process: Process) => string | undefined,
  ): void =>
    addTest(field, patterns, (name) => {
      const test = memoizeTest((process: Process) => getString(process) ?? '', compilePatterns(patterns, name, budget));
      return (event) => getString(event.process) !== undefined && test(event.process);
    });
  const addParentTest = (field: string, patterns: readonly string[], getString: (process: Process) => string): void =>
    addTest(field, patterns, (name) => {
      const test = memoizeTest(getString, compilePatterns(patterns, name, budget));
      return (event) => {
        const parent = exportedParent(event);
        return parent !== undefined && test(parent);
      };
    });

  addEventTest('event_set', filter.eventSet, () => {
    const types = new Set(filter.eventSet);
    return (event) => types.has(TYPE_NUMBERS[event.type]);
  });
  addTest('pid', filter.pid, () => {
    const pids = new Set(filter.pid);
    return (event) => pids.has(event.process.pid);
  });
  addEventTest('policy_names', filter.policyNames, () => {
    const names = new Set(filter.policyNames);
    return (event) => 'policyName' in event && names.has(event.policyName);
  });
  if (filter.inInitTree !== undefined) {
    const wanted = filter.inInitTree;
    processTests.push(({ process }) => process.inInitTree === wanted);
  }
  if (filter.healthCheck !== undefined) {
    const wanted = filter.healthCheck;
    processTests.push(({ process }) => isHealthCheck(process) === wanted);
  }
  addTest('pid_set', filter.pidSet, () => {
    const pids = new Set(filter.pidSet);
    return (event) => pids.has(event.process.pid) || processLineage(event).some(({ pid }) => pids.has(pid));
  });
  addTest('namespace', filter.namespace, () => {
    const names = new Set(filter.namespace);
    return ({ process }) => names.has(process.pod?.namespace ?? '');
  });
  if (filter.capabilities !== undefined) processTests.push(...compileCapabilityTests(filter.capabilities));
  addTest('labels', filter.labels, (name) => {
    const selectors = filter.labels.map((selector, i) => compileSelector(selector, `${name}[${i}]`));
    return ({ process: { pod } }) => pod !== undefined && selectors.some((holds) => holds(pod.labels ?? {}));
  });
  addPodTest('namespace_regex', filter.namespaceRegex, ({ pod }) => pod?.namespace);
  addPodTest('pod_regex', filter.podRegex, ({ pod }) => pod?.name);
  addPodTest(
    'container_name_regex',
    filter.containerNameRegex,
    ({ pod, container }) => pod?.container?.name ?? container?.name,
  );
  addPodTest('container_id', filter.containerId, ({ container }) => container?.id.slice(0, DOCKER_CHARACTERS));
  addProcessTest('binary_regex', filter.binaryRegex, ({ binary }) => binary);
  addParentTest('parent_binary_regex', filter.parentBinaryRegex, ({ binary }) => binary);
  addTest('ancestor_binary_regex', filter.ancestorBinaryRegex, (name) => {
    const patterns = compilePatterns(filter.ancestorBinaryRegex, name, budget);
    const test = memoizeTest(({ binary }: Process) => binary, patterns);
    return (event) => processLineage(event).some(test);
  });
  const formatArguments = createArgumentsFormatter(context.redact);
  addProcessTest('arguments_regex', filter.argumentsRegex, formatArguments);
  addParentTest('parent_arguments_regex', filter.parentArgumentsRegex, formatArguments);
  addEventTest('cel_expression', filter.celExpression, (name) =>
    compileExpressions(filter.celExpression, name, budget, context.eventBytes),
  );
  return { tests, processTests };
}

/** Returns a function that gives the arguments as a client receives them. */
function createArgumentsFormatter(redact: Redactor | undefined): (process: Process) => string {
  if (redact === undefined) return (process) => process.arguments;
  return memoizeString((process) => {
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

/** Returns true for a process that the kubelet may have started as a probe. */
function isHealthCheck({ pod }: Process): boolean {
  return pod?.container?.maybeExecProbe === true;
}

function processLineage(event: ProcessEvent): readonly Process[] {
  return event.parent === undefined ? event.ancestors : [event.parent, ...event.ancestors];
}

function compileCapabilityTests({ permitted, effective, inheritable }: CapFilter): ProcessTest[] {
  const tests: ProcessTest[] = [];
  const add = (set: CapFilterSet | undefined, of: 'permitted' | 'effective' | 'inheritable'): void => {
    if (set === undefined) return;
    const any = capabilityMask(set.any);
    const all = capabilityMask(set.all);
    const none = capabilityMask(set.none);
    const exactly = set.exactly.length === 0 ? undefined : capabilityMask(set.exactly);
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

/** The protocol and the kernel number capabilities alike. */
function capabilityMask(numbers: readonly number[]): bigint {
  return numbers.reduce((mask, number) => mask | (1n << BigInt(number & 63)), 0n);
}
