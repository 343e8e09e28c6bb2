/** Filters of clients: each field, the limits, and the bytes that remain after field filters. */
import assert from 'node:assert/strict';
import { create, fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { eventFilter, redactor } from '../../../lib/output/index.js';
import type { AgentEvent, Redactor } from '../../../types/index.js';
import { stringArgument } from '../output/arguments.js';
import { changeEvent, execEvent, exitEvent, kprobeEvent, plainProcess } from '../output/events.js';
import { EventEncoder } from '../../../lib/encode/events.js';
import type { ProcessEvent } from '../../../lib/encode/process-encoder.js';
import { compileFieldFilters } from '../../../lib/filters/fields.js';
import { compileFilters } from '../../../lib/filters/filters.js';
import { LIMITS } from '../../../lib/filters/limits.js';
import { CapabilitiesType } from '../../../lib/proto/tetragon/capabilities.gen.js';
import {
  EventType,
  FieldFilterAction,
  FieldFilterSchema,
  FilterSchema,
  GetEventsResponseSchema,
  type GetEventsResponse,
} from '../../../lib/proto/tetragon/events.gen.js';

type Fields = MessageInitShape<typeof FilterSchema>;

const encoder = new EventEncoder();
const context = { eventBytes: (event: AgentEvent) => encoder.encode(event).take() };

function compileTest(allow: readonly Fields[], deny: readonly Fields[] = []): (event: unknown) => boolean {
  const lists = {
    allowList: allow.map((each) => create(FilterSchema, each)),
    denyList: deny.map((each) => create(FilterSchema, each)),
  };
  const filter = compileFilters(lists, context);
  return (event) => filter === undefined || filter(event as ProcessEvent);
}

const pod = {
  namespace: 'shop',
  name: 'web-7',
  labels: { app: 'web', tier: 'front' },
  container: { id: 'c', name: 'nginx', maybeExecProbe: true as const },
};
const web = execEvent(
  {
    pod,
    container: { id: 'ab'.repeat(32) },
    pid: 7,
    binary: '/usr/sbin/nginx',
    arguments: '-g "daemon off;"',
    argv: ['-g', 'daemon off;'],
    inInitTree: true,
    capabilities: { permitted: 0b110n, effective: 0b10n, inheritable: 0n },
  },
  {
    parent: plainProcess({ pid: 6, binary: '/bin/sh', arguments: '-c run' }),
    ancestors: [plainProcess({ pid: 1, binary: '/sbin/init' })],
  },
);
const host = execEvent({ pid: 9, binary: '/usr/bin/cat' });
const docker = execEvent({ pid: 10, container: { id: 'cd'.repeat(32), name: 'shop-db' } });
const hook = kprobeEvent('sys_read', [stringArgument('a', 0)], { policyName: 'files' });

/** For each field: a filter that matches `web` (or `hook`), and one that does not. */
const FIELDS: Readonly<Record<string, readonly [matches: Fields, not: Fields, of?: unknown]>> = {
  binary_regex: [{ binaryRegex: ['^/nothing', 'NGINX|(?i)NgInX$'] }, { binaryRegex: ['^nginx'] }],
  namespace: [{ namespace: ['x', 'shop'] }, { namespace: ['sho'] }],
  health_check: [{ healthCheck: true }, { healthCheck: false }],
  pid: [{ pid: [1, 7] }, { pid: [6] }],
  pid_set: [{ pidSet: [1] }, { pidSet: [2] }],
  event_set: [{ eventSet: [EventType.PROCESS_EXEC] }, { eventSet: [EventType.PROCESS_EXIT, EventType.PROCESS_KPROBE] }],
  pod_regex: [{ podRegex: ['^web-\\d$'] }, { podRegex: ['^eb'] }],
  arguments_regex: [{ argumentsRegex: ['daemon off'] }, { argumentsRegex: ['^daemon'] }],
  labels: [{ labels: ['app=db', 'app in (web, api),tier!=back,!gone'] }, { labels: ['app notin (web)'] }],
  policy_names: [{ policyNames: ['files'] }, { policyNames: ['file'] }, hook],
  capabilities: [
    {
      capabilities: {
        permitted: { all: [CapabilitiesType.DAC_OVERRIDE, CapabilitiesType.CAP_DAC_READ_SEARCH] },
        effective: { exactly: [1], none: [2] },
      },
    },
    { capabilities: { permitted: { any: [CapabilitiesType.CAP_CHOWN] } } },
  ],
  parent_binary_regex: [{ parentBinaryRegex: ['sh$'] }, { parentBinaryRegex: ['nginx'] }],
  cel_expression: [
    { celExpression: ['false', 'process_exec.process.pid == 7u && process_exec.parent.binary.matches("^/bin")'] },
    { celExpression: ['process_exit.process.pid == 7u'] },
  ],
  parent_arguments_regex: [{ parentArgumentsRegex: ['^-c'] }, { parentArgumentsRegex: ['daemon'] }],
  container_id: [{ containerId: ['^(ab){15}a$'] }, { containerId: ['(ab){16}'] }],
  in_init_tree: [{ inInitTree: true }, { inInitTree: false }],
  ancestor_binary_regex: [{ ancestorBinaryRegex: ['init'] }, { ancestorBinaryRegex: ['nginx'] }],
  container_name_regex: [{ containerNameRegex: ['^nginx$'] }, { containerNameRegex: ['apache'] }],
  namespace_regex: [{ namespaceRegex: ['^s.*p$'] }, { namespaceRegex: ['^hop'] }],
};

describe('filters of clients', () => {
  it('a container outside of Kubernetes is found by its name', () => {
    const events = [web, host, docker];
    assert.deepEqual(events.filter(compileTest([{ containerNameRegex: ['^shop-'] }])), [docker]);
  });

  it('has a case for each field', () => {
    assert.deepEqual(Object.keys(FIELDS).sort(), FilterSchema.fields.map(({ name }) => name).sort());
  });

  for (const [name, [matches, not, of = web]] of Object.entries(FIELDS)) {
    it(`${name}: allows, denies, and leaves out what does not match`, () => {
      assert.equal(compileTest([matches])(of), true);
      assert.equal(compileTest([not])(of), false);
      assert.equal(compileTest([], [matches])(of), false);
      assert.equal(compileTest([], [not])(of), true);
    });
  }

  it('fields are ANDed, filters are ORed, and what is denied is not allowed', () => {
    assert.equal(compileTest([{ pid: [7], binaryRegex: ['cat'] }])(web), false);
    assert.equal(compileTest([{ pid: [1] }, { pid: [7] }])(web), true);
    assert.equal(compileTest([{ pid: [7] }], [{ namespace: ['shop'] }])(web), false);
    assert.equal(compileTest([{}])(web), true);
    assert.equal(compileTest([])(web), true);
  });

  it('a process of the host is in the namespace "", and has no pod, container or labels', () => {
    assert.equal(compileTest([{ namespace: [''] }])(host), true);
    assert.equal(compileTest([{ namespace: [''] }])(web), false);
    for (const fields of [
      { podRegex: ['.*'] },
      { containerId: ['.*'] },
      { labels: ['!x'] },
      { namespaceRegex: ['.*'] },
    ]) {
      assert.equal(compileTest([fields])(host), false, JSON.stringify(fields));
    }
  });

  it('a change is selected by its type and its policy, and by nothing of a process', () => {
    const change = changeEvent({ policyName: 'guard', way: 'file' });
    const isMatch = (filter: Fields): boolean => compileTest([filter])(change);
    assert.ok(isMatch({ eventSet: [EventType.CHANGE] }) && isMatch({ policyNames: ['guard'] }));
    assert.ok(isMatch({ celExpression: ['change.way == "file" && policy_name == "guard"'] }));
    assert.ok(!isMatch({ eventSet: [EventType.PROCESS_EXEC] }) && !isMatch({ policyNames: ['other'] }));
    for (const filter of [{ binaryRegex: ['.*'] }, { pid: [7] }, { namespace: [''] }, { inInitTree: false }]) {
      assert.ok(!isMatch(filter), JSON.stringify(filter));
    }
    assert.deepEqual(
      [eventFilter({ binaries: [/./] })(change), eventFilter({ types: ['change'] })(change)],
      [false, true],
    );
  });

  it('mistakes and too much name the field', () => {
    const wrong: [Fields, RegExp][] = [
      [{ binaryRegex: ['ok', '('] }, /allow_list\[0\]\.binary_regex\[1\]: /],
      [{ podRegex: ['(?=x)'] }, /pod_regex\[0\]/],
      [{ binaryRegex: ['x'.repeat(LIMITS.patternLength + 1)] }, /binary_regex\[0\]: the pattern has more/],
      [
        { argumentsRegex: Array<string>(LIMITS.patterns + 1).fill('x') },
        /arguments_regex\[256\]: more than 256 patterns/,
      ],
      [{ pid: Array<number>(LIMITS.values + 1).fill(1) }, /pid: more than 1024 values/],
      [{ labels: ['a=b=c'] }, /labels\[0\]/],
      [{ celExpression: ['process_exec.'] }, /cel_expression\[0\]/],
      [{ celExpression: ['process.binry == "/a"'] }, /\bProcess has no field 'binry': did you mean 'binary'\?/],
      [{ celExpression: ['proces.pid == 7'] }, /no event has the field 'proces': did you mean 'process'\?/],
      [{ celExpression: ['process_exec.process.pidd == 7u'] }, /Process has no field 'pidd': did you mean 'pid'\?/],
      [
        {
          celExpression: [
            '[1,2,3]'.concat(
              '.all(x, [1,2,3,4,5,6,7,8,9].all(y, [1,2,3,4,5,6,7,8,9].all(z, [1,2,3,4,5,6,7,8,9].all(w, [1,2,3,4,5].all(v, true)))))',
            ),
          ],
        },
        /too many steps/,
      ],
      [{ celExpression: [`"${'x'.repeat(3000)}" == ""`] }, /more than 2048 characters/],
      [{ celExpression: Array<string>(17).fill('true') }, /more than 16 CEL/],
    ];
    for (const [fields, reason] of wrong)
      assert.throws(() => compileTest([fields]), reason, JSON.stringify(fields).slice(0, 80));
    assert.throws(() => compileTest(Array<Fields>(65).fill({})), /allow_list: more than 64 filters/);
  });

  it('a CEL expression can name the fields of the event, and its type', () => {
    const matches = (expression: string, event: unknown = web): boolean =>
      compileTest([{ celExpression: [expression] }])(event);
    for (const [expression, isMatch] of [
      ['process.pid == 7u', true],
      ['process.pid == 7', true],
      ['event_type == "process_exec"', true],
      ['parent.pid > 0', true],
      ['process.pid == 8', false],
      ['status == 0', false],
      ['policy_name == ""', false],
      ['function_name == "x" || false', false],
    ] as const) {
      assert.equal(matches(expression), isMatch, expression);
    }
    assert.equal(matches('policy_name == "files" && size(args) > 0 && event_type != "process_exec"', hook), true);
    assert.equal(matches('has(process_kprobe.args) || process.pid == 1', hook), true);
  });

  it('no pattern takes much longer than the text is long', () => {
    const long = execEvent({ arguments: 'a'.repeat(40_000) });
    const matches = compileTest([{ argumentsRegex: ['(a+)+$x', '(a|aa)*b', '(.*)*c'] }]);
    const before = performance.now();
    assert.equal(matches(long), false);
    assert.ok(performance.now() - before < 5000);
    assert.equal(compileTest([{ celExpression: ['process_exec.process.arguments.matches("(a+)+b")'] }])(long), false);
  });
});

describe('field filters', () => {
  const encodeEvent = (event: unknown): Buffer => Buffer.from(encoder.encode(event as AgentEvent).take());
  const applyFieldFilters = (
    paths: readonly string[],
    action: FieldFilterAction,
    more: object = {},
  ): ((event: unknown) => object) => {
    const filter = compileFieldFilters([create(FieldFilterSchema, { fields: { paths: [...paths] }, action, ...more })]);
    return (event) => fromBinary(GetEventsResponseSchema, filter?.(encodeEvent(event)) ?? encodeEvent(event));
  };

  it('the bytes of a text that is not UTF-8 stay and go with the text', () => {
    const raw = execEvent({ binary: '/a\udc80', arguments: '\udc81', argv: ['\udc82'] });
    type Filtered = { event: { value: { process: { rawBytes: readonly { field: number; value: Uint8Array }[] } } } };
    const findBytes = (paths: readonly string[], action: FieldFilterAction): readonly string[] => {
      const { event } = applyFieldFilters(paths, action)(raw) as Filtered;
      return event.value.process.rawBytes.map(({ value }) => Buffer.from(value).toString('latin1')).sort();
    };
    assert.deepEqual(findBytes(['process.pid'], FieldFilterAction.EXCLUDE), ['/a\x80', '\x81', '\x82']);
    assert.deepEqual(findBytes(['process.arguments', 'process.argv'], FieldFilterAction.EXCLUDE), ['/a\x80']);
    assert.deepEqual(findBytes(['process.arguments'], FieldFilterAction.INCLUDE), ['\x81']);
  });

  it('a change stays whole', () => {
    const { event } = applyFieldFilters(['process.pid'], FieldFilterAction.INCLUDE)(changeEvent()) as GetEventsResponse;
    assert.ok(event.case === 'change');
    assert.deepEqual([event.value.policyName, event.value.client?.pid], ['guard', 7]);
  });

  it('INCLUDE keeps only the fields, EXCLUDE leaves them out', () => {
    const kept = applyFieldFilters(['process.binary', 'args.string_arg'], FieldFilterAction.INCLUDE)(hook) as {
      event: { value: Record<string, unknown> };
      nodeName: string;
      time: unknown;
    };
    const { process, args, functionName, parent } = kept.event.value as {
      process: { binary: string; pid?: number };
      args: unknown[];
      functionName: string;
      parent?: object;
    };
    assert.deepEqual(
      [process.binary, process.pid, args.length, functionName, parent],
      ['/usr/bin/cat', undefined, 1, '', undefined],
    );
    assert.ok(kept.nodeName === 'node' && kept.time !== undefined);
    const left = applyFieldFilters(['process.pid', 'args'], FieldFilterAction.EXCLUDE)(hook) as typeof kept;
    const value = left.event.value as {
      process: { binary: string; pid?: number; execId: string };
      args: unknown[];
      functionName: string;
    };
    assert.deepEqual(
      [value.process.pid, value.process.binary, value.args, value.functionName],
      [undefined, '/usr/bin/cat', [], 'sys_read'],
    );
  });

  it('holds for the types of its set only', () => {
    const only = applyFieldFilters(['process'], FieldFilterAction.EXCLUDE, { eventSet: [EventType.PROCESS_EXIT] });
    const isMatch = (event: object): boolean =>
      (event as { event: { value: { process?: object } } }).event.value.process !== undefined;
    assert.deepEqual([isMatch(only(web)), isMatch(only(exitEvent()))], [true, false]);
    const others = applyFieldFilters(['process'], FieldFilterAction.EXCLUDE, {
      eventSet: [EventType.PROCESS_EXIT],
      invertEventSet: true,
    });
    assert.deepEqual([isMatch(others(web)), isMatch(others(exitEvent()))], [false, true]);
  });

  it('a path that no event has, and no path, are refused', () => {
    assert.throws(
      () => applyFieldFilters(['process.binari'], FieldFilterAction.INCLUDE),
      /field_filters\[0\]\.fields: no event has the field 'process.binari'/,
    );
    assert.throws(() => applyFieldFilters([], FieldFilterAction.INCLUDE), /no path/);
  });

  it('patterns for arguments see what the client gets, so that nobody can guess a hidden part', () => {
    const event = execEvent(
      { binary: '/bin/login', arguments: '--token s3cret --user a' },
      { parent: plainProcess({ arguments: '--token other' }) },
    );
    const redact = redactor([{ redact: ['--token (\\S+)'] }]);
    const matches = (filter: MessageInitShape<typeof FilterSchema>, hides: Redactor | undefined): boolean => {
      const lists = { allowList: [create(FilterSchema, filter)], denyList: [] };
      const test = compileFilters(lists, { ...context, redact: hides });
      return test?.(event as unknown as ProcessEvent) === true;
    };
    assert.ok(matches({ argumentsRegex: ['s3c'] }, undefined) && !matches({ argumentsRegex: ['s3c'] }, redact));
    assert.ok(matches({ argumentsRegex: ['^--token \\*{5} --user a$'] }, redact));
    assert.ok(
      !matches({ parentArgumentsRegex: ['oth'] }, redact) && matches({ parentArgumentsRegex: ['\\*$'] }, redact),
    );
  });
});
