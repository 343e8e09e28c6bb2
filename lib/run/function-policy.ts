/**
 * What system calls of 64 bits do not show: files that are reached by io_uring and by system calls of 32 bits. Functions of the
 * kernel see them, where it can hook functions. Every hook first tests how the call came. Pure.
 */
import { outsideFiles, WRITE_FLAGS, WRITE_NOISE, type RunPolicyOptions } from './policy.js';
import { SECRET_BEGINNINGS, SECRET_ENDS } from '../generalize/secrets.js';

export const FUNCTION_POLICY = 'polytrace-run-functions';

type Filter = Readonly<Record<string, unknown>>;

const at = (position: number, operator: string, values: readonly string[]): Filter => ({
  args: [position],
  operator,
  values,
});

/** The task has used io_uring; it serves a 32-bit call (TS_COMPAT of x86); it is a worker of io_uring (PF_IO_WORKER). */
const CAME_BY: readonly Filter[] = [
  { index: 0, source: 'current_task', resolve: 'io_uring', type: 'uint64' },
  { index: 0, source: 'current_task', resolve: 'thread_info.status', type: 'uint32' },
  { index: 0, source: 'current_task', resolve: 'flags', type: 'uint32' },
];

const file = { index: 0, type: 'file' };
const path = { index: 0, type: 'path' };
const named = { index: 1, type: 'dentry' };

interface Observed {
  readonly call: string;
  readonly args: readonly object[];
  /** Alternatives of filters; all calls without them. */
  readonly selectors?: readonly (readonly Filter[])[];
}

export function functionPolicy(options: RunPolicyOptions): string {
  const { who, folder } = options;
  const inFolder = folder === undefined ? [] : [`${folder}/`];
  const notIn = (position: number): Filter[] =>
    folder === undefined ? [] : [at(position, 'NotPrefix', inFolder), at(position, 'NotEqual', [folder])];
  const changed = (name: string): Observed => ({ call: `security_path_${name}`, args: [path], selectors: [notIn(0)] });
  const ofName = (name: string): Observed => ({
    call: `security_path_${name}`,
    args: [path, named],
    selectors: [notIn(0)],
  });
  const observed: readonly Observed[] = [
    {
      call: 'security_file_open',
      args: [file, { index: 0, type: 'uint32', resolve: 'f_flags' }],
      selectors: [
        [at(0, 'Postfix', SECRET_ENDS)],
        [at(0, 'Prefix', SECRET_BEGINNINGS)],
        [at(0, 'Prefix', ['/proc/']), at(0, 'Postfix', ['/environ', '/mem'])],
        [at(1, 'Mask', [String(WRITE_FLAGS)]), at(0, 'NotPrefix', [...inFolder, ...WRITE_NOISE])],
        outsideFiles(0, options),
      ],
    },
    ...['truncate', 'chmod', 'chown'].map(changed),
    ...['mkdir', 'rmdir', 'unlink', 'symlink'].map(ofName),
    {
      call: 'security_path_rename',
      args: [path, named, { index: 2, type: 'path' }, { index: 3, type: 'dentry' }],
      selectors: [notIn(0), notIn(2)],
    },
    {
      call: 'security_path_link',
      args: [
        { index: 0, type: 'dentry' },
        { index: 1, type: 'path' },
        { index: 2, type: 'dentry' },
      ],
      selectors: [notIn(1)],
    },
    {
      call: 'security_ptrace_access_check',
      args: [
        { index: 0, type: 'int32', resolve: 'tgid' },
        { index: 1, type: 'uint32' },
      ],
      selectors: [[at(1, 'Mask', ['2'])]],
    },
  ];
  const kprobes = observed.map(({ call, args, selectors = [[]] }) => {
    const first = args.length;
    const expr = `arg${first} != 0 || arg${first + 1} & 2 != 0 || arg${first + 2} & 0x10 != 0`;
    return {
      call,
      syscall: false,
      // a kernel that cannot hook this one can hook none
      ...(call === 'security_file_open' ? {} : { optional: true }),
      args: [...args, ...CAME_BY],
      selectors: selectors.map((matchArgs) => ({
        ...who,
        matchCEL: { expr },
        ...(matchArgs.length === 0 ? {} : { matchArgs }),
      })),
    };
  });
  return JSON.stringify({
    apiVersion: 'cilium.io/v1alpha1',
    kind: 'TracingPolicy',
    metadata: { name: FUNCTION_POLICY },
    spec: { kprobes },
  });
}
