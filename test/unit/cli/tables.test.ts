/** `getevents -o table`, `-o tree`, `-o json --pretty` and `--fields`: the exact lines. */
import assert from 'node:assert/strict';
import { EventTree } from '../../../lib/cli/event-tree.js';
import { displayWidth } from '../../../lib/output/escape.js';
import type { PlainEvent } from '../../../types/events.js';
import type { EventSummary } from '../../../types/output.js';
import { fileArgument, intArgument, stringArgument } from '../output/arguments.js';
import { execEvent, exitEvent, kprobeEvent, lostEvent, plainProcess } from '../output/events.js';
import { FakeCommand } from './fake.js';

const HOSTILE =
  '/tmp/\u001b[2J\u202eevil\n 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字/end';

const shell = plainProcess({ execId: 'shell', parentExecId: 'init', pid: 200, binary: '/usr/bin/bash', argv: [] });
const forked = plainProcess({ ...shell, execId: 'forked', parentExecId: 'shell', pid: 210, forked: true });
const cat = plainProcess({ execId: 'cat', parentExecId: 'shell' });

const EVENTS: readonly PlainEvent[] = [
  execEvent({}, { process: shell }),
  execEvent({}, { process: cat, parent: shell }),
  kprobeEvent('security_file_permission', [fileArgument('/etc/shadow'), intArgument(4, 1)], {
    process: cat,
    parent: shell,
  }),
  kprobeEvent('do_thing', [stringArgument(HOSTILE, 0)], {
    process: cat,
    parent: shell,
    message: 'a thing',
    actions: [{ action: 'sigkill', outcome: 'done', signal: 9 }],
  } as object),
  exitEvent({}, { process: cat, parent: shell, signal: 'SIGKILL' }),
  lostEvent(),
];

async function printEvents(
  events: readonly PlainEvent[],
  width: number | undefined,
  ...args: string[]
): Promise<string> {
  const command = new FakeCommand();
  if (width !== undefined) command.env = { COLUMNS: String(width) };
  command.tracer.remaining = events;
  const status = command.run('getevents', '--duration', '0.001', ...args);
  assert.equal(await status, 0, command.stderr.text);
  return command.stdout.text;
}

async function readUsageError(...args: string[]): Promise<string> {
  const command = new FakeCommand();
  assert.equal(await command.run('getevents', ...args), 2);
  return command.stderr.text;
}

describe('getevents -o table', () => {
  it('80 columns: five columns, and no line is longer', async () => {
    const text = await printEvents(EVENTS, 80, '-o', 'table');
    assert.deepEqual(text.split('\n'), TABLE_80);
    for (const line of text.split('\n')) assert.ok(displayWidth(line) <= 80, line);
  });

  it('160 columns: also user, parent and policy', async () => {
    const text = await printEvents(EVENTS, 160, '-o', 'table');
    assert.deepEqual(text.split('\n'), TABLE_160);
    for (const line of text.split('\n')) assert.ok(displayWidth(line) <= 160, line);
  });

  it('without a terminal, nothing is truncated', async () => {
    const text = await printEvents(
      [kprobeEvent('do_thing', [stringArgument('x'.repeat(300), 0)])],
      undefined,
      '-o',
      'table',
    );
    assert.ok(text.includes('x'.repeat(300)));
  });

  it('--fields chooses columns, and fields of the JSON', async () => {
    const event = kprobeEvent('fd_install', [fileArgument('/etc/a b'), fileArgument('/etc/c', 1)], {
      process: cat,
      tags: ['a', 'b'],
    });
    const text = await printEvents([event], 80, '-o', 'table', '--fields', 'pid,args.file_arg.path,tags,process.cwd');
    assert.equal(
      text,
      'PID      ARGS.FILE_ARG.PATH  TAGS          PROCESS.CWD\n' + '210      "/etc/a b" /etc/c   a b           /root\n',
    );
  });

  it('a table with too many columns still fits', async () => {
    const fields =
      'time,clock,date,node,type,event,pid,uid,user,process,parent,pod,container,policy,reason,actions,detail';
    for (const width of [80, 40, 10]) {
      const text = await printEvents(EVENTS, width, '-o', 'table', '--fields', fields);
      const maxWidth = Math.max(...text.split('\n').map((line) => displayWidth(line)));
      assert.ok(maxWidth <= Math.max(width, 17 * 3 - 2), `${width}: ${maxWidth}`);
    }
  });

  it('prints the titles first, and each row when its event arrives', async () => {
    const command = new FakeCommand();
    command.env = { COLUMNS: '80' };
    const status = command.run('getevents', '-o', 'table');
    await command.stdout.waitFor('DETAIL\n');
    command.tracer.push(execEvent());
    await command.stdout.waitFor('/etc/shadow\n');
    command.signals.emit('SIGINT');
    assert.equal(await status, 0);
  });

  it('--redaction-filters hides arguments', async () => {
    const filter = '{"redact": ["(shadow)"]}';
    for (const format of ['table', 'tree']) {
      const text = await printEvents(EVENTS.slice(0, 2), 80, '-o', format, '--redaction-filters', filter);
      assert.ok(text.includes('/etc/*****') && !text.includes('shadow'), text);
    }
  });

  it('refuses unknown columns, and options of other formats', async () => {
    assert.match(
      await readUsageError('-o', 'table', '--fields', 'pid,nonsense'),
      /no event has the field 'nonsense'.*time, clock/,
    );
    assert.match(await readUsageError('--fields', 'pid'), /--fields needs --output table or json/);
    assert.match(await readUsageError('-o', 'table', '--pretty'), /--pretty needs --output json/);
    assert.match(
      await readUsageError('-o', 'tree', '--enable-process-cred'),
      /--enable-process-cred needs --output json/,
    );
    assert.match(await readUsageError('-o', 'json', '--fields', 'args', '-f', 'args'), /exclude each other/);
  });
});

describe('getevents -o tree', () => {
  for (const [width, lines] of [
    [80, () => TREE_80],
    [160, () => TREE_160],
  ] as const) {
    it(`${width} columns: processes with their events`, async () => {
      const other = execEvent({ execId: 'other', parentExecId: 'shell', pid: 300, binary: '/bin/true', argv: [] });
      const again = kprobeEvent('security_file_permission', [fileArgument('/etc/shadow'), intArgument(4, 1)], {
        process: cat,
      });
      const text = await printEvents([...EVENTS.slice(0, 3), again, other, ...EVENTS.slice(3)], width, '-o', 'tree');
      assert.deepEqual(text.split('\n'), lines());
      for (const line of text.split('\n')) assert.ok(displayWidth(line) <= width, line);
    });
  }

  it('a process that was forked and then executes a program is one process', async () => {
    const next = plainProcess({
      execId: 'next',
      parentExecId: 'shell',
      formerExecId: 'cat',
      binary: '/bin/next',
      argv: [],
    });
    const text = await printEvents(
      [
        kprobeEvent('fd_install', [fileArgument('/a')], { process: forked, parent: shell }),
        execEvent({}, { process: cat, parent: shell }),
        execEvent({}, { process: next, former: cat, parent: shell }),
        kprobeEvent('fd_install', [fileArgument('/b')], { process: next, parent: shell, former: cat }),
      ],
      undefined,
      '-o',
      'tree',
    );
    assert.equal(
      text,
      [
        '/usr/bin/bash (pid 200, uid 0)',
        '└─ /bin/next (pid 210, uid 0)',
        '      📬 open /a # files',
        '      📬 open /b # files',
        '',
      ].join('\n'),
    );
  });

  it('recorded events name the previous program as the parent', async () => {
    const second = plainProcess({ execId: 'second', parentExecId: 'cat', binary: '/bin/second', argv: [] });
    const text = await printEvents(
      [execEvent({}, { process: cat }), execEvent({}, { process: second })],
      undefined,
      '-o',
      'tree',
    );
    assert.equal(text, '/bin/second (pid 210, uid 0)\n');
  });

  it('--processes matched leaves out the other processes', async () => {
    const other = execEvent({ execId: 'other', parentExecId: 'shell', pid: 300, binary: '/bin/true' });
    const text = await printEvents([other, ...EVENTS.slice(0, 3)], undefined, '-o', 'tree', '--processes', 'matched');
    assert.ok(!text.includes('/bin/true') && text.includes('📚 read /etc/shadow'), text);
  });

  it('retains a bounded number of processes, and of events of each process', async () => {
    const many = Array.from({ length: 2010 }, (_, i) => [
      execEvent({ execId: `e${i}`, parentExecId: 'shell', pid: 1000 + i, argv: [] }),
      exitEvent({ execId: `e${i}`, parentExecId: 'shell', pid: 1000 + i, argv: [] }),
    ]).flat();
    const opens = Array.from({ length: 60 }, (_, i) =>
      kprobeEvent('fd_install', [fileArgument(`/f${i}`)], { process: shell }),
    );
    const lines = (
      await printEvents([execEvent({}, { process: shell }), ...opens, ...many], undefined, '-o', 'tree')
    ).split('\n');
    assert.ok(lines.includes('│  … 10 more events'));
    assert.ok(lines.includes('(11 earlier processes are left out)'));
    assert.equal(lines.filter((line) => line.includes('💥')).length, 1999);
  });

  it('limits the depth of a long chain of descendants', async () => {
    const chain = Array.from({ length: 3000 }, (_, i) =>
      execEvent({ execId: `e${i}`, parentExecId: `e${i - 1}`, pid: 1000 + i, argv: [] }),
    );
    const text = await printEvents(chain, undefined, '-o', 'tree');
    assert.ok(text.split('\n').every((line) => line.length < 200));
    assert.equal(text.match(/usr.bin.cat/g)?.length, 2000);
  });

  it('a process that executes one program after another is found by its last exec ids', () => {
    const tree = new EventTree({ matchedOnly: false, formatArguments: () => '' });
    const summary = (): EventSummary => ({ emoji: '', label: 'exit', detail: '', actions: '', reason: '' });
    for (let i = 1; i <= 200; i++) {
      const formerExecId = `e${i - 1}`;
      tree.add(
        execEvent({ execId: `e${i}`, parentExecId: formerExecId, formerExecId, pid: 7, binary: `/bin/p${i}` }),
        summary,
      );
    }
    tree.add(exitEvent({ execId: 'e160', pid: 7 }), summary);
    assert.match(tree.format(), /^\/bin\/p200 \(pid 7, uid 0\) 💥 0\n$/);
    // too long ago
    tree.add(exitEvent({ execId: 'e100', parentExecId: '', pid: 7, binary: '/bin/p100' }), summary);
    assert.equal(tree.format().split('\n').length, 3);
  });

  it('in a terminal, the tree is drawn while events arrive', async () => {
    const command = new FakeCommand();
    command.stdout.isTTY = true;
    const status = command.run('getevents', '-o', 'tree');
    command.tracer.push(execEvent());
    await command.stdout.waitFor('\u001b[H\u001b[2J/usr/bin/cat /etc/shadow (pid 210, uid 0)');
    command.signals.emit('SIGINT');
    assert.equal(await status, 0);
  });
});

describe('getevents -o json', () => {
  it('--pretty prints the same JSON in several lines, safe for a terminal', async () => {
    const hostile = [kprobeEvent('fd_install', [fileArgument(HOSTILE)])];
    const text = await printEvents(hostile, undefined, '-o', 'json', '--pretty');
    assert.match(text, /^\{\n {2}"process_kprobe": \{\n {4}"process": \{\n/);
    assert.ok(!text.includes('\u202e') && !text.includes('\u001b'));
    assert.deepEqual(JSON.parse(text), JSON.parse(await printEvents(hostile, undefined, '-o', 'json')));
  });

  it('--fields writes only these', async () => {
    const text = await printEvents([execEvent()], undefined, '-o', 'json', '--fields', 'process.binary,process.pid');
    assert.deepEqual(Object.keys((JSON.parse(text) as { process_exec: object }).process_exec), ['process']);
    assert.match(text, /^\{"process_exec":\{"process":\{"pid":210,"binary":"\/usr\/bin\/cat"\}\},"node_name"/);
  });
});

const TABLE_80 = [
  'TIME      EVENT       PID      PROCESS               DETAIL',
  '14:36:50  process     200      /usr/bin/bash',
  '14:36:50  process     210      /usr/bin/cat          /etc/shadow',
  '14:36:50  read        210      /usr/bin/cat          /etc/shadow',
  '14:36:50  kprobe      210      /usr/bin/cat          [sigkill] do_…漢字漢字/end"',
  '14:36:50  exit        210      /usr/bin/cat          /etc/shadow SIGKILL',
  '14:36:50  lost                                       security_file…s (ring_full)',
  '',
];

const TABLE_160 = [
  'TIME          EVENT       PID      USER      PROCESS               PARENT          POLICY            DETAIL',
  '14:36:50.316  process     200      0         /usr/bin/bash',
  '14:36:50.316  process     210      0         /usr/bin/cat          bash                              /etc/shadow',
  '14:36:50.316  read        210      0         /usr/bin/cat          bash            files             /etc/shadow',
  '14:36:50.316  kprobe      210      0         /usr/bin/cat          bash            files             [sigkill] do_thing "/tmp/\\x1b…漢字漢字漢字漢字漢字漢字/end"',
  '14:36:50.316  exit        210      0         /usr/bin/cat          bash                              /etc/shadow SIGKILL',
  '14:36:50.316  lost                                                                 files             security_file_permission 12 events (ring_full)',
  '',
];

const TREE_80 = [
  '/usr/bin/bash (pid 200, uid 0)',
  '├─ /usr/bin/cat /etc/shadow (pid 210, uid 0) 💥 SIGKILL',
  '│     📚 read /etc/shadow # files ×2',
  '│     ❓ kprobe do_thing "/tmp/\\x1b[2J\\…漢字漢字漢字/end" # "a thing" [sigkill]',
  '└─ /bin/true (pid 300, uid 0)',
  '⚠️  lost: security_file_permission 12 events (ring_full)',
  '',
];

const TREE_160 = [
  ...TREE_80.slice(0, 3),
  '│     ❓ kprobe do_thing "/tmp/\\x1b[2J\\u202eevil\\n 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字/end" # "a thing" [sigkill]',
  ...TREE_80.slice(4),
];
