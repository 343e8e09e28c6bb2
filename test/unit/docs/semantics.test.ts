/**
 * Each row of the tables about the semantics of Tetragon's policies and events has tests. A row names its tests by file
 * and title, and this test looks for the titles in those files.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, readProjectFile } from '../../project.js';

const facts = join(process.env['POLYTRACE_SHARED'] ?? join(ROOT, '../shared'), 'facts/tetragon-semantics.md');

/** A file in test/, and parts of titles in this file. */
type TestTitles = readonly [file: string, ...titles: readonly string[]];
type Row = readonly [subject: string, ...tests: readonly TestTitles[]];

const SEMANTICS = 'unit/policy/tetragon-semantics.test.ts';
const KERNEL = 'kernel/language.test.ts';
const COMPACT = 'unit/output/compact.test.ts';
const JSON_LINES = 'unit/output/json.test.ts';

const POLICIES: readonly Row[] = [
  [
    '`CelExpr`',
    [KERNEL, 'positions, casts and bit functions in an expression'],
    [
      'unit/policy/cel-reference.test.ts',
      '32 bits wrap around, and 64 bits do not',
      'operands of different types are refused',
    ],
    ['unit/policy/cel.test.ts', 'allows an expression of constants'],
  ],
  ['`matchArgs[].index`', [SEMANTICS, 'index is that of the argument', 'args is a position']],
  [
    '`returnCopy: true`',
    [SEMANTICS, 'returnCopy alone: entry and return', 'returnCopy alone, of a uprobe'],
    ['kernel/matrix-strings.ts', 'char_buf with returnCopy'],
  ],
  [
    '`type` left out, or `auto`',
    [KERNEL, 'types from the prototype of a function', 'types from the format of a tracepoint'],
    ['unit/policy/infer.test.ts', 'explain shows the inferred types'],
  ],
  [
    '`Family` and the like on `sockaddr_un`',
    [SEMANTICS, 'the family of a local socket', 'an abstract name with its NUL, and a padded one'],
    [
      'kernel/matrix-strings.ts',
      "values: ['AF_UNIX'], match: ['unix', '@a']",
      'an abstract name, and one that is padded',
    ],
    ['unit/docs/from-tetragon.test.ts', 'ports of `sockaddr_un`'],
  ],
  [
    'tracepoint fields',
    [SEMANTICS, 'of a tracepoint'],
    [KERNEL, 'a buffer and a descriptor in fields of a tracepoint'],
    ['native/tracepoints.test.ts', 'by format: buffers, as long as another field says, and the file of a descriptor'],
  ],
  [
    'registers in `data` and `argRegs`',
    [SEMANTICS, 'the register ${name}', 'assignments to parts of registers'],
    [KERNEL, 'parts of registers'],
  ],
  [
    'small forms',
    [
      SEMANTICS,
      'Equal with an empty string',
      'the bits of a negative number',
      'the same index twice: the first is meant',
      'resolve begins with an element',
      'an empty message',
      'a status of the resource',
      '${list} without a value',
      'keys in another case',
    ],
    [KERNEL, 'an empty text', 'the bits of a negative number', 'the same index twice'],
  ],
  [
    'options',
    ['unit/policy/options.test.ts', 'are the options of Tetragon, and one more', 'an unknown option is refused'],
  ],
  [
    'uprobes',
    ['unit/policy/mistakes-whole-language.test.ts', 'attach points of two kinds'],
    ['unit/docs/from-tetragon.test.ts', 'attach points of two kinds'],
  ],
  [
    'refused there, accepted here without a word',
    ['unit/policy/infer.test.ts', 'reports what was not checked, if it is asked'],
    ['unit/policy/kernel.test.ts', 'a tracepoint with an unknown format', '⟦ARG_TYPE_MISMATCH⟧string'],
    ['native/tracepoints.test.ts', 'unknown names and wrong types are refused with their positions'],
  ],
];

const EVENTS: readonly Row[] = [
  [
    '`parent_exec_id` of a process that execs again',
    [JSON_LINES, 'of a process that has executed again names its previous exec as parent'],
    ['unit/process/cache.test.ts', 'a process that executes again knows its previous exec, and keeps its parent'],
  ],
  ['`uid`', [JSON_LINES, 'has the effective user id; the event has both']],
  [
    '`return_action`',
    [JSON_LINES, 'of a hook omits absent fields'],
    ['kernel/export.test.ts', 'return_action of a process that was killed'],
  ],
  ['`sock_arg.cookie`', ['kernel/export.test.ts', 'the cookie is the address of the socket']],
  ['`kernel_cap_t_arg`, `cap_*_arg`', ['unit/output/arguments-json.test.ts', "kernel_cap_t_arg: '0000000000000000'"]],
  [
    "`flags` of a process that forked and never exec'd",
    ['unit/process/cache.test.ts', 'fork, exec, exit'],
    ['native/processes.test.ts', 'e.process.flags, e.process.forked'],
  ],
  [
    'ancestors, process_credentials, ns',
    [
      JSON_LINES,
      'of an exec has the names and the nesting of the export',
      'adds ancestors to the selected types of events',
    ],
    ['unit/output/export.test.ts', 'every key of every event is in the table'],
  ],
  ['compact: an unknown call', [COMPACT, "'syscall', '__x64_sys_ptrace"]],
  ['compact: `tcp_sendmsg`', [COMPACT, '[socketArgument(), intArgument(5, 2)]', 'bytes 9223372036854775808']],
  ['compact: exit of a process without arguments', [COMPACT, '/usr/bin/cat  127']],
  ['compact: LSM hooks', ['unit/output/kinds.test.ts', 'in the style of Tetragon']],
];

/** Returns the subjects of each table of a page. */
function parseSubjects(text: string): string[][] {
  return text
    .split(/\n\|[-|]+\|\n/)
    .slice(1)
    .map((table) =>
      table
        .split('\n\n')[0]!
        .split('\n')
        .filter((line) => line.startsWith('| '))
        .map((line) => line.split(/(?<!\\)\|/)[1]!.trim()),
    );
}

describe("Tetragon's semantics: each row of the facts is tested", () => {
  it('has the rows of both tables', function () {
    if (!existsSync(facts)) return this.skip();
    const listSubjects = (rows: readonly Row[]): string[] => rows.map(([subject]) => subject);
    assert.deepEqual(parseSubjects(readFileSync(facts, 'utf8')), [listSubjects(POLICIES), listSubjects(EVENTS)]);
  });

  for (const [subject, ...tests] of [...POLICIES, ...EVENTS]) {
    it(subject, () => {
      assert.ok(tests.length > 0);
      for (const [file, ...titles] of tests) {
        const text = readProjectFile(`test/${file}`);
        for (const title of titles) assert.ok(text.includes(title), `${file}: ${title}`);
      }
    });
  }
});
