/** `loader: true` reports files that are mapped as code, with their build ids. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { toJson } from '../../lib/index.js';
import type { ProcessLoaderEvent, TracerEvent } from '../../types/index.js';
import { copyProgram, prepareWorkload, BOTH_MECHANISMS, Recording, runWorkload, type Mechanism } from './support.js';

/** Also in programs.json. */
const BUILD_ID = '0123456789abcdef0123456789abcdef01234567';
const PROGRAM = '/tmp/loads';
const LIBRARY = '/tmp/libloaded.so';
const DATA = '/tmp/loaded.txt';
const YAML = 'apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: loads}\nspec: {loader: true}\n';

/** Protection bits of mmap(2). */
const PROT = { read: 1, readAndExecute: 5 };
const MAP_PRIVATE = 2;

function loaderEvents(events: readonly TracerEvent[], path: string): ProcessLoaderEvent[] {
  return events.filter((event): event is ProcessLoaderEvent => event.type === 'process_loader' && event.path === path);
}

describe('loader', function () {
  before(() => {
    prepareWorkload();
    writeFileSync(DATA, 'no code at all\n');
    copyProgram('loads', PROGRAM);
  });
  // a test replaces it
  beforeEach(() => {
    rmSync(LIBRARY, { force: true });
    copyProgram('loaded', LIBRARY);
  });

  for (const attach of BOTH_MECHANISMS) it(attach, () => testLoader(attach));
});

async function testLoader(attach: Mechanism): Promise<void> {
  const recording = await Recording.open(YAML, { attach });
  assert.deepEqual(
    recording.tracer.policies()[0]?.hooks.map((hook) => [hook.functionName, hook.attach]),
    [['perf_event_mmap', attach]],
  );
  const events = await recording.eventsDuring(() => {
    execFileSync(PROGRAM, [LIBRARY]);
    runWorkload('mmap', DATA, PROT.read, MAP_PRIVATE);
  });
  const [library, ...more] = loaderEvents(events, LIBRARY);
  assert.ok(library !== undefined && more.length === 0);
  assert.equal(library.buildId, BUILD_ID);
  assert.equal(library.policyName, 'loads');
  assert.equal(library.process.binary, PROGRAM);
  const { process_loader: json } = JSON.parse(toJson(library)) as { process_loader: { path: string; buildid: string } };
  assert.deepEqual([json.path, Buffer.from(json.buildid, 'base64').toString('hex')], [LIBRARY, BUILD_ID]);
  // The program itself is reported too. Mappings that are only read are not reported, nor is memory without a file.
  assert.equal(loaderEvents(events, PROGRAM).length, 1);
  assert.deepEqual(loaderEvents(events, DATA), []);
  assert.ok(events.every((event) => event.type !== 'process_loader' || event.path !== ''));

  const later = await recording.eventsDuring(() => {
    execFileSync(PROGRAM, [LIBRARY]);
    runWorkload('mmap', DATA, PROT.readAndExecute, MAP_PRIVATE);
    renameSync(DATA, LIBRARY);
    writeFileSync(DATA, 'another\n');
  });
  await recording.close();
  // Another file has this name now, so the build id would be of the wrong file.
  assert.deepEqual(
    loaderEvents(later, LIBRARY).map(({ buildId }) => buildId),
    [undefined],
  );
  assert.deepEqual(
    loaderEvents(later, DATA).map(({ buildId }) => buildId),
    [undefined],
  );
}
