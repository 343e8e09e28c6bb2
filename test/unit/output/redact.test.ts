/** Redaction of arguments before an event leaves the process. */
import assert from 'node:assert/strict';
import { formatCompact } from '../../../lib/output/compact.js';
import { toJson } from '../../../lib/output/json.js';
import { redactor } from '../../../lib/output/redact.js';
import { joinArguments } from '../../../lib/process/process.js';
import type { PlainProcess } from '../../../types/events.js';
import type { RedactionFilter } from '../../../types/output.js';
import { execEvent, exitEvent, plainProcess } from './events.js';

function processWithArguments(argv: readonly string[], fields: Partial<PlainProcess> = {}): PlainProcess {
  return plainProcess({ binary: '/bin/a', argv, arguments: joinArguments(argv), ...fields });
}

interface RedactedOutput {
  readonly json: string;
  readonly compact: string;
}

function redactEvent(argv: readonly string[], filters: readonly RedactionFilter[]): RedactedOutput {
  const redact = redactor(filters);
  const event = execEvent({}, { process: processWithArguments(argv) });
  const { process_exec: fields } = JSON.parse(toJson(event, { redact })) as {
    process_exec: { process: { arguments?: string } };
  };
  const line = formatCompact(event, { redact });
  return { json: fields.process.arguments ?? '', compact: line.replace('🚀 process node /bin/a', '').trimStart() };
}

describe('redaction', () => {
  const password = { redact: ['(?i)--password(?:=|\\s+)(\\S+)'] };
  const cases: readonly (readonly [
    title: string,
    argv: readonly string[],
    filters: readonly RedactionFilter[],
    json: string,
    compact?: string,
  ])[] = [
    ['a part of an argument', ['x', '--PASSWORD=geheim', 'y'], [password], 'x --PASSWORD=***** y'],
    ['a whole argument', ['--password', 'geheim', '-v'], [password], '--password ***** -v'],
    ['every match', ['--password=a', '--password=b'], [password], '--password=***** --password=*****'],
    ['nothing', ['--pass=a', ''], [password], '--pass=a ""'],
    ['no arguments', [], [password], ''],
    ['every group of a match', ['a=1', 'b=2'], [{ redact: ['a=(\\d) b=(\\d)'] }], 'a=***** b=*****'],
    ['only groups that took part', ['-p', 'x'], [{ redact: ['-p (x)|-q (y)'] }], '-p *****'],
    ['an empty group', ['--key=', 'x'], [{ redact: ['--key=(\\S*)'] }], '--key=***** x'],
    ['groups that overlap', ['abcdef'], [{ redact: ['(b(c)d)', '(cde)'] }], 'a*****f'],
    ['a range over several arguments', ['a1', 'b', '2c'], [{ redact: ['a(.*)c'] }], 'a*****c', 'a***** ***** *****c'],
    [
      'arguments with spaces',
      ['-c', 'login --password geheim now', 'é😀', '--password=zwei'],
      [password],
      '-c "login --password ***** now" é😀 --password=*****',
    ],
    ['the quotes of an argument', ['-c', 'a b'], [{ redact: ['-c (".*")'] }], '-c *****', '-c *****'],
  ];
  for (const [title, argv, filters, json, compact] of cases) {
    it(title, () => {
      assert.deepEqual(redactEvent(argv, filters), { json, compact: compact ?? json });
    });
  }

  it('hides parts of the environment: it works on NAME=VALUE', () => {
    const environment = [
      { name: 'TOKEN', value: 'abc' },
      { name: 'PATH', value: '/bin:/TOKEN=x' },
      { name: 'SECRET', value: '' },
    ];
    const event = execEvent({}, { environment });
    const hide = (...patterns: readonly string[]): string =>
      toJson(event, { redact: redactor([{ redact: patterns }]) });
    const listed = (line: string): unknown =>
      (JSON.parse(line) as { process_exec: { process: Record<string, unknown> } }).process_exec.process[
        'environment_variables'
      ];
    const [, path, secret] = [{ Key: 'TOKEN' }, { Key: 'PATH', Value: '/bin:/TOKEN=x' }, { Key: 'SECRET' }];
    assert.deepEqual(listed(hide('^TOKEN=(.*)$')), [{ Key: 'TOKEN', Value: '*****' }, path, secret]);
    const hidden = [{ Key: '*****', Value: '*****' }, path, { Key: '*****' }];
    assert.deepEqual(listed(hide('^(TOKEN)', '^TOKEN=(.*)$', '^(SECRET)')), hidden);
  });

  it('changes only processes whose binary matches', () => {
    const argv = ['--password=a'];
    assert.equal(redactEvent(argv, [{ ...password, binaryRegex: ['^/bin/b$'] }]).json, '--password=a');
    assert.equal(redactEvent(argv, [{ ...password, binaryRegex: ['^/bin/b$', '/a$'] }]).json, '--password=*****');
  });

  it('also changes parents, previous execs, ancestors and exit events', () => {
    const process = processWithArguments(['--password=own'], { formerExecId: 'x' });
    const [parent, former, grandparent] = ['parent', 'former', 'grandparent'].map((name) =>
      processWithArguments([`--password=${name}`]),
    );
    const event = exitEvent({}, { process, parent, former, ancestors: [grandparent] } as Parameters<
      typeof exitEvent
    >[1]);
    const redact = redactor([password]);
    for (const text of [toJson(event, { redact, ancestors: true }), formatCompact(event, { redact })]) {
      assert.match(text, /--password=\*{5}/);
      assert.doesNotMatch(text, /own|=parent|=former|=grandparent/);
    }
    assert.match(toJson(event), /--password=own/);
    assert.deepEqual(process.argv, ['--password=own']);
  });

  it('the encoded process is cached separately for each redactor and for none', () => {
    const event = execEvent({}, { process: processWithArguments(['secret', 'hidden']) });
    const texts = ['(secret)', '(hidden)'].map((pattern) =>
      toJson(event, { redact: redactor([{ redact: [pattern] }]) }),
    );
    assert.match(texts[0] ?? '', /"\*{5} hidden"/);
    assert.match(texts[1] ?? '', /"secret \*{5}"/);
    assert.match(toJson(event), /"secret hidden"/);
  });

  it('takes linear time for a pattern that takes a RegExp exponential time', () => {
    const argv = [`${'a'.repeat(30_000)}b`];
    const started = process.cpuUsage();
    assert.equal(redactEvent(argv, [{ redact: ['^(?:a*)*(c)$', '(b)$'] }]).json.length, 30_005);
    assert.ok(process.cpuUsage(started).user < 5_000_000);
  });

  const refused: readonly (readonly [title: string, filter: RedactionFilter, message: RegExp])[] = [
    ['no group', { redact: ['secret'] }, /^'secret' has no group, so it would hide nothing$/],
    ['lookahead', { redact: ['(?=a)(b)'] }, /^'\(\?=a\)\(b\)' is not a regular expression of RE2: .*\(\?=/],
    ['an unclosed group', { redact: ['(a'] }, /is not a regular expression of RE2/],
    ['a wrong binary', { redact: ['(a)'], binaryRegex: ['['] }, /^'\[' is not a regular expression of RE2/],
    ['no pattern', { redact: [] }, /has no pattern/],
  ];
  for (const [title, filter, message] of refused) {
    it(`refuses: ${title}`, () => {
      assert.throws(() => redactor([filter]), { code: 'REDACTION_INVALID', message });
    });
  }
});
