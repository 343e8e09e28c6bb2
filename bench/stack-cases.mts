// The policies of `--stacks`: a read that matches, with the stack traces that the action Post can add.

export const READ_FILE = '/srv/file';
export const POLICY_NAME = 'stacks';

export interface StackCase {
  readonly title: string;
  /** Options of the action Post. */
  readonly options: object;
  /** Most instructions by fentry. */
  readonly limit?: number;
}

const kernelStackTrace = true;
const userStackTrace = true;

export const stackCases: readonly StackCase[] = [
  { title: 'no stack', options: {} },
  { title: 'of the kernel', options: { kernelStackTrace }, limit: 1990 },
  { title: 'of the program', options: { userStackTrace }, limit: 2140 },
  { title: 'both', options: { kernelStackTrace, userStackTrace }, limit: 2560 },
];

export const stackAttaches = ['fentry', 'kprobe'] as const;
export type StackAttach = (typeof stackAttaches)[number];

/** Instructions of a read. */
export interface StackCosts {
  readonly nothing: number;
  /** With each case, by its title. */
  readonly policies: Readonly<Record<StackAttach, Readonly<Record<string, number>>>>;
}

export function stackPolicy({ options }: StackCase): string {
  return JSON.stringify({
    apiVersion: 'cilium.io/v1alpha1',
    kind: 'TracingPolicy',
    metadata: { name: POLICY_NAME },
    spec: {
      kprobes: [
        {
          call: 'security_file_permission',
          syscall: false,
          args: [
            { index: 0, type: 'file' },
            { index: 1, type: 'int' },
          ],
          selectors: [
            {
              matchArgs: [
                { index: 0, operator: 'Equal', values: [READ_FILE] },
                { index: 1, operator: 'Equal', values: ['4'] },
              ],
              matchActions: [{ action: 'Post', ...options }],
            },
          ],
        },
      ],
    },
  });
}
