/** The same policies and calls as in a run of Tetragon: the events are the same, but for listed differences. */
import assert from 'node:assert/strict';
import { DIFFERENCES } from './oracle-differences.js';
import {
  comparedEvents,
  prepareOracle,
  readCases,
  readExpected,
  readOraclePolicy,
  runSteps,
  type ComparedEvent,
} from './oracle.js';
import { onOneKernel, Recording } from './support.js';

const cases = readCases();

if (cases.length > 0 && onOneKernel('6.12'))
  describe('events that Tetragon reported', () => {
    let recording: Recording | undefined;
    before(async () => {
      prepareOracle();
      recording = await Recording.open(undefined, { enforcement: true });
    });
    after(() => recording?.close());

    for (const each of cases)
      it(each.name, async () => {
        assert.ok(recording !== undefined);
        const [status] = await recording.tracer.addPolicy({ yaml: readOraclePolicy(each.name) });
        const events = comparedEvents(await recording.eventsDuring(() => runSteps(each)));
        await recording.tracer.removePolicy(status?.name ?? '');
        compareEvents(each.name, readExpected(each.name), events);
      });

    it('the differences are those of policies that exist', () => {
      const names = cases.map(({ name }) => name);
      assert.deepEqual(Object.keys(DIFFERENCES).filter((name) => !names.includes(name)), []); // prettier-ignore
      assert.ok(names.length - Object.keys(DIFFERENCES).length >= 35, 'as many as ever are equal');
    });
  });

/** Without the listed differences, the events are equal, and come in the same order. */
function compareEvents(name: string, there: readonly ComparedEvent[], here: readonly ComparedEvent[]): void {
  const differences = DIFFERENCES[name] ?? [];
  const onlyThere = subtract(there, here);
  const onlyHere = subtract(here, there);
  const without = (events: readonly ComparedEvent[], by: 'tetragon' | 'polytrace'): ComparedEvent[] =>
    events.filter((event) => !differences.some((each) => [by, 'both'].includes(each.by) && each.isOne(event)));
  assert.deepEqual(without(onlyThere, 'tetragon'), [], 'events that only Tetragon reported');
  assert.deepEqual(without(onlyHere, 'polytrace'), [], 'events that only polytrace reports');
  for (const { reason, isOne } of differences)
    assert.ok([...onlyThere, ...onlyHere].some(isOne), `there is no such difference: ${reason}`);
  if (differences.length === 0) assert.deepEqual(here, there);
}

/** The events of `all` that are not among `others`. */
function subtract(all: readonly ComparedEvent[], others: readonly ComparedEvent[]): ComparedEvent[] {
  const left = others.map(canonicalForm);
  return all.filter((event) => {
    const at = left.indexOf(canonicalForm(event));
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

/** The two write their members in different orders. */
function canonicalForm(value: unknown): string {
  return JSON.stringify(
    value,
    (_key, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each) ? Object.fromEntries(Object.entries(each).sort()) : each, // prettier-ignore
  );
}
