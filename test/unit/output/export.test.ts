/** The JSON export has the fields of Tetragon's protocol, in its forms. What it has beyond them is listed as ours. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isExported, MESSAGES, EXTENSION_FIELDS } from '../../../lib/output/export-fields.js';
import { toJson } from '../../../lib/output/json.js';
import type { HookArgument, PlainEvent } from '../../../types/events.js';
import {
  ALL_CAPABILITIES,
  execOf,
  exitOf,
  fileOf,
  hookOf,
  intOf,
  lostOf,
  processOf,
  sizeOf,
  textOf,
} from './events.js';
import { API_ENUMS, API_MESSAGES } from './tetragon-api.js';
import * as values from './values.js';

function tableOf(text: string): ReadonlyMap<string, readonly string[]> {
  const lines = text.trim().replace(/\n +/g, ' ').split('\n');
  return new Map(lines.map((line) => [line.split(' = ')[0] ?? '', (line.split(' = ')[1] ?? '').split(' ')]));
}

const API = tableOf(API_MESSAGES);
const ENUMS = tableOf(API_ENUMS);

function typeInApi(message: string, field: string): string | undefined {
  const found = API.get(message)?.find((each) => each.startsWith(`${field}:`));
  return found?.slice(field.length + 1);
}

/** The form of a type in protobuf's JSON. */
function formOf(type: string): string {
  if (type.endsWith('[]')) return `${formOf(type.slice(0, -2))}[]`;
  if (ENUMS.has(type)) return 'name';
  const forms: Record<string, string> = {
    uint64: 'long', int64: 'long', uint32: 'number', int32: 'number', UInt32Value: 'number', Int32Value: 'number',
    BoolValue: 'bool', Timestamp: 'time', map: 'object',
  }; // prettier-ignore
  return forms[type] ?? type;
}

const FULL = { ancestors: true, processCred: true, processNs: true } as const;

/** Every value that an event can have. */
const everyArgument: readonly HookArgument[] = [
  { ...textOf('x', 0), label: 'name' },
  { ...textOf('', 0), unreadable: true },
  { ...textOf('eth0', 0), type: 'net_device' },
  { ...textOf('/run/x', 0), type: 'sockaddr_un' },
  intOf(-1, 0),
  intOf(1, 0, 'uint32'),
  sizeOf(5n, 0),
  { type: 'long', index: 0, value: -1n },
  values.bufferOf('abc', 3),
  values.bufferOf('abc', 9),
  ...(['file', 'path', 'linux_binprm'] as const).map((type) => fileOf('/x', 0, { type, flags: ['deleted'] })),
  values.sockOf(),
  values.packetOf(),
  values.addressOf(),
  values.credOf(),
  values.userNamespaceOf(),
  values.programOf(),
  values.programOf({ type: 'bpf_prog' }),
  values.mapOf(),
  values.perfOf(),
  values.moduleOf(),
  { type: 'capability', index: 0, value: 21, name: 'CAP_SYS_ADMIN' },
  ...(['kernel_cap_t', 'cap_inheritable', 'cap_permitted', 'cap_effective'] as const).map(
    (type) => ({ type, index: 0, value: 2n ** 40n, names: [] }) as const,
  ),
  { type: 'syscall64', index: 0, value: 257n, name: 'openat', abi: 'x64' },
  { type: 'bpf_cmd', index: 0, value: 5, name: 'BPF_PROG_LOAD' },
];

function everyEvent(): PlainEvent[] {
  const image = { id: 'sha256:1', name: 'nginx:1' };
  const process = processOf({
    capabilities: { permitted: ALL_CAPABILITIES, effective: 3n, inheritable: 1n },
    namespaces: { ...processOf().namespaces, net: 7 },
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
  const common = { process, parent: processOf({ pid: 2 }), ancestors: [processOf({ pid: 1 })] };
  const frame = { symbol: 's', module: 'm', offset: 1n, fileOffset: 2n, buildId: '00', address: 3n };
  const hook = hookOf('f', everyArgument, {
    ...common,
    data: [intOf(1, 0)],
    return: intOf(0, 0),
    returnAction: 'post',
    actions: [{ action: 'sigkill', signal: 9, outcome: 'done' }],
    action: 'sigkill',
    policyMode: 'enforce',
    ofSocketOwner: true,
    suppressed: 3,
    kernelStack: [frame],
    userStack: [frame],
    message: 'm',
    tags: ['t'],
  });
  const place = { path: '/bin/a', symbol: 'main', offset: 1n, refCtrOffset: 2n, provider: 'p', name: 'n' };
  const loader = { path: '/lib/a', buildId: '00ff', inode: 5n, device: { major: 8, minor: 1 }, policyName: 'p' };
  return [
    execOf({}, common),
    exitOf({}, { ...common, status: 1, signal: 'SIGKILL' }),
    hook,
    { ...hook, type: 'process_tracepoint', subsystem: 's', event: 'e' },
    { ...hook, ...place, type: 'process_uprobe' },
    { ...hook, ...place, type: 'process_usdt' },
    { ...hook, type: 'process_lsm', imaHash: 'sha256:00' },
    { ...execOf({}, common), ...loader, type: 'process_loader' },
    lostOf(),
  ];
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

/** Checks a message of the export, and notes its fields. */
function check(message: string, value: unknown, seen: Set<string>): void {
  for (const [field, member] of Object.entries(value as object)) {
    const form = MESSAGES[message]?.[field];
    const place = `${message}.${field}`;
    assert.ok(form !== undefined, `${place} is in no table`);
    seen.add(place);
    const names = ENUMS.get((typeInApi(message, field) ?? '').replace('[]', '')) ?? [];
    for (const each of form.endsWith('[]') ? (member as unknown[]) : [member]) {
      const one = form.replace('[]', '');
      if (MESSAGES[one] !== undefined) check(one, each, seen);
      else assert.ok(CHECKS[one]?.(each, names), `${place} is ${JSON.stringify(each)}, not ${form}`);
    }
  }
}

describe('JSON export', () => {
  for (const [message, fields] of Object.entries(MESSAGES)) {
    it(`${message} has fields of the protocol in their forms, and those that are listed as ours`, () => {
      const ours = EXTENSION_FIELDS[message] ?? [];
      for (const [field, form] of Object.entries(fields)) {
        const type = typeInApi(message, field);
        assert.equal(type === undefined, ours.includes(field), `${message}.${field} is ours, or it is not`);
        if (type !== undefined) assert.equal(form, formOf(type), `${message}.${field}`);
      }
      assert.deepEqual(
        ours.filter((field) => !(field in fields)),
        [],
      );
    });
  }

  it('every key of every event is in the table, and every row of the table is written', () => {
    const seen = new Set<string>();
    for (const event of everyEvent()) check('GetEventsResponse', JSON.parse(toJson(event, FULL)), seen);
    const rows = Object.entries(MESSAGES).flatMap(([message, fields]) =>
      Object.keys(fields).map((field) => `${message}.${field}`),
    );
    assert.deepEqual(
      rows.filter((row) => !seen.has(row)),
      [],
    );
  });

  it('docs/events.md lists each field that is ours', () => {
    const page = readFileSync(join(__dirname, '../../../docs/events.md'), 'utf8');
    const section = page.slice(page.indexOf('### Fields that Tetragon does not have'));
    for (const field of new Set(Object.values(EXTENSION_FIELDS).flat())) {
      assert.ok(section.slice(0, section.indexOf('\n## ')).includes(`\`${field}\``), field);
    }
  });

  it('knows which paths an event can have', () => {
    for (const path of ['process', 'process.pid', 'args.file_arg.path', 'process.pod.pod_labels.app', 'count']) {
      assert.ok(isExported(path), path);
    }
    for (const path of ['', 'pid', 'process.', 'process.pids', 'process.pid.x', 'process_exec.process', 'toString']) {
      assert.ok(!isExported(path), path);
    }
  });
});
