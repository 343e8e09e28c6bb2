/** Semantic mistakes in a policy, each with its code and position. */
import { checkMarked, FILE_AND_INT, yamlItem, kprobeYaml, policyYaml, selectorsYaml } from './marked-policies.js';

const longPath = (n: number): string => `/${'x'.repeat(n - 1)}`;
const intFilter = (operator: string, value: string, type = 'int'): string =>
  kprobeYaml(
    `call: f\nsyscall: false\nargs:\n- {index: 0, type: ${type}}\nselectors:\n- matchArgs:\n  - index: 0\n    operator: ${operator}\n    values: [${value}]`,
  );
const fileFilter = (operator: string, value: string): string =>
  selectorsYaml(`matchArgs:\n- index: 0\n  operator: ${operator}\n  values: [${value}]`);
const algorithmFilter = (operator: string, values: string): string =>
  kprobeYaml(
    `call: f\nsyscall: false\nargs: [{index: 1, type: sockaddr_alg}]\nselectors:\n- matchArgs: [{index: 1, operator: ${operator}, values: [${values}]}]`,
  );

const cases: readonly (readonly [string, string])[] = [
  // Arguments
  [
    'an index that no arg has',
    selectorsYaml('matchArgs:\n- index: ⟦INDEX_WITHOUT_ARG⟧2\n  operator: Equal\n  values: ["1"]'),
  ],
  [
    'a filter of a hook without args',
    kprobeYaml(
      'call: f\nselectors:\n- matchArgs:\n  - index: ⟦INDEX_WITHOUT_ARG⟧0\n    operator: Equal\n    values: ["1"]',
    ),
  ],
  [
    'no index means 0',
    kprobeYaml(
      'call: f\nargs:\n- {index: 1, type: int}\nselectors:\n- matchArgs:\n  - ⟦INDEX_WITHOUT_ARG⟧operator: Equal\n    values: ["1"]',
    ),
  ],
  [
    'a position that no arg has',
    selectorsYaml('matchArgs:\n- args: ⟦INDEX_WITHOUT_ARG⟧[2]\n  operator: Equal\n  values: ["1"]'),
  ],
  [
    'a parameter that is not in a register',
    kprobeYaml('call: f\nsyscall: false\nargs:\n- {index: ⟦LIMIT_PARAMETER⟧6, type: int}'),
  ],
  [
    'nine args',
    kprobeYaml(
      `call: f\nsyscall: false\nargs:\n${[0, 1, 2, 3, 4, 5].map((i) => `- {index: ${i}, type: int}`).join('\n')}\n- {index: ⟦LIMIT_PARAMETER⟧6, type: int}\n- {index: ⟦LIMIT_PARAMETER⟧7, type: int}\n- ⟦LIMIT_ARGS⟧{index: ⟦LIMIT_PARAMETER⟧8, type: int}`,
    ),
  ],
  ['return without returnArg', kprobeYaml('call: f\nsyscall: false\n⟦RETURN_WITHOUT_RETURN_ARG⟧return: true')],
  [
    'returnArg without return',
    kprobeYaml('call: f\nsyscall: false\n⟦RETURN_ARG_UNUSED⟧returnArg: {index: 0, type: int}'),
  ],
  [
    'matchReturnArgs without return',
    kprobeYaml(
      'call: f\nsyscall: false\nselectors:\n- ⟦RETURN_FILTER_WITHOUT_RETURN⟧matchReturnArgs:\n  - {index: 0, operator: Equal, values: ["0"]}',
    ),
  ],
  [
    'another index than that of returnArg',
    selectorsYaml('matchReturnArgs:\n- {index: ⟦INDEX_WITHOUT_ARG⟧1, operator: Equal, values: ["0"]}'),
  ],
  ['a struct file in a system call', kprobeYaml('call: sys_read\nargs:\n- {index: 0, type: ⟦SYSCALL_ARG_TYPE⟧file}')],
  [
    'a struct path where syscall is forgotten',
    kprobeYaml('call: security_path_truncate\nargs:\n- {index: 0, type: ⟦SYSCALL_ARG_TYPE⟧path}'),
  ],
  // Operators
  [
    'Prefix of an int',
    selectorsYaml('matchArgs:\n- index: 1\n  operator: ⟦OPERATOR_NOT_FOR_TYPE⟧Prefix\n  values: ["4"]'),
  ],
  ['Postfix of a size_t', intFilter('⟦OPERATOR_NOT_FOR_TYPE⟧Postfix', '"4"', 'size_t')],
  ['Mask of a file', fileFilter('⟦OPERATOR_NOT_FOR_TYPE⟧Mask', '"4"')],
  ['GreaterThan of a string', intFilter('⟦OPERATOR_NOT_FOR_TYPE⟧GreaterThan', '"4"', 'string')],
  ['LT of a path', intFilter('⟦OPERATOR_NOT_FOR_TYPE⟧LT', '"4"', 'path')],
  ['any filter on nop', intFilter('⟦OPERATOR_NOT_FOR_TYPE⟧Equal', '"4"', 'nop')],
  ['an address of an int', intFilter('⟦OPERATOR_NOT_FOR_TYPE⟧DAddr', '"127.0.0.1"')],
  [
    'Prefix of a return value',
    selectorsYaml('matchReturnArgs:\n- {index: 0, operator: ⟦OPERATOR_NOT_FOR_TYPE⟧Prefix, values: ["0"]}'),
  ],
  ['no values', selectorsYaml('matchArgs:\n- index: 1\n  operator: ⟦VALUES_MISSING⟧Equal')],
  [
    'no values in a macro that nothing uses',
    policyYaml(
      'selectorsMacros: {m: {matchData: [{index: 0, operator: ⟦VALUES_MISSING⟧Equal}]}}\nkprobes: [{call: f, syscall: false}]',
    ),
  ],
  ['an empty list of values', selectorsYaml('matchArgs:\n- index: 1\n  operator: ⟦VALUES_MISSING⟧Equal\n  values: []')],
  // Numbers
  ['words', intFilter('Equal', '⟦VALUE_NOT_A_NUMBER⟧"read"')],
  ['an empty number', intFilter('Equal', '⟦VALUE_NOT_A_NUMBER⟧""')],
  ['a space', intFilter('Equal', '⟦VALUE_NOT_A_NUMBER⟧" 4"')],
  ['a fraction', intFilter('Equal', '⟦VALUE_NOT_A_NUMBER⟧"4.0"')],
  ['an exponent', intFilter('Equal', '⟦VALUE_NOT_A_NUMBER⟧"1e3"')],
  ['hexadecimal without digits', intFilter('Equal', '⟦VALUE_NOT_A_NUMBER⟧"0x"')],
  ['hexadecimal with an invalid letter', intFilter('Equal', '⟦VALUE_NOT_A_NUMBER⟧"0xfg"')],
  ['octal with an 8', intFilter('Equal', '⟦VALUE_NOT_A_NUMBER⟧"0778"')],
  ['several numbers in one', intFilter('Equal', '⟦VALUE_NOT_A_NUMBER⟧"1,2"')],
  ['too large for int', intFilter('Equal', '⟦VALUE_OUT_OF_RANGE⟧"4294967296"')],
  ['too small for int', intFilter('Equal', '⟦VALUE_OUT_OF_RANGE⟧"-2147483649"')],
  ['hexadecimal too large for int', intFilter('Equal', '⟦VALUE_OUT_OF_RANGE⟧"0x1ffffff9c"')],
  ['negative for uint32', intFilter('Equal', '⟦VALUE_OUT_OF_RANGE⟧"-1"', 'uint32')],
  ['too large for uint32', intFilter('NotEqual', '⟦VALUE_OUT_OF_RANGE⟧"0x100000000"', 'uint32')],
  ['too large for size_t', intFilter('LessThan', '⟦VALUE_OUT_OF_RANGE⟧"18446744073709551616"', 'size_t')],
  ['negative for size_t', intFilter('GreaterThan', '⟦VALUE_OUT_OF_RANGE⟧"-1"', 'size_t')],
  ['a mask wider than int', intFilter('Mask', '⟦VALUE_OUT_OF_RANGE⟧"0x100000000"')],
  ['two bad values of three', intFilter('Equal', '"1", ⟦VALUE_NOT_A_NUMBER⟧"x", ⟦VALUE_OUT_OF_RANGE⟧"99999999999"')],
  [
    'a bad return value',
    selectorsYaml('matchReturnArgs:\n- {index: 0, operator: Equal, values: [⟦VALUE_NOT_A_NUMBER⟧"EPERM"]}'),
  ],
  // Strings
  ['an empty prefix', fileFilter('Prefix', '⟦VALUE_EMPTY⟧""')],
  ['an algorithm without its type', algorithmFilter('Equal', '⟦ALGORITHM_WITHOUT_TYPE⟧"sha256"')],
  ['the same, negated', algorithmFilter('NotEqual', '⟦ALGORITHM_WITHOUT_TYPE⟧"sha256", "hash/md5"')],
  ['a relative prefix', fileFilter('Prefix', '⟦PATH_NOT_ABSOLUTE⟧".bashrc"')],
  ['a relative path', fileFilter('Equal', '⟦PATH_NOT_ABSOLUTE⟧"etc/passwd"')],
  ['a relative negated path', fileFilter('NotEqual', '⟦PATH_NOT_ABSOLUTE⟧"passwd"')],
  ['a relative negated prefix', fileFilter('NotPrefix', '⟦PATH_NOT_ABSOLUTE⟧"tmp"')],
  ['a prefix of 256 bytes', fileFilter('Prefix', `⟦VALUE_TOO_LONG⟧"${longPath(256)}"`)],
  ['a postfix of 256 bytes', fileFilter('NotPostfix', `⟦VALUE_TOO_LONG⟧"${longPath(256)}"`)],
  ['a prefix of 128 letters and 256 bytes', fileFilter('Prefix', `⟦VALUE_TOO_LONG⟧"/${'ä'.repeat(128)}"`)],
  ['a path of 4096 bytes', fileFilter('Equal', `⟦VALUE_TOO_LONG⟧"${longPath(4096)}"`)],
  ['a NUL inside', fileFilter('Equal', '⟦VALUE_WITH_NUL⟧"/a\\0b"')],
  ['a NUL at the end', fileFilter('Equal', '⟦VALUE_NUL_ENDED⟧"/a\\0"')],
  ['nothing but a NUL', intFilter('Prefix', '⟦VALUE_EMPTY⟧⟦VALUE_NUL_ENDED⟧"\\0"', 'string')],
  ['half of a surrogate pair', fileFilter('Equal', '⟦VALUE_NOT_UNICODE⟧"/\\ud800"')],
  // Processes
  ['a relative binary', selectorsYaml('matchBinaries:\n- {operator: In, values: [⟦PATH_NOT_ABSOLUTE⟧cat]}')],
  [
    'a relative binary that is excluded',
    selectorsYaml('matchBinaries:\n- {operator: NotIn, values: [⟦PATH_NOT_ABSOLUTE⟧cat]}'),
  ],
  [
    'a binary prefix of 256 bytes',
    selectorsYaml(`matchBinaries:\n- {operator: Prefix, values: [⟦VALUE_TOO_LONG⟧"${longPath(256)}"]}`),
  ],
  ['a binary with a NUL', selectorsYaml('matchBinaries:\n- {operator: In, values: [⟦VALUE_WITH_NUL⟧"/a\\0b"]}')],
  ['a negative pid', selectorsYaml('matchPIDs:\n- {operator: In, values: [⟦NUMBER_OUT_OF_RANGE⟧-1]}')],
  [
    'a binary of 512 bytes',
    selectorsYaml(`matchBinaries:\n- {operator: In, values: [⟦VALUE_TOO_LONG⟧"${longPath(512)}"]}`),
  ],
  // Macros and lists
  [
    'a macro that does not exist',
    policyYaml(
      `selectorsMacros:\n  writes:\n    matchArgs:\n    - {index: 1, operator: Equal, values: ["2"]}\nkprobes:\n${yamlItem(`${FILE_AND_INT}\nselectors:\n- macros: [⟦UNKNOWN_MACRO⟧write]`)}`,
    ),
  ],
  [
    'a macro twice',
    policyYaml(
      `selectorsMacros:\n  writes:\n    matchArgs:\n    - {index: 1, operator: Equal, values: ["2"]}\nkprobes:\n${yamlItem(`${FILE_AND_INT}\nselectors:\n- macros: [writes, ⟦MACRO_COLLISION⟧writes]`)}`,
    ),
  ],
  [
    'a macro in a macro',
    policyYaml(
      'selectorsMacros:\n  a: {matchPIDs: [{operator: In, values: [1]}]}\n  b: {⟦MACRO_NESTED⟧macros: [a]}\nloader: true',
    ),
  ],
  [
    'an action in a macro',
    policyYaml('selectorsMacros:\n  b: {⟦MACRO_NESTED⟧matchActions: [{action: Post}]}\nloader: true'),
  ],
  [
    'two matchBinaries by a macro',
    policyYaml(
      'selectorsMacros:\n  a: {matchBinaries: [{operator: In, values: [/a]}]}\nkprobes:\n- call: f\n  selectors:\n  - macros: [⟦MACRO_COLLISION⟧a]\n    matchBinaries: [{operator: In, values: [/b]}]',
    ),
  ],
  [
    'a mistake in a macro is reported once',
    policyYaml(
      `selectorsMacros:\n  m:\n    matchArgs:\n    - {index: 1, operator: Equal, values: [⟦VALUE_NOT_A_NUMBER⟧two]}\nkprobes:\n${yamlItem(`${FILE_AND_INT}\nselectors:\n- macros: [m]\n  matchPIDs: [{operator: In, values: [2]}]\n- macros: [m]\n  matchPIDs: [{operator: In, values: [1]}]`)}`,
    ),
  ],
  [
    'a list that does not exist',
    policyYaml('lists:\n- {name: dups, type: syscalls, values: [sys_dup]}\nkprobes:\n- call: ⟦UNKNOWN_LIST⟧list:dup'),
  ],
  [
    'a list twice',
    policyYaml(
      'lists:\n- {name: a, type: syscalls, values: [sys_dup]}\n- {name: ⟦LIST_REPEATED⟧a, values: [sys_dup2]}\nkprobes:\n- call: list:a',
    ),
  ],
  [
    'an empty list of functions',
    policyYaml('lists:\n- {name: ⟦LIST_EMPTY⟧a, type: syscalls}\nkprobes:\n- call: list:a'),
  ],
  [
    'a pattern without its type',
    policyYaml('lists:\n- {name: a, values: [f], ⟦LIST_FIELD_UNUSED⟧pattern: "^f"}\nkprobes:\n- call: list:a'),
  ],
  [
    'generated_ftrace without a pattern',
    policyYaml('lists:\n- {name: a, type: ⟦LIST_WITHOUT_PATTERN⟧generated_ftrace}\nkprobes:\n- call: list:a'),
  ],
  [
    'an invalid pattern',
    policyYaml(
      'lists:\n- {name: a, type: generated_ftrace, pattern: ⟦LIST_PATTERN_INVALID⟧"^sys_(read"}\nkprobes:\n- call: list:a',
    ),
  ],
  [
    'an enforcer of a generated list',
    policyYaml(
      'lists: [{name: a, type: generated_syscalls}]\nenforcers: [{calls: [⟦UNSUPPORTED_LIST⟧"list:a"]}]\nkprobes: [{call: f}]',
    ),
  ],
  [
    'a generated list as numbers',
    policyYaml(
      'lists: [{name: a, type: generated_syscalls}]\nkprobes:\n- call: sys_dup\n  args: [{index: 0, type: int}]\n  selectors: [{matchArgs: [{index: 0, operator: InMap, values: [⟦UNSUPPORTED_LIST⟧"list:a"]}]}]',
    ),
  ],
  // Limits
  [
    '65 selectors',
    kprobeYaml(
      `call: f\nselectors:\n${Array.from({ length: 64 }, (_, i) => `- matchPIDs: [{operator: In, values: [${i}]}]`).join('\n')}\n- ⟦LIMIT_SELECTORS⟧matchPIDs: [{operator: In, values: [64]}]`,
    ),
  ],
  [
    '193 comparisons',
    kprobeYaml(
      `call: f\nargs: [{index: 0, type: int}]\n⟦LIMIT_INT_TESTS⟧selectors:\n- matchArgs:\n  - {index: 0, operator: InRange, values: [${Array.from({ length: 193 }, (_, i) => `"${3 * i}:${3 * i + 1}"`).join(', ')}]}`,
    ),
  ],
  [
    '65 filters on one number',
    kprobeYaml(
      `call: f\nargs: [{index: 0, type: int}]\n⟦LIMIT_INT_GROUPS⟧selectors:\n- matchArgs:\n${Array.from({ length: 65 }, (_, i) => `  - {index: 0, operator: LT, values: ["${i + 1}"]}`).join('\n')}`,
    ),
  ],
  [
    '257 sets of processes',
    policyYaml(
      `kprobes:\n${Array.from({ length: 5 }, (_, h) => `- call: f${h}\n  selectors:\n${Array.from({ length: 52 }, (_, s) => `  - matchBinaries: [{operator: In, values: [/${h}/${s}]}]`).join('\n')}`).join('\n')}`,
    ).replace('  kprobes:', '  ⟦LIMIT_PROCESS_SETS⟧kprobes:'),
  ],
];

describe('policy: semantic mistakes', () => {
  for (const [name, text] of cases) it(name, () => checkMarked(text));
});
