/** Filters events for one consumer, after the policies have filtered them in the kernel. */
import type { PlainEvent, PlainProcess } from '../../types/events.js';
import type { ContainerFilter, EventFilterOptions, NamePattern } from '../../types/output.js';
import { parseLabelSelector } from './labels.js';

type Test<T> = (value: T) => boolean;

/** An event must meet all the given conditions. `lost` events always pass, because a loss concerns every consumer. */
export function eventFilter(options: EventFilterOptions): Test<PlainEvent> {
  const types = options.types === undefined ? undefined : new Set<string>(options.types);
  const policies = options.policyNames === undefined ? undefined : new Set(options.policyNames);
  const { binaries } = options;
  const processTests = createContainerTests(options);
  if (binaries !== undefined)
    processTests.push(({ binary }) => binaries.some((pattern) => testPattern(pattern, binary)));
  return (event) => {
    if (event.type === 'lost') return true;
    if (types !== undefined && !types.has(event.type)) return false;
    if (policies !== undefined && 'policyName' in event && !policies.has(event.policyName)) return false;
    // a change is of no process
    return processTests.length === 0 || ('process' in event && processTests.every((test) => test(event.process)));
  };
}

function createContainerTests({
  pods,
  namespaces,
  containers,
  labels,
  host = false,
}: ContainerFilter): Test<PlainProcess>[] {
  const tests: Test<PlainProcess>[] = [];
  if (pods !== undefined) tests.push(({ pod }) => pod !== undefined && matchesName(pods, pod.name));
  if (containers !== undefined) {
    tests.push(({ container }) => container?.name !== undefined && matchesName(containers, container.name));
  }
  if (labels !== undefined) {
    const selectors = labels.map(parseLabelSelector);
    tests.push(({ pod, container }) => {
      const found = pod?.labels ?? (pod === undefined ? container?.labels : undefined) ?? {};
      return container !== undefined && selectors.some((holds) => holds(found));
    });
  }
  if (namespaces !== undefined || host) {
    tests.push(
      ({ pod, container }) =>
        (host && container === undefined) ||
        (namespaces !== undefined && matchesName(namespaces, pod?.namespace ?? '')),
    );
  }
  return tests;
}

function matchesName(patterns: readonly NamePattern[], name: string): boolean {
  return patterns.some((pattern) => (typeof pattern === 'string' ? pattern === name : testPattern(pattern, name)));
}

/** Tests from the start of the text: with the flag `g` or `y`, the pattern would continue where it stopped. */
function testPattern(pattern: RegExp, text: string): boolean {
  pattern.lastIndex = 0;
  return pattern.test(text);
}
