/** Kinds of namespace, in the order of struct process_namespaces of bpf/abi.h. */
export const NAMESPACES = [
  'Uts',
  'Ipc',
  'Mnt',
  'Pid',
  'PidForChildren',
  'Net',
  'Time',
  'TimeForChildren',
  'Cgroup',
  'User',
] as const;
