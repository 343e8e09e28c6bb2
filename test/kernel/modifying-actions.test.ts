/**
 * Policies that change programs: arguments of static probes (Set) and calls of functions (Override of uprobes).
 * Registers can be set only on a few kernels. The others refuse it with a code.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { openTracer, preflight } from '../../lib/index.js';
import type { PerformedAction, ProcessUprobeEvent, ProcessUsdtEvent, TracerEvent } from '../../types/index.js';
import { copyProgram, assertRefused, kernel, kprobePolicy, Recording } from './support.js';

type ProgramEvent = ProcessUprobeEvent | ProcessUsdtEvent;
const isProgramEvent = (event: TracerEvent): event is ProgramEvent =>
  event.type === 'process_uprobe' || event.type === 'process_usdt';

/** Programs that only these tests start. The second has the same functions, but no hooks. */
const PROGRAM = '/tmp/changed';
const BYSTANDER = '/tmp/unchanged';
const UNTOUCHED = ['answer 2', 'memory 1 2 3 4', 'register 5 6 fixed 9'];

const canSetRegisters = preflight().features.some((each) => each.name === 'uprobe_registers' && each.available);

function runProgram(program = PROGRAM): string[] {
  return execFileSync(program, { encoding: 'utf8' }).trim().split('\n');
}

const SELECTOR = 'selectors:\n- matchActions:\n  - ';

function setHook(name: string, index: number, value: number): string {
  const args = name === 'constant' ? '' : `args:\n- {index: ${index}, type: int64}\n`;
  return `path: ${PROGRAM}\nprovider: changed\nname: ${name}\n${args}${SELECTOR}{action: Set, argIndex: ${index}, argValue: ${value}}`;
}

function overrideHook(how: string, place = 'symbols: [answer]'): string {
  return `path: ${PROGRAM}\n${place}\n${SELECTOR}{action: Override, ${how}}`;
}

function usdtPolicy(...hooks: readonly string[]): string {
  return kprobePolicy('changes', ...hooks).replace('kprobes:', 'usdts:');
}

function uprobePolicy(...hooks: readonly string[]): string {
  return kprobePolicy('changes', ...hooks).replace('kprobes:', 'uprobes:');
}

interface ProgramRun {
  readonly output: readonly string[];
  readonly events: readonly ProgramEvent[];
  readonly actions: readonly (readonly PerformedAction[])[];
}

/** All tests share one tracer, because opening it takes the longest time. */
let recording: Recording;

async function runAndRecord(): Promise<ProgramRun> {
  let output: string[] = [];
  const events = (await recording.eventsDuring(() => void (output = runProgram()))).filter(isProgramEvent);
  return { output, events, actions: events.map((e) => e.actions.filter(({ action }) => action !== 'post')) };
}

async function whileLoaded(yaml: string, body: () => Promise<void>): Promise<void> {
  await recording.tracer.addPolicy({ yaml });
  try {
    await body();
  } finally {
    await recording.tracer.removePolicy('changes');
  }
}

const assertPolicyRefused = (yaml: string, code: string, message: RegExp): Promise<void> =>
  assertRefused(recording.tracer.addPolicy({ yaml }), code, message);

describe('changes of programs', function () {
  before(async () => {
    for (const program of [PROGRAM, BYSTANDER]) copyProgram('changed', program);
    recording = await Recording.open(undefined, { enforcement: true });
  });
  after(() => recording?.close());

  it('the newest kernel lets programs set registers, and the others say why not', () => {
    if (kernel === 'newest') assert.equal(canSetRegisters, true);
    if (kernel === '6.12' || kernel === '6.1') assert.equal(canSetRegisters, false);
  });

  it('Set: arguments in memory, each with its own width; monitor mode reports the actions without performing them', async () => {
    const values = [-7, 60000, -100000, -5];
    const expectedActions = (outcome: string): unknown[] =>
      values.map((value, index) => [{ action: 'set', index, value, outcome }]).sort(byIndex);
    const hooks = values.map((value, i) => setHook('memory', i, value));
    await whileLoaded(usdtPolicy(...hooks, setHook('fixed', 0, 1)), async () => {
      const { output, events, actions } = await runAndRecord();
      assert.deepEqual(output, ['answer 2', 'memory -7 60000 -100000 -5', 'register 5 6 fixed 9']);
      assert.deepEqual([...actions.slice(0, 4)].sort(byIndex), expectedActions('done'));
      // These are the values that the program had passed.
      const given = events.slice(0, 4).map((e) => e.args.map((arg) => 'value' in arg && arg.value)[0]);
      assert.deepEqual(given.sort(), [1n, 2n, 3n, 4n]);
      assert.deepEqual([events[0]?.action, events[0]?.policyMode], ['set', 'enforce']);
      // The program cannot write this memory either.
      assert.deepEqual(actions[4], [{ action: 'set', index: 0, value: 1, outcome: 'failed' }]);
      assert.equal(recording.tracer.policies()[0]?.enforced, 4);
      assert.deepEqual(runProgram(BYSTANDER), UNTOUCHED);

      await recording.tracer.setPolicyMode('changes', 'monitor');
      const monitored = await runAndRecord();
      assert.deepEqual(monitored.output, UNTOUCHED);
      assert.deepEqual([...monitored.actions.slice(0, 4)].sort(byIndex), expectedActions('monitored'));
    });
  });

  it('Set: an argument that cannot be set is refused with a code, and so is any Set without enforcement', async () => {
    await assertPolicyRefused(
      usdtPolicy(setHook('constant', 0, 1)),
      'SET_NOT_POSSIBLE',
      /argument 0 of changed:constant .* a constant/,
    );
    await assertPolicyRefused(
      usdtPolicy(setHook('memory', 4, 1).replace('index: 4', 'index: 3')),
      'SET_NOT_POSSIBLE',
      /argument 4 .*no such/,
    );
    await assert.rejects(openTracer({ policies: [{ yaml: usdtPolicy(setHook('memory', 0, 1)) }] }), {
      code: 'ENFORCEMENT_NOT_ALLOWED',
    });
  });

  if (canSetRegisters) describe('by registers', testRegisters);
  else testRefusals();
});

function byIndex([a]: readonly unknown[], [b]: readonly unknown[]): number {
  return (a as { index: number }).index - (b as { index: number }).index;
}

function testRefusals(): void {
  it('a change that must set registers is refused with a code', async () => {
    await assertPolicyRefused(
      uprobePolicy(overrideHook('argError: 7')),
      'OVERRIDE_NOT_POSSIBLE',
      /answer cannot be overridden: this kernel/,
    );
    await assertPolicyRefused(
      usdtPolicy(setHook('narrow', 0, 1)),
      'SET_NOT_POSSIBLE',
      /changed:narrow .* in a register/,
    );
  });
}

function testRegisters(): void {
  const hooks: readonly (readonly [name: string, hook: () => string, answer: number, expected: () => object])[] = [
    ['argError: the function returns at once', () => overrideHook('argError: -3'), -3, () => ({ value: -3 })],
    [
      'argRegs: each assignment sees the values that earlier ones have set',
      () => overrideHook('argRegs: ["rax=0x10", "rcx=5%rax", "rax=%rcx", "rip=(%rsp)", "rsp=8%rsp"]'),
      21,
      () => ({ registers: ['rax=0x10', 'rcx=5%rax', 'rax=%rcx', 'rip=(%rsp)', 'rsp=8%rsp'] }),
    ],
    ['argRegs: a parameter', () => overrideHook('argRegs: ["rdi=40"]'), 41, () => ({ registers: ['rdi=40'] })],
    [
      'argNewSymbol: the call continues elsewhere',
      () => overrideHook('argNewSymbol: other'),
      101,
      () => ({ target: 'other' }),
    ],
    [
      'argNewOffset',
      () => overrideHook(`argNewOffset: ${symbolAddress('other')}`),
      101,
      () => ({ target: `0x${symbolAddress('other').toString(16)}` }),
    ],
    [
      'argNewAddr, from a hook at an address',
      () => overrideHook(`argNewAddr: ${symbolAddress('other')}`, `addrs: [${symbolAddress('answer')}]`),
      101,
      () => ({ target: `0x${symbolAddress('other').toString(16)}` }),
    ],
  ];
  for (const [name, hook, answer, expected] of hooks) {
    it(name, async () => {
      await whileLoaded(uprobePolicy(hook()), async () => {
        const { output, actions } = await runAndRecord();
        assert.deepEqual(output, [`answer ${answer}`, ...UNTOUCHED.slice(1)]);
        assert.deepEqual(actions, [[{ action: 'override', ...expected(), outcome: 'done' }]]);
      });
    });
  }

  it('memory that cannot be read: nothing is set, and the event says so; monitor mode', async () => {
    await whileLoaded(uprobePolicy(overrideHook('argRegs: ["rdi=40", "rax=8(%rdi)"]')), async () => {
      for (const [mode, outcome] of [
        ['enforce', 'failed'],
        ['monitor', 'monitored'],
      ] as const) {
        await recording.tracer.setPolicyMode('changes', mode);
        const { output, actions } = await runAndRecord();
        assert.deepEqual(output, UNTOUCHED);
        assert.deepEqual(actions, [[{ action: 'override', registers: ['rdi=40', 'rax=8(%rdi)'], outcome }]]);
      }
    });
  });

  it('Set of arguments in registers', async () => {
    await whileLoaded(usdtPolicy(setHook('narrow', 0, -50), setHook('wide', 0, -60)), async () => {
      assert.equal((await runAndRecord()).output[2], 'register -50 -60 fixed 9');
    });
  });

  it('a function that cannot be overridden is refused with a code', async () => {
    const returns = overrideHook('argError: 1').replace(
      'selectors:',
      'return: true\nreturnArg: {index: 0, type: int}\nselectors:',
    );
    await assertPolicyRefused(
      uprobePolicy(returns),
      'OVERRIDE_NOT_POSSIBLE',
      /return of an overridden call cannot be seen/,
    );
    await assertPolicyRefused(
      uprobePolicy(overrideHook('argNewSymbol: nothing')),
      'HOOK_NOT_FOUND',
      /has no function nothing/,
    );
    await assertPolicyRefused(
      uprobePolicy(overrideHook('argNewAddr: 0x7fffffff')),
      'HOOK_NOT_FOUND',
      /has no address 0x7fffffff/,
    );
  });
}

let symbols: string | undefined;

/** The address that nm shows. In the first segments of these programs it is also the offset in the file. */
function symbolAddress(symbol: string): bigint {
  symbols ??= execFileSync('nm', [PROGRAM], { encoding: 'utf8' });
  return BigInt(`0x${new RegExp(`^([0-9a-f]+) [Tt] ${symbol}$`, 'm').exec(symbols)?.[1] ?? 'none'}`);
}
