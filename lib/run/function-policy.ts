/**
 * System calls of 64 bits do not show what io_uring and system calls of 32 bits do to files. Functions of the kernel show it, on
 * kernels that can hook functions. Every hook first tests how the call came. Pure.
 */
import { FUNCTION_ARGS } from './functions.js';
import { at, outsideFiles, WRITE_FLAGS, WRITE_NOISE, type Filter, type RunPolicyOptions } from './policy.js';
import { SECRET_BEGINNINGS, SECRET_ENDS } from '../generalize/secrets.js';

export const FUNCTION_POLICY = 'polytrace-run-functions';

/** The task has used io_uring; it serves a 32-bit call (TS_COMPAT of x86); it is a worker of io_uring (PF_IO_WORKER). */
const CAME_BY: readonly Filter[] = [
  { index: 0, source: 'current_task', resolve: 'io_uring', type: 'uint64' },
  { index: 0, source: 'current_task', resolve: 'thread_info.status', type: 'uint32' },
  { index: 0, source: 'current_task', resolve: 'flags', type: 'uint32' },
];

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
    folder === undefined ? [] : [at(position, 'NotPrefix', ...inFolder), at(position, 'NotEqual', folder)];
  const outside = (name: string, args: Observed['args']): Observed => ({
    call: `security_path_${name}`,
    args,
    selectors: [notIn(0)],
  });
  const observed: readonly Observed[] = [
    {
      call: 'security_file_open',
      args: FUNCTION_ARGS.file_open,
      selectors: [
        [at(0, 'Postfix', ...SECRET_ENDS)],
        [at(0, 'Prefix', ...SECRET_BEGINNINGS)],
        [at(0, 'Prefix', '/proc/'), at(0, 'Postfix', '/environ', '/mem')],
        [at(1, 'Mask', String(WRITE_FLAGS)), at(0, 'NotPrefix', ...inFolder, ...WRITE_NOISE)],
        outsideFiles(0, options),
      ],
    },
    ...['truncate', 'chmod', 'chown'].map((name) => outside(name, FUNCTION_ARGS.path)),
    ...['mkdir', 'rmdir', 'unlink', 'symlink'].map((name) => outside(name, FUNCTION_ARGS.name)),
    {
      call: 'security_path_rename',
      args: FUNCTION_ARGS.path_rename,
      selectors: [notIn(0), notIn(2)],
    },
    {
      call: 'security_path_link',
      args: FUNCTION_ARGS.path_link,
      selectors: [notIn(1)],
    },
    {
      call: 'security_ptrace_access_check',
      args: FUNCTION_ARGS.ptrace_access_check,
      selectors: [[at(1, 'Mask', '2')]],
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
