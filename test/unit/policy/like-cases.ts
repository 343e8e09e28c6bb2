/** For each difference, a policy that has it at the marks, and a similar policy that does not have it. */
import type { ANSWERS, DIFFERENCES } from '../../../lib/policy/like/tetragon.js';
import { kprobeYaml, policyYaml } from './marked-policies.js';

export interface Case {
  readonly differs: string;
  readonly same: string;
}

/** Makes both policies from one text, and from what is at `…` in it. */
function bothCases(make: (part: string) => string, differs: string, same: string): Case {
  return { differs: make(differs), same: make(same) };
}

const kprobeWith = (args: string, selectors: string): string =>
  kprobeYaml(
    `call: f\nsyscall: false\nreturn: true\nreturnArg: {index: 0, type: int}\nargs: [${args}]\nselectors: [${selectors}]`,
  );
const filterCase = (type: string, differs: string, same: string): Case =>
  bothCases((filter) => kprobeWith(`{index: 0, type: ${type}}`, `{matchArgs: [{index: 0, ${filter}}]}`), differs, same);
const selectorCase = (differs: string, same: string): Case =>
  bothCases((selector) => kprobeWith('{index: 0, type: int}, {index: 1, type: long}', selector), differs, same);
const specCase = (differs: string, same: string): Case =>
  bothCases((spec) => policyYaml(`${spec}\nkprobes: [{call: f}]`), differs, same);
const expressionCase = (differs: string, same: string): Case =>
  selectorCase(...([differs, same].map((text) => `{matchArgs: [{operator: CelExpr, values: ["${text}"]}]}`) as [string, string])); // prettier-ignore

const uprobes = (...selectors: readonly string[]): string =>
  policyYaml(
    `uprobes: [${selectors.map((selector, i) => `{path: /bin/sh, symbols: [f${i}], return: true, returnArg: {index: 0, type: int}, args: [{index: 0, type: string}, {index: 1, type: int}], selectors: [${selector}]}`).join(', ')}]`,
  );
const tracepointFilter = (index: number, mark = ''): string =>
  policyYaml(
    `tracepoints: [{subsystem: a, event: b, args: [{index: 4, type: int}], selectors: [{matchArgs: [{index: ${mark}${index}, operator: Equal, values: ["1"]}]}]}]`,
  );
const list = (count: number, item: (i: number) => string): string => Array.from({ length: count }, (_, i) => item(i)).join(', '); // prettier-ignore

export const DIFFERENCE_CASES: Readonly<Record<keyof typeof DIFFERENCES, Case>> = {
  returnFilterOnUprobe: {
    differs: uprobes('{⟦TETRAGON_IGNORES⟧matchReturnArgs: [{index: 0, operator: Equal, values: ["1"]}]}'),
    same: selectorCase('', '{matchReturnArgs: [{index: 0, operator: Equal, values: ["1"]}]}').same,
  },
  filterOnFilename: bothCases(
    (part) => kprobeWith(part, '{matchArgs: [{index: 0, operator: ⟦TETRAGON_IGNORES⟧Prefix, values: [/a]}]}'),
    '{index: 0, type: filename}',
    '{index: 0, type: string}',
  ),
  returnFilterOfAnotherSelector: selectorCase(
    '{⟦TETRAGON_MATCHES⟧matchReturnArgs: [{index: 0, operator: Equal, values: ["1"]}]}, {matchArgs: [{index: 0, operator: Equal, values: ["1"]}]}',
    '{matchReturnArgs: [{index: 0, operator: Equal, values: ["1"]}], matchArgs: [{index: 0, operator: Equal, values: ["1"]}]}',
  ),
  nameOfMemfd: filterCase(
    'file',
    'operator: Prefix, values: [⟦TETRAGON_MATCHES⟧"memfd:"]',
    'operator: Prefix, values: [/a]',
  ),
  unreadableString: filterCase(
    'string',
    'operator: ⟦TETRAGON_MATCHES⟧NotPrefix, values: [/a]',
    'operator: Prefix, values: [/a]',
  ),
  endOfLongString: filterCase(
    'string',
    'operator: ⟦TETRAGON_MATCHES⟧Postfix, values: [a]',
    'operator: Prefix, values: [a]',
  ),
  changeBeforeFork: selectorCase(
    '{⟦TETRAGON_MATCHES⟧matchNamespaceChanges: [{operator: In, values: [Net]}]}',
    '{matchNamespaces: [{namespace: Net, operator: NotIn, values: [host_ns]}]}',
  ),
  changeOfAnotherHook: bothCases(
    (part) =>
      policyYaml(
        `kprobes: [{call: f, selectors: [{matchCapabilityChanges: [{type: Effective, operator: In, values: [CAP_BPF]}]}]}, {call: g, selectors: [{${part}: [{type: Effective, operator: In, values: [CAP_BPF]}]}]}]`,
      ),
    '⟦TETRAGON_MATCHES⟧matchCapabilityChanges',
    'matchCapabilities',
  ),
  addressWithPort: bothCases(
    (part) =>
      kprobeWith(
        '{index: 0, type: sock}',
        `{matchArgs: [{index: 0, operator: DAddr, values: [10.0.0.0/8]}, {index: 0, operator: ${part}, values: ["1"]}]}`,
      ),
    '⟦TETRAGON_MATCHES⟧DPort',
    'SPort',
  ),
  familyOfLocalSocket: bothCases(
    (filter) => kprobeWith('{index: 0, type: sockaddr_un}', `{matchArgs: [{index: 0, ${filter}}]}`),
    'operator: ⟦TETRAGON_MATCHES⟧Family, values: [AF_UNIX]',
    'operator: Equal, values: [/run/a]',
  ),
  sentPacket: bothCases(
    (part) =>
      kprobeYaml(
        `call: ip_send_skb\nsyscall: false\nargs: [{index: 1, type: skb}]\nselectors: [{matchArgs: [${part}]}]`,
      ),
    '{index: 1, operator: ⟦TETRAGON_MATCHES⟧DPort, values: ["1"]}',
    '',
  ),
  filterWithReturnCopy: bothCases(
    (part) => kprobeYaml(`call: sys_read\nargs: [{index: 1, type: char_buf, sizeArgIndex: 3${part}, values: [a]}]}]`),
    ', returnCopy: true}, {index: 2, type: size_t}]\nselectors: [{matchArgs: [{index: 1, operator: ⟦TETRAGON_MATCHES⟧Prefix',
    '}, {index: 2, type: size_t}]\nselectors: [{matchArgs: [{index: 1, operator: Prefix',
  ),
  piecesOfBuffer: bothCases(
    (part) => kprobeWith(`{index: 0, type: ${part}}`, ''),
    '⟦TETRAGON_MATCHES⟧iov_iter',
    'kiocb',
  ),
  negativeSmallNumber: filterCase(
    'int16',
    'operator: ⟦TETRAGON_MATCHES⟧LT, values: ["5"]',
    'operator: GT, values: ["5"]',
  ),
  negativeNumberInMap: filterCase(
    'int',
    'operator: ⟦TETRAGON_MATCHES⟧NotInMap, values: ["7", "-1"]',
    'operator: NotInMap, values: ["7", "4294967295"]',
  ),
  subString: filterCase(
    'string',
    'operator: ⟦TETRAGON_MATCHES⟧SubStringIgnCase, values: [a]',
    'operator: Postfix, values: [a]',
  ),
  mixedUprobes: {
    differs: uprobes(
      '{matchArgs: [{index: 0, operator: ⟦TETRAGON_MATCHES⟧Prefix, values: [/a]}]}',
      '{matchArgs: [{index: 1, operator: ⟦TETRAGON_MATCHES⟧InMap, values: ["1"]}, {index: 1, operator: LT, values: ["9"]}]}',
    ),
    same: uprobes('{matchArgs: [{index: 0, operator: Prefix, values: [/a]}]}'),
  },
  unknownPath: bothCases(
    (part) =>
      kprobeWith(
        part,
        '{matchArgs: [{index: 0, operator: ⟦TETRAGON_MATCHES⟧Prefix, values: [/a]}, {index: 0, operator: NotPrefix, values: [/a/b]}]}',
      ),
    '{index: 0, type: path}',
    '{index: 0, type: string}',
  ),
  exemptionByPath: selectorCase(
    '{matchParentBinaries: [{operator: ⟦TETRAGON_EXEMPTS⟧NotPostfix, values: [/a]}]}',
    '{matchParentBinaries: [{operator: Postfix, values: [/a]}]}',
  ),
  exemptionByNamespacePid: selectorCase(
    '{matchPIDs: [{operator: NotIn, isNamespacePID: ⟦TETRAGON_EXEMPTS⟧true, values: [1]}]}',
    '{matchPIDs: [{operator: NotIn, values: [1]}]}',
  ),
  userNamespaceChange: selectorCase(
    '{matchNamespaceChanges: [{operator: In, values: [Uts, ⟦TETRAGON_IGNORES⟧User]}, {operator: ⟦TETRAGON_IGNORES⟧NotIn, values: [Net]}]}',
    '{matchNamespaceChanges: [{operator: In, values: [Uts, Net]}, {operator: NotIn, values: [User]}]}',
  ),
  containerOutsideOfPods: specCase(
    '⟦TETRAGON_SCOPE⟧containerSelector: {matchLabels: {name: a}}',
    'containerSelector: {matchLabels: {name: a}}\npodSelector: {matchLabels: {app: a}}',
  ),
  hostWithContainers: specCase('⟦TETRAGON_SCOPE⟧hostSelector: {}', 'podSelector: {}'),
  hostLabels: specCase('hostSelector: {⟦TETRAGON_REFUSES⟧matchLabels: {a: b}}', 'hostSelector: {matchLabels: {}}'),
  containerKey: selectorCase(
    '{matchWorkloads: {containerSelector: {matchExpressions: [{key: ⟦TETRAGON_SCOPE⟧runtime, operator: Exists}], matchLabels: {⟦TETRAGON_SCOPE⟧"label:a": b}}}}',
    '{matchWorkloads: {containerSelector: {matchExpressions: [{key: repo, operator: Exists}], matchLabels: {name: b}}}}',
  ),
  unknownPod: specCase(
    'podSelector: {matchExpressions: [{key: a, operator: ⟦TETRAGON_SCOPE⟧NotIn, values: [b]}]}',
    'podSelector: {matchExpressions: [{key: a, operator: In, values: [b]}]}',
  ),
  enforcement: bothCases(
    (mode) =>
      policyYaml(
        `options: [{name: policy-mode, value: ${mode}}]\nkprobes: [{call: f, selectors: [{matchActions: [{action: ⟦TETRAGON_ACTS⟧Sigkill}]}]}, {call: g, selectors: [{matchActions: [{action: Sigkill}]}]}]`,
      ),
    'enforce',
    'monitor',
  ),
  requests: selectorCase(
    '{matchActions: [{action: ⟦TETRAGON_ACTS⟧GetUrl, argUrl: "http://a/"}]}',
    '{matchActions: [{action: Post}]}',
  ),
  rateLimitOfSmallArgument: bothCases(
    (args) => kprobeWith(args, '{matchActions: [{action: Post, ⟦TETRAGON_ACTS⟧rateLimit: 5m}]}'),
    '{index: 0, type: int}',
    '{index: 0, type: int}, {index: 1, type: int}',
  ),
  idleOverrideMethod: specCase(
    'options: [{name: ⟦TETRAGON_OPTION⟧override-method, value: fmod-ret}]',
    'options: [{name: disable-kprobe-multi, value: "1"}]',
  ),
  idlePreloadSize: specCase(
    'options: [{name: ⟦TETRAGON_OPTION⟧sleepable-preload-size, value: "1"}]',
    'options: [{name: disable-kprobe-multi, value: "1"}]',
  ),
  idleHeapSize: specCase(
    'options: [{name: ⟦TETRAGON_OPTION⟧uprobe-heap-size, value: "1"}]',
    'options: [{name: disable-kprobe-multi, value: "1"}]',
  ),
  ownOption: specCase(
    'options: [{name: ⟦TETRAGON_OPTION⟧trust-binary-paths, value: "1"}]',
    'options: [{name: disable-uprobe-multi, value: "1"}]',
  ),
  expressionSyntax: expressionCase(
    'arg0 == int32(1) && ⟦TETRAGON_REFUSES⟧arg1 in [⟦TETRAGON_REFUSES⟧int64(1), 2]',
    'xor(arg0, int32(1)) == int32(3) && !(arg1 < -4 + arg1)',
  ),
  uncastNumber: expressionCase(
    'arg1 == 5 || ⟦TETRAGON_REFUSES⟧arg0 + arg0 > -5',
    'arg1 == 5 || arg0 + arg0 > int32(-5)',
  ),
  selectorCount: selectorCase(
    `${list(5, (i) => `{matchArgs: [{index: 0, operator: Equal, values: ["${i}"]}]}`)}, ⟦TETRAGON_REFUSES⟧{matchArgs: [{index: 0, operator: Equal, values: ["9"]}]}`,
    list(5, (i) => `{matchArgs: [{index: 0, operator: Equal, values: ["${i}"]}]}`),
  ),
  valueCount: bothCases(
    (operator) =>
      selectorCase(
        '',
        `{matchArgs: [{index: 0, operator: ${operator}, values: [${list(8, (i) => `"${i}"`)}, ⟦TETRAGON_REFUSES⟧"8"]}]}`,
      ).same,
    'NotEqual',
    'NotInMap',
  ),
  filterOnCommandArguments: selectorCase(
    '{⟦TETRAGON_REFUSES⟧matchCmdArgs: [{operator: Equal, values: [-x]}]}',
    '{matchBinaries: [{operator: In, values: [/a]}]}',
  ),
  marks: selectorCase(
    '{⟦TETRAGON_REFUSES⟧matchMarks: [{operator: In, values: [m]}], matchActions: [{action: ⟦TETRAGON_REFUSES⟧Mark, mark: m}, {action: ⟦TETRAGON_REFUSES⟧Unmark, mark: n}]}, {⟦TETRAGON_REFUSES⟧matchMarks: [{operator: NotIn, values: [n]}]}',
    '{matchBinaries: [{operator: In, values: [/a]}]}',
  ),
  counts: selectorCase(
    '{matchActions: [{action: ⟦TETRAGON_REFUSES⟧Count, metric: calls, by: [binary]}, {action: Post}]}',
    '{matchActions: [{action: Post}]}',
  ),
  durations: bothCases(
    (part) => kprobeYaml(`call: f\nsyscall: false\n${part}`),
    'data: [{index: 0, type: uint64, source: ⟦TETRAGON_REFUSES⟧duration, label: d}]\nselectors: [{⟦TETRAGON_REFUSES⟧matchDuration: {operator: GT, values: [10ms]}}, {matchActions: [{action: Post}]}]',
    'args: [{index: 0, type: uint64}]\nselectors: [{matchArgs: [{index: 0, operator: GT, values: ["1"]}]}]',
  ),
  followingCount: bothCases(
    (last) =>
      policyYaml(
        `kprobes: [{call: f, selectors: [${list(64, (i) => `{matchBinaries: [{operator: In, values: [/a${i}], followChildren: true}]}`)}]}, {call: g, selectors: [{matchBinaries: [{operator: In, values: [/b]${last}}]}]}]`,
      ),
    ', ⟦TETRAGON_REFUSES⟧followChildren: true',
    '',
  ),
  kindsOfHooks: {
    differs: policyYaml('kprobes: [{call: f}]\n⟦TETRAGON_REFUSES⟧lsmhooks: [{hook: file_open}]'),
    same: policyYaml('kprobes: [{call: f}, {call: g}]'),
  },
  indexIsPosition: { differs: tracepointFilter(0, '⟦TETRAGON_REFUSES⟧'), same: tracepointFilter(4) },
  listPattern: bothCases(
    (pattern) =>
      policyYaml(
        `lists: [{name: a, type: generated_ftrace, pattern: ⟦TETRAGON_REFUSES⟧"${pattern}"}]\nkprobes: [{call: "list:a"}]`,
      ),
    '^sys_(?!x)',
    '^sys_(?:x)',
  ),
  inodeFilter: filterCase(
    'file',
    'operator: Equal, values: [/a], ⟦TETRAGON_IGNORES⟧inode: true',
    'operator: Equal, values: [/a], inode: false',
  ),
  optionalHook: {
    differs: kprobeYaml('call: f\n⟦TETRAGON_IGNORES⟧optional: true'),
    same: kprobeYaml('call: f\noptional: false'),
  },
  pathInContainers: {
    differs: policyYaml('uprobes: [{path: /a, ⟦TETRAGON_REFUSES⟧resolvePathInContainer: true, symbols: [f]}]'),
    same: policyYaml('uprobes: [{path: /a, resolvePathInContainer: false, symbols: [f]}]'),
  },
  addressOfAlgorithm: {
    differs: kprobeYaml('call: f\nsyscall: false\nargs: [{index: 0, type: ⟦TETRAGON_REFUSES⟧sockaddr_alg}]'),
    same: kprobeYaml('call: f\nsyscall: false\nargs: [{index: 0, type: sockaddr}]'),
  },
  portOfLocalSocket: filterCase(
    'sockaddr_un',
    'operator: ⟦TETRAGON_ACCEPTS⟧SPort, values: ["1"]',
    'operator: Family, values: [AF_UNIX]',
  ),
};

/** For each code of polytrace that has an answer of Tetragon. The second policy has the code without the answer, or no such code. */
export const ANSWER_CASES: Readonly<Record<keyof typeof ANSWERS, Case>> = {
  YAML_DUPLICATE_KEY: { differs: kprobeYaml('call: f\n⟦TETRAGON_ACCEPTS⟧call: f'), same: kprobeYaml('call: f') },
  YAML_ALIAS: { differs: kprobeYaml('call: ⟦TETRAGON_ACCEPTS⟧&name f'), same: kprobeYaml('call: f') },
  UNKNOWN_FIELD: { differs: kprobeYaml('call: f\n⟦TETRAGON_ACCEPTS⟧anything: 1'), same: kprobeYaml('call: f') },
  MISSING_FIELD: {
    differs: `⟦TETRAGON_ACCEPTS⟧${policyYaml('kprobes: [{call: f}]').replace(/^kind: .*\n/m, '')}`,
    same: policyYaml('kprobes: [{syscall: false}]'),
  },
  OPTION_UNKNOWN: specCase('options: [{name: ⟦TETRAGON_ACCEPTS⟧anything, value: "1"}]', 'options: []'),
  LABEL_INVALID: specCase(
    'podSelector: {matchLabels: {⟦TETRAGON_ACCEPTS⟧"a b": c}}',
    'podSelector: {matchLabels: {ab: c}}',
  ),
  BUFFER_WITHOUT_SIZE: bothCases(
    (size) =>
      policyYaml(
        `tracepoints: [{subsystem: a, event: b, args: [{index: 5, type: ⟦TETRAGON_ACCEPTS⟧char_buf${size}}]}]`,
      ),
    '',
    ', sizeArgIndex: 7',
  ),
  RETURN_WITHOUT_RETURN_ARG: bothCases(
    (part) => kprobeYaml(`call: f\n⟦TETRAGON_ACCEPTS⟧return: true\n${part}`),
    '',
    'returnArg: {index: 0, type: int}',
  ),
  LIST_PATTERN_INVALID: bothCases(
    (pattern) =>
      policyYaml(
        `lists: [{name: a, type: generated_ftrace, pattern: ⟦TETRAGON_ACCEPTS⟧"${pattern}"}]\nkprobes: [{call: "list:a"}]`,
      ),
    '(?i)^sys_',
    '^sys_',
  ),
  UNSUPPORTED_ARG_TYPE: {
    differs: policyYaml('uprobes: [{path: /a, symbols: [f], args: [{index: 0, ⟦TETRAGON_ACCEPTS⟧type: file}]}]'),
    same: kprobeYaml('call: f\nargs: [{index: 0, type: data_loc}]'),
  },
  UNSUPPORTED_ACTION: selectorCase(
    '{matchActions: [{action: Signal, argSig: 1}, {⟦TETRAGON_ACCEPTS⟧action: Signal, argSig: 2}]}',
    '{matchActions: [{action: Override, argError: -1}, {action: Override, argError: -2}]}',
  ),
  UNSUPPORTED_LIST: {
    differs: policyYaml(
      'lists: [{name: a, type: generated_syscalls}]\nenforcers: [{calls: [⟦TETRAGON_ACCEPTS⟧"list:a"]}]\nkprobes: [{call: f}]',
    ),
    same: policyYaml(
      'lists: [{name: a, type: generated_syscalls}]\nkprobes: [{call: f, args: [{index: 0, type: int}], selectors: [{matchArgs: [{index: 0, operator: InMap, values: ["list:a"]}]}]}]',
    ),
  },
  ARG_TYPE_MISMATCH: bothCases(
    (type) =>
      kprobeYaml(`call: security_file_permission\nsyscall: false\nargs: [{index: 0, type: ⟦TETRAGON_ACCEPTS⟧${type}}]`),
    'string',
    'path',
  ),
  ARG_TEXT_OF_STRUCT: bothCases(
    (type) =>
      kprobeYaml(
        `call: security_file_permission\nsyscall: false\nargs: [{index: 0, type: ⟦TETRAGON_MATCHES⟧${type}}]\nselectors: [{matchArgs: [{index: 0, operator: Equal, values: [/a]}]}]`,
      ),
    'string',
    'file',
  ),
  UPROBE_PLACES: bothCases(
    (part) => policyYaml(`uprobes: [{path: /bin/sh, symbols: [main]${part}}]`),
    ', ⟦TETRAGON_REFUSES⟧offsets: [16]',
    '',
  ),
};
