/** Required by mocha: one tracer before all tests. Where none can be opened, no test can pass, and one failure says why. */
import { openTracer } from '../../lib/index.js';

export const mochaHooks = {
  async beforeAll(): Promise<void> {
    const tracer = await openTracer();
    await tracer.close();
  },
};
