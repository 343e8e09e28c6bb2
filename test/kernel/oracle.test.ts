/** The same policies and calls as in a run of Tetragon: the events are the same, but for listed differences. */
import assert from 'node:assert/strict';
import { readDifferences, summarizeEvent, type Difference } from './oracle-differences.js';
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
    const listed = readDifferences();
    const equal: string[] = [];
    const onlyExpected: string[] = [];
    const otherwise: string[] = [];
    let recording: Recording | undefined;
    before(async () => {
      prepareOracle();
      recording = await Recording.open(undefined, { enforcement: true });
    });
    after(async () => {
      await recording?.close();
      console.log(
        `of ${cases.length} policies, ${equal.length} are equal event by event, ${onlyExpected.length} but for known ` +
          `faults and hidden values, ${otherwise.length} (${otherwise.join(', ')}) decide in another way`,
      );
    });

    for (const each of cases)
      it(each.name, async () => {
        assert.ok(recording !== undefined);
        const [status] = await recording.tracer.addPolicy({ yaml: readOraclePolicy(each.name) });
        const events = comparedEvents(await recording.eventsDuring(() => runSteps(each)));
        await recording.tracer.removePolicy(status?.name ?? '');
        const differences = listed[each.name] ?? [];
        compareEvents(readExpected(each.name), events, differences);
        if (differences.length === 0) equal.push(each.name);
        else if (differences.every(({ kind }) => kind !== 'choice')) onlyExpected.push(each.name);
        else otherwise.push(each.name);
      });

    it('the differences are those of policies that exist', () => {
      const names = cases.map(({ name }) => name);
      assert.deepEqual(Object.keys(listed).filter((name) => !names.includes(name)), []); // prettier-ignore
    });
  });

/** The events that only one of the two reports are the listed ones. Without any, the order is the same, too. */
function compareEvents(
  there: readonly ComparedEvent[],
  here: readonly ComparedEvent[],
  differences: readonly Difference[],
): void {
  const onlyThere = subtract(there, here);
  const onlyHere = subtract(here, there);
  const listedThere = differences.flatMap(({ tetragon = [] }) => tetragon);
  const listedHere = differences.flatMap(({ polytrace = [] }) => polytrace);
  assert.deepEqual(onlyThere.map(summarizeEvent).sort(), listedThere.sort(), 'events that only Tetragon reported');
  assert.deepEqual(onlyHere.map(summarizeEvent).sort(), listedHere.sort(), 'events that only polytrace reports');
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
