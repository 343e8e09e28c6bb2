/** The kinds of namespaces with their names. */
import type { Namespaces } from '../../types/events.js';
import type { NamespaceName } from '../../types/policy-language.js';

interface NamespaceSpelling {
  /** Name in events. */
  readonly key: keyof Namespaces;
  /** Name in /proc/PID/ns and in the JSON export. */
  readonly file: string;
}

/** The kinds by their name in policies, in the order of struct process_namespaces in bpf/abi.h. */
const NAMESPACE_KINDS: Readonly<Record<NamespaceName, NamespaceSpelling>> = {
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
export const NAMESPACES = Object.keys(NAMESPACE_KINDS) as readonly NamespaceName[];

/** All names of each kind. */
export const NAMESPACE_NAMES: readonly (NamespaceSpelling & { readonly policy: NamespaceName })[] = NAMESPACES.map(
  (policy) => ({
    policy,
    ...NAMESPACE_KINDS[policy],
  }),
);
