/**
 * Programs that must not compile. Each is written once: `«wrong|right»` marks the mistake, so that the right variant
 * shows that nothing else is wrong.
 */
export interface Program {
  readonly name: string;
  readonly spec: string;
}

const file = 'args: [{ index: 0, type: "file" }, { index: 1, type: "int" }]';
const kprobe = (body: string): string => `kprobes: [{ call: "f", syscall: false, ${body} }]`;
const filter = (type: string, text: string): string =>
  kprobe(`args: [{ index: 0, type: "${type}" }], selectors: [{ matchArgs: [{ index: 0, ${text} }] }]`);
const select = (body: string): string => kprobe(`${file}, selectors: [{ ${body} }]`);
const act = (action: string): string => select(`matchActions: [{ ${action} }]`);
const returning = (body: string): string =>
  kprobe(`return: true, returnArg: { index: 0, type: "int" }, selectors: [{ ${body} }]`);

export const PROGRAMS: readonly Program[] = [
  { name: 'Prefix of an int', spec: filter('int', 'operator: «"Prefix"|"Equal"», values: ["4"]') },
  { name: 'Mask of a file', spec: filter('file', 'operator: «"Mask"|"Postfix"», values: ["4"]') },
  { name: 'GT of a string', spec: filter('string', 'operator: «"GT"|"NotEqual"», values: ["4"]') },
  { name: 'an address of a size_t', spec: filter('size_t', 'operator: «"DAddr"|"Mask"», values: ["4"]') },
  { name: 'State of a packet', spec: filter('skb', 'operator: «"State"|"Protocol"», values: ["4"]') },
  { name: 'DPort of a sockaddr', spec: filter('sockaddr', 'operator: «"DPort"|"SPort"», values: ["4"]') },
  { name: 'FileType of a descriptor', spec: filter('fd', 'operator: «"FileType"|"Equal"», values: ["reg"]') },
  { name: 'an unknown type of file', spec: filter('file', 'operator: "FileType", values: [«"folder"|"dir"»]') },
  { name: 'inode beside Prefix', spec: filter('file', 'operator: «"Prefix"|"Equal"», values: ["/a"], inode: true') },
  { name: 'the inode of a text', spec: filter('string', 'operator: "Equal", values: ["/a"]«, inode: true|»') },
  {
    name: 'the inode of a type of file',
    spec: filter('path', 'operator: "FileType", values: ["reg"]«, inode: true|»'),
  },
  {
    name: 'a source that does not exist',
    spec: kprobe('data: [{ index: 0, type: "int", source: «"current"|"current_task"», resolve: "pid" }]'),
  },
  { name: 'a number for a text', spec: filter('string', 'operator: "Equal", values: [«4|"4"»]') },
  {
    name: 'a filter on nop',
    spec: `kprobes: [{ call: "f", args: [{ index: 0, type: «"nop"|"int"» }], selectors: [{ matchArgs: [{ index: 0, operator: "Equal", values: ["1"] }] }] }]`,
  },
  {
    name: 'a filter on a type that is only shown',
    spec: filter('cred', '')
      .replace('"cred"', '«"cred"|"string"»')
      .replace('index: 0,  }', 'index: 0, operator: "Equal", values: ["a"] }'),
  },
  {
    name: 'an index without an argument',
    spec: select('matchArgs: [{ index: «2|1», operator: "Equal", values: ["4"] }]'),
  },
  {
    name: 'an operator of another argument',
    spec: select('matchArgs: [{ index: 1, operator: «"Prefix"|"Equal"», values: ["4"] }]'),
  },
  { name: 'no values', spec: select('matchArgs: [{ index: 1, operator: "Equal"«|, values: ["1"]» }]') },
  { name: 'an empty list of values', spec: select('matchArgs: [{ index: 1, operator: "Equal", values: [«|1»] }]') },
  { name: 'values for an operator without values', spec: filter('sock', 'operator: "SPortPriv"«, values: ["1"]|»') },
  {
    name: 'a misspelt operator',
    spec: select('matchArgs: [{ index: 1, operator: «"Equals"|"Equal"», values: ["4"] }]'),
  },
  { name: 'a misspelt type', spec: `kprobes: [{ call: "f", args: [{ index: 0, type: «"strnig"|"string"» }] }]` },
  { name: 'an argument without a type', spec: `kprobes: [{ call: "f", args: [{ index: 0«|, type: "int"» }] }]` },
  { name: 'an argument without an index', spec: `kprobes: [{ call: "f", args: [{ «|index: 0, »type: "int" }] }]` },
  { name: 'a misspelt filter', spec: select('«matchArg|matchArgs»: []') },
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
    spec: select('«matchReturnArgs|matchArgs»: [{ index: 1, operator: "Equal", values: ["0"] }]'),
  },
  {
    name: 'Prefix of a return value',
    spec: returning('matchReturnArgs: [{ operator: «"Prefix"|"LT"», values: ["0"] }]'),
  },
  {
    name: 'Override on return',
    spec: returning('matchReturnActions: [{ action: «"Override", argError: -1|"Sigkill"» }]'),
  },
  { name: 'Signal without a signal', spec: act('action: "Signal"«|, argSig: 9»') },
  { name: 'Override without a value', spec: act('action: "Override"«|, argError: -1»') },
  { name: 'GetUrl without an address', spec: act('action: "GetUrl"«|, argUrl: "http://localhost"»') },
  { name: 'DnsLookup without a name', spec: act('action: "DnsLookup"«|, argFqdn: "localhost"»') },
  { name: 'NotifyEnforcer without arguments', spec: act('action: "NotifyEnforcer"«|, argSig: 9»') },
  { name: 'a value of Post', spec: act('action: "Post", «argError: 1|userStackTrace: true»') },
  { name: 'a scope without a limit', spec: act('action: "Post", rateLimitScope: "global"«|, rateLimit: "1m"»') },
  { name: 'an unknown action', spec: act('action: «"Kill"|"Sigkill"»') },
  { name: 'Set of a kprobe', spec: act('action: «"Set", argIndex: 0, argValue: 1|"NoPost"»') },
  {
    name: 'Override of a tracepoint',
    spec: `tracepoints: [{ subsystem: "a", event: "b", selectors: [{ matchActions: [{ action: «"Override", argError: -1|"Post"» }] }] }]`,
  },
  {
    name: 'TrackSock of a uprobe',
    spec: `uprobes: [{ path: "/a", symbols: ["main"], selectors: [{ matchActions: [{ action: «"TrackSock"|"Post"» }] }] }]`,
  },
  { name: 'a digest of a kprobe', spec: act('action: "Post", «imaHash|userStackTrace»: true') },
  { name: 'a tracepoint without its group', spec: `tracepoints: [{ «|subsystem: "a", »event: "b" }]` },
  { name: 'a usdt without a provider', spec: `usdts: [{ path: "/a", name: "b"«|, provider: "c"» }]` },
  { name: 'an LSM hook with a call', spec: `lsmhooks: [{ «call|hook»: "file_open" }]` },
  {
    name: 'two matchBinaries',
    spec: select('matchBinaries: [{ operator: "In", values: ["/a"] }«, { operator: "In", values: ["/b"] }|»]'),
  },
  {
    name: 'children by prefix',
    spec: select('matchBinaries: [{ operator: «"Prefix"|"NotIn"», values: ["/a"], followChildren: true }]'),
  },
  { name: 'Equal of a binary', spec: select('matchBinaries: [{ operator: «"Equal"|"In"», values: ["/a"] }]') },
  { name: 'a pid as text', spec: select('matchPIDs: [{ operator: "In", values: [«"1"|1»] }]') },
  {
    name: 'a capability without CAP_',
    spec: select('matchCapabilities: [{ operator: "In", values: [«"SYS_ADMIN"|"CAP_SYS_ADMIN"»] }]'),
  },
  {
    name: 'an unknown namespace',
    spec: select('matchNamespaces: [{ namespace: «"Network"|"Net"», operator: "In", values: ["host_ns"] }]'),
  },
  {
    name: 'a namespace without values',
    spec: select('matchNamespaces: [{ namespace: "Net", operator: "In"«|, values: ["host_ns"]» }]'),
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
