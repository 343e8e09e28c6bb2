/** Rules over events: three complete rules, each kind of rule, late events, limits and replays. Needs no root. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { PolytraceError } from '../../../lib/errors.js';
import { definePolicy } from '../../../lib/policy/index.js';
import { recorder } from '../../../lib/recording/recorder.js';
import { readEvents } from '../../../lib/recording/read-events.js';
import { defineRule } from '../../../lib/rules/define.js';
import { detect, ruleEngine } from '../../../lib/rules/engine.js';
import { fromPolicy, ofType } from '../../../lib/rules/steps.js';
import { makeEvent } from '../../../lib/testing/make-event.js';
import type { Alert, ProcessRuleEvent, Rule, RuleDefinition, RuleEvent } from '../../../types/rules.js';
import type * as contract from '../../../types/index.js';
import type { PlainProcess } from '../../../types/events.js';

const SECOND = 1_000_000_000n;
const secret = fromPolicy('secrets');
const connect = fromPolicy('connections');

const shell = { pid: 100, execId: 'shell', parentExecId: 'init', binary: '/bin/sh' };
const cat = { pid: 101, execId: 'cat', parentExecId: 'shell', binary: '/bin/cat' };
const curl = { pid: 102, execId: 'curl', parentExecId: 'shell', binary: '/bin/curl' };

/** An event of a policy, with the time in seconds. */
function event(
  policyName: string,
  seconds: number,
  process: Partial<PlainProcess>,
  parent?: Partial<PlainProcess>,
): ProcessRuleEvent {
  const timeNs = BigInt(Math.round(seconds * 1000)) * 1_000_000n;
  return makeEvent('process_kprobe', { policyName, timeNs, process, ...(parent && { parent }) });
}

const inSeconds = (alerts: readonly Alert[]): number[] => alerts.map(({ timeNs }) => Number(timeNs) / 1e9);

function run(definition: RuleDefinition | Rule, events: Iterable<RuleEvent>): Alert[] {
  const engine = ruleEngine(['checked' in definition ? definition : defineRule(definition)]);
  return [...[...events].flatMap((each) => engine.push(each)), ...engine.flush()];
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function usedBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

describe('a secret, then a connection, by family within 10 s', () => {
  const rule = defineRule({
    name: 'secret-then-connection',
    message: 'A relative of a process that read a secret connected',
    by: 'family',
    sequence: [secret, connect],
    within: '10s',
    suppress: '1m',
  });

  it('finds the same process, a child, and two children of one shell', () => {
    const child = { ...curl, parentExecId: 'cat' };
    for (const [name, second, parent] of [
      ['itself', cat, shell],
      ['child', child, cat],
      ['sibling', curl, shell],
    ] as const) {
      const [alert, ...others] = run(rule, [event('secrets', 1, cat, shell), event('connections', 5, second, parent)]);
      assert.equal(others.length, 0, name);
      assert.equal(alert?.rule, 'secret-then-connection', name);
      assert.deepEqual(alert.events.map(({ process }) => process.execId), ['cat', second.execId], name); // prettier-ignore
    }
  });

  it('finds a process that executed another program in between', () => {
    const forked = { pid: 7, execId: 'forked', parentExecId: 'far', forked: true };
    const first = { pid: 7, execId: 'first', parentExecId: 'far' };
    const second = { pid: 7, execId: 'second', parentExecId: 'far', formerExecId: 'first' };
    for (const [before, after] of [
      [forked, first],
      [first, second],
    ] as const)
      // prettier-ignore
      assert.equal(run(rule, [event('secrets', 1, before), event('connections', 2, after)]).length, 1);
  });

  it('finds nothing in other families, in the other order, or later', () => {
    const other = { pid: 300, execId: 'other', parentExecId: 'elsewhere' };
    assert.deepEqual(run(rule, [event('secrets', 1, cat, shell), event('connections', 2, other)]), []);
    assert.deepEqual(run(rule, [event('connections', 1, cat, shell), event('secrets', 2, cat, shell)]), []);
    assert.deepEqual(run(rule, [event('secrets', 1, cat, shell), event('connections', 11.001, cat, shell)]), []);
    assert.equal(run(rule, [event('secrets', 1, cat, shell), event('connections', 11, cat, shell)]).length, 1);
  });

  it('does not relate the children of process 1', () => {
    const init = { pid: 1, execId: 'init', parentExecId: '' };
    const one = { pid: 20, execId: 'one', parentExecId: 'init' };
    const two = { pid: 21, execId: 'two', parentExecId: 'init' };
    assert.deepEqual(run(rule, [event('secrets', 1, one, init), event('connections', 2, two, init)]), []);
  });

  it('suppresses further alerts of the family for a minute, and counts them', () => {
    const pair = (at: number): RuleEvent[] => [
      event('secrets', at, cat, shell),
      event('connections', at + 1, curl, shell),
    ];
    const alerts = run(rule, [...pair(0), ...pair(10), ...pair(20), ...pair(90)]);
    assert.deepEqual(inSeconds(alerts), [1, 91]);
    assert.deepEqual(alerts.map(({ suppressed }) => suppressed), [0, 2]); // prettier-ignore
  });
});

describe('many failed logins from one address, then a success', () => {
  const login = (at: number, text: string, ok: boolean): ProcessRuleEvent =>
    makeEvent('process_uprobe', {
      policyName: ok ? 'login' : 'failed-login',
      timeNs: BigInt(at) * SECOND,
      args: [{ type: 'string', label: 'address', value: text }],
    });
  const address = (each: ProcessRuleEvent): string | undefined => {
    const [first] = 'args' in each ? each.args : [];
    return first?.type === 'string' ? first.value : undefined;
  };
  const burst = defineRule({
    name: 'burst',
    when: fromPolicy('failed-login'),
    by: address,
    threshold: 5,
    within: '1m',
  });
  const spray = defineRule({ name: 'spray', when: fromPolicy('failed-login'), by: 'all', distinct: address, threshold: 3, within: '1m' }); // prettier-ignore

  it('counts by address, and begins again after an alert', () => {
    const events = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((at) => [
      login(at, '10.0.0.1', false),
      login(at, '10.0.0.2', at < 3 ? false : true),
    ]);
    const alerts = run(burst, events);
    assert.deepEqual(alerts.map(({ key, count }) => [key, count]), [['10.0.0.1', 5], ['10.0.0.1', 5]]); // prettier-ignore
    assert.deepEqual(inSeconds(alerts), [4, 9]);
  });

  it('counts only what is in the window', () => {
    assert.deepEqual(
      run(
        burst,
        [0, 20, 40, 60, 81].map((at) => login(at, 'a', false)),
      ),
      [],
    );
    assert.equal(
      run(
        burst,
        [0, 15, 30, 45, 60].map((at) => login(at, 'a', false)),
      ).length,
      1,
    );
  });

  it('counts different addresses', () => {
    assert.deepEqual(
      inSeconds(
        run(
          spray,
          ['a', 'b', 'a', 'b', 'c'].map((text, at) => login(at, text, false)),
        ),
      ),
      [4],
    );
    assert.deepEqual(run(spray, [login(0, 'a', false), login(61, 'b', false), login(62, 'c', false)]), []);
  });
});

describe('a program that was never seen in a container, and one of a list', () => {
  const exec = (at: number, binary: string, id?: string): ProcessRuleEvent =>
    makeEvent('process_exec', {
      timeNs: BigInt(at) * SECOND,
      process: { pid: at + 10, binary, ...(id !== undefined && { container: { id } }) },
    });
  const binary = ({ process }: ProcessRuleEvent): string => process.binary;
  const news = defineRule({
    name: 'new-program',
    when: ofType('process_exec'),
    by: 'container',
    firstSeen: binary,
    learn: '1m',
  });

  it('learns first, and then alerts once for each program and container', () => {
    const events = [exec(0, '/a', 'x'), exec(59, '/b', 'x'), exec(61, '/a', 'x'), exec(62, '/c', 'x'), exec(63, '/c', 'x'), exec(64, '/a', 'y'), exec(65, '/z')]; // prettier-ignore
    assert.deepEqual(run(news, events).map(({ key, text }) => `${key} ${text}`), ['x /c', 'y /a']); // prettier-ignore
  });

  it('joins a list, which may change, and its row', () => {
    const list = new Map([['/usr/bin/nc', 'netcat']]);
    const rule = defineRule({ name: 'listed', when: ofType('process_exec'), by: 'all', listed: binary, list });
    const engine = ruleEngine([rule]);
    assert.equal(engine.push(exec(1, '/usr/bin/nc'))[0]?.row, 'netcat');
    assert.deepEqual(engine.push(exec(2, '/usr/bin/ncat')), []);
    list.set('/usr/bin/ncat', 'its successor');
    assert.equal(engine.push(exec(3, '/usr/bin/ncat'))[0]?.text, '/usr/bin/ncat');
    const set = defineRule({ name: 'set', when: ofType('process_exec'), listed: binary, list: new Set(['/x']) });
    assert.equal('row' in (run(set, [exec(1, '/x')])[0] ?? {}), false);
  });
});

describe('sequences', () => {
  const three: RuleDefinition = {
    name: 'three',
    sequence: [fromPolicy('a'), fromPolicy('b'), fromPolicy('c')],
    within: '10s',
    by: 'process',
  };
  const at = (names: string): RuleEvent[] => [...names].map((name, i) => event(name, i, cat));

  it('needs each step in its order, with others between', () => {
    assert.equal(run(three, at('abc')).length, 1);
    assert.equal(run(three, at('axbxc')).length, 1);
    assert.deepEqual(['acb', 'bc', 'ab', 'bac'].map((names) => run(three, at(names)).length), [0, 0, 0, 0]); // prettier-ignore
  });

  it('keeps the sequence that began last, and reports it once', () => {
    const [alert, ...others] = run(three, at('aabcc'));
    assert.deepEqual(alert?.events.map(({ timeNs }) => Number(timeNs / SECOND)), [1, 2, 3]); // prettier-ignore
    assert.deepEqual(others, []);
  });

  it('ends with an event of `until`', () => {
    const rule = { ...three, until: fromPolicy('u') } as RuleDefinition;
    assert.deepEqual(['abuc', 'uabc', 'aubc'].map((names) => run(rule, at(names)).length), [0, 1, 0]); // prettier-ignore
  });

  it('an event fulfils one step, and may begin the next sequence', () => {
    const twice: RuleDefinition = { name: 'twice', sequence: [fromPolicy('a'), fromPolicy('a')], within: '10s' };
    assert.equal(run(twice, at('a')).length, 0);
    assert.equal(run(twice, at('aa')).length, 1);
    assert.equal(run(twice, at('aaaa')).length, 2);
  });

  it('gives `where` the values by their labels, with the types of the policy', () => {
    const typed = { definePolicy, fromPolicy } as unknown as Pick<typeof contract, 'definePolicy' | 'fromPolicy'>;
    const policy = typed.definePolicy({
      apiVersion: 'cilium.io/v1alpha1',
      kind: 'TracingPolicy',
      metadata: { name: 'typed' },
      spec: {
        kprobes: [
          {
            call: 'vfs_open',
            syscall: false,
            args: [
              { index: 0, type: 'path', label: 'opened' },
              { index: 1, type: 'int', label: 'flags' },
            ],
          },
        ],
      },
    });
    const rule: RuleDefinition = {
      name: 'typed',
      // the compiler knows that `path` is text and `value` a number
      when: typed.fromPolicy(
        policy,
        ({ args }) => args.opened?.path.startsWith('/etc/') === true && (args.flags?.value ?? 0) + 1 > 2,
      ),
    };
    // @ts-expect-error -- no value has this label
    typed.fromPolicy(policy, ({ args }) => args.missing !== undefined);
    // @ts-expect-error -- the value of an int is no text
    typed.fromPolicy(policy, ({ args }) => args.flags?.value === 'text');
    const open = (path: string, value: number): RuleEvent =>
      makeEvent('process_kprobe', {
        policyName: 'typed',
        args: [
          { type: 'path', path, label: 'opened' },
          { type: 'int', value, label: 'flags' },
        ],
      });
    assert.deepEqual([open('/etc/x', 2), open('/etc/x', 1), open('/tmp/x', 2)].map((each) => run(rule, [each]).length), [1, 0, 0]); // prettier-ignore
  });

  it('accepts names of the package', () => {
    assert.equal(run({ name: 'x', when: fromPolicy('polytrace:egress') }, [event('egress', 0, cat)]).length, 1);
  });
});

describe('order and limits', () => {
  const rule = defineRule({ name: 'pair', sequence: [secret, connect], within: '10s' });
  const first = event('secrets', 1, cat);
  const second = event('connections', 2, cat);

  it('sorts events that are late by less than `lateness`', () => {
    const sorted = ruleEngine([rule], { lateness: '5s' });
    assert.deepEqual([...sorted.push(second), ...sorted.push(first)], []);
    assert.equal(sorted.stats().held, 2);
    assert.equal(sorted.push(event('x', 7, cat)).length, 1);
    assert.equal(sorted.stats().late, 0);
  });

  it('without it, evaluates a late event as if it had just happened, and counts it', () => {
    const engine = ruleEngine([rule]);
    engine.push(second);
    engine.push(first);
    assert.equal(engine.stats().late, 1);
    assert.equal(engine.push(event('connections', 12, cat)).length, 1);
  });

  it('counts lost events', () => {
    const engine = ruleEngine([rule]);
    engine.push(makeEvent('lost', { count: 7 }));
    engine.push(makeEvent('change'));
    assert.deepEqual([engine.stats().lost, engine.stats().events], [7, 0]);
  });

  it('gives the same alerts for the same recording', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'polytrace-rules-'));
    try {
      const { header, lines } = recorder();
      const events = [0, 1, 2, 3].flatMap((i) => [
        event('secrets', i * 20, cat, shell),
        event('connections', i * 20 + 3, curl, shell),
      ]);
      writeFileSync(join(folder, 'r.jsonl'), header + events.map((each) => lines(each as never)).join(''));
      const family = defineRule({
        name: 'family',
        by: 'family',
        sequence: [secret, connect],
        within: '10s',
        suppress: '30s',
      });
      const replay = async (): Promise<string> => {
        const alerts: Alert[] = [];
        for await (const alert of detect(readEvents(join(folder, 'r.jsonl')), [family, rule])) alerts.push(alert);
        return JSON.stringify(alerts, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
      };
      const once = await replay();
      assert.equal(await replay(), once);
      assert.equal((JSON.parse(once) as Alert[]).length, 2);
      const direct = [...run(family, events)].map(({ time, key }) => ({ time, key }));
      assert.deepEqual((JSON.parse(once) as Alert[]).map(({ time, key }) => ({ time, key })), direct); // prettier-ignore
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('1 million events of as many processes need bounded memory, and evictions are counted', function () {
    this.timeout(600_000);
    const rules = [
      defineRule({ name: 'sequence', by: 'family', sequence: [secret, connect], within: '1h', limit: 1000 }),
      defineRule({ name: 'threshold', when: secret, threshold: 3, within: '1h', limit: 1000 }),
      defineRule({
        name: 'first',
        when: secret,
        by: 'all',
        firstSeen: ({ process }) => process.execId,
        learn: '1d',
        limit: 1000,
      }),
      defineRule({ name: 'each', when: secret, suppress: '1h', limit: 1000 }),
    ];
    const engine = ruleEngine(rules);
    const template = { ...event('secrets', 0, cat) } as unknown as Record<string, unknown>;
    const process = { ...(template['process'] as PlainProcess) };
    const feed = (from: number, to: number): void => {
      for (let i = from; i < to; i++) {
        const own = { ...process, execId: `exec-${i}`, parentExecId: `parent-${i}`, pid: 2 + (i % 4_000_000) };
        engine.push({ ...template, timeNs: BigInt(i) * 1000n, process: own } as never);
      }
    };
    feed(0, 100_000);
    const before = usedBytes();
    feed(100_000, 1_000_000);
    const grown = usedBytes() - before;
    assert.ok(grown < 64 * 1024 * 1024, `${grown} bytes`);
    const { events, rules: stats } = engine.stats();
    assert.equal(events, 1_000_000);
    assert.deepEqual(stats.map(({ remembered, evicted }) => [remembered, evicted]), [[1000, 999_000], [1000, 999_000], [1000, 999_000], [1000, 999_000]]); // prettier-ignore
  });
});

describe('defineRule', () => {
  const wrong: readonly (readonly [definition: object, message: RegExp])[] = [
    [{ when: secret }, /name is undefined/],
    [{ name: 'r', when: {} }, /rule r: when/],
    [{ name: 'r', sequence: [secret], within: '1s' }, /rule r: sequence/],
    [{ name: 'r', sequence: [secret, connect] }, /rule r: within is undefined/],
    [{ name: 'r', sequence: [secret, connect], within: '0s' }, /rule r: within is '0s'/],
    [{ name: 'r', sequence: [secret, connect], within: '10 s' }, /rule r: within is '10 s'/],
    [{ name: 'r', when: secret, threshold: 1, within: '1s' }, /rule r: threshold is 1/],
    [{ name: 'r', when: secret, by: 'pod' }, /rule r: by is 'pod'/],
    [{ name: 'r', when: secret, limit: 0 }, /rule r: limit is 0/],
    [{ name: 'r', when: secret, within: '1s' }, /rule r: within is no member of such a rule/],
    [{ name: 'r', when: secret, listed: () => 'x', list: ['x'] }, /rule r: list/],
    [{ name: 'r', when: secret, firstSeen: 'binary' }, /rule r: firstSeen/],
    [{ name: 'r', when: secret, suppress: 5 }, /rule r: suppress is 5/],
  ];
  for (const [definition, message] of wrong) {
    it(`refuses ${message.source}`, () => {
      assert.throws(() => defineRule(definition as RuleDefinition), (error: PolytraceError) => {
        assert.equal(error.code, 'BAD_OPTION');
        assert.match(error.message, message);
        assert.notEqual(error.hint, '');
        return true;
      }); // prettier-ignore
    });
  }

  it('engines refuse rules that were not defined, and two of one name', () => {
    assert.throws(() => ruleEngine([{ name: 'r', when: secret, checked: true }]), { code: 'BAD_OPTION' });
    const rule = defineRule({ name: 'r', when: secret });
    assert.throws(() => ruleEngine([rule, defineRule({ name: 'r', when: connect })]), /name of its own|'r'/);
    assert.throws(() => ruleEngine([rule], { lateness: 'long' as never }), { code: 'BAD_OPTION' });
  });
});
