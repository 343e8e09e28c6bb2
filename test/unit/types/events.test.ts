/** The types of events describe the real objects. */
import assert from 'node:assert/strict';
import type ts from 'typescript';
import { diagnose, MARK, programPath, formatMessages } from './diagnose.js';

const HEAD = `import type {
  ArgumentOf, EventsOptions, FileArgument, HookArgument, LostEvent, PlainEvent, PlainOf, PlainProcess, ProcessExecEvent,
  ProcessExitEvent, ProcessKprobeEvent, SocketArgument, Tracer, TracerEvent,
} from '../../../types/index.js';
import { findArgument, isFile, eventPath } from '../../../types/index.js';
declare const tracer: Tracer;
declare const signal: import('../../../types/index.js').StopSignal;
declare const event: TracerEvent;
declare const kprobe: ProcessKprobeEvent;
declare function take(event: TracerEvent): void;
declare function takePlain(event: PlainEvent): void;
`;

const PROGRAMS: readonly { readonly name: string; readonly body: string }[] = [
  { name: 'a spread as an event', body: 'take(«{ ...kprobe }|kprobe»);' },
  { name: 'a spread as plain data', body: 'takePlain({ ...«kprobe|kprobe.toObject()» });' },
  { name: 'the arguments of a spread', body: 'const copy = { ...«kprobe|kprobe.toObject()» }; void copy.args;' },
  { name: 'the time of a spread', body: 'const copy = { ...«kprobe|kprobe.toObject()» }; void copy.timeNs;' },
  {
    name: 'the binary of a spread process',
    body: 'const { binary } = { ...kprobe.process«|.toObject()» }; void binary;',
  },
  { name: 'plain data as an event', body: 'take(«kprobe.toObject()|kprobe»);' },
  { name: 'a method of plain data', body: 'void «kprobe.toObject()|kprobe».toJSON();' },
  { name: 'another value in an event', body: '«kprobe.selector = 1|void kprobe.selector»;' },
  {
    name: 'another value in plain data',
    body: 'const plain = kprobe.toObject(); «plain.selector = 1|void plain.selector»;',
  },
  { name: 'more arguments', body: 'void kprobe.args.«push(kprobe.args[0]!)|length»;' },
  { name: 'more tags', body: 'void kprobe.tags.«push("a")|length»;' },
  {
    name: 'the arguments of an exec',
    body: "async () => { for await (const e of tracer.events({ types: ['process_exec'] })) if (e.type !== 'lost') void e.process«.args|.argv»; };",
  },
  {
    name: 'an exit among execs',
    body: "async () => { for await (const e of tracer.events({ types: [«'process_exec'|'process_exit'»] })) if (e.type !== 'lost') void e.status; };",
  },
  {
    name: 'an exit among plain execs',
    body: "async () => { for await (const e of tracer.events({ types: [«'process_exec'|'process_exit'»], plain: true })) if (e.type !== 'lost') void e.status; };",
  },
  {
    name: 'an exit among batches of execs',
    body: "async () => { for await (const [e] of tracer.batches({ types: [«'process_exec'|'process_exit'»] })) if (e?.type === 'process_exit') void e.status; };",
  },
  {
    name: 'an event that may have another type, without types',
    body: "declare const some: boolean; async () => { for await (const e of tracer.events({ types: «some ? ['process_exec'] : undefined|['process_exec']» })) if (e.type !== 'lost') { const exec: ProcessExecEvent = e; void exec; } };",
  },
  { name: 'a misspelt type of events', body: "tracer.events({ types: ['«exec|process_exec»'] });" },
  {
    name: 'an unknown option of events',
    body: "tracer.events({ types: ['process_exec'], «polices|policyNames»: ['a'] });",
  },
  {
    name: 'the path of a number',
    body: "const a = kprobe.args.find(({ type }) => type === 'int'); if (a«|?.type === 'file'») void a.path;",
  },
  {
    name: 'a state of every value',
    body: "const a = kprobe.args.find((a) => a.type «!==|===» 'sock'); void a?.state;",
  },
  {
    name: 'the path of a value that is not a file',
    body: 'const [a] = kprobe.args; if (a && «!|»isFile(a)) void a.path;',
  },
  { name: 'a path that may be missing', body: 'const path: string = eventPath(kprobe)«|!»; void path;' },
  { name: 'a labelled value that may be missing', body: "void findArgument(kprobe, 'a')«.type|?.type»;" },
  { name: 'the children of a process id', body: 'void tracer.children(«1|kprobe.process»);' },
  { name: 'a class that does not exist', body: 'void (event «instanceof|as unknown as» ProcessKprobeEvent);' },
];

/** A program that must compile. */
const TRUE = `type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type Inert<T> = T extends (...args: never) => unknown ? false : T extends string | bigint | Uint8Array ? true
  : T extends object ? { [K in keyof T]: Inert<T[K]> }[keyof T] : true;
const inert: false extends Inert<PlainOf<ProcessKprobeEvent>> ? false : true = true;
const copy = structuredClone(kprobe.toObject());
const same: Same<typeof copy, PlainOf<ProcessKprobeEvent>> = true;
takePlain(copy);
const parent: PlainProcess | undefined = copy.parent;
const optional: PlainOf<ProcessKprobeEvent> extends { readonly parent: unknown } ? false : true = true;
if (event.type === 'process_kprobe') void event.args;
if (event.type === 'lost') takePlain({ ...event });
void [inert, same, parent, optional];
const sock: Extract<HookArgument, { type: 'sock' }> = {} as SocketArgument & { type: 'sock' };
const sameSock: Same<typeof sock, ArgumentOf<'sock'>> = true;
const never: Same<typeof sock, never> = false;
const whole: HookArgument = {} as SocketArgument;
const found = kprobe.args.find((a) => a.type === 'sock');
const isSock: Same<NonNullable<typeof found>, ArgumentOf<'sock'>> = true;
const files: FileArgument[] = kprobe.args.filter(isFile);
const types = ['process_exec', 'process_exit'] as const;
type Of<I> = I extends AsyncIterable<infer E> ? E : never;
const two = tracer.events({ types });
const three = tracer.events({ types: ['process_exec', 'process_exit'], policyNames: ['a'], signal });
const exactly: Same<Of<typeof two>, ProcessExecEvent | ProcessExitEvent | LostEvent> = true;
const again: Same<Of<typeof three>, ProcessExecEvent | ProcessExitEvent | LostEvent> = true;
declare const options: EventsOptions;
const every: Same<Of<ReturnType<typeof all>>, TracerEvent> = true;
function all() { return tracer.events(options); }
async function using() {
  await using events = tracer.events({ types: ['lost'] });
  for await (const { count } of events) void count;
}
void [sameSock, never, whole, isSock, files, exactly, again, every, using, tracer.process(1)?.execId, tracer.ancestors(event.type === 'lost' ? { execId: '' } : event.process)];
declare function structuredClone<T>(value: T): T;
`;

describe('types: events', function () {
  this.timeout(120_000);
  let found: Map<string, ts.Diagnostic[]>;

  before(() => {
    const sources = new Map<string, string>([[programPath('events-true'), HEAD + TRUE]]);
    PROGRAMS.forEach(({ body }, i) => {
      sources.set(programPath(`events-wrong-${i}`), HEAD + body.replace(MARK, '$1'));
      sources.set(programPath(`events-right-${i}`), HEAD + body.replace(MARK, '$2'));
    });
    found = diagnose(sources);
  });

  PROGRAMS.forEach(({ name, body }, i) => {
    it(`refuses ${name}`, () => {
      assert.match(body, MARK);
      assert.equal(formatMessages(found.get(programPath(`events-right-${i}`)) ?? []), '', 'the right variant compiles');
      assert.notEqual(
        formatMessages(found.get(programPath(`events-wrong-${i}`)) ?? []),
        '',
        'the wrong variant compiles',
      );
    });
  });

  it('the copy of an event is plain data, and structuredClone() returns the same type', () => {
    assert.equal(formatMessages(found.get(programPath('events-true')) ?? []), '');
  });
});
