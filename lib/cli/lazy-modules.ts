/** Loads the parts of the package that few commands use. Loading them takes longer than the start of the command. */
/* eslint-disable @typescript-eslint/no-require-imports */
import type * as Grpc from '../grpc/client.js';
import type * as Protocol from '../protocol/index.js';
import type * as Report from '../report/index.js';

/** The client of an agent. */
export const loadGrpc = (): typeof Grpc => require('../grpc/client.js') as typeof Grpc;

/** Messages, filters and conversions of events. */
export const loadProtocol = (): typeof Protocol => require('../protocol/index.js') as typeof Protocol;

/** Pages with events. */
export const loadReport = (): typeof Report => require('../report/index.js') as typeof Report;
