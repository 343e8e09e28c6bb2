/** The types of events say what the objects are. */
import assert from 'node:assert/strict';
import type ts from 'typescript';
import { diagnose, MARK, place, text } from './diagnose.js';

const HEAD = `import type { PlainEvent, PlainOf, PlainProcess, ProcessKprobeEvent, TracerEvent } from '../../../types/index.js';
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
  { name: 'a class that does not exist', body: 'void (event «instanceof|as unknown as» ProcessKprobeEvent);' },
];

/** What must compile. */
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
declare function structuredClone<T>(value: T): T;
`;

describe('types: events', function () {
  this.timeout(120_000);
  let found: Map<string, ts.Diagnostic[]>;

  before(() => {
    const sources = new Map<string, string>([[place('events-true'), HEAD + TRUE]]);
    PROGRAMS.forEach(({ body }, i) => {
      sources.set(place(`events-wrong-${i}`), HEAD + body.replace(MARK, '$1'));
      sources.set(place(`events-right-${i}`), HEAD + body.replace(MARK, '$2'));
    });
    found = diagnose(sources);
  });

  PROGRAMS.forEach(({ name, body }, i) => {
    it(`refuses ${name}`, () => {
      assert.match(body, MARK);
      assert.equal(text(found.get(place(`events-right-${i}`)) ?? []), '', 'the right variant compiles');
      assert.notEqual(text(found.get(place(`events-wrong-${i}`)) ?? []), '', 'the wrong variant compiles');
    });
  });

  it('the copy of an event is inert data, and structuredClone() gives the same type back', () => {
    assert.equal(text(found.get(place('events-true')) ?? []), '');
  });
});
