/** Hooks of mocha around all tests. The first opens a tracer: if that fails, one failure shows the reason. */
import { openTracer } from '../../lib/index.js';
import { Recording } from './support.js';

export const mochaHooks = {
  async beforeAll(): Promise<void> {
    const tracer = await openTracer();
    await tracer.close();
  },

  afterAll: (): Promise<void> => Recording.closeCached(),
};
