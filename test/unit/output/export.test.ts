/** The JSON export has the fields of Tetragon's protocol in its JSON types. A table lists the fields that polytrace adds. */
import assert from 'node:assert/strict';
import { isExported, MESSAGES, EXTENSION_FIELDS } from '../../../lib/output/export-fields.js';
import { toJson } from '../../../lib/output/json.js';
import type { EventType, HookArgument, PlainEvent } from '../../../types/events.js';
import { fileArgument, intArgument, stringArgument } from './arguments.js';
import { ALL_CAPABILITIES, changeEvent, execEvent, exitEvent, kprobeEvent, lostEvent, plainProcess } from './events.js';
import { API_ENUMS, API_MESSAGES } from './tetragon-api.js';
import { EXAMPLE_ARGUMENTS } from './values.js';
import { readProjectFile } from '../../project.js';

function parseTable(text: string): ReadonlyMap<string, readonly string[]> {
  const lines = text.trim().replace(/\n +/g, ' ').split('\n');
  return new Map(lines.map((line) => [line.split(' = ')[0] ?? '', (line.split(' = ')[1] ?? '').split(' ')]));
}

const API = parseTable(API_MESSAGES);
const ENUMS = parseTable(API_ENUMS);

function findApiType(message: string, field: string): string | undefined {
  const found = API.get(message)?.find((each) => each.startsWith(`${field}:`));
  return found?.slice(field.length + 1);
}

/** Returns the JSON representation of a protobuf type. */
function jsonForm(type: string): string {
  if (type.endsWith('[]')) return `${jsonForm(type.slice(0, -2))}[]`;
  if (ENUMS.has(type)) return 'name';
  const forms: Record<string, string> = {
    uint64: 'long', int64: 'long', uint32: 'number', int32: 'number', UInt32Value: 'number', Int32Value: 'number',
    BoolValue: 'bool', Timestamp: 'time', map: 'object',
  }; // prettier-ignore
  return forms[type] ?? type;
}

const FULL = { ancestors: true, processCred: true, processNs: true } as const;

/** Arguments with every value that an event can have. */
const everyArgument: readonly HookArgument[] = [
  ...Object.values(EXAMPLE_ARGUMENTS),
  { ...stringArgument('x', 0), label: 'name' },
  { ...stringArgument('', 0), unreadable: true },
  ...(['file', 'path', 'linux_binprm'] as const).map((type) => fileArgument('/x', 0, { type, flags: ['deleted'] })),
];

function makeEveryEvent(): PlainEvent[] {
  const image = { id: 'sha256:1', name: 'nginx:1' };
  const process = plainProcess({
    capabilities: { permitted: ALL_CAPABILITIES, effective: 3n, inheritable: 1n },
    namespaces: { ...plainProcess().namespaces, net: 7 },
    binaryUntrusted: true,
    user: 'root',
    container: { id: 'ab'.repeat(32) },
    binaryProperties: {
      setuid: 0,
      setgid: 0,
      privilegesRaised: ['fileCapabilities', 'setuid', 'setgid'],
      file: { inode: 5n, links: 0, path: '/memfd:x' },
    },
    pod: {
      namespace: 'd',
      name: 'p',
      uid: 'u',
      labels: { a: 'b' },
      workload: 'w',
      workloadKind: 'Deployment',
      annotations: { c: 'd' },
      container: {
        id: 'c',
        name: 'n',
        image,
        startTime: '2026-01-01T00:00:00Z',
        privileged: true,
        maybeExecProbe: true,
      },
    },
  });
  const common = { process, parent: plainProcess({ pid: 2 }), ancestors: [plainProcess({ pid: 1 })] };
  const frame = { symbol: 's', module: 'm', offset: 1n, fileOffset: 2n, buildId: '00', address: 3n };
  const hook = kprobeEvent('f', everyArgument, {
    ...common,
    data: [intArgument(1, 0)],
    return: intArgument(0, 0),
    returnAction: 'post',
    actions: [{ action: 'sigkill', signal: 9, outcome: 'done' }],
    action: 'sigkill',
    policyMode: 'enforce',
    ofSocketOwner: true,
    suppressed: 3,
    marks: [
      {
        mark: 'm',
        scope: 'container',
        cause: {
          time: '1970-01-01T00:00:01.000000002Z',
          timeNs: 1_000_000_002n,
          ageNs: 5n,
          execId: 'x',
          pid: 7,
          command: 'cat',
          functionName: 'f',
          argument: '/a',
        },
      },
      { mark: 'n', scope: 'process' },
    ],
    kernelStack: [frame],
    userStack: [frame],
    message: 'm',
    tags: ['t'],
  });
  const attachPoint = { path: '/bin/a', symbol: 'main', offset: 1n, refCtrOffset: 2n, provider: 'p', name: 'n' };
  const loader = { path: '/lib/a', buildId: '00ff', inode: 5n, device: { major: 8, minor: 1 }, policyName: 'p' };
  const events: Readonly<Record<EventType, PlainEvent>> = {
    process_exec: execEvent({}, { ...common, environment: [{ name: 'A', value: 'b' }] }),
    process_exit: exitEvent({}, { ...common, status: 1, signal: 'SIGKILL' }),
    process_kprobe: hook,
    process_tracepoint: { ...hook, type: 'process_tracepoint', subsystem: 's', event: 'e' },
    process_uprobe: { ...hook, ...attachPoint, type: 'process_uprobe' },
    process_usdt: { ...hook, ...attachPoint, type: 'process_usdt' },
    process_lsm: { ...hook, type: 'process_lsm', imaHash: 'sha256:00' },
    process_loader: { ...execEvent({}, common), ...loader, type: 'process_loader' },
    process_throttle: {
      ...execEvent({}, common),
      type: 'process_throttle',
      throttle: 'stop',
      cgroup: 'c',
      cgroupId: 7n,
    },
    change: changeEvent({
      policyNamespace: 'ns',
      setting: 's',
      enabled: true,
      source: '/a',
      client: { address: '[::1]:1', pid: 1, uid: 2, gid: 3, execId: 'id', binary: '/a', certificate: 'c' },
    }),
    lost: lostEvent(),
  };
  return Object.values(events);
}

const CHECKS: Readonly<Record<string, (value: unknown, names: readonly string[]) => boolean>> = {
  string: (value) => typeof value === 'string' && value !== '',
  bytes: (value) => typeof value === 'string' && Buffer.from(value, 'base64').toString('base64') === value,
  number: (value) => Number.isInteger(value),
  long: (value) => typeof value === 'string' && /^-?\d+$/.test(value),
  bool: (value) => typeof value === 'boolean',
  time: (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{9})?Z$/.test(value),
  name: (value, names) => names.includes(value as string),
  object: (value) => typeof value === 'object' && value !== null,
};

/** Checks a message of the export, and adds its fields to `seen`. */
function checkMessage(message: string, value: unknown, seen: Set<string>): void {
  for (const [field, member] of Object.entries(value as object)) {
    const form = MESSAGES[message]?.[field];
    const fieldPath = `${message}.${field}`;
    assert.ok(form !== undefined, `${fieldPath} is in no table`);
    seen.add(fieldPath);
    const names = ENUMS.get((findApiType(message, field) ?? '').replace('[]', '')) ?? [];
    for (const each of form.endsWith('[]') ? (member as unknown[]) : [member]) {
      const one = form.replace('[]', '');
      if (MESSAGES[one] !== undefined) checkMessage(one, each, seen);
      else assert.ok(CHECKS[one]?.(each, names), `${fieldPath} is ${JSON.stringify(each)}, not ${form}`);
    }
  }
}

describe('JSON export', () => {
  for (const [message, fields] of Object.entries(MESSAGES)) {
    it(`${message} has the fields of the protocol in their JSON types, and the fields that polytrace adds`, () => {
      const ours = EXTENSION_FIELDS[message as keyof typeof EXTENSION_FIELDS] ?? [];
      for (const [field, form] of Object.entries(fields)) {
        const type = findApiType(message, field);
        assert.equal(type === undefined, ours.includes(field), `${message}.${field} is ours, or it is not`);
        if (type !== undefined) assert.equal(form, jsonForm(type), `${message}.${field}`);
      }
      assert.deepEqual(
        ours.filter((field) => !(field in fields)),
        [],
      );
    });
  }

  it('every key of every event is in the table, and every row of the table is used', () => {
    const seen = new Set<string>();
    for (const event of makeEveryEvent()) checkMessage('GetEventsResponse', JSON.parse(toJson(event, FULL)), seen);
    const rows = Object.entries(MESSAGES).flatMap(([message, fields]) =>
      Object.keys(fields).map((field) => `${message}.${field}`),
    );
    assert.deepEqual(
      rows.filter((row) => !seen.has(row)),
      [],
    );
  });

  it('docs/events.md lists each field that polytrace adds', () => {
    const page = readProjectFile('docs/events.md');
    const section = page.slice(page.indexOf('### Fields that Tetragon does not have'));
    for (const field of new Set(Object.values(EXTENSION_FIELDS).flat())) {
      assert.ok(section.slice(0, section.indexOf('\n## ')).includes(`\`${field}\``), field);
    }
  });

  it('knows the field paths that an event can have', () => {
    for (const path of ['process', 'process.pid', 'args.file_arg.path', 'process.pod.pod_labels.app', 'count']) {
      assert.ok(isExported(path), path);
    }
    for (const path of ['', 'pid', 'process.', 'process.pids', 'process.pid.x', 'process_exec.process', 'toString']) {
      assert.ok(!isExported(path), path);
    }
  });
});
