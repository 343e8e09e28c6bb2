/** Loads the messages of the protocol. A program that reads no JSON lines does not load them. */
/* eslint-disable @typescript-eslint/no-require-imports */
import type * as Protocol from '../protocol/index.js';

export const loadProtocol = (): typeof Protocol => require('../protocol/index.js') as typeof Protocol;
