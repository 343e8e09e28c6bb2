/**
 * Programs that must not compile. In `«wrong|right»`, the right variant must compile, which shows that the program has
 * no other mistake.
 */
export interface Program {
  readonly name: string;
  readonly spec: string;
}

const file = 'args: [{ index: 0, type: "file" }, { index: 1, type: "int" }]';
const kprobeSpec = (body: string): string => `kprobes: [{ call: "f", syscall: false, ${body} }]`;
const filterSpec = (type: string, text: string): string =>
  kprobeSpec(`args: [{ index: 0, type: "${type}" }], selectors: [{ matchArgs: [{ index: 0, ${text} }] }]`);
const selectorSpec = (body: string): string => kprobeSpec(`${file}, selectors: [{ ${body} }]`);
const actionSpec = (action: string): string => selectorSpec(`matchActions: [{ ${action} }]`);
const returnSpec = (body: string): string =>
  kprobeSpec(`return: true, returnArg: { index: 0, type: "int" }, selectors: [{ ${body} }]`);

export const PROGRAMS: readonly Program[] = [
  { name: 'Prefix of an int', spec: filterSpec('int', 'operator: «"Prefix"|"Equal"», values: ["4"]') },
  { name: 'Mask of a file', spec: filterSpec('file', 'operator: «"Mask"|"Postfix"», values: ["4"]') },
  { name: 'GT of a string', spec: filterSpec('string', 'operator: «"GT"|"NotEqual"», values: ["4"]') },
  { name: 'an address of a size_t', spec: filterSpec('size_t', 'operator: «"DAddr"|"Mask"», values: ["4"]') },
  { name: 'State of a packet', spec: filterSpec('skb', 'operator: «"State"|"Protocol"», values: ["4"]') },
  { name: 'DPort of a sockaddr', spec: filterSpec('sockaddr', 'operator: «"DPort"|"SPort"», values: ["4"]') },
  { name: 'FileType of a descriptor', spec: filterSpec('fd', 'operator: «"FileType"|"Equal"», values: ["reg"]') },
  { name: 'an unknown type of file', spec: filterSpec('file', 'operator: "FileType", values: [«"folder"|"dir"»]') },
  {
    name: 'inode beside Prefix',
    spec: filterSpec('file', 'operator: «"Prefix"|"Equal"», values: ["/a"], inode: true'),
  },
  { name: 'the inode of a string', spec: filterSpec('string', 'operator: "Equal", values: ["/a"]«, inode: true|»') },
  {
    name: 'the inode of a type of file',
    spec: filterSpec('path', 'operator: "FileType", values: ["reg"]«, inode: true|»'),
  },
  {
    name: 'a source that does not exist',
    spec: kprobeSpec('data: [{ index: 0, type: "int", source: «"current"|"current_task"», resolve: "pid" }]'),
  },
  { name: 'a number for a string', spec: filterSpec('string', 'operator: "Equal", values: [«4|"4"»]') },
  {
    name: 'a filter on nop',
    spec: `kprobes: [{ call: "f", args: [{ index: 0, type: «"nop"|"int"» }], selectors: [{ matchArgs: [{ index: 0, operator: "Equal", values: ["1"] }] }] }]`,
  },
  {
    name: 'a filter on a type without operators',
    spec: filterSpec('cred', '')
      .replace('"cred"', '«"cred"|"string"»')
      .replace('index: 0,  }', 'index: 0, operator: "Equal", values: ["a"] }'),
  },
  {
    name: 'an index without an argument',
    spec: selectorSpec('matchArgs: [{ index: «2|1», operator: "Equal", values: ["4"] }]'),
  },
  {
    name: 'an operator of another argument',
    spec: selectorSpec('matchArgs: [{ index: 1, operator: «"Prefix"|"Equal"», values: ["4"] }]'),
  },
  { name: 'no values', spec: selectorSpec('matchArgs: [{ index: 1, operator: "Equal"«|, values: ["1"]» }]') },
  {
    name: 'an empty list of values',
    spec: selectorSpec('matchArgs: [{ index: 1, operator: "Equal", values: [«|1»] }]'),
  },
  {
    name: 'values for an operator without values',
    spec: filterSpec('sock', 'operator: "SPortPriv"«, values: ["1"]|»'),
  },
  {
    name: 'a misspelt operator',
    spec: selectorSpec('matchArgs: [{ index: 1, operator: «"Equals"|"Equal"», values: ["4"] }]'),
  },
  { name: 'a misspelt type', spec: `kprobes: [{ call: "f", args: [{ index: 0, type: «"strnig"|"string"» }] }]` },
  { name: 'an argument without a type', spec: `kprobes: [{ call: "f", args: [{ index: 0«|, type: "int"» }] }]` },
  { name: 'an argument without an index', spec: `kprobes: [{ call: "f", args: [{ «|index: 0, »type: "int" }] }]` },
  { name: 'a misspelt filter', spec: selectorSpec('«matchArg|matchArgs»: []') },
  { name: 'a misspelt field of a hook', spec: `kprobes: [{ call: "f", «sycall|syscall»: false }]` },
  { name: 'a hook without call', spec: `kprobes: [{ «|call: "f", »syscall: false }]` },
  {
    name: 'return without returnArg',
    spec: `kprobes: [{ call: "f", return: true«|, returnArg: { index: 0, type: "int" }» }]`,
  },
  {
    name: 'returnArg without return',
    spec: `kprobes: [{ call: "f", return: «false|true», returnArg: { index: 0, type: "int" } }]`,
  },
  {
    name: 'matchReturnArgs without return',
    spec: selectorSpec('«matchReturnArgs|matchArgs»: [{ index: 1, operator: "Equal", values: ["0"] }]'),
  },
  {
    name: 'Prefix of a return value',
    spec: returnSpec('matchReturnArgs: [{ operator: «"Prefix"|"LT"», values: ["0"] }]'),
  },
  {
    name: 'Override on return',
    spec: returnSpec('matchReturnActions: [{ action: «"Override", argError: -1|"Sigkill"» }]'),
  },
  { name: 'Signal without a signal', spec: actionSpec('action: "Signal"«|, argSig: 9»') },
  { name: 'Override without a value', spec: actionSpec('action: "Override"«|, argError: -1»') },
  { name: 'GetUrl without an address', spec: actionSpec('action: "GetUrl"«|, argUrl: "http://localhost"»') },
  { name: 'DnsLookup without a name', spec: actionSpec('action: "DnsLookup"«|, argFqdn: "localhost"»') },
  { name: 'NotifyEnforcer without arguments', spec: actionSpec('action: "NotifyEnforcer"«|, argSig: 9»') },
  { name: 'a value of Post', spec: actionSpec('action: "Post", «argError: 1|userStackTrace: true»') },
  { name: 'a scope without a limit', spec: actionSpec('action: "Post", rateLimitScope: "global"«|, rateLimit: "1m"»') },
  { name: 'an unknown action', spec: actionSpec('action: «"Kill"|"Sigkill"»') },
  { name: 'Set of a kprobe', spec: actionSpec('action: «"Set", argIndex: 0, argValue: 1|"NoPost"»') },
  {
    name: 'Override of a tracepoint',
    spec: `tracepoints: [{ subsystem: "a", event: "b", selectors: [{ matchActions: [{ action: «"Override", argError: -1|"Post"» }] }] }]`,
  },
  {
    name: 'TrackSock of a uprobe',
    spec: `uprobes: [{ path: "/a", symbols: ["main"], selectors: [{ matchActions: [{ action: «"TrackSock"|"Post"» }] }] }]`,
  },
  { name: 'a digest of a kprobe', spec: actionSpec('action: "Post", «imaHash|userStackTrace»: true') },
  { name: 'a tracepoint without its group', spec: `tracepoints: [{ «|subsystem: "a", »event: "b" }]` },
  { name: 'a usdt without a provider', spec: `usdts: [{ path: "/a", name: "b"«|, provider: "c"» }]` },
  { name: 'an LSM hook with a call', spec: `lsmhooks: [{ «call|hook»: "file_open" }]` },
  {
    name: 'two matchBinaries',
    spec: selectorSpec('matchBinaries: [{ operator: "In", values: ["/a"] }«, { operator: "In", values: ["/b"] }|»]'),
  },
  {
    name: 'children by prefix',
    spec: selectorSpec('matchBinaries: [{ operator: «"Prefix"|"NotIn"», values: ["/a"], followChildren: true }]'),
  },
  { name: 'Equal of a binary', spec: selectorSpec('matchBinaries: [{ operator: «"Equal"|"In"», values: ["/a"] }]') },
  { name: 'a pid as a string', spec: selectorSpec('matchPIDs: [{ operator: "In", values: [«"1"|1»] }]') },
  {
    name: 'a capability without CAP_',
    spec: selectorSpec('matchCapabilities: [{ operator: "In", values: [«"SYS_ADMIN"|"CAP_SYS_ADMIN"»] }]'),
  },
  {
    name: 'an unknown namespace',
    spec: selectorSpec('matchNamespaces: [{ namespace: «"Network"|"Net"», operator: "In", values: ["host_ns"] }]'),
  },
  {
    name: 'a namespace without values',
    spec: selectorSpec('matchNamespaces: [{ namespace: "Net", operator: "In"«|, values: ["host_ns"]» }]'),
  },
  {
    name: 'a generated list without a pattern',
    spec: `lists: [{ name: "a", type: "generated_ftrace"«|, pattern: "^a"» }]`,
  },
  { name: 'an unknown option', spec: `options: [{ name: «"mode"|"policy-mode"», value: "enforce" }]` },
  { name: 'an unknown mode', spec: `options: [{ name: "policy-mode", value: «"observe"|"monitor"» }]` },
  {
    name: 'labels without values',
    spec: `podSelector: { matchExpressions: [{ key: "a", operator: «"In"|"Exists"» }] }`,
  },
  { name: 'an unknown kind of hook', spec: `«kprobe|kprobes»: []` },
];
