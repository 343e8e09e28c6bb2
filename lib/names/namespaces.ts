/** The kinds of namespaces with their names. */
import type { Namespaces } from '../../types/events.js';
import type { NamespaceName } from '../../types/policy-language.js';

interface Names {
  /** In events. */
  readonly key: keyof Namespaces;
  /** In /proc/PID/ns and in the JSON export. */
  readonly file: string;
}

/** By the name in policies, in the order of struct process_namespaces in bpf/abi.h. */
const KINDS: Readonly<Record<NamespaceName, Names>> = {
  Uts: { key: 'uts', file: 'uts' },
  Ipc: { key: 'ipc', file: 'ipc' },
  Mnt: { key: 'mnt', file: 'mnt' },
  Pid: { key: 'pid', file: 'pid' },
  PidForChildren: { key: 'pidForChildren', file: 'pid_for_children' },
  Net: { key: 'net', file: 'net' },
  Time: { key: 'time', file: 'time' },
  TimeForChildren: { key: 'timeForChildren', file: 'time_for_children' },
  Cgroup: { key: 'cgroup', file: 'cgroup' },
  User: { key: 'user', file: 'user' },
};

/** The names in policies. */
export const NAMESPACES = Object.keys(KINDS) as readonly NamespaceName[];

/** All names of each kind. */
export const NAMESPACE_NAMES: readonly (Names & { readonly policy: NamespaceName })[] = NAMESPACES.map((policy) => ({
  policy,
  ...KINDS[policy],
}));
