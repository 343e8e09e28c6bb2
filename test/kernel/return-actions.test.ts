/** matchReturnActions: actions when a function returns, besides the actions at its entry. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { PolicyMode, ProcessKprobeEvent } from '../../types/index.js';
import { MECHANISMS, kprobePolicy, Recording, type Mechanism } from './support.js';

const TARGET = '/tmp/opened-by-shell';
/** Signals that only the shell of these tests receives. */
const [ENTRY, RETURN] = [10, 12];

/** The shell prints the signals that it received after the file is open. */
const SCRIPT = `trap 'echo entry' USR1; trap 'echo return' USR2; : < ${TARGET}; :`;
const runShell = (): string[] =>
  execFileSync('/bin/bash', ['-c', SCRIPT], { encoding: 'utf8' }).split('\n').filter(Boolean);

function openHook(returned: string, actions: string, returnActions: string): string {
  return `call: security_file_open
syscall: false
return: true
args:
- {index: 0, type: file}
returnArg: {index: 0, type: int}
selectors:
- matchArgs:
  - {index: 0, operator: Equal, values: [${TARGET}]}
  matchBinaries:
  - {operator: In, values: [/usr/bin/bash]}
  matchReturnArgs:
  - {index: 0, operator: Equal, values: ["${returned}"]}
  matchActions: [${actions}]
  matchReturnActions: [${returnActions}]`;
}

const signal = (number: number): string => `{action: Signal, argSig: ${number}}`;

for (const attach of MECHANISMS) describe(`matchReturnActions, by ${attach}`, () => testReturnActions(attach));

function testReturnActions(attach: Mechanism): void {
  let recording: Recording;
  before(async () => {
    writeFileSync(TARGET, '');
    recording = await Recording.open(undefined, { attach, enforcement: true });
  });
  after(() => recording.close());

  const recordReturns = async (
    hook: string,
    run: () => void,
    mode: PolicyMode = 'enforce',
  ): Promise<{ events: ProcessKprobeEvent[]; matched: number; enforced: number }> => {
    await recording.tracer.addPolicy({ yaml: kprobePolicy('returns', hook) }, { mode });
    try {
      const events = await recording.hooksDuring(run);
      const { matched = -1, enforced = -1 } = recording.tracer.policies()[0] ?? {};
      return { events, matched, enforced };
    } finally {
      await recording.tracer.removePolicy('returns');
    }
  };

  it('a signal at the entry and another at the return', async () => {
    const { events, matched, enforced } = await recordReturns(openHook('0', signal(ENTRY), signal(RETURN)), () =>
      assert.deepEqual(runShell().sort(), ['entry', 'return']),
    );
    assert.deepEqual(
      events.map(({ action, returnAction, actions, policyMode }) => ({ action, returnAction, actions, policyMode })),
      [
        {
          action: 'signal',
          returnAction: 'signal',
          actions: [
            { action: 'signal', signal: ENTRY, outcome: 'done' },
            { action: 'signal', signal: RETURN, outcome: 'done', onReturn: true },
            { action: 'post' },
          ],
          policyMode: 'enforce',
        },
      ],
    );
    assert.deepEqual({ matched, enforced }, { matched: 1, enforced: 2 });
  });

  it('if the return value does not match, only the actions of the entry', async () => {
    const { events, matched, enforced } = await recordReturns(openHook('-13', signal(ENTRY), signal(RETURN)), () =>
      assert.deepEqual(runShell(), ['entry']),
    );
    assert.deepEqual(events, []);
    assert.deepEqual({ matched, enforced }, { matched: 0, enforced: 1 });
  });

  it('in monitor mode neither signal is sent', async () => {
    const hook = openHook('0', signal(ENTRY), signal(RETURN));
    const { events } = await recordReturns(hook, () => assert.deepEqual(runShell(), []), 'monitor');
    assert.deepEqual(
      events.map(({ action, returnAction, actions, policyMode }) => [
        action,
        returnAction,
        actions.map((each) => ('outcome' in each ? each.outcome : each.action)),
        policyMode,
      ]),
      [['signal', 'signal', ['monitored', 'monitored', 'post'], 'monitor']],
    );
  });

  it('NoPost of the return, and a rate limit', async () => {
    const silent = await recordReturns(openHook('0', '', `${signal(RETURN)}, {action: NoPost}`), () =>
      assert.deepEqual(runShell(), ['return']),
    );
    assert.deepEqual(silent.events, []);
    const rate = '{action: Post, rateLimit: 1h, rateLimitScope: global, kernelStackTrace: true}';
    const limited = await recordReturns(openHook('0', '{action: Post}', rate), () => {
      for (let i = 0; i < 3; i++) assert.deepEqual(runShell(), []);
    });
    assert.equal(limited.events.length, 1);
    assert.ok(limited.events[0]?.kernelStack?.some(({ symbol }) => symbol === 'do_sys_openat2'));
    assert.equal(recording.tracer.policies().length, 0);
  });

  it('the entry’s actions are those of the selector that matched there, whatever matches at the return', async () => {
    const first = openHook('-13', signal(ENTRY), signal(ENTRY));
    const second = first
      .slice(first.indexOf('- matchArgs'))
      .replace('"-13"', '"0"')
      .replaceAll(`${ENTRY}`, `${RETURN}`);
    const { events } = await recordReturns(`${first}\n${second}`, () =>
      assert.deepEqual(runShell().sort(), ['entry', 'return']),
    );
    assert.deepEqual(
      events.map(({ selector, actions }) => [selector, actions]),
      [
        [
          1,
          [
            { action: 'signal', signal: ENTRY, outcome: 'done' },
            { action: 'signal', signal: RETURN, outcome: 'done', onReturn: true },
            { action: 'post' },
          ],
        ],
      ],
    );
  });
}
