/** Calls that never return: they are counted, and do not keep later calls from being reported. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { isLost, isUprobe, needsRoot, openTracer, Workshop } from './support.js';

/** More than a hook's table of active calls can hold. */
const LEFT = 17_000;
const RETURNED = 100;

describe('calls that never return', function () {
  this.timeout(120_000);
  before(needsRoot);
  let shop: Workshop;
  let program: string;
  before(() => {
    shop = new Workshop();
    program = join(shop.folder, 'leaving');
    execFileSync('cc', ['-O1', '-pthread', '-o', program, join(__dirname, 'programs', 'leaving.c')]);
  });
  after(() => shop?.remove());

  const run = async (left: number, returned: number): Promise<void> => {
    const [status] = (await once(spawn(program, [String(left), String(returned)]), 'exit')) as [number | null];
    assert.equal(status, 0);
  };

  const policy = (): string => `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: leaving }
spec:
  uprobes: [{ path: "${program}", symbols: [leave], return: true, returnArg: { index: 0, type: int32 } }]`;

  it('a full table is emptied, later calls are reported, and events and losses add up', async () => {
    const tracer = await openTracer({ policies: [{ yaml: policy() }] });
    const lost = new Map<string, number>();
    let reported = 0;
    let onMissed: () => void = () => undefined;
    const isSwept = new Promise<void>((resolve) => (onMissed = resolve));
    const reading = (async () => {
      for await (const event of tracer.events()) {
        if (isUprobe(event)) reported++;
        if (!isLost(event) || event.policyName !== 'leaving') continue;
        lost.set(event.reason, (lost.get(event.reason) ?? 0) + event.count);
        if (event.reason === 'missed') onMissed();
      }
    })();
    await run(LEFT, 0);
    await isSwept;
    assert.equal(reported, 0);
    assert.deepEqual([...lost.keys()].sort(), ['missed', 'pending_full']);
    await run(0, RETURNED);
    await tracer.close();
    await reading;
    assert.equal(reported, RETURNED);
    assert.equal((lost.get('missed') ?? 0) + (lost.get('pending_full') ?? 0), LEFT);
  });

  it('without a full table, they are counted when the policy is removed', async () => {
    const tracer = await openTracer({ policies: [{ yaml: policy() }] });
    await run(5, 3);
    await tracer.removePolicy('leaving');
    await tracer.close();
    const { reason, count } = tracer.stats().lostByHook.find(({ policyName }) => policyName === 'leaving') ?? {};
    assert.deepEqual([reason, count], ['missed', 5]);
  });
});
