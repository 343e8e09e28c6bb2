/** Policies that share one program: many of them on a function, changes while calls run, a twin. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { openTracer } from '../../lib/index.js';
import type {
  HookStatus,
  PolicySource,
  PolicyStatus,
  ProcessKprobeEvent,
  StackFrame,
  TracerEvent,
  TracerOptions,
} from '../../types/index.js';
import { NIGHTLY } from '../nightly.js';
import { randomPick } from '../random.js';
import {
  argumentValue,
  fileArgument,
  fileHook,
  kernel,
  kprobeEvents,
  kprobePolicy,
  onKernelWithGroups,
  Recording,
} from './support.js';

const FOLDER = '/tmp/groups';
/** More than the programs that a trampoline holds. */
const POLICIES = 200;
const READS = 20_000;
const DENIALS = 60;
/** By day, the newest kernel compares no random policies: with kprobes, they take minutes. */
const itWithTwins = kernel !== 'newest' || NIGHTLY ? it : (): void => {};
/** Fewer for kprobes: more than a trampoline has room for would be kprobes anyway. By day, fewer for all. */
const REPORTERS = kernel === 'newest' ? 25 : NIGHTLY ? 50 : 20;
const DENIED_READS = 30;

const file = (i: number | string): string => `${FOLDER}/file-${i}`;

function pathPolicy(name: string, operator: string, ...values: readonly string[]): string {
  const list = values.map((value) => JSON.stringify(value)).join(', ');
  return kprobePolicy(
    name,
    fileHook(`- matchArgs:
  - {index: 0, operator: ${operator}, values: [${list}]}
  - {index: 1, operator: Equal, values: ["4"]}`),
  );
}

/** A policy on reads of one file. `more`: further members of its hook. */
function readPolicy(name: string, path: string, action: string, more = ''): string {
  const hook = fileHook(`- matchArgs:
  - {index: 0, operator: Equal, values: ["${path}"]}
  - {index: 1, operator: Equal, values: ["4"]}
  matchActions: [${action}]`);
  return kprobePolicy(name, hook.replace('args:', `${more}args:`));
}

/** A policy on one file. The operator depends on the number. */
function numberedPolicy(i: number): string {
  const ways = [
    ['Equal', file(i)],
    ['Prefix', `${file(i)}`],
    ['Postfix', `/file-${i}`],
  ] as const;
  const [operator, value] = ways[i % ways.length] as (typeof ways)[0];
  return pathPolicy(`numbered-${i}`, operator, value);
}

function countDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** On a kernel that can suspend programs on trampolines, hooks on functions are kprobes. */
const MECHANISM = kernel === 'newest' ? 'kprobe' : 'fentry';
const LINKS = kernel === 'newest' ? /^link_type:\s*perf$/m : /^link_type:\s*tracing$/m;

/** Programs on functions that this process has attached. */
function countFunctionLinks(): number {
  const texts = readdirSync('/proc/self/fdinfo').map((fd) => {
    try {
      return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
    } catch {
      return ''; // the descriptor that reads the folder
    }
  });
  return texts.filter((text) => LINKS.test(text)).length;
}

/** Reads the files. Returns the errors of those that cannot be read. */
function readErrors(...paths: readonly string[]): string[] {
  const { stderr } = spawnSync('cat', paths, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  return stderr.split('\n').filter((line) => line !== '');
}

/**
 * Each call was reported once. A preemptible kernel skips kprobes while it has suspended a program that changes a BPF map,
 * and counts these calls; see the known limits in SECURITY.md.
 */
function assertReported(reported: number, count: number, status: PolicyStatus | undefined): void {
  assert.ok(status !== undefined);
  const { matched, lost } = status;
  if (kernel !== 'newest')
    return assert.deepEqual({ reported, matched, lost }, { reported: count, matched: count, lost: 0 });
  assert.equal(matched, reported);
  assert.ok(reported <= count && reported + lost >= count, `${reported} reported and ${lost} lost of ${count}`);
}

function read(...paths: readonly string[]): void {
  execFileSync('cat', paths, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/**
 * Reads /dev/zero until it is stopped. Waits for the events of READS reads before it goes on, so that they have room in
 * the buffer however slow the machine is. `stop` resolves with the number of reads.
 */
function startReading(recording: Recording): { readonly stop: () => Promise<number> } {
  let isStopped = false;
  const reading = (async () => {
    let count = 0;
    while (!isStopped) {
      const dd = spawn('dd', ['if=/dev/zero', 'of=/dev/null', 'bs=1', `count=${READS}`, 'status=none']);
      const reported = recording.waitForMore(
        1,
        (event) => event.type === 'process_exit' && event.process.pid === dd.pid,
      );
      const [code] = (await once(dd, 'close')) as [number | null];
      assert.equal(code, 0);
      await reported;
      count += READS;
    }
    return count;
  })();
  return {
    stop: () => {
      isStopped = true;
      return reading;
    },
  };
}

/** Why hooks on functions are in no group. */
const REASON = kernel === 'newest' ? /can suspend the program/ : /does not let programs read its memory directly/;

if (kernel === '6.1' || kernel === 'newest') {
  it('without groups, the status of a hook says why', async () => {
    const policies = [0, 1].map((i) => ({ yaml: numberedPolicy(i) }));
    const tracer = await openTracer({ policies, attach: 'fentry', allowMissedCalls: true });
    const hooks = tracer.policies().flatMap((policy) => policy.hooks);
    await tracer.close();
    assert.deepEqual(
      hooks.map(({ grouped }) => grouped),
      [undefined, undefined],
    );
    for (const { separate = '' } of hooks) assert.match(separate, REASON);
  });
}

const MOVES: readonly (readonly [where: string, more: string, action: string])[] = [
  ['at the entry', '', 'Post'],
  // by kprobes, the return needs a second program
  ...(MECHANISM === 'fentry'
    ? ([['at the return', 'return: true\nreturnArg: {index: 0, type: int}\n', 'Post']] as const)
    : []),
  ['with a signal', '', 'Signal, argSig: 28'],
];

const describeOnce = onKernelWithGroups() || kernel === 'newest' ? describe : (): void => {};

describeOnce('policies that share one program', function () {
  before(function () {
    mkdirSync(FOLDER, { recursive: true });
    for (let i = 0; i < POLICIES; i++) writeFileSync(file(i), 'content');
    for (const folder of ['aa', 'ab']) mkdirSync(`${FOLDER}/twin/${folder}`, { recursive: true });
    for (const path of PATHS) writeFileSync(path, 'text');
    writeFileSync(file('hot'), Buffer.alloc(READS + 1));
  });

  describe(`${POLICIES} policies on one function`, function () {
    let recording: Recording;

    before(async () => {
      recording = await Recording.open(undefined);
    });
    after(() => recording?.close());

    it('load, with at most 3 descriptors each', async () => {
      const before = countDescriptors();
      const { tracer } = recording;
      for (let i = 0; i < POLICIES; i++) await tracer.addPolicy({ yaml: numberedPolicy(i) });
      const each = (countDescriptors() - before) / POLICIES;
      assert.ok(each <= 3, `${each} descriptors a policy`);
      const hooks = tracer.policies().flatMap((policy) => policy.hooks);
      assert.equal(hooks.length, POLICIES);
      for (const hook of hooks) {
        assert.equal(hook.grouped, true, hook.separate);
        assert.equal(hook.attach, MECHANISM);
        assert.ok(hook.memory > 0 && hook.memory <= 16_384, `${hook.memory} bytes`);
      }
    });

    it('report each its own match', async () => {
      const paths = Array.from({ length: POLICIES }, (_, i) => file(i));
      const events = await recording.hooksDuring(() => read(...paths));
      const matched = new Set(events.map((event) => `${event.policyName} ${fileArgument(event).path}`));
      for (let i = 0; i < POLICIES; i++) {
        assert.ok(matched.has(`numbered-${i} ${file(i)}`), `policy ${i} reported nothing`);
      }
      for (const event of events) {
        const i = Number(event.policyName?.slice('numbered-'.length));
        const { path } = fileArgument(event);
        assert.ok(i % 3 === 1 ? path.startsWith(file(i)) : path === file(i), `${event.policyName}: ${path}`);
      }
    });

    it('change while calls run, without a lost event of another policy', async () => {
      const { tracer } = recording;
      await tracer.addPolicy({ yaml: pathPolicy('hot', 'Equal', file('hot')) });
      const from = recording.events.length;
      const dd = spawn('dd', [`if=${file('hot')}`, 'of=/dev/null', 'bs=1', `count=${READS}`, 'status=none']);
      const ended = once(dd, 'exit');
      let isRunning = true;
      void ended.then(() => (isRunning = false));
      let rounds = 0;
      for (; isRunning || rounds < 3; rounds++) {
        const name = `changing-${rounds}`;
        // these values are beginnings and ends of the hot file's path, and one is a new file
        await tracer.addPolicy({ yaml: pathPolicy(name, 'Prefix', `${FOLDER}/file-h`, file(`new-${rounds}`)) });
        await tracer.replacePolicy({ yaml: pathPolicy(name, 'Postfix', 'hot-not', `-${rounds}-not`) });
        await tracer.removePolicy(name);
      }
      await ended;
      await recording.settle();
      const hot = kprobeEvents(recording.events.slice(from)).filter(({ policyName }) => policyName === 'hot');
      assertReported(
        hot.length,
        READS,
        tracer.policies().find(({ name }) => name === 'hot'),
      );
      const losses = recording.events.slice(from).filter(({ type }) => type === 'lost');
      if (kernel !== 'newest') assert.deepEqual(losses, []);
    });

    it('a removed policy reports nothing more, and its values lead to the others', async () => {
      const { tracer } = recording;
      await tracer.addPolicy({ yaml: pathPolicy('outer', 'Prefix', `${FOLDER}/`) });
      await tracer.removePolicy('numbered-1');
      const names = policyNames(await recording.hooksDuring(() => read(file(1))));
      assert.deepEqual(names, ['outer']);
      await tracer.addPolicy({ yaml: numberedPolicy(1) });
      // nothing remembers that no policy matched
      const again = policyNames(await recording.hooksDuring(() => read(file(1))));
      assert.deepEqual(again, ['numbered-1', 'outer']);
    });
  });

  it('a path that no policy matches is not remembered when a policy with it is added', async () => {
    const recording = await Recording.open(undefined);
    try {
      for (const i of [0, 1]) await recording.tracer.addPolicy({ yaml: numberedPolicy(i) });
      await recording.hooksDuring(() => {
        for (let i = 0; i < 5; i++) read(file(5));
      });
      await recording.tracer.addPolicy({ yaml: numberedPolicy(5) });
      const names = policyNames(await recording.hooksDuring(() => read(file(5))));
      assert.deepEqual(names, ['numbered-5']);
    } finally {
      await recording.close();
    }
  });

  for (const [where, more, action] of MOVES) {
    it(`${where}, the first policy moves into a group while calls run, and reports each once`, async () => {
      const recording = await Recording.open(undefined, { enforcement: true });
      const { tracer } = recording;
      const onFile = (name: string, path: string): string => readPolicy(name, path, `{action: ${action}}`, more);
      const status = (name: string): PolicyStatus | undefined => tracer.policies().find((each) => each.name === name);
      try {
        await tracer.addPolicy({ yaml: onFile('first', '/dev/zero') });
        assert.equal(status('first')?.hooks[0]?.grouped, undefined);
        const from = recording.events.length;
        const reads = startReading(recording);
        await recording.waitForMore(1000, ({ type }) => type === 'process_kprobe');
        const links = countFunctionLinks();
        await tracer.addPolicy({ yaml: onFile('second', file(1)) });
        // until its own program is detached
        do await recording.waitForMore(1000, ({ type }) => type === 'process_kprobe');
        while (countFunctionLinks() > links);
        const count = await reads.stop();
        await recording.settle();
        const own = kprobeEvents(recording.events.slice(from)).filter(({ policyName }) => policyName === 'first');
        const end = status('first');
        assertReported(own.length, count, end);
        assert.equal(end?.hooks[0]?.grouped, true);
        if (!action.startsWith('Signal')) return;
        assert.equal(end?.enforced, own.length, 'one signal for each call');
        for (const {
          actions: [done],
        } of own)
          assert.deepEqual(done, { action: 'signal', signal: 28, outcome: 'done' });
      } finally {
        await recording.close();
      }
    });
  }

  it('each policy has its own mode, rate and stacks, in the events of one call', async () => {
    const recording = await Recording.open(undefined, { enforcement: true });
    const { tracer } = recording;
    const onFile = (name: string, action: string): string => readPolicy(name, file(1), action);
    const signal = '{action: Signal, argSig: 28}';
    try {
      for (const name of ['enforcing', 'watching']) await tracer.addPolicy({ yaml: onFile(name, signal) });
      await tracer.setPolicyMode('watching', 'monitor');
      const rates = [`{action: Post, rateLimit: 1m, rateLimitScope: global}`, '{action: Post, rateLimit: 1m}'];
      for (const [i, rate] of rates.entries()) await tracer.addPolicy({ yaml: onFile(`rate-${i}`, rate) });
      const events = await recording.hooksDuring(() => [0, 1].forEach(() => read(file(1))));
      const own = (name: string): ProcessKprobeEvent[] => events.filter(({ policyName }) => policyName === name);
      const reads = own('enforcing').length;
      assert.ok(reads >= 2);
      assert.equal(own('watching').length, reads);
      for (const { actions } of own('enforcing')) assert.deepEqual(actions[0], { ...SIGNALLED, outcome: 'done' });
      for (const { actions } of own('watching')) assert.deepEqual(actions[0], { ...SIGNALLED, outcome: 'monitored' });
      assert.equal(own('rate-0').length, 1, 'one event for all processes');
      assert.equal(own('rate-1').length, 2, 'one event for each thread');
      // a policy that comes again begins again, also with the same numbers in the kernel
      await tracer.removePolicy('rate-0');
      await tracer.addPolicy({ yaml: onFile('rate-0', rates[0] as string) });
      const again = await recording.hooksDuring(() => read(file(1)));
      assert.equal(again.filter(({ policyName }) => policyName === 'rate-0').length, 1);
      const status = (name: string): PolicyStatus | undefined => tracer.policies().find((each) => each.name === name);
      assert.equal(status('enforcing')?.enforced, status('enforcing')?.matched);
      assert.equal(status('watching')?.enforced, 0);
      assert.equal(status('rate-1')?.suppressed, (status('rate-1')?.matched ?? 0) - 3);
      for (const name of ['watching', 'rate-1']) assert.equal(status(name)?.hooks[0]?.grouped, true);
    } finally {
      await recording.close();
    }
  });

  // on the newest kernel, programs of the LSM override
  const describeOverrides = MECHANISM === 'fentry' ? describe : (): void => {};

  describeOverrides('policies that override', function () {
    let recording: Recording;
    let tracer: Recording['tracer'];
    beforeEach(async () => {
      recording = await Recording.open(undefined, { enforcement: true });
      ({ tracer } = recording);
    });
    afterEach(() => recording?.close());

    const overriding = (name: string, i: number | string, error = -13): string =>
      readPolicy(name, file(i), `{action: Override, argError: ${error}}`);
    const statuses = (): HookStatus[] => tracer.policies().flatMap((policy) => policy.hooks);

    it(`are one program: ${DENIALS} policies, more than a trampoline has room for`, async () => {
      const before = countFunctionLinks();
      for (let i = 0; i < DENIALS; i++) await tracer.addPolicy({ yaml: overriding(`denial-${i}`, i) });
      assert.equal(countFunctionLinks(), before + 1);
      for (const { attach, grouped, separate } of statuses()) {
        assert.deepEqual([attach, grouped, separate], ['fmod_ret', true, undefined]);
      }
      const paths = Array.from({ length: DENIALS }, (_, i) => file(i));
      const events = await recording.hooksDuring(() => {
        assert.deepEqual(
          readErrors(...paths),
          paths.map((path) => `cat: ${path}: Permission denied`),
        );
        assert.deepEqual(readErrors(file(DENIALS)), []);
      });
      assert.deepEqual(
        events.map(({ policyName, actions: [done] }) => [policyName, done]),
        paths.map((_, i) => [`denial-${i}`, { action: 'override', value: -13, outcome: 'done' }]),
      );
      for (const { name, matched, enforced, lost } of tracer.policies()) {
        assert.deepEqual([name, matched, enforced, lost], [name, 1, 1, 0]);
      }
      await tracer.removePolicy('denial-3');
      assert.deepEqual(readErrors(file(3)), []);
      assert.equal(readErrors(file(4)).length, 1);
    });

    it('all report one call, and the value of the policy that was added last is returned', async () => {
      const values = [
        ['first', -1, 'Operation not permitted'],
        ['second', -2, 'No such file or directory'],
        ['third', -5, 'Input/output error'],
      ] as const;
      const failure = (): string => readErrors(file(1)).join().split(': ')[2] ?? '';
      for (const [name, error, message] of values) {
        await tracer.addPolicy({ yaml: overriding(name, 1, error) });
        assert.equal(failure(), message);
      }
      await tracer.addPolicy({ yaml: readPolicy('signals', file(1), '{action: Signal, argSig: 28}') });
      const events = await recording.hooksDuring(() => assert.equal(failure(), 'Input/output error'));
      assert.deepEqual(
        events.map((event) => [event.policyName, firstOutcome(event)]).sort(),
        ['first', 'second', 'signals', 'third'].map((name) => [name, 'done']),
      );
      await tracer.setPolicyMode('third', 'monitor');
      const monitored = await recording.hooksDuring(() => assert.equal(failure(), values[1][2]));
      const third = monitored.find(({ policyName }) => policyName === 'third');
      assert.equal(third && firstOutcome(third), 'monitored');
      await tracer.removePolicy('second');
      assert.equal(failure(), values[0][2]);
      // its numbers in the kernel are used again, and now it is the last one
      await tracer.addPolicy({ yaml: overriding('second', 1, -2) });
      assert.equal(failure(), values[1][2]);
      await tracer.replacePolicy({ yaml: overriding('first', 1, -5) });
      assert.equal(failure(), values[2][2]);
      for (const name of ['first', 'second', 'third']) await tracer.removePolicy(name);
      assert.equal(failure(), '');
    });

    it('deny each read while others come and go, and while a policy moves to another program', async () => {
      const more = ['', ', {action: Post, rateLimit: 1m}', ', {action: NoPost}', ', {action: Signal, argSig: 28}'];
      const changing = (round: number): string =>
        readPolicy('changes', file(7), `{action: Override, argError: -5}${more[round % more.length]}`);
      await tracer.addPolicy({ yaml: overriding('stays', 'hot') });
      await tracer.addPolicy({ yaml: changing(0) });
      const script = `for i in $(seq ${DENIED_READS}); do cat ${file('hot')} && exit 1; cat ${file(7)} && exit 2; done; exit 0`;
      const denied = spawn('sh', ['-c', script], { stdio: 'ignore' });
      const ended = once(denied, 'exit') as Promise<[number]>;
      let isRunning = true;
      void ended.then(() => (isRunning = false));
      let rounds = 1;
      for (; isRunning || rounds < 5; rounds++) {
        await tracer.addPolicy({ yaml: overriding('comes', `hot-${rounds}`) });
        await tracer.replacePolicy({ yaml: overriding('comes', 'ho', -2) });
        await tracer.replacePolicy({ yaml: changing(rounds) });
        await tracer.removePolicy('comes');
      }
      assert.deepEqual(await ended, [0, null]);
      await recording.settle();
      const { matched, enforced } = tracer.policies().find(({ name }) => name === 'stays') ?? {};
      assert.deepEqual([matched, enforced], [DENIED_READS, DENIED_READS]);
      const own = kprobeEvents(recording.events).filter(({ policyName }) => policyName === 'stays');
      assert.equal(own.length, DENIED_READS);
    });

    it('do the same as separate programs, with random selectors', async () => {
      const policies = randomPolicies(8, DENYING);
      const grouped = await runDenied(policies, true);
      const separate = await runDenied(policies, false);
      assert.ok(grouped.hooks.every((hook) => hook.grouped === true));
      const { outcomes } = grouped;
      assert.deepEqual(outcomes, separate.outcomes);
      // separate programs do not run any more when another one has overridden the call
      const calls = new Set(grouped.events);
      for (const event of separate.events) assert.ok(calls.has(event), event);
      for (const some of [/: 0 $/, /: 1 .*(not permitted|denied|error)/]) {
        assert.ok(
          outcomes.some((outcome) => some.test(outcome)),
          outcomes.join('\n'),
        );
      }
    });
  });

  /** Runs random policies as groups and as separate programs. Returns the events and the statuses of both. */
  async function compareTwins(policies: readonly PolicySource[], options: TracerOptions = {}): Promise<Twins> {
    // the group first: a trampoline has 38 places, and the separate programs may take all that are left
    const grouped = await openTracer({ ...options, policies });
    const separate = await openTracer({ ...options, policies, groupPolicies: false });
    const streams = [separate, grouped].map(async (tracer) => {
      const events: TracerEvent[] = [];
      for await (const event of tracer) events.push(event);
      return events;
    });
    for (const program of PROGRAMS) execFileSync(program, PATHS, { stdio: 'ignore' });
    execFileSync('sh', ['-c', PATHS.map((path) => `echo text > ${path}`).join('; ')]);
    execFileSync('sh', ['-c', 'echo text | cat > /dev/null']);
    const hooks = grouped.policies().flatMap((policy) => policy.hooks);
    const statuses = [separate, grouped].map((tracer) => tracer.policies().map(toCounts));
    await separate.close();
    await grouped.close();
    const [expected = [], actual = []] = (await Promise.all(streams)).map((events) =>
      kprobeEvents(events).map(describeEvent),
    );
    assert.deepEqual(actual.sort(), expected.sort());
    assert.deepEqual(statuses[1], statuses[0]);
    return { hooks, events: expected };
  }

  itWithTwins(`${REPORTERS} random policies report the same as separate programs and as a group`, async () => {
    const { hooks, events } = await compareTwins(randomPolicies(REPORTERS, REPORTING));
    assert.ok(hooks.every((hook) => hook.grouped === true));
    assert.ok(events.length > 6 * REPORTERS, `${events.length} events`);
  });

  itWithTwins('policies without a filter on the path, or with negated ones only, report the same', async () => {
    const [cat, digest, count] = PROGRAMS.map((program) => `matchBinaries: [{operator: In, values: [${program}]}]`);
    const negated = (operator: string, ...values: readonly string[]): string =>
      `matchArgs: [{index: 0, operator: ${operator}, values: ${JSON.stringify(values)}}]`;
    const twin = `${FOLDER}/twin/`;
    const policies = [
      ['all', `- ${cat}`],
      ['two', `- ${negated('Equal', `${twin}aa/y`)}\n- ${digest}\n  matchActions: [{action: NoPost}]\n- ${count}`],
      ['other-folders', `- ${negated('NotPrefix', `${twin}a`, '/usr/')}\n  ${cat}`],
      ['other-files', `- ${negated('NotEqual', `${twin}b`)}\n  ${count}`],
      ['other-ends', `- ${negated('NotPostfix', '.txt', '/x')}\n  ${digest}`],
      ['but-one', `- ${negated('NotPrefix', twin)}\n  ${cat}\n- ${negated('NotEqual', `${twin}c.txt`)}\n  ${digest}`],
    ] as const;
    const { hooks, events } = await compareTwins(
      policies.map(([name, selectors]) => ({ yaml: kprobePolicy(name, fileHook(selectors)) })),
    );
    for (const hook of hooks) assert.equal(hook.grouped, true, hook.separate);
    const countEvents = (pattern: RegExp): number => events.filter((event) => pattern.test(event)).length;
    for (const [name] of policies) assert.ok(countEvents(new RegExp(`^${name} `)) > PATHS.length, name);
    assert.ok(countEvents(/^all .* pipe:/) > 0);
    assert.equal(countEvents(/^other-folders .* pipe:/), 0, 'a pipe has no path');
  });

  for (const [what, first] of [
    ['in a folder', [`{index: 0, operator: Prefix, values: ["${FOLDER}/twin/"]}`]],
    ['of all files', []],
  ] as const) {
    it(`an exclusion ${what} is remembered for its path, and not for the other files of its folder`, async () => {
      const [excluded = '', other = ''] = PATHS;
      const filters = [...first, `{index: 0, operator: NotEqual, values: ["${excluded}"]}`];
      const hook = fileHook(`- matchArgs: [${filters.join(', ')}]
  matchBinaries: [{operator: In, values: [/usr/bin/cat]}]`);
      const recording = await Recording.open(undefined);
      try {
        for (const name of ['one', 'two']) await recording.tracer.addPolicy({ yaml: kprobePolicy(name, hook) });
        const { hooks: [status] = [] } = recording.tracer.policies()[1] ?? {};
        assert.equal(status?.grouped, true, status?.separate);
        for (let round = 0; round < 3; round++) {
          const events = await recording.hooksDuring(() => {
            for (const path of [excluded, other])
              execFileSync('cat', Array<string>(20).fill(path), { stdio: 'ignore' });
          });
          const reported = events.map((event) => `${event.policyName} ${fileArgument(event).path}`);
          for (const name of ['one', 'two']) {
            assert.ok(!reported.includes(`${name} ${excluded}`), `round ${round}`);
            // each file is read until its end is found
            const own = reported.filter((each) => each === `${name} ${other}`);
            assert.equal(own.length, 40, `round ${round}, ${name}`);
          }
        }
      } finally {
        await recording.close();
      }
    });
  }

  itWithTwins('16 random policies with actions report and do the same', async () => {
    const { hooks, events } = await compareTwins(randomPolicies(16, [...REPORTING, ...ACTING]), OPTIONS);
    // a hook that is alone of its kind has no group, and no reason
    for (const { separate } of hooks) assert.equal(separate, undefined);
    assert.ok(events.length > 150, `${events.length} events`);
    for (const some of [/ vfs_read\+\d+@.* user$/, / kernel user .*@/, /"signal":28/]) {
      assert.ok(
        events.some((event) => some.test(event)),
        String(some),
      );
    }
  });
});

interface Denied {
  readonly hooks: readonly HookStatus[];
  /** For each program and file: the exit status and the error text. */
  readonly outcomes: readonly string[];
  readonly events: readonly string[];
}

/** Each program reads each file, with these policies. */
async function runDenied(policies: readonly PolicySource[], groupPolicies: boolean): Promise<Denied> {
  const recording = await Recording.open(undefined, { enforcement: true, groupPolicies });
  try {
    // one after the other: which one was added last decides
    for (const policy of policies) await recording.tracer.addPolicy(policy);
    const outcomes: string[] = [];
    const events = await recording.hooksDuring(() => {
      for (const program of PROGRAMS) for (const path of [...PATHS, file(1)]) outcomes.push(runProgram(program, path));
    });
    const hooks = recording.tracer.policies().flatMap((policy) => policy.hooks);
    const calls = events.map(
      (event) => `${event.policyName} ${event.selector} ${event.process.binary} ${fileArgument(event).path}`,
    );
    return { hooks, outcomes, events: calls };
  } finally {
    await recording.close();
  }
}

function runProgram(program: string, path: string): string {
  const { status, stderr } = spawnSync(program, [path], { encoding: 'utf8' });
  return `${program} ${path}: ${status} ${stderr}`;
}

interface Twins {
  /** Those in groups. */
  readonly hooks: readonly HookStatus[];
  readonly events: readonly string[];
}

const SIGNALLED = { action: 'signal', signal: 28 } as const;
const OPTIONS = { enforcement: true, stackAddresses: true } as const;
const PROGRAMS = ['/usr/bin/cat', '/usr/bin/md5sum', '/usr/bin/wc'];
const PATHS = ['aa/x', 'aa/y', 'ab/x', 'ab/xx', 'b', 'bb.txt', 'c.txt'].map((name) => `${FOLDER}/twin/${name}`);

/** The names in the order of their first events. A file is read until its end is found, so there are several. */
function policyNames(events: readonly ProcessKprobeEvent[]): unknown[] {
  return [...new Set(events.map(({ policyName }) => policyName))];
}

function firstOutcome({ actions: [done] }: ProcessKprobeEvent): unknown {
  return done !== undefined && 'outcome' in done ? done.outcome : undefined;
}

function describeEvent(event: ProcessKprobeEvent): string {
  const { policyName, selector, process, args, actions, suppressed } = event;
  return [
    ...[policyName, selector, process.pid, process.binary, fileArgument(event).path, argumentValue(args[1])],
    ...[JSON.stringify(actions), suppressed, 'kernel', ...describeStack(event.kernelStack)],
    ...['user', ...describeStack(event.userStack)],
  ].join(' ');
}

/** Without the frames of the program, which differ. */
function describeStack(stack: readonly StackFrame[] = []): unknown[] {
  const first = stack.findIndex(({ symbol }) => symbol === 'security_file_permission');
  return stack.slice(Math.max(first, 0)).map(({ address, symbol, offset }) => `${symbol}+${offset}@${address}`);
}

function toCounts({ name, matched, posted, suppressed, lost }: PolicyStatus): unknown {
  return { name, matched, posted, suppressed, lost };
}

/** The policies are the same in each run. */
const SEED = 7;
let pick = randomPick(SEED);
/** For further filters. Without them, the other choices must stay the same: tests check what these choices cover. */
let pickAgain = randomPick(SEED);

/** `choices`: what a selector can have besides its arguments. */
function randomPolicies(count: number, choices: readonly Choice[]): { yaml: string }[] {
  pick = randomPick(SEED);
  pickAgain = randomPick(SEED);
  return Array.from({ length: count }, (_, i) => {
    const selectors = Array.from({ length: pick([1, 2, 3]) }, () => randomSelector(choices));
    return { yaml: kprobePolicy(`random-${i}`, fileHook(selectors.join('\n'))) };
  });
}

type Choice = (binary: string, other: string) => string;

const REPORTING: readonly Choice[] = [
  () => '',
  (binary, other) => `matchBinaries: [{operator: In, values: [${binary}, ${other}]}]`,
  (binary) => `matchBinaries: [{operator: NotIn, values: [${binary}]}]`,
  () => `matchPIDs: [{operator: NotIn, followForks: false, isNamespacePID: false, values: [1, 2]}]`,
  () => `matchNamespaces: [{namespace: Pid, operator: In, values: [host_ns]}]`,
  () => `matchActions: [{action: NoPost}]`,
  () => `matchActions: [{action: Post}]`,
];

const DENYING: readonly Choice[] = [
  () => `matchActions: [{action: Override, argError: ${pick([-1, -5, -13])}}]`,
  (binary) =>
    `matchBinaries: [{operator: In, values: [${binary}]}]\n  matchActions: [{action: Override, argError: -13}]`,
  (binary) => `matchBinaries: [{operator: In, values: [${binary}]}]\n  matchActions: [{action: NoPost}]`,
  (_, other) =>
    `matchBinaries: [{operator: NotIn, values: [${other}]}]
  matchActions: [{action: Override, argError: -1}, {action: Signal, argSig: 28}]`,
];

const ACTING: readonly Choice[] = [
  () => `matchActions: [{action: Post, kernelStackTrace: true}]`,
  () => `matchActions: [{action: Post, userStackTrace: true}]`,
  () => `matchActions: [{action: Post, kernelStackTrace: true, userStackTrace: true, rateLimit: 1m}]`,
  () => `matchActions: [{action: Post, rateLimit: 1m, rateLimitScope: ${pick(['thread', 'process', 'global'])}}]`,
  () => `matchActions: [{action: Signal, argSig: 28}]`,
  () => `matchActions: [{action: Signal, argSig: 28}, {action: NoPost}]`,
];

function randomSelector(choices: readonly Choice[]): string {
  const ways = [
    () => ['Equal', pick(PATHS), pick(PATHS)],
    () => ['Prefix', pick(PATHS).slice(0, pick([12, 17, 18, 20, 22])), `${FOLDER}/twin/${pick(['a', 'aa', 'b'])}`],
    () => ['Postfix', pick(['x', 'xx', '/x', '.txt', 'b', 'aa/x', 'bb.txt']), pick(PATHS).slice(-3)],
  ];
  const [operator, ...values] = pick(ways)();
  const [binary, other] = [pick(PROGRAMS), pick(PROGRAMS)];
  const mask = pick([
    '{index: 1, operator: Equal, values: ["2"]}',
    '{index: 1, operator: NotEqual, values: ["2"]}',
    '',
  ]);
  const filters = [
    ...pickFurther(),
    `{index: 0, operator: ${operator}, values: ${JSON.stringify(values)}}`,
    ...(mask === '' ? [] : [mask]),
  ];
  return `- matchArgs:
${filters.map((filter) => `  - ${filter}`).join('\n')}
  ${pick(choices)(binary, other)}`.trimEnd();
}

/** Further filters on the path. */
function pickFurther(): readonly string[] {
  const pickPath = (): string => pickAgain(PATHS);
  const folder = `${FOLDER}/twin/${pickAgain(['a', 'aa', 'b'])}`;
  return pickAgain([
    [],
    [],
    [`{index: 0, operator: NotEqual, values: ["${pickPath()}", "${pickPath()}"]}`],
    [`{index: 0, operator: NotPrefix, values: ["${folder}"]}`],
    ['{index: 0, operator: NotPostfix, values: ["/x", ".txt"]}', '{index: 0, operator: NotPrefix, values: ["/usr/"]}'],
  ]);
}
