/** Events as rows: the rows have everything that a page shows, and are bounded. */
import assert from 'node:assert/strict';
import type { PlainEvent, PlainProcess } from '../../../types/index.js';
import { ReportRows } from '../../../lib/report/rows.js';
import type { EndRow, EventRow, ProcessRow, Row } from '../../../lib/report/row.js';
import { fileArgument, intArgument, stringArgument } from '../output/arguments.js';
import { EXAMPLE_EVENTS, execEvent, exitEvent, kprobeEvent, lostEvent, plainProcess } from '../output/events.js';

const parseRows = (text: string): Row[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);
const toRows = (...events: PlainEvent[]): Row[] => parseRows(new ReportRows().text(events));
const toEventRow = (event: PlainEvent): EventRow => toRows(event).find((row) => row.kind === 'event') as EventRow;
const socket = {
  type: 'sock',
  index: 0,
  family: 'AF_INET6',
  protocol: 'IPPROTO_TCP',
  sourceAddress: '::1',
  sourcePort: 40000,
  destinationAddress: '2001:db8::1',
  destinationPort: 443,
  socketType: 'SOCK_STREAM',
  state: 'TCP_CLOSE',
};

describe('rows of a report', () => {
  it('a process comes once, after its parent and before its event', () => {
    const shell: PlainProcess = plainProcess({ execId: 'shell', parentExecId: '', pid: 200, binary: '/bin/sh' });
    const cat = plainProcess({ execId: 'cat', parentExecId: 'shell', pid: 210 });
    const start = execEvent({}, { process: cat, parent: shell });
    const read = kprobeEvent('security_file_permission', [fileArgument('/etc/shadow'), intArgument(4, 1)], {
      process: cat,
      parent: shell,
    });
    const rows = toRows(start, read);
    assert.deepEqual(
      rows.map((row) => (row.kind === 'process' ? row.id : row.kind)),
      ['shell', 'cat', 'event', 'event'],
    );
    const process = rows[1] as ProcessRow;
    assert.equal(process.arguments, '/etc/shadow');
    assert.equal(process.parent, 'shell');
  });

  it('an event has its time with microseconds, its policy, values, files and addresses', () => {
    const event = toEventRow(
      kprobeEvent('security_file_permission', [fileArgument('/etc/shadow'), intArgument(4, 1)], {
        message: 'a secret',
      }),
    );
    assert.equal(event.time, 1795531010316.744);
    assert.equal(event.policy, 'files');
    assert.equal(event.message, 'a secret');
    assert.equal(event.hook, 'security_file_permission');
    assert.deepEqual(event.values, [
      ['0 file', '/etc/shadow'],
      ['1 int', '4'],
    ]);
    assert.deepEqual(event.files, ['/etc/shadow']);
    const connect = toEventRow(kprobeEvent('tcp_connect', [socket as never]));
    assert.deepEqual(connect.addresses, ['[2001:db8::1]:443']);
    assert.deepEqual(connect.values, [['0 sock', '[::1]:40000 → [2001:db8::1]:443 IPPROTO_TCP']]);
    const name = toEventRow(
      kprobeEvent('__x64_sys_openat', [stringArgument('/etc/passwd', 1), stringArgument('passwd', 2)]),
    );
    assert.deepEqual(name.files, ['/etc/passwd']);
    assert.equal(toEventRow(exitEvent()).detail.endsWith(' 0'), true);
  });

  it('bytes are a text or hexadecimal digits, and long ones are cut', () => {
    const bytesValue = (value: Uint8Array) =>
      toEventRow(kprobeEvent('vfs_write', [{ type: 'char_buf', index: 1, value, size: value.length } as never]));
    assert.deepEqual(bytesValue(Buffer.from('GET /')).values, [['1 char_buf', '"GET /"']]);
    assert.deepEqual(bytesValue(Buffer.from([0, 255])).values, [['1 char_buf', '0x00ff']]);
    assert.match(bytesValue(Buffer.alloc(600, 'a')).values?.[0]?.[1] ?? '', /^"a{512}"… \(600 bytes\)$/);
  });

  it('a name of 4096 bytes is whole, and no text has more than 8192 characters', () => {
    const path = `/${'é'.repeat(2047)}`;
    assert.deepEqual(toEventRow(kprobeEvent('x', [fileArgument(path)])).files, [path]);
    const [process] = toRows(execEvent({ arguments: 'x'.repeat(100_000), argv: ['x'.repeat(100_000)] })) as [
      ProcessRow,
    ];
    assert.equal(process.arguments.length, 8193);
  });

  it('an event of each type is a row', () => {
    for (const event of Object.values(EXAMPLE_EVENTS)) assert.equal(toEventRow(event).type, event.type);
  });

  it('a lost event has its number, and no process', () => {
    const rows = toRows(lostEvent());
    assert.equal(rows.length, 1);
    assert.equal((rows[0] as EventRow).lost, 12);
  });

  it('events above the limit are counted with their times', () => {
    const rows = new ReportRows({ limit: 1 });
    const late = execEvent({}, { timeNs: 2_000_000_000n });
    const text = rows.text([execEvent(), late, execEvent({}, { timeNs: 3_000_000_000n }), late]);
    assert.equal(parseRows(text).filter(({ kind }) => kind === 'event').length, 1);
    const [end] = parseRows(rows.end(['a.jsonl'], '1.2.3', 4)) as [EndRow];
    assert.equal(rows.shown, 1);
    assert.deepEqual([end.leftOut, end.leftOutFrom, end.leftOutTo, end.wrongLines], [3, 2000, 3000, 4]);
    assert.deepEqual([end.sources, end.nodes, end.version], [['a.jsonl'], ['node'], '1.2.3']);
  });

  it('processes are named again after a number of events, and when a reader has missed rows', () => {
    const rows = new ReportRows({ repeatAfter: 2 });
    const countProcessRows = (): number =>
      parseRows(rows.text([execEvent()])).filter(({ kind }) => kind === 'process').length;
    assert.deepEqual([countProcessRows(), countProcessRows(), countProcessRows(), countProcessRows()], [1, 0, 1, 0]);
    rows.forget();
    assert.equal(countProcessRows(), 1);
  });

  it('arguments are redacted', () => {
    const rows = new ReportRows({ redact: (text) => [[text.indexOf('secret'), text.length]] });
    const text = rows.text([execEvent({ argv: ['--password=secret'], arguments: '--password=secret' })]);
    assert.ok(!text.includes('secret'), text);
  });
});
