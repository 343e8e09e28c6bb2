// Written by scripts/gen-layout.mjs from bpf/abi.h. Do not edit: change abi.h, then `npm run gen`.
// Structs: sizeof, and the offset of each member in bytes; arrays also have the stride and the number of elements (Length).

/** Of the abi.h that this file was made from; the addon carries that of its own. */
export const LAYOUT_HASH = '605acfb438f94cec';

/** enum abi_limit */
export const AbiLimit = {
  PATH_BYTES_MAX: 4095,
  STRING_BYTES_MAX: 4095,
  ARGV_BYTES_MAX: 32768,
  FILTER_TEXT_MAX: 255,
  HOOK_ARGS_MAX: 8,
  HOOK_PARAM_MAX: 6,
  HOOK_SELECTORS_MAX: 64,
  INT_TESTS_MAX: 192,
  INT_GROUPS_MAX: 64,
  BINARY_TESTS_MAX: 128,
  BINARY_SETS_MAX: 256,
  BINARY_WORDS: 4,
  BINARY_TEXT_MAX: 511,
  TEXT_ARGS_MAX: 5,
  HOOKS_MAX: 1024,
} as const;

/** enum event_type */
export const EventType = {
  EVENT_EXEC: 1,
  EVENT_EXIT: 2,
  EVENT_FORK: 3,
  EVENT_HOOK: 4,
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
  EVENT_ARGV_TRUNCATED: 1,
  EVENT_ARGV_UNREADABLE: 2,
  EVENT_ENTRY_MISSING: 4,
  EVENT_NO_RETURN: 8,
} as const;

/** struct process_key */
export const ProcessKey = {
  sizeof: 24,
  tgid: 0,
  tid: 4,
  startTime: 8,
  execCount: 16,
} as const;

/** struct text_ref */
export const TextRef = {
  sizeof: 8,
  offset: 0,
  length: 4,
  flags: 6,
} as const;

/** enum text_flag */
export const TextFlag = {
  TEXT_TRUNCATED: 1,
  TEXT_DELETED: 2,
  TEXT_UNREACHABLE: 4,
  TEXT_PSEUDO: 8,
  TEXT_FAULT: 16,
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
  sizeof: 192,
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

/** enum arg_type */
export const ArgType = {
  ARG_NOP: 0,
  ARG_INT: 1,
  ARG_UINT32: 2,
  ARG_SIZE_T: 3,
  ARG_STRING: 4,
  ARG_FILENAME: 5,
  ARG_FILE: 6,
  ARG_PATH: 7,
  ARG_FD: 8,
} as const;

/** struct arg_value */
export const ArgValue = {
  sizeof: 32,
  value: 0,
  text: 8,
  textOffset: 8,
  textLength: 12,
  textFlags: 14,
  mode: 16,
  magic: 20,
  fd: 24,
} as const;

/** struct event_hook */
export const EventHook = {
  sizeof: 64,
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
  argsCount: 44,
  matched: 48,
  returnValue: 56,
} as const;

/** enum int_op */
export const IntOp = {
  INT_EQUAL: 0,
  INT_MASK: 1,
  INT_GREATER: 2,
  INT_LESS: 3,
  INT_GREATER_SIGNED: 4,
  INT_LESS_SIGNED: 5,
} as const;

/** struct int_test */
export const IntTest = {
  sizeof: 24,
  value: 0,
  selectors: 8,
  op: 16,
} as const;

/** struct int_group */
export const IntGroup = {
  sizeof: 16,
  selectors: 0,
  negate: 8,
  first: 9,
  count: 10,
} as const;

/** struct text_verdict */
export const TextVerdict = {
  sizeof: 16,
  match: 0,
  reject: 8,
} as const;

/** struct text_table */
export const TextTable = {
  sizeof: 24,
  positive: 0,
  used: 8,
  longest: 16,
} as const;

/** struct arg_config */
export const ArgConfig = {
  sizeof: 4,
  type: 0,
  param: 1,
  intGroups: 2,
} as const;

/** struct text_config */
export const TextConfig = {
  sizeof: 80,
  slot: 0,
  type: 1,
  param: 2,
  user: 3,
  filtered: 4,
  equal: 8,
  equalPositive: 8,
  equalUsed: 16,
  equalLongest: 24,
  prefix: 32,
  prefixPositive: 32,
  prefixUsed: 40,
  prefixLongest: 48,
  postfix: 56,
  postfixPositive: 56,
  postfixUsed: 64,
  postfixLongest: 72,
} as const;

/** struct binary_test */
export const BinaryTest = {
  sizeof: 16,
  selectors: 0,
  set: 8,
  negate: 10,
} as const;

/** struct hook_config */
export const HookConfig = {
  sizeof: 8144,
  hook: 0,
  selfTgid: 4,
  selectors: 8,
  argsCount: 16,
  syscall: 17,
  hasReturn: 18,
  pair: 19,
  pidGroups: 20,
  returnGroups: 21,
  binaryTests: 22,
  returnType: 23,
  params: 24,
  textsCount: 25,
  bodySize: 28,
  args: 32,
  argsStride: 4,
  argsLength: 8,
  texts: 64,
  textsStride: 80,
  textsLength: 5,
  groups: 464,
  groupsStride: 16,
  groupsLength: 64,
  tests: 1488,
  testsStride: 24,
  testsLength: 192,
  binaries: 6096,
  binariesStride: 16,
  binariesLength: 128,
} as const;

/** struct trie_key */
export const TrieKey = {
  sizeof: 260,
  prefixBits: 0,
  slot: 4,
  text: 5,
  textStride: 1,
  textLength: 255,
} as const;

/** struct control */
export const Control = {
  sizeof: 16,
  needWakeup: 0,
  binarySets: 4,
  selfTgid: 8,
} as const;

/** struct hook_counters */
export const HookCounters = {
  sizeof: 32,
  lostRing: 0,
  lostPending: 8,
  lostReturn: 16,
} as const;

/** enum sensor_hook */
export const SensorHook = {
  HOOK_EXEC: 0,
  HOOK_EXIT: 1,
  HOOK_FORK: 2,
  HOOK_BINARY_BITS: 3,
  HOOK_FIRST_POLICY: 8,
} as const;

/** struct binary_bits */
export const BinaryBits = {
  sizeof: 48,
  execCount: 0,
  startTime: 8,
  words: 16,
  wordsStride: 8,
  wordsLength: 4,
} as const;

/** struct binary_sets */
export const BinarySets = {
  sizeof: 32,
  words: 0,
  wordsStride: 8,
  wordsLength: 4,
} as const;
