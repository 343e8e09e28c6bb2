/** matchCmdArgs: the arguments of the exec decide, for new processes, for their children, and for running ones. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { copyProgram, describeOn, kprobePolicy, Recording } from './support.js';

const FILE = '/srv/cmd-args-file';
const OPEN = `: < ${FILE}`;

/** Position 3 of the command is the name `zero`, and the first of the given arguments has position 4. */
const command = (script: string, args: readonly string[]): string[] => ['-c', script, 'zero', ...args];

function policy(filters: string, more = ''): string {
  const file = `{index: 0, operator: Equal, values: [${FILE}]}`;
  return kprobePolicy(
    'cmd-args',
    `call: security_file_open
syscall: false
args: [{index: 0, type: file}]
selectors:
${more}- {matchArgs: [${file}], matchCmdArgs: [${filters}]}`,
  );
}

/** Returns for each command whether the policy reports that it opens the file. */
async function reported(
  yaml: string,
  commands: readonly (readonly string[])[],
  run: (args: readonly string[]) => void | Promise<void> = runShell,
): Promise<boolean[]> {
  const recording = await Recording.open(yaml);
  try {
    const found: boolean[] = [];
    for (const args of commands) found.push((await recording.hooksDuring(() => run(args))).length > 0);
    return found;
  } finally {
    await recording.close();
  }
}

function runShell(args: readonly string[]): void {
  const { status } = spawnSync('/bin/sh', command(OPEN, args));
  assert.equal(status, 0);
}

/** A shell that opens the file when it gets a line. */
class WaitingShell {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(args: readonly string[], script = `echo waiting; read line; ${OPEN}`): Promise<WaitingShell> {
    const child = spawn('/bin/sh', command(script, args), { stdio: ['pipe', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    return new WaitingShell(child);
  }

  async go(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin?.end('go\n');
    await ended;
  }
}

const LONG = 'a'.repeat(600);
/** More than the kernel reads of a command line. */
const ENDLESS = Array.from({ length: 30 }, () => 'b'.repeat(1200));

describeOn('6.12', 'matchCmdArgs', () => {
  before(() => {
    writeFileSync(FILE, 'x');
  });

  const ROWS: readonly (readonly [string, ...(readonly [boolean, ...string[]][])])[] = [
    ['{operator: Equal, values: [--evil, -x]}', [true, 'a', '--evil'], [true, '-x'], [false, '--evil2'], [false, '--evi']],
    ['{operator: NotEqual, values: [--safe]}', [false, 'a', '--safe', 'b'], [true, 'a', '--safe2'], [true]],
    ['{operator: Prefix, values: ["--key="]}', [true, 'a', '--key=1'], [true, '--key='], [false, '--key', 'x--key=']],
    ['{operator: NotPrefix, values: ["--key="]}', [false, 'a', '--key=1'], [true, '--key']],
    ['{operator: Postfix, values: [.conf]}', [true, 'a.conf'], [true, `${LONG}.conf`], [false, 'a.conf2'], [false, 'conf']],
    ['{operator: NotPostfix, values: [.conf]}', [false, 'b', 'a.conf'], [true, `${LONG}.conf2`]],
    ['{index: 4, operator: Equal, values: [go]}', [true, 'go'], [false, 'a', 'go'], [false]],
    ['{index: 4, operator: NotEqual, values: [go]}', [false, 'go'], [true, 'a', 'go'], [true]],
    ['{index: 0, operator: Postfix, values: [sh]}', [true], [true, 'x']],
    ['{operator: Equal, values: [/bin/sh]}', [false]],
    ['{operator: Equal, values: [""]}', [true, ''], [false, 'a']],
    [`{operator: Prefix, values: [${'a'.repeat(254)}]}`, [true, LONG], [false, 'a'.repeat(253)]],
    [`{operator: Equal, values: [${'c'.repeat(254)}]}`, [true, 'c'.repeat(254)], [false, 'c'.repeat(255)]],
    ['{index: 4, operator: Equal, values: [a]}, {index: 5, operator: Prefix, values: [b]}', [true, 'a', 'b1'], [false, 'a', 'c']],
  ]; // prettier-ignore
  describe('one argument or any, by each operator', () => {
    const nameOf = (row: number): string => `row-${row}`;
    let recording: Recording | undefined;

    before(async () => {
      recording = await Recording.open(undefined);
      for (const [row, [filters]] of ROWS.entries()) {
        await recording.tracer.addPolicy({ yaml: policy(filters).replace('name: cmd-args', `name: ${nameOf(row)}`) });
      }
    });
    after(() => recording?.close());

    for (const [row, [filters, ...commands]] of ROWS.entries())
      it(filters.replace(/(.)\1{20,}/g, '$1…'), async () => {
        for (const [expected, ...args] of commands) {
          const events = (await recording?.hooksDuring(() => runShell(args))) ?? [];
          const isReported = events.some(({ policyName }) => policyName === nameOf(row));
          assert.equal(isReported, expected, args.join(' '));
        }
      });
  });

  it('unknown arguments exclude nothing: after 32 KiB, an argument may be any', async () => {
    const commands = [ENDLESS, [...ENDLESS, '--safe'], ['--safe', ...ENDLESS]];
    const safe = 'operator: NotEqual, values: [--safe]';
    assert.deepEqual(await reported(policy(`{${safe}}`), commands), [true, true, false]);
    assert.deepEqual(await reported(policy('{operator: Equal, values: [--evil]}'), commands), [true, true, true]);
    assert.deepEqual(await reported(policy('{index: 4, operator: Equal, values: [--safe]}'), commands), [false, false, true]); // prettier-ignore
    const all = `- {matchArgs: [{index: 0, operator: Equal, values: [${FILE}]}]}`;
    const suppressing = policy('{operator: Equal, values: [--quiet]}], matchActions: [{action: NoPost}').concat(`    ${all}\n`); // prettier-ignore
    assert.deepEqual(await reported(suppressing, [...commands, ['--quiet'], ['--loud']]), [
      true,
      true,
      true,
      false,
      true,
    ]);
  });

  it('a program that changes its arguments later is the same command; children have the arguments of their parent', async () => {
    const change = `perl -e '$0 = "other"; open(F, "<", "${FILE}")' -- --evil; true`;
    const evil = policy('{operator: Equal, values: [--evil]}');
    const perl = (): void => void spawnSync('/bin/sh', ['-c', change]);
    assert.deepEqual(await reported(evil, [[]], perl), [true]);
    const child = (args: readonly string[]): void => void spawnSync('/bin/sh', command(`(${OPEN}); true`, args));
    assert.deepEqual(await reported(evil, [['--evil'], ['--good']], child), [true, false]);
  });

  it('processes that were running before the policy', async () => {
    await Recording.closeCached(); // they run before the tracer as well
    const family = `echo waiting; (read line; ${OPEN}); true`;
    const shells = [
      await WaitingShell.start(['--evil']),
      await WaitingShell.start(['--good']),
      await WaitingShell.start(['--evil'], family),
      await WaitingShell.start([...ENDLESS, '--good']),
    ];
    let next = 0;
    const go = (): Promise<void> => (shells[next++] as WaitingShell).go();
    const commands = shells.map(() => []);
    assert.deepEqual(await reported(policy('{operator: Equal, values: [--evil]}'), commands, go), [
      true,
      false,
      true,
      true,
    ]);
  });

  it('a second policy, and the same values after the first was removed', async () => {
    const shell = await WaitingShell.start(['--one']);
    const recording = await Recording.open(policy('{operator: Equal, values: [--two]}'));
    try {
      await recording.tracer.removePolicy('cmd-args');
      await recording.tracer.addPolicy({ yaml: policy('{operator: Equal, values: [--one]}') });
      const count = async (run: () => void | Promise<void>): Promise<number> =>
        (await recording.hooksDuring(run)).length;
      assert.equal(await count(() => shell.go()), 1);
      assert.equal(await count(() => runShell(['--two'])), 0);
      assert.equal(await count(() => runShell(['--one'])), 1);
    } finally {
      await recording.close();
    }
  });

  const PROGRAM = '/tmp/cmd-args-probes';
  const KINDS: readonly (readonly [string, string, string])[] = [
    ['lsmhooks', 'process_lsm', `hook: file_open, args: [{index: 0, type: file}]`],
    ['uprobes', 'process_uprobe', `path: ${PROGRAM}, symbols: [pass_all]`],
    ['usdts', 'process_usdt', `path: ${PROGRAM}, provider: app, name: numbers`],
  ];
  for (const [kind, type, target] of KINDS)
    it(`on ${kind}: for new processes, and with \`Not\``, async () => {
      copyProgram('probes', PROGRAM);
      const inFile = `matchArgs: [{index: 0, operator: Equal, values: [${FILE}]}], `;
      const select = (filter: string): string =>
        `{${kind === 'lsmhooks' ? inFile : ''}matchCmdArgs: [{${filter}, values: [--evil]}]}`;
      const makePolicy = (filter: string): string => `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: cmd-args}
spec:
  ${kind}: [{${target}, selectors: [${select(filter)}]}]
`;
      const runProgram = (...args: string[]): void => {
        if (kind === 'lsmhooks') runShell(args);
        else assert.equal(spawnSync(PROGRAM, args).status, 0);
      };
      for (const [filter, expected] of [
        ['operator: Equal', [true, false]],
        ['operator: NotEqual', [false, true]],
      ] as const) {
        const recording = await Recording.open(makePolicy(filter));
        try {
          const found: boolean[] = [];
          for (const arg of ['--evil', '--good']) {
            const events = await recording.eventsDuring(() => runProgram('name', arg));
            found.push(events.some((event) => event.type === type));
          }
          assert.deepEqual(found, expected, filter);
        } finally {
          await recording.close();
        }
      }
    });

  it('on the exec itself: the tracepoint after an exec has the new arguments', async () => {
    const yaml = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: cmd-args}
spec:
  tracepoints:
  - {subsystem: sched, event: sched_process_exec, selectors: [{matchCmdArgs: [{operator: Equal, values: [--evil]}]}]}
`;
    const recording = await Recording.open(yaml);
    try {
      const events = await recording.eventsDuring(() => {
        runShell(['--evil']);
        runShell(['--good']);
      });
      const found = events.filter(({ type }) => type === 'process_tracepoint');
      assert.equal(found.length, 1);
    } finally {
      await recording.close();
    }
  });
});
