/**
 * No memory: each call of the addon and of libbpf that asks for memory, a mapping, a thread, or something of BPF, fails
 * once, or fails together with all later ones. The process goes on, and so does the tracer.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { needsRoot } from './support.js';
import { FaultShop, stride } from './faults-support.js';

interface Report {
  readonly sites: number;
  readonly results: readonly { readonly outcome: string; readonly hits: number; readonly leaked: readonly string[] }[];
}

const OUTCOMES = /^(works|LIMIT_MEMORY|LIMIT_THREADS)$/;
const OPERATIONS = ['open', 'addPolicy', 'removePolicy', 'close'] as const;
const USUAL_STRIDE = { open: 20, addPolicy: 20, removePolicy: 4, close: 3 };

/** Every site of an operation is tried in the nightly run only. */
const MAX_MS = 300_000 * (stride(2) === 1 ? 12 : 1);

describe('no memory', function () {
  this.timeout(MAX_MS);
  before(needsRoot);
  let shop: FaultShop;
  before(() => void (shop = new FaultShop()));
  after(() => shop.remove());

  async function failEachCall(operation: string, how: 'once' | 'from', every: number): Promise<Report> {
    const file = join(__dirname, 'programs', 'out-of-memory.cjs');
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [file, operation, how, String(every), shop.program],
      { env: shop.env, timeout: MAX_MS - 10_000, killSignal: 'SIGKILL' },
    );
    return JSON.parse(stdout) as Report;
  }

  for (const how of ['once', 'from'] as const) {
    for (const operation of OPERATIONS) {
      const what = how === 'once' ? 'one call of' : 'all calls from any moment of';
      it(`${what} ${operation} may fail: an error that names the limit, and a second try works`, async () => {
        const { sites, results } = await failEachCall(operation, how, stride(USUAL_STRIDE[operation]));
        assert.ok(sites > 5 && results.length > 2, `${sites} sites`);
        const wrong = results.filter(({ outcome, leaked }) => !OUTCOMES.test(outcome) || leaked.length > 0);
        assert.deepEqual(wrong, []);
        assert.ok(results.some(({ hits }) => hits > 0));
        if (operation === 'close') assert.ok(results.every(({ outcome }) => outcome === 'works'));
      });
    }
  }
});
