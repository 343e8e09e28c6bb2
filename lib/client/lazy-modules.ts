/** Loads the messages of the protocol and the gRPC client. A program that only has tracers loads neither. */
/* eslint-disable @typescript-eslint/no-require-imports */
import type * as Grpc from '../grpc/client.js';
import type * as Protocol from '../protocol/index.js';

export const loadGrpc = (): typeof Grpc => require('../grpc/client.js') as typeof Grpc;

export const loadProtocol = (): typeof Protocol => require('../protocol/index.js') as typeof Protocol;
