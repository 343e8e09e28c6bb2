/**
 * Lists the fields of the JSON export, by message of Tetragon's protocol, with the form of their values. A form is a
 * message of this table, or string, bytes (base64), number, long (64 bits, as a string), bool, time, name (of an
 * enumeration) or object (any keys). `[]` means a list. EXTENSION_FIELDS lists the fields that Tetragon does not have.
 */

import type { EventType } from '../../types/events.js';
import { ARGUMENT_MESSAGES, type FieldForms } from './export-argument-fields.js';

const PROCESS_FIELDS = { process: 'Process', parent: 'Process', ancestors: 'Process[]' } as const;
const HOOK_FIELDS = {
  args: 'KprobeArgument[]',
  action: 'name',
  policy_name: 'string',
  message: 'string',
  tags: 'string[]',
  policy_mode: 'string',
  actions: 'object[]',
  of_socket_owner: 'bool',
  suppressed: 'number',
  marks: 'Mark[]',
  kernel_stack_trace: 'StackTraceEntry[]',
  user_stack_trace: 'StackTraceEntry[]',
  ...PROCESS_FIELDS,
} as const;
const CAPABILITY_FIELDS = { permitted: 'name[]', effective: 'name[]', inheritable: 'name[]' } as const;
const ID_FIELDS = {
  uid: 'number',
  gid: 'number',
  euid: 'number',
  egid: 'number',
  suid: 'number',
  sgid: 'number',
  fsuid: 'number',
  fsgid: 'number',
} as const;

const TABLE = {
  GetEventsResponse: {
    process_exec: 'ProcessExec',
    process_exit: 'ProcessExit',
    process_kprobe: 'ProcessKprobe',
    process_tracepoint: 'ProcessTracepoint',
    process_uprobe: 'ProcessUprobe',
    process_usdt: 'ProcessUsdt',
    process_lsm: 'ProcessLsm',
    process_loader: 'ProcessLoader',
    process_throttle: 'ProcessThrottle',
    change: 'Change',
    lost: 'Lost',
    node_name: 'string',
    time: 'time',
  } as const satisfies Readonly<Record<EventType | 'node_name' | 'time', string>>,
  Mark: { mark: 'string', scope: 'string', cause: 'MarkCause' },
  MarkCause: {
    time: 'time',
    age_ns: 'long',
    exec_id: 'string',
    pid: 'number',
    command: 'string',
    function_name: 'string',
    argument: 'string',
  },
  ProcessExec: PROCESS_FIELDS,
  ProcessThrottle: { type: 'name', cgroup: 'string' },
  ProcessExit: { signal: 'string', status: 'number', time: 'time', ...PROCESS_FIELDS },
  ProcessKprobe: {
    function_name: 'string',
    return: 'KprobeArgument',
    return_action: 'name',
    data: 'KprobeArgument[]',
    ...HOOK_FIELDS,
  },
  ProcessTracepoint: { subsys: 'string', event: 'string', ...HOOK_FIELDS },
  ProcessUprobe: {
    path: 'string',
    symbol: 'string',
    return: 'KprobeArgument',
    offset: 'long',
    ref_ctr_offset: 'long',
    data: 'KprobeArgument[]',
    ...HOOK_FIELDS,
  },
  ProcessUsdt: { path: 'string', provider: 'string', name: 'string', ...HOOK_FIELDS },
  ProcessLsm: { function_name: 'string', ima_hash: 'string', ...HOOK_FIELDS },
  ProcessLoader: { path: 'string', buildid: 'bytes', ...PROCESS_FIELDS },
  Change: {
    operation: 'string',
    policy_name: 'string',
    policy_namespace: 'string',
    setting: 'string',
    before: 'string',
    after: 'string',
    enabled: 'bool',
    mode: 'string',
    way: 'string',
    source: 'string',
    client: 'ChangeClient',
  },
  ChangeClient: {
    address: 'string',
    pid: 'number',
    uid: 'number',
    gid: 'number',
    exec_id: 'string',
    binary: 'string',
    certificate: 'string',
  },
  Lost: { hook: 'string', policy_name: 'string', reason: 'string', count: 'number' },
  Process: {
    exec_id: 'string',
    pid: 'number',
    uid: 'number',
    cwd: 'string',
    binary: 'string',
    binary_untrusted: 'bool',
    arguments: 'string',
    flags: 'string',
    start_time: 'time',
    auid: 'number',
    pod: 'Pod',
    docker: 'string',
    parent_exec_id: 'string',
    cap: 'Capabilities',
    ns: 'Namespaces',
    tid: 'number',
    process_credentials: 'ProcessCredentials',
    binary_properties: 'BinaryProperties',
    user: 'UserRecord',
    in_init_tree: 'bool',
    environment_variables: 'EnvVar[]',
  },
  EnvVar: { Key: 'string', Value: 'string' },
  Pod: {
    namespace: 'string',
    name: 'string',
    uid: 'string',
    container: 'Container',
    pod_labels: 'object',
    workload: 'string',
    workload_kind: 'string',
    pod_annotations: 'object',
  },
  Container: {
    id: 'string',
    name: 'string',
    image: 'Image',
    start_time: 'time',
    maybe_exec_probe: 'bool',
    security_context: 'SecurityContext',
  },
  SecurityContext: { privileged: 'bool' },
  Image: { id: 'string', name: 'string' },
  Capabilities: CAPABILITY_FIELDS,
  Namespaces: {
    uts: 'Namespace',
    ipc: 'Namespace',
    mnt: 'Namespace',
    pid: 'Namespace',
    pid_for_children: 'Namespace',
    net: 'Namespace',
    time: 'Namespace',
    time_for_children: 'Namespace',
    cgroup: 'Namespace',
    user: 'Namespace',
  },
  Namespace: { inum: 'number', is_host: 'bool' },
  ProcessCredentials: { securebits: 'name[]', caps: 'Capabilities', user_ns: 'UserNamespace', ...ID_FIELDS },
  UserNamespace: { level: 'number', uid: 'number', gid: 'number', ns: 'Namespace' },
  BinaryProperties: { setuid: 'number', setgid: 'number', privileges_changed: 'name[]', file: 'FileProperties' },
  FileProperties: { inode: 'InodeProperties', path: 'string' },
  InodeProperties: { number: 'long', links: 'number' },
  UserRecord: { name: 'string' },
  StackTraceEntry: {
    address: 'long',
    offset: 'long',
    symbol: 'string',
    module: 'string',
    file_offset: 'long',
    build_id: 'string',
  },
  ...ARGUMENT_MESSAGES,
} as const satisfies Readonly<Record<string, FieldForms>>;

/** The field with the bytes of a string that is not UTF-8 has the name of the string and this. */
export const RAW_BYTES_SUFFIX = '_bytes';

export const MESSAGES: Readonly<Record<string, FieldForms>> = TABLE;

/** The members of a value of a hook. */
export type ArgumentField = keyof (typeof TABLE)['KprobeArgument'];

type Nothing<T extends never> = T;
type MessageName = keyof typeof TABLE;
type EventMessage = (typeof TABLE)['GetEventsResponse'][EventType];
type ValueForm = 'string' | 'bytes' | 'number' | 'long' | 'bool' | 'time' | 'name' | 'object';
type ElementForm<F> = F extends `${infer E}[]` ? E : F;
/** @public Only the compiler uses it: each form is a message of the table, or a form of values. */
export type FormChecks = Nothing<
  {
    [M in MessageName]: Exclude<ElementForm<(typeof TABLE)[M][keyof (typeof TABLE)[M]]>, MessageName | ValueForm>;
  }[MessageName]
>;

/** Fields that all messages of hooks have, but Tetragon's protocol does not. */
const HOOK_EXTENSIONS = ['policy_mode', 'actions', 'of_socket_owner', 'suppressed', 'marks'];
const STACK_EXTENSIONS = ['kernel_stack_trace', 'user_stack_trace'];

/** The fields that Tetragon's protocol does not have, by message. docs/events.md lists them. */
export const EXTENSION_FIELDS: Readonly<
  Partial<Record<MessageName, readonly string[]>> & Record<EventMessage, readonly string[]>
> = {
  GetEventsResponse: ['change', 'lost'],
  Change: Object.keys(TABLE.Change),
  ChangeClient: Object.keys(TABLE.ChangeClient),
  Mark: Object.keys(TABLE.Mark),
  MarkCause: Object.keys(TABLE.MarkCause),
  Lost: ['hook', 'policy_name', 'reason', 'count'],
  Process: ['binary_untrusted'],
  ProcessExec: [],
  ProcessExit: [],
  ProcessLoader: [],
  ProcessThrottle: [],
  ProcessKprobe: HOOK_EXTENSIONS,
  ProcessTracepoint: [...HOOK_EXTENSIONS, ...STACK_EXTENSIONS],
  ProcessUprobe: [...HOOK_EXTENSIONS, ...STACK_EXTENSIONS, 'return'],
  ProcessUsdt: [...HOOK_EXTENSIONS, ...STACK_EXTENSIONS],
  ProcessLsm: [...HOOK_EXTENSIONS, ...STACK_EXTENSIONS],
  KprobeArgument: ['sockaddralg_arg'],
  StackTraceEntry: ['file_offset', 'build_id'],
  KprobeSockaddrAlg: ['family', 'type', 'feat', 'mask', 'name'],
};

/** True if events of some type can have the field. `path` is below the message of the event: names joined by dots. */
export function isExported(path: string): boolean {
  return Object.entries(MESSAGES['GetEventsResponse'] ?? {}).some(([, form]) => hasField(form, path.split('.')));
}

function hasField(form: string, [name = '', ...rest]: readonly string[]): boolean {
  if (form === 'object') return name !== '';
  const fields = MESSAGES[form] ?? {};
  const next = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return next !== undefined && (rest.length === 0 || hasField(next.replace('[]', ''), rest));
}
