/** Policies on the functions of the matrix that report nothing there: they share programs with each other. */
import assert from 'node:assert/strict';
import type { PolicyStatus } from '../../types/index.js';
import type { Hook } from './matrix.js';
import { NAME, type Plan } from './matrix-policy.js';

const NAME_PREFIX = 'beside-';

/** Selectors that match no action of the matrix, or that match all of them and report none. */
const SELECTORS: readonly ((i: number) => object)[] = [
  (i) => ({ matchData: [{ args: [0], operator: 'Equal', values: [`other-${i}`] }] }),
  (i) => ({ matchData: [{ args: [0], operator: 'Prefix', values: [`other-${i}.`] }] }),
  (i) => ({ matchData: [{ args: [0], operator: 'Postfix', values: [`.other-${i}`] }] }),
  () => ({ matchData: [{ args: [0], operator: 'Prefix', values: ['p'] }], matchActions: [{ action: 'NoPost' }] }),
];

/** Returns `count` policies for each function of the plans. */
export function policiesBeside(plans: readonly Plan[], count: number, kernel: string): string[] {
  const functions = new Map<string, Pick<Hook, 'syscall'>>();
  for (const { subject } of plans) {
    const { call, syscall } = subject.hook;
    functions.set(typeof call === 'string' ? call : (call[kernel] ?? ''), syscall === undefined ? {} : { syscall });
  }
  return [...functions].flatMap(([call, { syscall = false }], place) =>
    Array.from({ length: count }, (_, i) => {
      const select = SELECTORS[i % SELECTORS.length] as (typeof SELECTORS)[number];
      const hook = { call, syscall, data: [NAME], selectors: [select(i)] };
      return JSON.stringify({
        apiVersion: 'cilium.io/v1alpha1',
        kind: 'TracingPolicy',
        metadata: { name: `${NAME_PREFIX}${place}-${i}` },
        spec: { kprobes: [hook] },
      });
    }),
  );
}

export function assertGrouped(policies: readonly PolicyStatus[]): void {
  const hooks = policies.filter(({ name }) => name.startsWith(NAME_PREFIX)).flatMap((policy) => policy.hooks);
  const separate = hooks.filter(({ grouped }) => grouped !== true);
  assert.ok(hooks.length > 0);
  assert.deepEqual(
    separate.map(({ functionName, separate: why }) => [functionName, why]),
    [],
  );
}
