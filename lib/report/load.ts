/** Loads the pages of reports when they are first needed, because few commands use them. */
/* eslint-disable @typescript-eslint/no-require-imports */
import type * as Report from './index.js';

export const loadReport = (): typeof Report => require('./index.js') as typeof Report;
