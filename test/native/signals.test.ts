/** The option `signal`: an aborted call leaves nothing loaded, and no listener. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import type { StopSignal } from '../../types/compatibility.js';
import type { Tracer } from '../../types/index.js';
import { heldKernelObjects } from './kernel-objects.js';
import { needsRoot, openTracer, Workshop } from './support.js';

const shop = new Workshop();
const REASON = new Error('the user has changed their mind');
const ABORTED = { name: 'AbortError', code: 'ABORT_ERR', cause: REASON };

const HOOKS = ['main', '_start', '_init', '_fini'] as const;

/** A policy with several hooks, so that there is a moment between them. */
function policy(name: string): string {
  const hook = (symbol: string): string => `{ path: ${shop.helper}, symbols: [${symbol}] }`;
  return `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: ${name} }
spec: { uprobes: [${HOOKS.map(hook).join(', ')}] }
`;
}

/** A signal that is aborted when it has been looked at so many times, so that each place that looks has its turn. */
class CountedSignal implements StopSignal {
  readonly reason = REASON;
  readonly addEventListener = (): void => undefined;
  readonly removeEventListener = (): void => undefined;
  #left: number;

  constructor(looks: number) {
    this.#left = looks;
  }

  get aborted(): boolean {
    return this.#left-- <= 0;
  }
}

/** Aborts a call at each place in turn until one is not aborted, and returns the number of places. */
async function abortEverywhere(
  call: (signal: StopSignal) => Promise<unknown>,
  check: () => unknown,
): Promise<number> {
  for (let places = 0; ; places++) {
    try {
      await call(new CountedSignal(places));
      return places;
    } catch (error) {
      const { name, code, cause } = error as NodeJS.ErrnoException;
      assert.deepEqual({ name, code, cause }, ABORTED);
    }
    check();
  }
}

describe('an AbortSignal', function () {
  this.timeout(60_000);
  before(needsRoot);
  after(() => shop.remove());

  describe('of openTracer', () => {
    it('before: nothing is opened', async () => {
      await assert.rejects(openTracer({ signal: AbortSignal.abort(REASON) }), ABORTED);
    });

    it('at every place: nothing stays, and an open tracer does not care', async () => {
      const before = heldKernelObjects(process.pid);
      const policies = ['a', 'b'].map((name) => ({ yaml: policy(name) }));
      let tracer: Tracer | undefined;
      const places = await abortEverywhere(
        async (signal) => (tracer = await openTracer({ policies, signal })),
        () => assert.deepEqual(heldKernelObjects(process.pid), before),
      );
      assert.ok(places >= 2 * HOOKS.length + 4, `${places} places`);
      assert.equal(tracer?.policies().length, 2);
      await tracer?.close();
    });

    it('during and after: no listener stays', async () => {
      const controller = new AbortController();
      const { signal } = controller;
      const onProgress = (): void => controller.abort(REASON);
      await assert.rejects(openTracer({ policies: [{ yaml: policy('a') }], signal, onProgress }), ABORTED);
      const later = new AbortController();
      const tracer = await openTracer({ signal: later.signal });
      later.abort();
      assert.equal((await tracer.addPolicy({ yaml: policy('a') })).length, 1);
      await tracer.close();
      for (const each of [signal, later.signal]) assert.deepEqual(getEventListeners(each, 'abort'), []);
    });
  });

  describe('of a policy', () => {
    let tracer: Tracer;
    beforeEach(async () => {
      tracer = await openTracer();
    });
    afterEach(() => tracer.close());

    const names = (): string[] => tracer.policies().map(({ name }) => name);

    it('before, and while another change runs: nothing is loaded', async () => {
      await assert.rejects(tracer.addPolicy({ yaml: policy('a') }, { signal: AbortSignal.abort(REASON) }), ABORTED);
      const controller = new AbortController();
      const first = tracer.addPolicy({ yaml: policy('a') });
      const second = tracer.addPolicy({ yaml: policy('b') }, { signal: controller.signal });
      controller.abort(REASON);
      await assert.rejects(second, ABORTED);
      await first;
      assert.deepEqual(names(), ['a']);
    });

    it('at every place: the hooks that are loaded by then are removed', async () => {
      const before = heldKernelObjects(process.pid);
      const places = await abortEverywhere(
        (signal) => tracer.addPolicy({ yaml: policy('a') }, { signal }),
        () => assert.deepEqual([names(), heldKernelObjects(process.pid)], [[], before]),
      );
      assert.ok(places > HOOKS.length, `${places} places`);
      assert.deepEqual(names(), ['a']);
    });

    it('replacePolicy, at every place: the old policy stays', async () => {
      await tracer.addPolicy({ yaml: policy('a'), file: 'old' });
      const held = heldKernelObjects(process.pid);
      const places = await abortEverywhere(
        (signal) => tracer.replacePolicy({ yaml: policy('a'), file: 'new' }, { signal }),
        () => {
          assert.deepEqual(heldKernelObjects(process.pid), held);
          assert.deepEqual(
            tracer.policies().map(({ file, hooks }) => [file, hooks.length]),
            [['old', HOOKS.length]],
          );
        },
      );
      assert.ok(places > HOOKS.length, `${places} places`);
      assert.deepEqual(
        tracer.policies().map(({ file }) => file),
        ['new'],
      );
    });

    it('after: nothing happens, and no listener stays', async () => {
      const controller = new AbortController();
      const { signal } = controller;
      await tracer.addPolicy({ yaml: policy('a') }, { signal });
      await tracer.replacePolicy({ yaml: policy('a') }, { signal });
      const iterators = [tracer.events({ signal }), tracer.batches({ signal, plain: true })];
      assert.equal(getEventListeners(signal, 'abort').length, 2);
      for (const each of iterators) await each.return();
      assert.deepEqual(getEventListeners(signal, 'abort'), []);
      controller.abort();
      assert.deepEqual(names(), ['a']);
    });

    it('is no signal: BAD_OPTION', async () => {
      for (const options of [{ signal: 1 }, { sginal: new AbortController().signal }]) {
        await assert.rejects(tracer.addPolicy({ yaml: policy('a') }, options as object), { code: 'BAD_OPTION' });
        await assert.rejects(openTracer(options as object), { code: 'BAD_OPTION' });
      }
    });
  });
});
