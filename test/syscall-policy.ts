/** A policy of raw system calls, for tests whose program makes a call that nothing else makes. */

export interface SyscallPolicyOptions {
  readonly options?: string;
  /** Type of the number of the call. */
  readonly type?: 'syscall64' | 'int64';
}

/** Makes a policy with one selector for each text. A text has one or more filters or actions, a line each. */
export function syscallPolicy(
  name: string,
  selectors: readonly string[],
  { options = '', type = 'syscall64' }: SyscallPolicyOptions = {},
): string {
  const each = selectors.map((text) => `- ${text.trim().replaceAll('\n', '\n        ')}`);
  return `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: ${name} }
spec:
  options: [${options}]
  tracepoints:
    - subsystem: raw_syscalls
      event: sys_enter
      raw: true
      args: [{ index: 1, type: ${type} }]
      selectors:
      ${each.join('\n      ')}
`;
}

/** Makes a policy of kcmp, which programs/identity.c calls. Each text is added to a selector. */
export function kcmpPolicy(name: string, filters: readonly string[], options = ''): string {
  const call = 'matchArgs: [{ args: [0], operator: InMap, values: [sys_kcmp] }]';
  return syscallPolicy(
    name,
    filters.map((filter) => `${call}\n${filter}`),
    { options },
  );
}
