/** Loaded by mocha before all tests: it opens a tracer. If that fails, no test can pass, and one failure says why. */
import { openTracer } from '../../lib/index.js';
import { Recording } from './support.js';

export const mochaHooks = {
  async beforeAll(): Promise<void> {
    const tracer = await openTracer();
    await tracer.close();
  },

  afterAll: (): Promise<void> => Recording.closeCached(),
};
