/** Mistakes in the parts of the language beyond simple kprobes, each with its code and position. */
import { checkMarked, yamlItem, kprobeYaml, policyYaml } from './marked-policies.js';

/** Returns a policy with a kprobe that has one argument of this type, and one filter on the argument. */
const typedFilterYaml = (type: string, operator: string, values: string, mark = ''): string =>
  kprobeYaml(
    `call: f\nsyscall: false\nargs:\n- index: 0\n  ${mark}type: ${type}\nselectors:\n- matchArgs:\n  - index: 0\n    ${operator}\n    values: [${values}]`,
  );
const op = (operator: string): string => `operator: ${operator}`;
const intFilter = (operator: string, values: string): string => typedFilterYaml('int', op(operator), values, '');
const selectorYaml = (body: string): string => kprobeYaml(`call: f\nsyscall: false\nselectors:\n${yamlItem(body)}`);
function lsmYaml(hook: string, type: string, more: string): string {
  return policyYaml(
    `lsmhooks: [{hook: ${hook}, args: [{index: 0, type: ${type}}], selectors: [{matchActions: [{action: Post, ${more}}]}]}]`,
  );
}

const actionYaml = (action: string): string => selectorYaml(`matchActions:\n- ${action}`);
const hookWithAction = (kind: string, hook: string, action: string): string =>
  policyYaml(`${kind}:\n- ${hook}\n  selectors:\n  - matchActions:\n    - ${action}`);
const neverMatching = (...filters: string[]): string =>
  kprobeYaml(
    `call: f\nsyscall: false\nargs: [{index: 0, type: int}, {index: 1, type: uint32}, {index: 2, type: string}]\nselectors:\n- ⟦SELECTOR_NEVER_MATCHES⟧matchArgs:\n${filters.map((text) => `  - {${text}}`).join('\n')}`,
  );
const shadowedSelector = (first: string, second: string): string =>
  kprobeYaml(
    `call: f\nsyscall: false\nargs: [{index: 0, type: int}, {index: 1, type: uint32}, {index: 2, type: string}]\nselectors:\n${yamlItem(first)}\n- ⟦SELECTOR_SHADOWED⟧${yamlItem(second).slice(2)}`,
  );
const argsFilter = (text: string): string => `matchArgs: [${text}]`;

const cases: readonly (readonly [string, string])[] = [
  // Values
  ['no address', typedFilterYaml('sock', op('DAddr'), '⟦ADDRESS_INVALID⟧localhost')],
  ['an address out of range', typedFilterYaml('sock', op('SAddr'), '⟦ADDRESS_INVALID⟧"256.0.0.1"')],
  ['a network of 33 bits', typedFilterYaml('sock', op('NotDAddr'), '⟦ADDRESS_INVALID⟧"10.0.0.0/33"')],
  ['a network of 129 bits', typedFilterYaml('skb', op('NotSAddr'), '⟦ADDRESS_INVALID⟧"::/129"')],
  ['a zone in an address', typedFilterYaml('skb', op('SAddr'), '⟦ADDRESS_INVALID⟧"fe80::1%eth0"')],
  ['two slashes', typedFilterYaml('skb', op('SAddr'), '⟦ADDRESS_INVALID⟧"10.0.0.0/8/8"')],
  ['a variable left in', typedFilterYaml('sock', op('DAddr'), '⟦ADDRESS_INVALID⟧"${POD}"')],
  ['a port too large', typedFilterYaml('sock', op('DPort'), '⟦PORT_INVALID⟧"65536"')],
  ['a port by name', typedFilterYaml('sock', op('SPort'), '⟦PORT_INVALID⟧"http"')],
  ['ports the wrong way round', typedFilterYaml('skb', op('NotDPort'), '⟦PORT_INVALID⟧"9:1"')],
  ['three ports in one', typedFilterYaml('skb', op('NotSPort'), '⟦PORT_INVALID⟧"1:2:3"')],
  ['a misspelt protocol', typedFilterYaml('sock', op('Protocol'), '⟦PROTOCOL_UNKNOWN⟧IPPROTO_TPC')],
  ['a protocol too large', typedFilterYaml('sock', op('Protocol'), '⟦PROTOCOL_UNKNOWN⟧"65536"')],
  ['a family by another name', typedFilterYaml('sockaddr', op('Family'), '⟦FAMILY_UNKNOWN⟧INET')],
  ['a state that TCP does not have', typedFilterYaml('sock', op('State'), '⟦STATE_UNKNOWN⟧TCP_OPEN')],
  [
    'a state of a packet',
    typedFilterYaml('skb', '⟦OPERATOR_NOT_FOR_TYPE⟧State', 'TCP_CLOSE').replace(
      '⟦OPERATOR_NOT_FOR_TYPE⟧State',
      'operator: ⟦OPERATOR_NOT_FOR_TYPE⟧State',
    ),
  ],
  ['a file type', typedFilterYaml('file', op('FileType'), '⟦FILE_TYPE_UNKNOWN⟧folder', '')],
  ['a file type of a descriptor', typedFilterYaml('fd', 'operator: ⟦OPERATOR_NOT_FOR_TYPE⟧FileType', 'reg', '')],
  [
    'a port of a privileged test',
    typedFilterYaml('sock', op('SPortPriv'), '"80"').replace('values:', '⟦VALUES_UNUSED⟧values:'),
  ],
  ['a capability by number too large', typedFilterYaml('capability', op('Equal'), '⟦CAPABILITY_UNKNOWN⟧CAP_ROOT')],
  ['a range the wrong way round', intFilter('InRange', '⟦RANGE_INVALID⟧"9:1"')],
  ['an invalid range', intFilter('NotInRange', '⟦RANGE_INVALID⟧"9"')],
  [
    'a range beyond the type',
    intFilter('InRange', '"⟦VALUE_OUT_OF_RANGE⟧2147483648:99999999999"').replace(
      '"⟦VALUE_OUT_OF_RANGE⟧',
      '⟦VALUE_OUT_OF_RANGE⟧"',
    ),
  ],
  ['a map of strings', intFilter('InMap', '⟦VALUE_NOT_A_NUMBER⟧one')],
  ['a map of a list that does not exist', intFilter('InMap', '⟦UNKNOWN_LIST⟧"list:a"')],
  ['a system call by name', typedFilterYaml('syscall64', 'operator: Equal', '⟦SYSCALL_UNKNOWN⟧sys_dpu, sys_dup')],
  ['a value twice', typedFilterYaml('int', 'operator: Equal', '"1", ⟦VALUE_REPEATED⟧"1"', '')],
  ['an empty part', typedFilterYaml('string', op('SubString'), '⟦VALUE_EMPTY⟧""', '')],
  [
    'two values for one comparison',
    kprobeYaml(
      'call: f\nargs: [{index: 0, type: int}, {index: 1, type: int}]\nselectors:\n- matchArgs:\n  - args: ⟦TOO_MANY_POSITIONS⟧[0, 1]\n    operator: Equal\n    values: ["1"]',
    ),
  ],
  [
    'a second position that does not exist',
    kprobeYaml(
      'call: f\nsyscall: false\nargs: [{index: 0, type: cap_effective}]\nselectors:\n- matchArgs:\n  - args: [0, ⟦INDEX_WITHOUT_ARG⟧7]\n    operator: CapabilitiesGained',
    ),
  ],
  [
    'CapabilitiesGained with one set',
    typedFilterYaml('cap_effective', 'operator: ⟦OPERATOR_NEEDS_ARGS⟧CapabilitiesGained', 'CAP_CHOWN'),
  ],
  // Arguments
  ['a size for a number', kprobeYaml('call: f\nargs: [{index: 0, type: int, ⟦ARG_FIELD_UNUSED⟧sizeArgIndex: 1}]')],
  [
    'maxData for a file',
    kprobeYaml('call: f\nsyscall: false\nargs: [{index: 0, type: file, ⟦ARG_FIELD_UNUSED⟧maxData: true}]'),
  ],
  [
    'returnCopy on a hook that sees no return',
    policyYaml('lsmhooks:\n- hook: file_open\n  args: [{index: 0, type: int, ⟦ARG_FIELD_UNUSED⟧returnCopy: true}]'),
  ],
  [
    'a module without a type',
    kprobeYaml('call: f\nargs: [{index: 0, type: int, ⟦ARG_FIELD_UNUSED⟧btfTypeModule: xfs}]'),
  ],
  [
    'a size that is not read',
    kprobeYaml('call: f\nargs: [{index: 1, type: char_buf, sizeArgIndex: ⟦SIZE_ARG_WITHOUT_ARG⟧3}]'),
  ],
  [
    'an arrow in a path of members',
    kprobeYaml('call: f\nsyscall: false\nargs: [{index: 0, type: string, resolve: ⟦RESOLVE_SYNTAX⟧mm->owner}]'),
  ],
  ['a key in another case', kprobeYaml('call: f\n⟦KEY_CASE⟧Args: [{⟦KEY_CASE⟧Index: 0, type: int}]')],
  [
    'attach points of two kinds',
    policyYaml('uprobes:\n- path: /bin/sh\n  symbols: [main]\n  ⟦UPROBE_PLACES⟧offsets: [16]'),
  ],
  [
    'a buffer without a size',
    kprobeYaml(
      'call: f\nargs: [{index: 0, type: ⟦BUFFER_WITHOUT_SIZE⟧char_buf}, {index: 1, type: ⟦BUFFER_WITHOUT_SIZE⟧char_iovec}]',
    ),
  ],
  [
    'a size beyond the registers',
    kprobeYaml('call: f\nargs: [{index: 1, type: char_buf, sizeArgIndex: ⟦LIMIT_PARAMETER⟧⟦SIZE_ARG_WITHOUT_ARG⟧7}]'),
  ],
  [
    'nine args and data',
    kprobeYaml(
      `call: f\nargs: [${[0, 1, 2, 3, 4, 5].map((i) => `{index: ${i}, type: int}`).join(', ')}]\ndata:\n- {index: 0, type: int, source: current_task, resolve: a}\n- {index: 0, type: int, source: current_task, resolve: b}\n- ⟦LIMIT_ARGS⟧{index: 0, type: int, source: current_task, resolve: c}`,
    ),
  ],
  [
    'members of user memory',
    kprobeYaml(
      'call: sys_connect\nargs: [{index: 1, type: uint16, btfType: sockaddr, resolve: ⟦RESOLVE_USER_MEMORY⟧sa_family}]',
    ),
  ],
  [
    'a misspelt source',
    kprobeYaml('call: f\ndata: [{index: 0, type: int, source: ⟦SOURCE_UNKNOWN⟧current_tsk, resolve: pid}]'),
  ],
  [
    'an argument and a size after the last of a static probe',
    policyYaml(
      'usdts: [{path: /bin/a, provider: p, name: n, args: [{index: ⟦LIMIT_PARAMETER⟧12, type: int32}, {index: 0, type: char_buf, sizeArgIndex: ⟦LIMIT_PARAMETER⟧13}]}]',
    ),
  ],
  [
    "members of a program's struct without a file of types",
    policyYaml(
      'uprobes: [{path: /bin/a, symbols: [f], args: [{index: 0, type: int, resolve: ⟦RESOLVE_USER_MEMORY⟧a.b}]}]',
    ),
  ],
  [
    "members of a program's struct without its name",
    policyYaml(
      'uprobes: [{path: /bin/a, btfPath: /a.btf, symbols: [f], args: [{index: 0, type: int, resolve: ⟦RESOLVE_USER_MEMORY⟧a.b}]}]',
    ),
  ],
  [
    'a part of a register as an address',
    kprobeYaml('call: f\ndata: [{index: 0, type: ⟦ARG_TYPE_MISMATCH⟧string, source: pt_regs, resolve: eax}]'),
  ],
  ['a source that does not exist', kprobeYaml('call: f\ndata: [{index: 0, type: int, source: ⟦SOURCE_UNKNOWN⟧x}]')],
  [
    'a source without resolve',
    kprobeYaml(
      'call: f\ndata: [{index: 0, type: int, source: ⟦SOURCE_WITHOUT_RESOLVE⟧current_task}, {index: 0, type: int, source: ⟦SOURCE_WITHOUT_RESOLVE⟧pt_regs}]',
    ),
  ],
  [
    'invalid registers',
    kprobeYaml(
      'call: f\ndata: [{index: 0, type: int, source: pt_regs, resolve: ⟦REGISTER_UNKNOWN⟧raxx}, {index: 0, type: int, source: pt_regs, resolve: ⟦REGISTER_UNKNOWN⟧accumulator}]',
    ),
  ],
  // Filters apart from their values
  [
    'inode beside Prefix',
    typedFilterYaml('file', 'operator: Prefix', '/a').replace(
      '    values:',
      '    ⟦INODE_NOT_FOR_FILTER⟧inode: true\n        values:',
    ),
  ],
  [
    'the inode of a string',
    typedFilterYaml('string', 'operator: Equal', '/a').replace(
      '    values:',
      '    ⟦INODE_NOT_FOR_FILTER⟧inode: true\n        values:',
    ),
  ],
  [
    'inodes for one of two filters',
    kprobeYaml(
      'call: f\nsyscall: false\nargs: [{index: 0, type: fd}]\nselectors:\n- matchArgs:\n  - {index: 0, operator: Equal, values: [/a, /b], inode: true}\n  - {index: 0, operator: NotEqual, values: [/b], ⟦INODE_NOT_FOR_FILTER⟧inode: false}',
    ),
  ],
  [
    'the end of a string with maxData',
    kprobeYaml(
      'call: f\nargs: [{index: 0, type: char_buf, sizeArgIndex: 2, maxData: true}, {index: 1, type: size_t}]\nselectors:\n- matchArgs: [{index: 0, operator: ⟦FILTER_NOT_WITH_MAX_DATA⟧NotPostfix, values: [a]}, {index: 0, operator: ⟦FILTER_NOT_WITH_MAX_DATA⟧SubString, values: [a]}, {index: 0, operator: Prefix, values: [a]}]',
    ),
  ],
  [
    'CapabilitiesGained of a number',
    kprobeYaml(
      'call: f\nargs: [{index: 0, type: cap_effective}, {index: 1, type: int}]\nselectors:\n- matchArgs: [{args: [0, ⟦OPERATOR_NOT_FOR_TYPE⟧1], operator: CapabilitiesGained}]',
    ),
  ],
  [
    'a list with names that are not system calls',
    policyYaml(
      'lists: [{name: a, values: [sys_dup, ksys_dup]}]\nkprobes:\n- call: sys_dup\n  args: [{index: 0, type: int}]\n  selectors: [{matchArgs: [{index: 0, operator: InMap, values: [⟦SYSCALL_UNKNOWN⟧"list:a"]}]}]',
    ),
  ],
  [
    'a range of system calls',
    typedFilterYaml('syscall64', 'operator: InRange', '⟦SYSCALL_UNKNOWN⟧"dup:nothing_like_it"'),
  ],
  // Processes
  [
    'a namespace by name',
    selectorYaml('matchNamespaces: [{namespace: Pid, operator: In, values: [⟦NAMESPACE_INVALID⟧host]}]'),
  ],
  [
    'a namespace too large',
    selectorYaml('matchNamespaces: [{namespace: Pid, operator: In, values: [⟦NAMESPACE_INVALID⟧"4294967296"]}]'),
  ],
  [
    'an unknown kind of namespace',
    selectorYaml('matchNamespaces: [{namespace: ⟦UNKNOWN_VALUE⟧Network, operator: In, values: [host_ns]}]'),
  ],
  [
    'a change of an unknown kind',
    selectorYaml('matchNamespaceChanges: [{operator: In, values: [⟦NAMESPACE_INVALID⟧Mount]}]'),
  ],
  [
    'a misspelt capability',
    selectorYaml('matchCapabilities: [{operator: In, values: [⟦CAPABILITY_UNKNOWN⟧CAP_SYS_ADMN]}]'),
  ],
  [
    'a capability without CAP_',
    selectorYaml('matchCapabilityChanges: [{operator: NotIn, values: [⟦CAPABILITY_UNKNOWN⟧SYS_ADMIN]}]'),
  ],
  [
    'arguments of the command',
    selectorYaml('⟦FIELD_UNRELEASED⟧matchCmdArgs: [{index: 0, operator: NotPostfix, values: [sh]}]'),
  ],
  [
    'a long argument',
    selectorYaml(`⟦FIELD_UNRELEASED⟧matchCmdArgs: [{operator: Prefix, values: [⟦VALUE_TOO_LONG⟧${'a'.repeat(255)}]}]`),
  ],
  [
    'no argument to compare',
    selectorYaml('⟦FIELD_UNRELEASED⟧matchCmdArgs: [{operator: Postfix, values: [⟦VALUE_EMPTY⟧""]}]'),
  ],
  [
    'children by prefix',
    selectorYaml('matchBinaries: [{operator: Prefix, values: [/usr], ⟦FOLLOW_NOT_FOR_OPERATOR⟧followChildren: true}]'),
  ],
  [
    'labels without values',
    policyYaml('podSelector:\n  matchExpressions: [{key: app, operator: ⟦LABEL_VALUES⟧In}]\nkprobes: [{call: f}]'),
  ],
  [
    'labels with unused values',
    policyYaml(
      'nodeSelector:\n  matchExpressions: [{key: app, operator: ⟦LABEL_VALUES⟧Exists, values: [a]}]\nkprobes: [{call: f}]',
    ),
  ],
  [
    'labels of a workload',
    selectorYaml('matchWorkloads: {podSelector: {matchExpressions: [{key: app, operator: ⟦LABEL_VALUES⟧NotIn}]}}'),
  ],
  [
    'names and values of labels',
    policyYaml(
      'podSelector:\n  matchLabels: {⟦LABEL_INVALID⟧"a b": c, app: ⟦LABEL_INVALID⟧"a b", "k8s:io.kubernetes.pod.namespace": b}\nhostSelector: {matchExpressions: [{key: ⟦LABEL_INVALID⟧a/b/c, operator: Exists}]}\nkprobes: [{call: f}]',
    ),
  ],
  [
    'fields of a container',
    policyYaml(
      'containerSelector: {matchLabels: {name: a b, "label:x y": c, ⟦CONTAINER_FIELD_UNKNOWN⟧nam: a, ⟦CONTAINER_FIELD_UNKNOWN⟧"label:": a}}\nkprobes: [{call: f}]',
    ),
  ],
  [
    'the host in a policy for a namespace',
    policyYaml('⟦SCOPE_CONTRADICTS⟧hostSelector: {}\nkprobes: [{call: f}]').replace(
      'kind: TracingPolicy',
      'kind: TracingPolicyNamespaced',
    ),
  ],
  [
    'pods in a policy for no namespace',
    policyYaml('⟦SCOPE_CONTRADICTS⟧podSelector: {}\nkprobes: [{call: f}]')
      .replace('kind: TracingPolicy', 'kind: TracingPolicyNamespaced')
      .replace('name: test', 'name: test\n  namespace: ""'),
  ],
  // Actions
  [
    'Set of a kprobe',
    actionYaml('action: ⟦ACTION_NOT_FOR_HOOK⟧Set\n    argIndex: 0\n    argValue: 1'.replaceAll('\n    ', '\n  ')),
  ],
  [
    'Override of a tracepoint',
    hookWithAction(
      'tracepoints',
      'subsystem: a\n  event: b',
      'action: ⟦ACTION_NOT_FOR_HOOK⟧Override\n      argError: -1',
    ),
  ],
  [
    'TrackSock of a uprobe',
    hookWithAction('uprobes', 'path: /bin/a\n  symbols: [main]', 'action: ⟦ACTION_NOT_FOR_HOOK⟧TrackSock'),
  ],
  [
    'invalid registers',
    hookWithAction(
      'uprobes',
      'path: /bin/a\n  symbols: [main]',
      'action: Override\n      argRegs: [rax=1, ⟦REGISTER_ASSIGNMENT⟧ah=1, ⟦REGISTER_ASSIGNMENT⟧"rip=(rsp)", "rip=-8(%rsp)"]',
    ),
  ],
  [
    'two ways to override',
    hookWithAction(
      'uprobes',
      'path: /bin/a\n  symbols: [main]',
      'action: Override\n      argError: 1\n      ⟦OVERRIDE_AMBIGUOUS⟧argNewSymbol: other',
    ),
  ],
  [
    'Override in the middle of a function',
    hookWithAction(
      'uprobes',
      'path: /bin/a\n  symbols: [main+4]',
      'action: ⟦OVERRIDE_UNCERTAIN⟧Override\n      argError: 1',
    ),
  ],
  ['Signal without a signal', actionYaml('action: ⟦ACTION_ARGUMENT_MISSING⟧Signal')],
  ['an invalid signal', actionYaml('action: Signal\n  argSig: ⟦SIGNAL_INVALID⟧65')],
  ['GetUrl without an address', actionYaml('action: ⟦ACTION_ARGUMENT_MISSING⟧GetUrl')],
  ['DnsLookup without a name', actionYaml('action: ⟦ACTION_ARGUMENT_MISSING⟧DnsLookup')],
  ['GetUrl of another protocol', actionYaml('action: GetUrl\n  argUrl: ⟦REQUEST_INVALID⟧file:///etc/shadow')],
  ['GetUrl of no address', actionYaml('action: GetUrl\n  argUrl: ⟦REQUEST_INVALID⟧"http://"')],
  ['DnsLookup of an address', actionYaml('action: DnsLookup\n  argFqdn: ⟦REQUEST_INVALID⟧"https://example.com"')],
  [
    'TrackSock of an argument that is not a socket',
    kprobeYaml(
      'call: f\nsyscall: false\nargs: [{index: 0, type: int}]\nselectors:\n- matchActions:\n  - action: TrackSock\n    argSock: ⟦SOCKET_INVALID⟧0',
    ),
  ],
  [
    'UntrackSock of an argument that does not exist',
    kprobeYaml('call: f\nsyscall: false\nselectors:\n- matchActions:\n  - action: ⟦SOCKET_INVALID⟧UntrackSock'),
  ],
  [
    'a returned value that is not a socket',
    kprobeYaml('call: f\nreturn: true\nreturnArg: {index: 0, type: int}\nreturnArgAction: ⟦SOCKET_INVALID⟧TrackSock'),
  ],
  ['a returned socket that is not read', kprobeYaml('call: f\nreturnArgAction: ⟦SOCKET_INVALID⟧UntrackSock')],
  [
    'Override without a value',
    kprobeYaml('call: sys_mount\nselectors:\n- matchActions:\n  - action: ⟦ACTION_ARGUMENT_MISSING⟧Override'),
  ],
  ['Override of any function', actionYaml('action: ⟦OVERRIDE_UNCERTAIN⟧Override\n  argError: -1')],
  [
    'Override on return',
    kprobeYaml(
      'call: sys_mount\nreturn: true\nreturnArg: {index: 0, type: int}\nselectors:\n- matchReturnActions:\n  - action: ⟦OVERRIDE_NOT_POSSIBLE⟧Override\n    argError: -1',
    ),
  ],
  [
    'actions on a return that is not read',
    selectorYaml('⟦RETURN_FILTER_WITHOUT_RETURN⟧matchReturnActions:\n- action: Post'),
  ],
  [
    'registers of a kprobe',
    kprobeYaml(
      'call: sys_dup\nselectors:\n- matchActions:\n  - action: Override\n    argError: -1\n    ⟦ACTION_ARGUMENT_UNUSED⟧argRegs: [rax=1]',
    ),
  ],
  ['a value of Post', actionYaml('action: Post\n  ⟦ACTION_ARGUMENT_UNUSED⟧argError: 1')],
  ['a digest of a kprobe', actionYaml('action: Post\n  ⟦IMA_HASH_NOT_POSSIBLE⟧imaHash: true')],
  ['a digest of a file that is not open yet', lsmYaml('file_open', 'file', '⟦IMA_HASH_NOT_POSSIBLE⟧imaHash: true')],
  ['a digest of nothing', lsmYaml('mmap_file', 'nop', '⟦IMA_HASH_NOT_POSSIBLE⟧imaHash: true')],
  ['a digest', lsmYaml('mmap_file', 'file', 'imaHash: true')],
  [
    'a value that the kernel does not accept from an LSM hook',
    policyYaml(
      'lsmhooks: [{hook: file_open, selectors: [{matchActions: [{action: Override, argError: ⟦OVERRIDE_NOT_POSSIBLE⟧1}]}]}]',
    ),
  ],
  ['a rate limit that is not a time', actionYaml('action: Post\n  rateLimit: ⟦RATE_LIMIT_INVALID⟧1 minute')],
  ['a rate limit of nothing', actionYaml('action: Post\n  rateLimit: ⟦RATE_LIMIT_INVALID⟧0s')],
  ['a scope without a limit', actionYaml('action: Post\n  ⟦ACTION_ARGUMENT_UNUSED⟧rateLimitScope: global')],
  ['a scope that does not exist', actionYaml('action: Post\n  rateLimit: 5s\n  rateLimitScope: ⟦UNKNOWN_VALUE⟧user')],
  ['Post and NoPost', actionYaml('action: Post\n- action: ⟦ACTION_CONTRADICTS⟧NoPost')],
  ['Post twice', actionYaml('action: Post\n- action: ⟦ACTION_CONTRADICTS⟧Post')],
  ['an enforcer that does not exist', actionYaml('action: ⟦ENFORCER_MISSING⟧NotifyEnforcer\n  argSig: 9')],
  [
    'a list of enforcers without any',
    `${actionYaml('action: ⟦ENFORCER_MISSING⟧NotifyEnforcer\n  argSig: 9')}\n  enforcers: []`,
  ],
  [
    'an enforcer that has nothing to do',
    `${actionYaml('action: ⟦ACTION_ARGUMENT_MISSING⟧NotifyEnforcer\n  argError: 0')}\n  enforcers: [{calls: [sys_dup]}]`,
  ],
  [
    'an argument of the notification, whose event has all arguments',
    `${actionYaml('action: NotifyEnforcer\n  argError: 0\n  argSig: 9\n  ⟦ACTION_ARGUMENT_UNUSED⟧argIndex: 1')}\n  enforcers: [{calls: [sys_dup]}]`,
  ],
  ['Sigkill alone', actionYaml('action: ⟦SIGKILL_TOO_LATE⟧⟦SIGNAL_UNFILTERED⟧Sigkill')],
  [
    'a tracked socket misspelt',
    kprobeYaml('call: f\nreturn: true\nreturnArg: {index: 0, type: int}\nreturnArgAction: ⟦UNKNOWN_VALUE⟧TrackSocket'),
  ],
  // Selectors
  [
    'two values at once',
    neverMatching('index: 0, operator: Equal, values: ["1"]', 'index: 0, operator: Equal, values: ["2"]'),
  ],
  [
    'a value that is excluded',
    neverMatching('index: 0, operator: Equal, values: ["1"]', 'index: 0, operator: NotEqual, values: ["1", "2"]'),
  ],
  ['nothing between', neverMatching('index: 1, operator: GT, values: ["5"]', 'index: 1, operator: LT, values: ["6"]')],
  ['less than nothing', neverMatching('index: 1, operator: LT, values: ["0"]')],
  ['no bits', neverMatching('index: 0, operator: Mask, values: ["0"]')],
  [
    'two strings at once',
    neverMatching('index: 2, operator: Equal, values: [a]', 'index: 2, operator: Equal, values: [b]'),
  ],
  [
    'a string without its prefix',
    neverMatching('index: 2, operator: Equal, values: [/a, /b]', 'index: 2, operator: Prefix, values: [/c]'),
  ],
  [
    'a string whose postfix is excluded',
    neverMatching('index: 2, operator: Equal, values: [a.so, b.so]', 'index: 2, operator: NotPostfix, values: [so]'),
  ],
  [
    'two prefixes at once',
    neverMatching('index: 2, operator: Prefix, values: [/a]', 'index: 2, operator: Prefix, values: [/b]'),
  ],
  [
    'a prefix within an excluded one',
    neverMatching('index: 2, operator: Prefix, values: [/etc/ssl]', 'index: 2, operator: NotPrefix, values: [/etc]'),
  ],
  [
    'two postfixes at once',
    neverMatching('index: 2, operator: Postfix, values: [a]', 'index: 2, operator: Postfix, values: [b]'),
  ],
  [
    'a pid that is excluded',
    selectorYaml('⟦SELECTOR_NEVER_MATCHES⟧matchPIDs:\n- {operator: In, values: [1]}\n- {operator: NotIn, values: [1]}'),
  ],
  [
    'at least 0',
    kprobeYaml(
      'call: f\nargs: [{index: 0, type: uint32}]\nselectors:\n- matchArgs:\n  - ⟦FILTER_ALWAYS_MATCHES⟧{index: 0, operator: LT, values: ["4294967295", "1"]}',
    )
      .replace('LT, values: ["4294967295", "1"]', 'GT, values: ["0"]')
      .replace(
        '⟦FILTER_ALWAYS_MATCHES⟧{index: 0, operator: GT, values: ["0"]}',
        '⟦FILTER_ALWAYS_MATCHES⟧{index: 0, operator: InRange, values: ["0:4294967295"]}',
      ),
  ],
  [
    'shadowed by a selector without filters',
    shadowedSelector('matchActions: [{action: Post}]', argsFilter('{index: 0, operator: Equal, values: ["1"]}')),
  ],
  [
    'shadowed by the same filters',
    shadowedSelector(
      argsFilter('{index: 0, operator: Equal, values: ["1", "2"]}'),
      argsFilter('{index: 0, operator: Equal, values: ["2", "1"]}'),
    ),
  ],
  [
    'shadowed by more values',
    shadowedSelector(
      argsFilter('{index: 0, operator: Equal, values: ["1", "2"]}'),
      argsFilter('{index: 0, operator: Equal, values: ["2"]}'),
    ),
  ],
  [
    'shadowed by a wider range',
    shadowedSelector(
      argsFilter('{index: 1, operator: GT, values: ["1"]}'),
      argsFilter('{index: 1, operator: Equal, values: ["7"]}'),
    ),
  ],
  [
    'shadowed by a shorter prefix',
    shadowedSelector(
      argsFilter('{index: 2, operator: Prefix, values: [/etc]}'),
      argsFilter('{index: 2, operator: Prefix, values: [/etc/ssl]}, {index: 0, operator: Equal, values: ["1"]}'),
    ),
  ],
  [
    'shadowed by a prefix of a complete string',
    shadowedSelector(
      argsFilter('{index: 2, operator: Prefix, values: [/etc]}'),
      argsFilter('{index: 2, operator: Equal, values: [/etc/passwd]}'),
    ),
  ],
  [
    'shadowed by a shorter postfix',
    shadowedSelector(
      argsFilter('{index: 2, operator: Postfix, values: [rc]}'),
      argsFilter('{index: 2, operator: Postfix, values: [bashrc]}'),
    ),
  ],
  [
    'shadowed by a selector that excludes less',
    shadowedSelector(
      argsFilter('{index: 2, operator: NotPrefix, values: [/etc/ssl]}'),
      argsFilter('{index: 2, operator: NotPrefix, values: [/etc]}'),
    ),
  ],
  [
    'shadowed by the same binaries',
    shadowedSelector(
      'matchBinaries: [{operator: In, values: [/a, /b]}]',
      'matchBinaries: [{operator: In, values: [/b, /a]}]',
    ),
  ],
  [
    'shadowed by a map',
    shadowedSelector(
      argsFilter('{index: 0, operator: InMap, values: ["1:5", "9"]}'),
      argsFilter('{index: 0, operator: Equal, values: ["3"]}'),
    ),
  ],
  [
    'shadowed by the same inode',
    kprobeYaml(
      'call: f\nsyscall: false\nargs: [{index: 0, type: file}]\nselectors:\n- matchArgs: [{index: 0, operator: Equal, values: [/a], inode: true}]\n- ⟦SELECTOR_SHADOWED⟧matchArgs: [{index: 0, operator: Equal, values: [/a], inode: true}]',
    ),
  ],
  [
    'not shadowed by another path to the inode',
    kprobeYaml(
      'call: f\nsyscall: false\nargs: [{index: 0, type: file}]\nselectors:\n- matchArgs: [{index: 0, operator: Prefix, values: [/a]}]\n- matchArgs: [{index: 0, operator: Equal, values: [/a/b], inode: true}]',
    ),
  ],
  // Limits
  [
    'five scans of one string',
    kprobeYaml(
      `call: f\nargs: [{index: 0, type: string}]\n⟦LIMIT_SUBSTRINGS⟧selectors:\n- matchArgs: [${['a', 'b', 'c', 'd', 'e'].map((text) => `{index: 0, operator: SubString, values: [${text}]}`).join(', ')}]`,
    ),
  ],
  [
    'more characters than the automaton can have',
    kprobeYaml(
      `call: f\nargs: [{index: 0, type: string}]\n⟦LIMIT_SUBSTRINGS⟧selectors:\n- matchArgs: [{index: 0, operator: SubString, values: [${Array.from({ length: 20 }, (_, i) => 'x'.repeat(4000) + String(i)).join(', ')}]}]`,
    ),
  ],
  [
    'seventeen changes',
    kprobeYaml(
      `call: f\n⟦LIMIT_CHANGES⟧selectors:\n${Array.from({ length: 17 }, (_, i) => `- matchCapabilityChanges: [{operator: In, values: [CAP_${['CHOWN', 'KILL', 'SETGID', 'SETUID', 'SETPCAP'].filter((_name, bit) => ((i + 1) >> bit) & 1).join(', CAP_')}]}]`).join('\n')}`,
    ),
  ],
  [
    'too many followed processes',
    kprobeYaml(
      `call: f\n⟦LIMIT_PROCESS_TESTS⟧selectors:\n- matchPIDs: [${Array.from({ length: 128 }, (_, i) => `{operator: NotIn, values: [${i}], followForks: true}`).join(', ')}]\n- matchPIDs: [{operator: In, values: [500], followForks: true}]`,
    ),
  ],
  // Hooks of programs, options
  ['a uprobe without an attach point', policyYaml('uprobes: [{path: ⟦UPROBE_WITHOUT_PLACE⟧/bin/a}]')],
  ['a uprobe by a relative path', policyYaml('uprobes: [{path: ⟦PATH_NOT_ABSOLUTE⟧bash, symbols: [main]}]')],
  [
    'a path in containers',
    policyYaml('uprobes: [{path: /a, ⟦FIELD_UNRELEASED⟧resolvePathInContainer: true, symbols: [a]}]'),
  ],
  ['too few counters', policyYaml('uprobes: [{path: /a, symbols: [a, b], refCtrOffsets: ⟦UPROBE_COUNTERS⟧[1]}]')],
  ['a digest that is short', policyYaml('uprobes: [{path: /a, symbols: [a], binaryDigests: [⟦DIGEST_INVALID⟧abc]}]')],
  ['a negative offset', policyYaml('uprobes: [{path: /a, offsets: [⟦NUMBER_OUT_OF_RANGE⟧-1]}]')],
  ['a usdt without a provider', policyYaml('usdts: [⟦MISSING_FIELD⟧{path: /a, name: b}]')],
  ['an LSM hook without a name', policyYaml('lsmhooks: [⟦MISSING_FIELD⟧{args: []}]')],
  ['a tracepoint without a group', policyYaml('tracepoints: [⟦MISSING_FIELD⟧{event: a}]')],
  ['a call of an LSM hook', policyYaml('lsmhooks: [{hook: file_open, ⟦UNKNOWN_FIELD⟧call: a}]')],
  [
    'an option that does not exist',
    policyYaml('options: [{name: ⟦OPTION_UNKNOWN⟧policy-mod, value: enforce}]\nkprobes: [{call: f}]'),
  ],
  [
    'a mode that does not exist',
    policyYaml('options: [{name: policy-mode, value: ⟦OPTION_INVALID⟧observe}]\nkprobes: [{call: f}]'),
  ],
  [
    'a value without quotes',
    policyYaml('options: [{name: disable-kprobe-multi, value: ⟦WRONG_TYPE⟧true}]\nkprobes: [{call: f}]'),
  ],
];

describe('policy: mistakes in the whole language', () => {
  for (const [name, text] of cases) it(name, () => checkMarked(text));
});
