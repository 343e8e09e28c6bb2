// Written by scripts/gen-layout.mjs from bpf/abi.h. Do not edit: change abi.h, then `npm run gen`.
// Structs: sizeof, and the offset of each member in bytes; arrays also have the stride and the number of elements (Length).
import * as below from '../names/abi.gen.js';

// No `export … from`: it compiles to getters, and reading numbers through getters is slow.
export const { AbiLimit, SensorHook, SyscallBit, ValueRead } = below;

/** Hash of the abi.h that this file was generated from. The addon contains the hash of its own abi.h. */
export const LAYOUT_HASH = '021b72695ddc0aa2';

/** enum event_type */
export const EventType = {
  EVENT_EXEC: 1,
  EVENT_EXIT: 2,
  EVENT_FORK: 3,
  EVENT_HOOK: 4,
  EVENT_CGROUP: 5,
  EVENT_CGROUP_GONE: 6,
  EVENT_THROTTLE: 7,
} as const;

/** struct event_header */
export const EventHeader = {
  sizeof: 16,
  size: 0,
  type: 4,
  flags: 6,
  time: 8,
} as const;

/** enum event_flag */
export const EventFlag = {
  EVENT_MARKED: 1,
  EVENT_ARGV_TRUNCATED: 1,
  EVENT_ARGV_UNREADABLE: 2,
  EVENT_MONITORED: 4,
  EVENT_SIGNALLED: 8,
  EVENT_SIGNAL_FAILED: 16,
  EVENT_OVERRIDDEN: 32,
  EVENT_PROTECTED: 64,
  EVENT_NOTIFIED: 128,
  EVENT_RETURN_SHIFT: 6,
  EVENT_SOCKET_OWNER: 16384,
  EVENT_IMA_HASH: 32768,
} as const;

/** enum process_flag */
export const ProcessFlag = {
  PROCESS_SECURE_EXEC: 4,
  PROCESS_NAMESPACE_INIT: 8,
  PROCESS_ENVIRONMENT_TRUNCATED: 16,
  PROCESS_ENVIRONMENT_UNREADABLE: 32,
  PROCESS_THROTTLED: 64,
} as const;

/** struct process_key */
export const ProcessKey = {
  sizeof: 24,
  tgid: 0,
  tid: 4,
  startTime: 8,
  execCount: 16,
} as const;

/** struct string_ref */
export const StringRef = {
  sizeof: 8,
  offset: 0,
  length: 4,
  flags: 6,
} as const;

/** enum string_flag */
export const StringFlag = {
  STRING_TRUNCATED: 1,
  STRING_DELETED: 2,
  STRING_UNREACHABLE: 4,
  STRING_PSEUDO: 8,
  STRING_FAULT: 16,
  STRING_UNTRUSTED: 32,
  STRING_UNKNOWN: 64,
} as const;

/** struct process_creds */
export const ProcessCreds = {
  sizeof: 56,
  uid: 0,
  gid: 4,
  euid: 8,
  egid: 12,
  suid: 16,
  sgid: 20,
  fsuid: 24,
  fsgid: 28,
  capPermitted: 32,
  capEffective: 40,
  capInheritable: 48,
} as const;

/** struct process_namespaces */
export const ProcessNamespaces = {
  sizeof: 40,
  uts: 0,
  ipc: 4,
  mnt: 8,
  pid: 12,
  pidForChildren: 16,
  net: 20,
  time: 24,
  timeForChildren: 28,
  cgroup: 32,
  user: 36,
} as const;

/** struct event_exec */
export const EventExec = {
  sizeof: 208,
  header: 0,
  headerSize: 0,
  headerType: 4,
  headerFlags: 6,
  headerTime: 8,
  key: 16,
  keyTgid: 16,
  keyTid: 20,
  keyStartTime: 24,
  keyExecCount: 32,
  parentTgid: 40,
  auid: 44,
  parentStartTime: 48,
  cgroupId: 56,
  creds: 64,
  credsUid: 64,
  credsGid: 68,
  credsEuid: 72,
  credsEgid: 76,
  credsSuid: 80,
  credsSgid: 84,
  credsFsuid: 88,
  credsFsgid: 92,
  credsCapPermitted: 96,
  credsCapEffective: 104,
  credsCapInheritable: 112,
  ns: 120,
  nsUts: 120,
  nsIpc: 124,
  nsMnt: 128,
  nsPid: 132,
  nsPidForChildren: 136,
  nsNet: 140,
  nsTime: 144,
  nsTimeForChildren: 148,
  nsCgroup: 152,
  nsUser: 156,
  filename: 160,
  filenameOffset: 160,
  filenameLength: 164,
  filenameFlags: 166,
  executable: 168,
  executableOffset: 168,
  executableLength: 172,
  executableFlags: 174,
  cwd: 176,
  cwdOffset: 176,
  cwdLength: 180,
  cwdFlags: 182,
  argvOffset: 184,
  argvLength: 188,
  inode: 192,
  links: 200,
  environmentLength: 204,
} as const;

/** struct event_fork */
export const EventFork = {
  sizeof: 56,
  header: 0,
  headerSize: 0,
  headerType: 4,
  headerFlags: 6,
  headerTime: 8,
  key: 16,
  keyTgid: 16,
  keyTid: 20,
  keyStartTime: 24,
  keyExecCount: 32,
  parentTgid: 40,
  parentStartTime: 48,
} as const;

/** struct event_exit */
export const EventExit = {
  sizeof: 48,
  header: 0,
  headerSize: 0,
  headerType: 4,
  headerFlags: 6,
  headerTime: 8,
  key: 16,
  keyTgid: 16,
  keyTid: 20,
  keyStartTime: 24,
  keyExecCount: 32,
  status: 40,
} as const;

/** struct event_cgroup */
export const EventCgroup = {
  sizeof: 1056,
  header: 0,
  headerSize: 0,
  headerType: 4,
  headerFlags: 6,
  headerTime: 8,
  id: 16,
  path: 24,
  pathOffset: 24,
  pathLength: 28,
  pathFlags: 30,
  pathBytes: 32,
  pathBytesStride: 1,
  pathBytesLength: 1024,
} as const;

/** struct event_cgroup_gone */
export const EventCgroupGone = {
  sizeof: 24,
  header: 0,
  headerSize: 0,
  headerType: 4,
  headerFlags: 6,
  headerTime: 8,
  id: 16,
} as const;

/** struct event_throttle */
export const EventThrottle = {
  sizeof: 312,
  header: 0,
  headerSize: 0,
  headerType: 4,
  headerFlags: 6,
  headerTime: 8,
  key: 16,
  keyTgid: 16,
  keyTid: 20,
  keyStartTime: 24,
  keyExecCount: 32,
  cgroupId: 40,
  name: 48,
  nameOffset: 48,
  nameLength: 52,
  nameFlags: 54,
  nameBytes: 56,
  nameBytesStride: 1,
  nameBytesLength: 256,
} as const;

/** struct value */
export const Value = {
  sizeof: 40,
  value: 0,
  string: 8,
  stringOffset: 8,
  stringLength: 12,
  stringFlags: 14,
  mode: 16,
  magic: 20,
  fd: 24,
  device: 28,
  links: 32,
  size: 36,
} as const;

/** struct event_hook */
export const EventHook = {
  sizeof: 80,
  header: 0,
  headerSize: 0,
  headerType: 4,
  headerFlags: 6,
  headerTime: 8,
  key: 16,
  keyTgid: 16,
  keyTid: 20,
  keyStartTime: 24,
  keyExecCount: 32,
  hook: 40,
  valuesCount: 44,
  attachPoint: 46,
  matched: 48,
  suppressed: 56,
  entrySelector: 60,
  kernelStack: 64,
  kernelStackOffset: 64,
  kernelStackLength: 68,
  kernelStackFlags: 70,
  userStack: 72,
  userStackOffset: 72,
  userStackLength: 76,
  userStackFlags: 78,
} as const;

/** struct ima_hash */
export const ImaHash = {
  sizeof: 72,
  algorithm: 0,
  digest: 8,
  digestStride: 1,
  digestLength: 64,
} as const;

/** enum mark_text */
export const MarkText = {
  MARK_COMMAND_BYTES: 16,
  MARK_FUNCTION_BYTES: 48,
  MARK_ARGUMENT_BYTES: 128,
} as const;

/** enum mark_cause_flag */
export const MarkCauseFlag = {
  MARK_CAUSE_UNKNOWN: 1,
  MARK_ARGUMENT_TRUNCATED: 2,
  MARK_IN_CONTAINER: 4,
} as const;

/** struct mark_cause */
export const MarkCause = {
  sizeof: 240,
  time: 0,
  key: 8,
  keyTgid: 8,
  keyTid: 12,
  keyStartTime: 16,
  keyExecCount: 24,
  test: 32,
  flags: 34,
  length: 36,
  read: 38,
  isSigned: 39,
  value: 40,
  command: 48,
  commandStride: 1,
  commandLength: 16,
  function: 64,
  functionStride: 1,
  functionLength: 48,
  argument: 112,
  argumentStride: 1,
  argumentLength: 128,
} as const;

/** enum record_limit */
export const RecordLimit = {
  VALUES_SIZE_MAX: 360,
  STRINGS_SIZE_MAX: 98304,
  MARKS_SIZE_MAX: 968,
  ACTIONS_SIZE_MAX: 3088,
  BODY_SIZE_MAX: 101752,
  RECORD_SIZE_MAX: 101832,
} as const;

/** struct net_detail */
export const NetDetail = {
  sizeof: 96,
  family: 0,
  type: 4,
  protocol: 8,
  state: 12,
  sourcePort: 16,
  destinationPort: 20,
  mark: 24,
  priority: 28,
  source: 32,
  sourceStride: 1,
  sourceLength: 16,
  destination: 48,
  destinationStride: 1,
  destinationLength: 16,
  cookie: 64,
  hash: 72,
  length: 76,
  secPathLen: 80,
  secPathOlen: 84,
  address: 88,
} as const;

/** struct cred_detail */
export const CredDetail = {
  sizeof: 80,
  creds: 0,
  credsUid: 0,
  credsGid: 4,
  credsEuid: 8,
  credsEgid: 12,
  credsSuid: 16,
  credsSgid: 20,
  credsFsuid: 24,
  credsFsgid: 28,
  credsCapPermitted: 32,
  credsCapEffective: 40,
  credsCapInheritable: 48,
  securebits: 56,
  userLevel: 60,
  userOwner: 64,
  userGroup: 68,
  userInum: 72,
} as const;

/** struct user_namespace_detail */
export const UserNamespaceDetail = {
  sizeof: 16,
  level: 0,
  owner: 4,
  group: 8,
  inum: 12,
} as const;

/** struct bpf_detail */
export const BpfDetail = {
  sizeof: 40,
  type: 0,
  instructions: 4,
  keySize: 8,
  valueSize: 12,
  maxEntries: 16,
  name: 24,
  nameStride: 1,
  nameLength: 16,
} as const;

/** struct perf_detail */
export const PerfDetail = {
  sizeof: 88,
  type: 0,
  config: 8,
  probeOffset: 16,
  function: 24,
  functionStride: 1,
  functionLength: 64,
} as const;

/** enum module_signature */
export const ModuleSignature = {
  SIGNATURE_INVALID: 0,
  SIGNATURE_VALID: 1,
  SIGNATURE_UNKNOWN: 2,
} as const;

/** struct module_detail */
export const ModuleDetail = {
  sizeof: 72,
  taints: 0,
  signature: 8,
  name: 16,
  nameStride: 1,
  nameLength: 56,
} as const;

/** enum value_source */
export const ValueSource = {
  SOURCE_PARAM: 0,
  SOURCE_RETURN: 1,
  SOURCE_TASK: 2,
  SOURCE_REGISTERS: 3,
  SOURCE_FIELD: 4,
  SOURCE_HELPER: 5,
  SOURCE_DURATION: 6,
} as const;

/** enum value_memory */
export const ValueMemory = {
  MEMORY_KERNEL: 0,
  MEMORY_USER: 1,
  MEMORY_BY_ADDRESS: 2,
} as const;

/** enum value_width */
export const ValueWidth = {
  WIDTH_SYSCALL: 16,
} as const;

/** struct resolve_step */
export const ResolveStep = {
  sizeof: 8,
  offset: 0,
  follow: 4,
} as const;

/** struct table */
export const Table = {
  sizeof: 16,
  positive: 0,
  used: 8,
} as const;

/** struct value_config */
export const ValueConfig = {
  sizeof: 136,
  read: 0,
  source: 1,
  param: 2,
  stepsCount: 3,
  width: 4,
  isSigned: 5,
  indirect: 6,
  readAtReturn: 7,
  memory: 8,
  sizeParam: 9,
  sizeReturned: 10,
  firstGroup: 11,
  groupsCount: 12,
  sizeWidth: 13,
  field: 14,
  capacity: 16,
  sizeField: 20,
  integers: 24,
  integersPositive: 24,
  integersUsed: 32,
  steps: 40,
  stepsStride: 8,
  stepsLength: 12,
} as const;

/** enum int_op */
export const IntOp = {
  INT_EQUAL: 0,
  INT_MASK: 1,
  INT_GREATER: 2,
  INT_LESS: 3,
  INT_GREATER_SIGNED: 4,
  INT_LESS_SIGNED: 5,
  INT_RANGE: 6,
  INT_RANGE_SIGNED: 7,
} as const;

/** struct int_test */
export const IntTest = {
  sizeof: 32,
  value: 0,
  upper: 8,
  selectors: 16,
  op: 24,
} as const;

/** enum process_field */
export const ProcessField = {
  PROCESS_TGID: 0,
  PROCESS_NAMESPACE_TGID: 1,
  PROCESS_CAP_PERMITTED: 2,
  PROCESS_CAP_EFFECTIVE: 3,
  PROCESS_CAP_INHERITABLE: 4,
  PROCESS_NAMESPACE: 16,
} as const;

/** struct int_group */
export const IntGroup = {
  sizeof: 16,
  selectors: 0,
  negate: 8,
  first: 9,
  count: 10,
  field: 11,
} as const;

/** struct match_entry */
export const MatchEntry = {
  sizeof: 16,
  match: 0,
  reject: 8,
} as const;

/** enum string_hash */
export const StringHash = {
  STRING_HASH_BITS: 8,
  STRING_HASH_WORDS: 4,
  STRING_HASH_BYTES_MAX: 8,
  STRING_HASH_FACTOR: 1640531527,
} as const;

/** struct string_table */
export const StringTable = {
  sizeof: 56,
  table: 0,
  tablePositive: 0,
  tableUsed: 8,
  longest: 16,
  hashed: 20,
  bitmap: 24,
  bitmapStride: 8,
  bitmapLength: 4,
} as const;

/** struct substring_pass */
export const SubstringPass = {
  sizeof: 16,
  positive: 0,
  start: 8,
  ignoreCase: 10,
} as const;

/** struct object_config */
export const ObjectConfig = {
  sizeof: 296,
  slot: 0,
  filtered: 1,
  passesCount: 2,
  folders: 3,
  shortNames: 4,
  inode: 8,
  excluding: 16,
  rooted: 24,
  equal: 32,
  equalTable: 32,
  equalTablePositive: 32,
  equalTableUsed: 40,
  equalLongest: 48,
  equalHashed: 52,
  equalBitmap: 56,
  equalBitmapStride: 8,
  equalBitmapLength: 4,
  prefix: 88,
  prefixTable: 88,
  prefixTablePositive: 88,
  prefixTableUsed: 96,
  prefixLongest: 104,
  prefixHashed: 108,
  prefixBitmap: 112,
  prefixBitmapStride: 8,
  prefixBitmapLength: 4,
  postfix: 144,
  postfixTable: 144,
  postfixTablePositive: 144,
  postfixTableUsed: 152,
  postfixLongest: 160,
  postfixHashed: 164,
  postfixBitmap: 168,
  postfixBitmapStride: 8,
  postfixBitmapLength: 4,
  source: 200,
  sourcePositive: 200,
  sourceUsed: 208,
  destination: 216,
  destinationPositive: 216,
  destinationUsed: 224,
  passes: 232,
  passesStride: 16,
  passesLength: 4,
} as const;

/** struct process_test */
export const ProcessTest = {
  sizeof: 16,
  selectors: 0,
  set: 8,
  negate: 10,
  parent: 11,
} as const;

/** struct scope_test */
export const ScopeTest = {
  sizeof: 16,
  selectors: 0,
  scope: 8,
} as const;

/** struct change_test */
export const ChangeTest = {
  sizeof: 32,
  selectors: 0,
  capabilities: 8,
  namespaces: 16,
  hostUser: 20,
  capabilitySet: 24,
  outsideHost: 25,
} as const;

/** struct mark_test */
export const MarkTest = {
  sizeof: 48,
  in: 0,
  inStride: 8,
  inLength: 4,
  notIn: 32,
  id: 40,
  container: 44,
} as const;

/** enum mark_operation */
export const MarkOperation = {
  MARK_SET: 0,
  MARK_REMOVE: 1,
} as const;

/** struct mark_action */
export const MarkAction = {
  sizeof: 24,
  selectors: 0,
  duration: 8,
  id: 16,
  operation: 20,
  container: 21,
  inherits: 22,
  atReturn: 23,
} as const;

/** enum rate_scope */
export const RateScope = {
  RATE_NONE: 0,
  RATE_THREAD: 1,
  RATE_PROCESS: 2,
  RATE_GLOBAL: 3,
} as const;

/** enum stack_kind */
export const StackKind = {
  STACK_KERNEL: 1,
  STACK_USER: 2,
} as const;

/** enum notify_kind */
export const NotifyKind = {
  NOTIFY_ENFORCER: 1,
  NOTIFY_OVERRIDES: 2,
  NOTIFY_CLEANUP: 4,
} as const;

/** enum socket_action */
export const SocketAction = {
  SOCKET_LEAVE: 0,
  SOCKET_TRACK: 1,
  SOCKET_UNTRACK: 2,
} as const;

/** struct selector_actions */
export const SelectorActions = {
  sizeof: 32,
  noPost: 0,
  signal: 1,
  overrides: 2,
  stacks: 3,
  overrideValue: 4,
  rateScope: 8,
  socket: 12,
  argument: 13,
  firstAssignment: 14,
  assignmentsCount: 15,
  rateInterval: 16,
  notify: 24,
  notifySignal: 25,
  imaHash: 26,
  pad2: 27,
  notifyError: 28,
} as const;

/** struct rate_key */
export const RateKey = {
  sizeof: 32,
  hook: 0,
  selector: 4,
  id: 8,
  attachPoint: 12,
  hash: 16,
  hashStride: 8,
  hashLength: 2,
} as const;

/** struct rate */
export const Rate = {
  sizeof: 16,
  posted: 0,
  suppressed: 8,
} as const;

/** enum action_flag */
export const ActionFlag = {
  ACTIONS_ANY: 1,
  ACTIONS_OVERRIDE: 2,
  ACTIONS_NOTIFY: 4,
  ACTIONS_SOCKET: 8,
  ACTIONS_RETURN: 16,
  ACTIONS_IMA_HASH: 32,
  ACTIONS_REGISTERS: 64,
} as const;

/** enum assignment_kind */
export const AssignmentKind = {
  ASSIGN_CONSTANT: 0,
  ASSIGN_REGISTER: 1,
  ASSIGN_MEMORY: 2,
} as const;

/** struct assignment */
export const Assignment = {
  sizeof: 16,
  offset: 0,
  kind: 8,
  to: 9,
  from: 10,
  toShift: 11,
  fromShift: 12,
} as const;

/** enum count_label_kind */
export const CountLabelKind = {
  LABEL_NUMBER: 0,
  LABEL_TEXT: 1,
  LABEL_ADDRESS: 2,
  LABEL_PORT: 3,
  LABEL_DEVICE: 4,
  LABEL_ERRNO: 5,
  LABEL_UID: 6,
  LABEL_CGROUP: 7,
  LABEL_BINARY: 8,
  LABEL_PARENT_BINARY: 9,
} as const;

/** struct count_label */
export const CountLabel = {
  sizeof: 8,
  kind: 0,
  slot: 1,
  folders: 2,
  isDestination: 3,
} as const;

/** struct count_config */
export const CountConfig = {
  sizeof: 48,
  selectors: 0,
  labelsCount: 8,
  hasValue: 9,
  slot: 10,
  isSigned: 11,
  hasBuckets: 12,
  labels: 16,
  labelsStride: 8,
  labelsLength: 4,
} as const;

/** struct count_key */
export const CountKey = {
  sizeof: 72,
  words: 0,
  wordsStride: 8,
  wordsLength: 9,
} as const;

/** struct count_sum */
export const CountSum = {
  sizeof: 400,
  calls: 0,
  sum: 8,
  buckets: 16,
  bucketsStride: 8,
  bucketsLength: 48,
} as const;

/** enum direct_key_size */
export const DirectKeySize = {
  DIRECT_KEY_BITS: 6,
  DIRECT_KEYS: 64,
} as const;

/** enum direct_key_state */
export const DirectKeyState = {
  KEY_FREE: 0,
  KEY_TAKEN: 1,
  KEY_READY: 2,
} as const;

/** struct direct_key */
export const DirectKey = {
  sizeof: 96,
  state: 0,
  words: 8,
  wordsStride: 8,
  wordsLength: 9,
  calls: 80,
  sum: 88,
} as const;

/** struct count_text_key */
export const CountTextKey = {
  sizeof: 24,
  words: 0,
  wordsStride: 8,
  wordsLength: 2,
  kind: 16,
} as const;

/** enum syscall_registers */
export const SyscallRegisters = {
  SYSCALL_NONE: 0,
  SYSCALL_NATIVE: 1,
  SYSCALL_IA32: 2,
} as const;

/** enum pair */
export const Pair = {
  PAIR_NONE: 0,
  PAIR_BY_FRAME: 1,
  PAIR_BY_ATTACH_POINT: 2,
} as const;

/** enum hook_shape */
export const HookShape = {
  SHAPE_ATTACH_POINT: 65536,
} as const;

/** enum scratch_guard */
export const ScratchGuard = {
  GUARD_NONE: 0,
  GUARD_PREEMPT: 1,
  GUARD_LEVELS: 2,
} as const;

/** struct hook_config */
export const HookConfig = {
  sizeof: 23576,
  hook: 0,
  selfTgid: 4,
  suppresses: 8,
  selectors: 16,
  valuesCount: 24,
  syscall: 25,
  pair: 26,
  params: 27,
  processGroups: 28,
  processTests: 29,
  changeTests: 30,
  objectsCount: 31,
  hasCelEntry: 32,
  hasCelReturn: 33,
  hasActions: 34,
  actsAtReturn: 35,
  bodySize: 36,
  shape: 40,
  countsHits: 44,
  findsOwner: 45,
  socketSlot: 46,
  returnedSocket: 47,
  acting: 48,
  needsExecutable: 56,
  yieldingTests: 64,
  scopeTests: 65,
  cacheHoldTicks: 66,
  guard: 67,
  cacheEntries: 68,
  renameLock: 72,
  mountLock: 80,
  shmMnt: 88,
  values: 96,
  valuesStride: 136,
  valuesLength: 9,
  objects: 1320,
  objectsStride: 296,
  objectsLength: 9,
  groups: 3984,
  groupsStride: 16,
  groupsLength: 64,
  tests: 5008,
  testsStride: 32,
  testsLength: 192,
  process: 11152,
  processStride: 16,
  processLength: 128,
  changes: 13200,
  changesStride: 32,
  changesLength: 16,
  actions: 13712,
  actionsStride: 32,
  actionsLength: 64,
  returnActions: 15760,
  returnActionsStride: 32,
  returnActionsLength: 64,
  assignments: 17808,
  assignmentsStride: 16,
  assignmentsLength: 32,
  scopes: 18320,
  scopesStride: 16,
  scopesLength: 65,
  markTests: 19360,
  markActions: 19361,
  marksAtReturn: 19362,
  containerMarks: 19363,
  markPad: 19364,
  marked: 19368,
  markGroups: 19376,
  markGroupsStride: 8,
  markGroupsLength: 4,
  marks: 19408,
  marksStride: 48,
  marksLength: 64,
  marking: 22480,
  markingStride: 24,
  markingLength: 32,
  markFunction: 23248,
  markFunctionStride: 1,
  markFunctionLength: 48,
  countsCount: 23296,
  countsBuckets: 23297,
  duration: 23298,
  durationSlot: 23299,
  countsOnly: 23300,
  countKeyLabels: 23301,
  countKinds: 23302,
  countedSlots: 23304,
  activeCalls: 23308,
  directKeys: 23312,
  canMove: 23316,
  frontSlot: 23317,
  keysPad: 23318,
  keysPadStride: 1,
  keysPadLength: 2,
  countSeed: 23320,
  countSeedStride: 8,
  countSeedLength: 2,
  counts: 23336,
  countsStride: 48,
  countsLength: 4,
  textStart: 23528,
  textSize: 23536,
  orcLookup: 23544,
  orcAddresses: 23552,
  orcEntries: 23560,
  stackCaches: 23568,
  stackPad: 23572,
} as const;

/** enum active_call_size */
export const ActiveCallSize = {
  ACTIVE_CALL_VALUES: 4,
  ACTIVE_CALL_BITS: 7,
  ACTIVE_CALLS: 128,
  ACTIVE_CALL_BYTES: 272,
} as const;

/** struct enforcer_config */
export const EnforcerConfig = {
  sizeof: 8,
  hook: 0,
  overrides: 4,
  countsHits: 5,
} as const;

/** struct trie_key */
export const TrieKey = {
  sizeof: 260,
  prefixBits: 0,
  slot: 4,
  string: 5,
  stringStride: 1,
  stringLength: 255,
} as const;

/** struct int_key */
export const IntKey = {
  sizeof: 16,
  value: 0,
  slot: 8,
} as const;

/** enum address_side */
export const AddressSide = {
  ADDRESS_SOURCE: 0,
  ADDRESS_DESTINATION: 1,
} as const;

/** struct address_key */
export const AddressKey = {
  sizeof: 24,
  prefixBits: 0,
  slot: 4,
  side: 5,
  family: 6,
  address: 8,
  addressStride: 1,
  addressLength: 16,
} as const;

/** struct inode_key */
export const InodeKey = {
  sizeof: 16,
  inode: 0,
  device: 8,
  slot: 12,
} as const;

/** struct automaton_state */
export const AutomatonState = {
  sizeof: 520,
  match: 0,
  next: 8,
  nextStride: 2,
  nextLength: 256,
} as const;

/** enum group_limit */
export const GroupLimit = {
  GROUP_SOURCE: 64,
  GROUP_DESTINATION: 65,
  GROUP_WORD_SHIFT: 8,
  GROUP_RULES_MAX: 1024,
  GROUP_SETS_MAX: 4096,
  GROUP_TESTS_MAX: 8192,
  GROUP_STRINGS_MAX: 4,
  GROUP_STRING_MAX: 254,
  GROUP_EQUAL_MAX: 64,
  GROUP_SLOT_BITS: 13,
  GROUP_END_BYTES: 4,
  GROUP_END_BITS: 12,
  GROUP_PAIR_BITS: 6,
  GROUP_KEY_BITS: 12,
  GROUP_ADDITIONS: 67108864,
} as const;

/** enum group_hash */
export const GroupHash = {
  GROUP_HASH_UPPER: 1481765933,
  GROUP_HASH_LOWER: 1284865837,
} as const;

/** enum group_set_index */
export const GroupSetIndex = {
  GROUP_NO_SET: 0,
  GROUP_ALWAYS: 1,
  GROUP_UNKNOWN_STRING: 2,
  GROUP_CUT_START: 3,
  GROUP_CUT_END: 4,
  GROUP_STRING_SETS: 3,
  GROUP_FIRST_SET: 14,
} as const;

/** struct group_header */
export const GroupHeader = {
  sizeof: 1160,
  generation: 0,
  longestPrefix: 8,
  longestPostfix: 9,
  looksUp: 10,
  numberSlot: 11,
  hasAlways: 12,
  needs: 13,
  hasEqual: 14,
  numberWord: 15,
  numbers: 16,
  sets: 24,
  setsStride: 8,
  setsLength: 4,
  scopes: 56,
  scopesStride: 8,
  scopesLength: 4,
  shortEnds: 88,
  shortEndsStride: 8,
  shortEndsLength: 4,
  ends: 120,
  endsStride: 8,
  endsLength: 64,
  endPairs: 632,
  keys: 640,
  keysStride: 8,
  keysLength: 64,
  shortNames: 1152,
  hasUnrooted: 1153,
  hasFurther: 1154,
} as const;

/** enum group_need */
export const GroupNeed = {
  GROUP_NEEDS_NUMBER: 1,
  GROUP_NEEDS_SET: 2,
  GROUP_NEEDS_SCOPE: 4,
} as const;

/** struct group_set */
export const GroupSet = {
  sizeof: 216,
  summary: 0,
  words: 8,
  wordsStride: 8,
  wordsLength: 16,
  string: 136,
  stringStride: 8,
  stringLength: 8,
  stringWords: 200,
  lowest: 204,
  hasRules: 208,
} as const;

/** enum group_flag */
export const GroupFlag = {
  GROUP_SUPPRESSES: 1,
  GROUP_NO_POST: 2,
  GROUP_NEEDS_EXECUTABLE: 4,
  GROUP_COUNTS: 8,
  GROUP_LEAVES_MARK: 16,
} as const;

/** enum group_move */
export const GroupMove = {
  MOVE_NONE: 0,
  MOVE_DONE: 1,
  MOVE_FIRST: 2,
} as const;

/** struct group_rule */
export const GroupRule = {
  sizeof: 48,
  hook: 0,
  firstTest: 4,
  testsCount: 6,
  selector: 8,
  flags: 9,
  enabled: 10,
  addition: 12,
  actions: 16,
  actionsNoPost: 16,
  actionsSignal: 17,
  actionsOverrides: 18,
  actionsStacks: 19,
  actionsOverrideValue: 20,
  actionsRateScope: 24,
  actionsSocket: 28,
  actionsArgument: 29,
  actionsFirstAssignment: 30,
  actionsAssignmentsCount: 31,
  actionsRateInterval: 32,
  actionsNotify: 40,
  actionsNotifySignal: 41,
  actionsImaHash: 42,
  actionsPad2: 43,
  actionsNotifyError: 44,
} as const;

/** enum group_test_kind */
export const GroupTestKind = {
  GROUP_TEST_NUMBER: 0,
  GROUP_TEST_PROCESS: 1,
  GROUP_TEST_SET: 2,
  GROUP_TEST_PARENT_SET: 3,
  GROUP_TEST_SCOPE: 4,
  GROUP_TEST_NET: 5,
  GROUP_TEST_NETWORK: 6,
  GROUP_TEST_STRING: 7,
  GROUP_TEST_PRESENT: 8,
} as const;

/** enum group_address */
export const GroupAddress = {
  GROUP_ADDRESS_DESTINATION: 256,
  GROUP_ADDRESS_IPV6: 512,
} as const;

/** struct group_test */
export const GroupTest = {
  sizeof: 24,
  value: 0,
  upper: 8,
  index: 16,
  kind: 18,
  op: 19,
  last: 20,
  negate: 21,
} as const;

/** enum argument_tracking */
export const ArgumentTracking = {
  ARGUMENTS_IGNORE: 0,
  ARGUMENTS_KEEP: 1,
  ARGUMENTS_COLLECT: 2,
} as const;

/** struct control */
export const Control = {
  sizeof: 184,
  needWakeup: 0,
  keepsBits: 4,
  keepsState: 8,
  scanning: 12,
  scanChanges: 16,
  selfTgid: 20,
  keepsArguments: 24,
  listsPaths: 28,
  follow: 32,
  followStride: 8,
  followLength: 4,
  trusted: 64,
  trustedStride: 8,
  trustedLength: 4,
  prefixed: 96,
  prefixedStride: 8,
  prefixedLength: 4,
  selecting: 128,
  selectingStride: 8,
  selectingLength: 4,
  stateSince: 160,
  keepsScopes: 168,
  scopesOverflowed: 172,
  scopeEpoch: 176,
} as const;

/** struct sensor_config */
export const SensorConfig = {
  sizeof: 24,
  rateEvents: 0,
  rateInterval: 8,
  environment: 16,
} as const;

/** struct cgroup_rate */
export const CgroupRate = {
  sizeof: 24,
  since: 0,
  count: 8,
  until: 16,
} as const;

/** struct hook_counters */
export const HookCounters = {
  sizeof: 128,
  lostRing: 0,
  lostPending: 8,
  lostReturn: 16,
  reportedRing: 24,
  reportedPending: 32,
  reportedReturn: 40,
  enforces: 48,
  hits: 56,
  matched: 64,
  suppressed: 72,
  enforced: 80,
  move: 88,
} as const;

/** struct process_sets */
export const ProcessSets = {
  sizeof: 32,
  words: 0,
  wordsStride: 8,
  wordsLength: 4,
} as const;

/** struct process_bits */
export const ProcessBits = {
  sizeof: 80,
  execCount: 0,
  startTime: 8,
  own: 16,
  ownWords: 16,
  ownWordsStride: 8,
  ownWordsLength: 4,
  parent: 48,
  parentWords: 48,
  parentWordsStride: 8,
  parentWordsLength: 4,
} as const;

/** enum scope_cache */
export const ScopeCache = {
  SCOPE_ID_SHIFT: 1,
  SCOPE_ID_BITS: 36,
  SCOPE_EPOCH_SHIFT: 37,
  SCOPE_CACHE_BITS: 10,
} as const;

/** enum negative_cache */
export const NegativeCache = {
  NEGATIVE_CACHE_BITS: 7,
  NEGATIVE_CACHE_SIZE: 128,
  UNKNOWN_MOUNT: 1,
} as const;

/** struct negative_entry */
export const NegativeEntry = {
  sizeof: 128,
  key: 0,
  lastMiss: 8,
  candidates: 16,
  mnt: 24,
  rootDentry: 32,
  rootMnt: 40,
  renameSeq: 48,
  mountSeq: 52,
  hashLen: 56,
  name: 64,
  nameStride: 8,
  nameLength: 4,
  parentInode: 96,
  parentCtime: 104,
  time: 112,
  parentGeneration: 120,
  layerDevice: 124,
} as const;

/** enum stack_cache_size */
export const StackCacheSize = {
  KNOWN_STACK_BITS: 3,
  KNOWN_STACKS: 8,
  KNOWN_FRAMES: 32,
  ORC_COPY_BITS: 6,
  ORC_COPIES: 64,
  STACK_PROGRAM_FRAMES: 4,
  STACK_PAUSE: 15,
  TRAMPOLINE_WORDS_ABOVE: 16,
  TRAMPOLINE_WORDS_BELOW: 12,
  USER_STACK_BYTES: 64,
} as const;

/** enum frame_kind */
export const FrameKind = {
  FRAME_HAS_BASE: 1,
  FRAME_IS_END: 2,
} as const;

/** struct known_frame */
export const KnownFrame = {
  sizeof: 16,
  address: 0,
  place: 8,
  base: 10,
  kind: 12,
} as const;

/** struct known_stack */
export const KnownStack = {
  sizeof: 520,
  first: 0,
  trampoline: 4,
  registers: 6,
  frames: 8,
  framesStride: 16,
  framesLength: 32,
} as const;

/** struct orc_copy */
export const OrcCopy = {
  sizeof: 16,
  address: 0,
  entry: 8,
} as const;

/** struct stack_cache */
export const StackCache = {
  sizeof: 5192,
  caller: 0,
  pause: 4,
  isLong: 6,
  stacks: 8,
  stacksStride: 520,
  stacksLength: 8,
  orc: 4168,
  orcStride: 16,
  orcLength: 64,
} as const;

/** enum scope_tracking */
export const ScopeTracking = {
  SCOPES_OFF: 0,
  SCOPES_LISTING: 1,
  SCOPES_COMPLETE: 2,
} as const;

/** enum cgroup_kind */
export const CgroupKind = {
  CGROUP_HOST: 0,
  CGROUP_UNNAMED: 1,
  CGROUP_UNPROVEN: 2,
  CGROUP_NAMED: 3,
  CGROUP_KINDS: 4,
} as const;

/** struct scope_set */
export const ScopeSet = {
  sizeof: 32,
  words: 0,
  wordsStride: 8,
  wordsLength: 4,
} as const;

/** struct cgroup_scopes */
export const CgroupScopes = {
  sizeof: 48,
  parent: 0,
  kind: 8,
  scopes: 16,
  scopesWords: 16,
  scopesWordsStride: 8,
  scopesWordsLength: 4,
} as const;

/** struct cgroup_key_more */
export const CgroupKeyMore = {
  sizeof: 12,
  bits: 0,
  id: 4,
  idStride: 4,
  idLength: 2,
} as const;

/** struct process_state */
export const ProcessState = {
  sizeof: 72,
  startTime: 0,
  capPermitted: 8,
  capEffective: 16,
  capInheritable: 24,
  ns: 32,
  nsUts: 32,
  nsIpc: 36,
  nsMnt: 40,
  nsPid: 44,
  nsPidForChildren: 48,
  nsNet: 52,
  nsTime: 56,
  nsTimeForChildren: 60,
  nsCgroup: 64,
  nsUser: 68,
} as const;

/** struct scan_request */
export const ScanRequest = {
  sizeof: 72,
  clear: 0,
  clearWords: 0,
  clearWordsStride: 8,
  clearWordsLength: 4,
  add: 32,
  addWords: 32,
  addWordsStride: 8,
  addWordsLength: 4,
  since: 64,
} as const;

/** enum running_flag */
export const RunningFlag = {
  RUNNING_KERNEL_THREAD: 1,
  RUNNING_NAMESPACE_INIT: 2,
  RUNNING_FORGED: 4,
  RUNNING_EXECUTABLE_DELETED: 8,
  RUNNING_CWD_DELETED: 16,
  RUNNING_EXECUTABLE_CHANGED: 32,
  RUNNING_CWD_CHANGED: 64,
} as const;

/** struct running_process */
export const RunningProcess = {
  sizeof: 160,
  key: 0,
  keyTgid: 0,
  keyTid: 4,
  keyStartTime: 8,
  keyExecCount: 16,
  parentTgid: 24,
  auid: 28,
  cgroupId: 32,
  creds: 40,
  credsUid: 40,
  credsGid: 44,
  credsEuid: 48,
  credsEgid: 52,
  credsSuid: 56,
  credsSgid: 60,
  credsFsuid: 64,
  credsFsgid: 68,
  credsCapPermitted: 72,
  credsCapEffective: 80,
  credsCapInheritable: 88,
  ns: 96,
  nsUts: 96,
  nsIpc: 100,
  nsMnt: 104,
  nsPid: 108,
  nsPidForChildren: 112,
  nsNet: 116,
  nsTime: 120,
  nsTimeForChildren: 124,
  nsCgroup: 128,
  nsUser: 132,
  flags: 136,
  executable: 140,
  cwd: 144,
  executableInode: 152,
} as const;

/** struct reported_inode */
export const ReportedInode = {
  sizeof: 24,
  inode: 0,
  address: 8,
  device: 16,
} as const;

/** enum inode_slot */
export const InodeSlot = {
  INODE_OF_POLICY: 0,
  INODE_OF_HOST: 1,
  INODE_SLOTS: 2,
} as const;

/** struct process_key_more */
export const ProcessKeyMore = {
  sizeof: 8,
  bits: 0,
  tgid: 4,
} as const;

/** struct mark_owner */
export const MarkOwner = {
  sizeof: 16,
  startTime: 0,
  tgid: 8,
  slot: 12,
} as const;

/** enum mark_bit */
export const MarkBit = {
  MARK_WITHOUT_DETAIL: 2147483648,
} as const;

/** struct owned_marks */
export const OwnedMarks = {
  sizeof: 256,
  ids: 0,
  idsStride: 4,
  idsLength: 64,
} as const;

/** struct mark_detail */
export const MarkDetail = {
  sizeof: 256,
  until: 0,
  id: 8,
  inherits: 12,
  cause: 16,
  causeTime: 16,
  causeKey: 24,
  causeKeyTgid: 24,
  causeKeyTid: 28,
  causeKeyStartTime: 32,
  causeKeyExecCount: 40,
  causeTest: 48,
  causeFlags: 50,
  causeLength: 52,
  causeRead: 54,
  causeIsSigned: 55,
  causeValue: 56,
  causeCommand: 64,
  causeCommandStride: 1,
  causeCommandLength: 16,
  causeFunction: 80,
  causeFunctionStride: 1,
  causeFunctionLength: 48,
  causeArgument: 128,
  causeArgumentStride: 1,
  causeArgumentLength: 128,
} as const;

/** struct mark_name */
export const MarkName = {
  sizeof: 512,
  id: 0,
  length: 4,
  name: 8,
  nameStride: 1,
  nameLength: 504,
} as const;

/** struct mark_words */
export const MarkWords = {
  sizeof: 16392,
  counts: 0,
  countsStride: 4,
  countsLength: 4096,
  containers: 16384,
  unknown: 16388,
} as const;

/** struct pid_key */
export const PidKey = {
  sizeof: 8,
  pid: 0,
  inNamespace: 4,
} as const;
