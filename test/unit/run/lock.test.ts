import assert from 'node:assert/strict';
import type { Behavior } from '../../../types/index.js';
import { PolytraceError } from '../../../lib/errors.js';
import { compareLocks, findViolations, formatLock, parseLock } from '../../../lib/run/lock.js';
import { formatRunSummary } from '../../../lib/run/summary.js';

const behavior = (kind: Behavior['kind'], subject: string, more: Partial<Behavior> = {}): Behavior => ({
  kind,
  subject,
  fact: subject,
  count: 1,
  process: ['/usr/bin/node x (pid 2)', '/bin/sh (pid 1)'],
  ...more,
});
const SEEN = [
  behavior('write', '$HOME/.x', { package: 'b', script: 'postinstall' }),
  behavior('exec', '/bin/sh'),
  behavior('connect', 'a.test:443', { package: 'a', sent: 12, received: 2_000_000 }),
];

describe('lock files', () => {
  it('are sorted, with one fact a line, and can be read again', () => {
    const text = formatLock(SEEN);
    assert.equal(
      text.split('\n').slice(3).join('\n'),
      'packages:\n  ".":\n    - "exec /bin/sh"\n  "a":\n    - "connect a.test:443"\n  "b":\n    - "postinstall: write $HOME/.x"\n',
    );
    assert.equal(formatLock([...SEEN].reverse()), text);
    assert.deepEqual(findViolations(SEEN, parseLock(text)), []);
    assert.deepEqual(parseLock(formatLock([])), []);
  });

  it('names with any character stay on their line', () => {
    const odd = behavior('write', 'a\n- b: "c" \u2028 \ud800 #', { package: 'x: y' });
    const [fact] = parseLock(formatLock([odd]));
    assert.equal(fact?.package, 'x: y');
    assert.match(fact.fact, /^write a\n- b: "c"/);
  });

  it('what is new, and what is gone', () => {
    const before = parseLock(formatLock(SEEN.slice(0, 2)));
    const after = parseLock(formatLock(SEEN.slice(1)));
    assert.deepEqual(compareLocks(before, after), {
      added: [{ package: 'a', fact: 'connect a.test:443' }],
      removed: [{ package: 'b', fact: 'postinstall: write $HOME/.x' }],
    });
    assert.deepEqual(
      findViolations(SEEN, before).map(({ kind }) => kind),
      ['connect'],
    );
  });

  it('a file that may be written may be read, by the same script', () => {
    const lock = parseLock(formatLock(SEEN));
    const read = behavior('read', '$HOME/.x', { package: 'b', script: 'postinstall' });
    const others = [
      { ...read, kind: 'secret' },
      { ...read, script: 'install' },
      { ...read, package: 'a' },
      behavior('read', '/bin/sh'),
    ] as const;
    assert.deepEqual(findViolations([read, ...others], lock), others);
  });

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['', /^f:1:1: this is no lock file/],
    ['version: 2\npackages: {}', /^f:1:10: a newer version of polytrace has written this file/],
    ['version: x\npackages: {}', /^f:1:10: the version is not 1/],
    ['packages: {}', /the version is not 1/],
    ['version: 1\npackages: []', /^f:2:11: packages must be a map/],
    ['version: 1\npackages: {}\nmore: 1', /^f:3:1: a lock file has only/],
    ['version: 1\npackages:\n  a: x', /^f:3:6: the section "a" must be a list/],
    ['version: 1\npackages:\n  a:\n    - {}', /^f:4:7: a fact must be a text/],
    ['version: 1\npackages:\n  1: []', /^f:3:3: the name of a package/],
    ['version: 1\n  packages: {', /^f:1:10: Nested mappings/],
    [`version: 1\npackages: {}\n#${'x'.repeat(8 * 1024 * 1024)}`, /larger than 8 MiB/],
  ];
  for (const [text, message] of wrong) {
    it(`refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.throws(
        () => parseLock(text, 'f'),
        (error) => error instanceof PolytraceError && error.code === 'LOCK_INVALID' && message.test(error.message),
      );
    });
  }
});

describe('summaries of a run', () => {
  const hostile = behavior('secret', '/x\u001b[31m<b>|`', { package: 'evil', count: 3 });
  const summary = {
    command: ['npm', 'ci'],
    exitCode: 1,
    durationMs: 1234,
    execs: 5,
    behaviors: [hostile, ...SEEN],
    moreBehaviors: 2,
    remaining: [{ pid: 9, binary: '/bin/d', killed: true }],
    unseen: ['x'],
    lost: 4,
  };

  it('text: the worst first, what is new with its processes, no control characters', () => {
    const text = formatRunSummary(summary, 'text', [SEEN[0] as Behavior]);
    assert.match(text, /^polytrace: npm ci: exit status 1, 1\.2 s, 5 programs executed\n/);
    assert.match(
      text,
      /\+ b: postinstall: write \$HOME\/\.x\n {4}\/bin\/sh \(pid 1\)\n {6}\/usr\/bin\/node x \(pid 2\)/,
    );
    assert.match(text, /! Secrets read \(1\)\n {4}\[evil\] \/x\\u001b\[31m<b>\|` ×3\n/);
    assert.match(text, /\[a\] a\.test:443, 12 B sent, 2000 kB received/);
    for (const part of ['and killed: /bin/d (pid 9)', '4 events were lost', '2 further behaviors', 'Not seen: x'])
      assert.ok(text.includes(part), part);
    assert.match(
      formatRunSummary({ ...summary, behaviors: [], signal: 9 }, 'text'),
      /ended by signal 9[^]*Nothing outside/,
    );
  });

  it('Markdown and the page: names of packages are text', () => {
    const markdown = formatRunSummary(summary, 'markdown', [hostile]);
    const [, fence = ''] = /```diff\n([^]*?)\n```/.exec(markdown) ?? [];
    assert.ok(fence.includes('<b>') && !fence.includes('`'));
    assert.ok(!markdown.replace(fence, '').includes('<b>'));
    const page = formatRunSummary(summary, 'html', [hostile]);
    assert.ok(!page.includes('<b>') && page.includes("default-src 'none'"));
    assert.match(page, /class="new"/);
  });

  it('what was refused is not listed as new as well', () => {
    const refused = behavior('write', '/etc/refused', { refused: true });
    const all = { ...summary, behaviors: [refused, ...SEEN] };
    for (const format of ['text', 'markdown', 'html'] as const) {
      const text = formatRunSummary(all, format, [refused, SEEN[0] as Behavior]);
      assert.equal(text.split('+ write /etc/refused').length, 2, format);
      assert.ok(text.includes('+ b: postinstall: write $HOME/.x'), format);
    }
    const page = formatRunSummary(all, 'html', [refused]);
    assert.ok(page.includes('<h2>Refused</h2>') && !page.includes('<h2>New'));
  });

  it('JSON and SARIF', () => {
    assert.deepEqual((JSON.parse(formatRunSummary(summary, 'json')) as { violations: unknown }).violations, []);
    const { runs } = JSON.parse(formatRunSummary(summary, 'sarif', [SEEN[0] as Behavior])) as {
      runs: { results: { ruleId: string; level: string; message: { text: string } }[] }[];
    };
    assert.deepEqual(
      runs[0]?.results.map(({ ruleId, level }) => [ruleId, level]),
      [
        ['run-secret', 'error'],
        ['run-write', 'warning'],
      ],
    );
    assert.match(runs[0]?.results[1]?.message.text ?? '', /^New: /);
  });
});
