/** Checks the rows of docs/from-tetragon.md against the code. */
import assert from 'node:assert/strict';
import { explainPolicy, validatePolicy } from '../../../lib/policy/index.js';
import type { ANSWERS, DIFFERENCES } from '../../../lib/policy/like/tetragon.js';
import { HOOK_SELECTORS_MAX } from '../../../lib/policy/language/limits.js';
import { OPTION_NAMES, optionEffect, optionValues } from '../../../lib/policy/language/options.js';
import { DIAGNOSTIC_CODES } from '../../../lib/policy/parse/codes.js';
import { fakeKernel } from '../policy/fake-kernel.js';
import { kprobeYaml, policyYaml, selectorsYaml } from '../policy/marked-policies.js';
import { readProjectFile } from '../../project.js';

const page = readProjectFile('docs/from-tetragon.md');

/** Returns the cells of the tables below a heading, without the column titles. */
function readRows(heading: string): string[][] {
  const [, section = ''] = page.split(`## ${heading}\n`);
  const lines = section.split(/^## /m)[0]?.split('\n') ?? [];
  return lines
    .filter((line) => /^\| (?!subject |-)/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

const policyWithOption = (name: string, value: string): string =>
  policyYaml(`options: [{name: ${name}, value: "${value}"}]\nkprobes: [{call: f}]`);

/** A policy for each row with a code. Tetragon loads the policy, and polytrace reports the code. */
const REFUSED: Readonly<Record<string, string>> = {
  'names that no label can have': policyYaml('podSelector: {matchLabels: {"a b": c}}\nkprobes: [{call: f}]'),
  'an unknown option': policyWithOption('anything', '1'),
  'no `apiVersion` or `kind`': policyYaml('kprobes: [{call: f}]').replace(/^kind: .*\n/m, ''),
  '`char_buf` of a tracepoint': policyYaml(
    'tracepoints: [{subsystem: a, event: b, args: [{index: 5, type: char_buf}]}]',
  ),
  'kernel objects in uprobes': policyYaml('uprobes: [{path: /a, symbols: [f], args: [{index: 0, type: file}]}]'),
  'ports of `sockaddr_un`': kprobeYaml(
    'call: f\nsyscall: false\nargs: [{index: 0, type: sockaddr_un}]\nselectors: [{matchArgs: [{index: 0, operator: SPort, values: ["1"]}]}]',
  ),
  '`string` of another pointer': kprobeYaml(
    'call: security_file_permission\nsyscall: false\nargs: [{index: 0, type: string}]',
  ),
  'the same, with a positive filter': kprobeYaml(
    'call: security_file_permission\nsyscall: false\nargs: [{index: 0, type: string}]\nselectors: [{matchArgs: [{index: 0, operator: Equal, values: [a]}]}]',
  ),
  'attach points of two kinds': policyYaml('uprobes: [{path: /bin/sh, symbols: [main], offsets: [16]}]'),
  'an unknown field': kprobeYaml('call: f\nanything: 1'),
  'a field twice': kprobeYaml('call: f\ncall: f'),
  'fields in another case': kprobeYaml('call: f\nSyscall: false'),
  'an anchor of YAML': kprobeYaml('call: &name f'),
  '`return` without `returnArg`': kprobeYaml('call: f\nsyscall: false\nreturn: true'),
  'signals of a selector': selectorsYaml('matchActions: [{action: Signal, argSig: 1}, {action: Signal, argSig: 2}]'),
  'generated list in `enforcers`': policyYaml(
    'lists: [{name: a, type: generated_syscalls}]\nenforcers: [{calls: ["list:a"]}]\nkprobes: [{call: f}]',
  ),
};

/** The row of each difference. */
const ROWS_OF_DIFFERENCES: Readonly<Record<keyof typeof DIFFERENCES | keyof typeof ANSWERS, string>> = {
  returnFilterOnUprobe: '`matchReturnArgs` of uprobes',
  filterOnFilename: 'filters on `filename`',
  returnFilterOfAnotherSelector: 'return filter of a selector',
  unreadableString: 'string that cannot be read',
  endOfLongString: 'end of a string over 4,095 bytes',
  changeBeforeFork: 'change before a fork',
  marks: '`Mark`, `Unmark`, `matchMarks`',
  counts: '`Count`',
  durations: '`matchDuration`, `duration`',
  nameOfMemfd: 'name of a memfd',
  changeOfAnotherHook: 'change that another hook saw',
  addressWithPort: '`DAddr` with `DPort` of a socket',
  familyOfLocalSocket: '`Family` of a `sockaddr_un`',
  sentPacket: '`skb` of `ip_send_skb`',
  filterWithReturnCopy: 'filter with `returnCopy`',
  piecesOfBuffer: 'pieces of an `iov_iter`',
  negativeSmallNumber: 'negative `int8` and `int16`',
  negativeNumberInMap: '`InMap` of a negative number',
  subString: '`SubString` before Linux 6.17',
  mixedUprobes: 'filters of several uprobes',
  unknownPath: 'path that is not known',
  exemptionByPath: 'exemption by `matchBinaries`',
  exemptionByNamespacePid: 'exemption by `isNamespacePID`',
  userNamespaceChange: 'changes of the User namespace',
  containerOutsideOfPods: '`containerSelector`',
  hostWithContainers: '`hostSelector` of containers',
  hostLabels: '`hostSelector` with labels',
  containerKey: '`label:NAME`, `runtime`, …',
  unknownPod: 'a pod that is not known yet',
  enforcement: 'actions that enforce',
  requests: '`GetUrl`, `DnsLookup`',
  rateLimitOfSmallArgument: '`rateLimit` of one small value',
  idleOverrideMethod: '`override-method`',
  idlePreloadSize: '`sleepable-preload-size`',
  idleHeapSize: '`uprobe-heap-size`',
  ownOption: '`trust-binary-paths`',
  expressionSyntax: '`in`, `?:`, `*` of expressions',
  uncastNumber: 'a number in an expression',
  selectorCount: 'selectors of a hook',
  valueCount: 'values of a filter',
  followingCount: 'filters with `followChildren`',
  filterOnCommandArguments: '`matchCmdArgs`',
  pathInContainers: '`resolvePathInContainer`',
  addressOfAlgorithm: '`sockaddr_alg`',
  kindsOfHooks: 'kinds of hooks in a policy',
  indexIsPosition: '`index` of no field',
  listPattern: '`pattern` of a list',
  inodeFilter: '`inode` of a filter',
  optionalHook: '`optional` of a hook',
  portOfLocalSocket: 'ports of `sockaddr_un`',
  YAML_DUPLICATE_KEY: 'a field twice',
  YAML_ALIAS: 'an anchor of YAML',
  UNKNOWN_FIELD: 'an unknown field',
  MISSING_FIELD: 'no `apiVersion` or `kind`',
  OPTION_UNKNOWN: 'an unknown option',
  LABEL_INVALID: 'names that no label can have',
  BUFFER_WITHOUT_SIZE: '`char_buf` of a tracepoint',
  RETURN_WITHOUT_RETURN_ARG: '`return` without `returnArg`',
  LIST_PATTERN_INVALID: '`pattern` of a list',
  UNSUPPORTED_ARG_TYPE: 'kernel objects in uprobes',
  UNSUPPORTED_ACTION: 'signals of a selector',
  UNSUPPORTED_LIST: 'generated list in `enforcers`',
  ARG_TYPE_MISMATCH: '`string` of another pointer',
  ARG_TEXT_OF_STRUCT: 'the same, with a positive filter',
  UPROBE_PLACES: 'attach points of two kinds',
};

/** Fields in another case mean the same in both. Only a cluster refuses them. */
const ROWS_OF_SPELLING: readonly string[] = ['fields in another case'];

describe('docs/from-tetragon.md', () => {
  const table = readRows('Policies');

  it('has rows', () => {
    assert.ok(table.length > 20 && readRows('Events').length > 5);
    for (const [subject = '', there = '', here = '', reason = ''] of [...table, ...readRows('Events')]) {
      assert.ok(subject !== '' && there !== '' && here !== '' && reason !== '', subject);
    }
  });

  for (const [subject = '', , here = ''] of table) {
    const code = /^`([A-Z_]{4,})`/.exec(here)?.[1];
    if (code === undefined) continue;
    it(`${subject}: ${code}`, () => {
      assert.ok(Object.hasOwn(DIAGNOSTIC_CODES, code));
      const text = REFUSED[subject];
      assert.ok(text !== undefined, 'no policy that shows it');
      assert.ok(validatePolicy(text, { kernel: fakeKernel }).some((d) => d.code === code));
    });
  }

  it('has a row for each difference that `validate --like tetragon` finds, and the reverse', () => {
    const found = new Set([...Object.values(ROWS_OF_DIFFERENCES), ...ROWS_OF_SPELLING]);
    assert.deepEqual([...found].sort(), table.map(([subject = '']) => subject).sort());
  });

  it('has no policy without a row', () => {
    const subjects = table.map(([subject]) => subject);
    assert.deepEqual(
      Object.keys(REFUSED).filter((subject) => !subjects.includes(subject)),
      [],
    );
  });

  it('names the options that have no effect', () => {
    const idle = OPTION_NAMES.filter((name) => {
      const values = optionValues(name) ?? ['1'];
      return values.every((value) => optionEffect(name, value).startsWith('no effect'));
    });
    const named = table.flatMap(([subject = '', , here]) => (here === 'has no effect' ? [subject] : []));
    assert.deepEqual(named.sort(), idle.map((name) => `\`${name}\``).sort());
    for (const name of idle) {
      const text = policyWithOption(name, (optionValues(name) ?? ['1'])[0] ?? '');
      assert.deepEqual(validatePolicy(text), []);
      assert.equal(explainPolicy(text).options.length, 1);
    }
  });

  it('names the extensions, which are accepted', () => {
    const own = table.flatMap(([subject, there]) => (there === 'does not exist' ? [subject] : []));
    assert.deepEqual(own, ['`inode` of a filter', '`optional` of a hook', '`trust-binary-paths`']);
    for (const text of [
      selectorsYaml('matchArgs: [{index: 0, operator: Equal, values: [/a], inode: true}]'),
      kprobeYaml('call: f\noptional: true'),
      policyWithOption('trust-binary-paths', '1'),
    ]) {
      assert.deepEqual(validatePolicy(text), []);
    }
  });

  it('has the number of selectors of a hook', () => {
    const row = table.find(([subject]) => subject === 'selectors of a hook');
    assert.equal(row?.[2], String(HOOK_SELECTORS_MAX));
  });
});
