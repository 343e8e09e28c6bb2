/**
 * The policies that Tetragon publishes. Each is loaded and attached, or refused for a reason that is listed here. One
 * of each kind is also tested with a scenario.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { ProcessKprobeEvent, TracerEvent } from '../../types/index.js';
import type { NamedAction } from './matrix-policy.js';
import { runActions, prepareMatrix, PROGRAM } from './matrix-setup.js';
import {
  OLD_NAME,
  prepareProbes,
  expectedRefusal,
  SCENARIOS,
  replacePaths,
  type Expected,
} from './corpus-scenarios.js';
import { NIGHTLY } from '../nightly.js';
import { assertPart, corpus, kprobeEvents, kernel, Recording } from './support.js';

interface Outcome {
  readonly codes: readonly string[];
  readonly reason: string;
}

/** The codes of a failed load: those of the policy's diagnostics, or the one of the kernel error. */
function toOutcome(error: unknown): Outcome {
  const { code, message, diagnostics } = error as Error & {
    code: string;
    diagnostics?: readonly { code: string; severity: string; message: string }[];
  };
  const errors = (diagnostics ?? []).filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return { codes: [code], reason: message };
  return { codes: [...new Set(errors.map((each) => each.code))].sort(), reason: errors[0]?.message ?? '' };
}

function checkScenario(expected: readonly Expected[], events: readonly TracerEvent[], policyName: string): void {
  const own = kprobeEvents(events).filter(
    (event) => event.policyName === policyName && event.process.binary === PROGRAM,
  );
  const names = own.map(({ functionName }) => functionName).join(', ');
  if (expected.length === 0) assert.equal(names, '');
  let from = 0;
  for (const each of expected) {
    const at = own.findIndex((event, i) => i >= from && isExpected(each, event));
    if (at < 0)
      assert.fail(`${describeEvent(each)} is missing after number ${from} of: ${own.map(describeEvent).join('; ')}`);
    from = at + 1;
  }
}

function describeEvent({ functionName, args }: Expected): string {
  return `${functionName} ${inspect(args, { depth: 4, breakLength: Infinity })}`;
}

function isExpected({ functionName, args }: Expected, event: ProcessKprobeEvent): boolean {
  try {
    assert.equal(event.functionName, functionName);
    assertPart(event.args, args, functionName);
    return true;
  } catch {
    return false;
  }
}

// Loading all takes minutes in a guest. By day, oracle.test.ts loads most of the others.
function isLoadedHere(file: string): boolean {
  return NIGHTLY || file in SCENARIOS;
}

describe(`published policies on ${kernel}`, () => {
  const files = existsSync(corpus) ? readdirSync(corpus).sort().filter(isLoadedHere) : [];
  const refused: string[] = [];
  let recording: Recording | undefined;
  let loaded = 0;

  before(async function () {
    if (files.length === 0) {
      if (process.env['REQUIRE_ALL'] === '1') throw new Error(`${corpus} is missing`);
      this.skip();
    }
    prepareMatrix();
    prepareProbes();
    recording = await Recording.open(undefined, { enforcement: true });
  });
  after(async () => {
    await recording?.close();
    console.log(`      ${loaded} of ${files.length} are loaded on ${kernel}; the others:`);
    for (const line of refused) console.log(`      ${line}`);
  });

  for (const file of files) {
    it(file, async () => {
      assert.ok(recording !== undefined);
      const { tracer } = recording;
      // Monitor mode makes sure that the policy acts on nothing that runs here.
      const yaml = replacePaths(readFileSync(join(corpus, file), 'utf8'));
      const status = await tracer.addPolicy({ yaml, file }, { mode: 'monitor' }).catch(toOutcome);
      if ('codes' in status) {
        refused.push(`${file}: ${status.codes.join(', ')} (${status.reason})`);
        assert.deepEqual(status.codes, expectedRefusal(file), status.reason);
        if (status.codes[0] === 'OVERRIDE_NOT_POSSIBLE') assert.match(status.reason, /CONFIG_FUNCTION_ERROR_INJECTION/);
        return;
      }
      loaded++;
      const name = status[0]?.name ?? '';
      assert.equal(expectedRefusal(file), undefined, 'it is loaded: take it from the list');
      const warned = new Set(status[0]?.warnings.map(({ code }) => code));
      assert.equal(warned.has('ARG_TEXT_OF_STRUCT'), file === OLD_NAME && kernel !== '6.1', [...warned].join(', '));
      const scenario = SCENARIOS[file];
      if (scenario !== undefined) {
        const actions = scenario.actions.map((action, i): NamedAction => ({ name: `corpus${i}`, action }));
        const events = await recording.eventsDuring(() => runActions(actions));
        checkScenario(scenario.events, events, name);
      }
      await tracer.removePolicy(name);
    });
  }

  it('all policies with scenarios exist', function () {
    if (files.length === 0) this.skip();
    assert.deepEqual(Object.keys(SCENARIOS).filter((file) => !files.includes(file)), []); // prettier-ignore
  });
});
