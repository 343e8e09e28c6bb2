/** Loads the gRPC client when it is first needed. */
/* eslint-disable @typescript-eslint/no-require-imports */
import type * as Grpc from './client.js';

export const loadGrpc = (): typeof Grpc => require('./client.js') as typeof Grpc;
