/** Loads the messages of the protocol when they are first needed: this takes longer than the start of a program. */
/* eslint-disable @typescript-eslint/no-require-imports */
import type * as Protocol from './index.js';

export const loadProtocol = (): typeof Protocol => require('./index.js') as typeof Protocol;
