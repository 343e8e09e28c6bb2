// Internal modules of the compiled library, with the types of their sources. The published library is one file of the
// same sources.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export const { BatchIterator, EventIterator } =
  require('../dist/stream/consumer.js') as typeof import('../lib/stream/consumer.js');
export const { LineIterator } =
  require('../dist/stream/line-iterator.js') as typeof import('../lib/stream/line-iterator.js');
export const { findLineWriter } =
  require('../dist/lines/line-writer.js') as typeof import('../lib/lines/line-writer.js');
export const { Hub } = require('../dist/stream/hub.js') as typeof import('../lib/stream/hub.js');
export const { formatCompact } = require('../dist/output/compact.js') as typeof import('../lib/output/compact.js');
export const { toJson } = require('../dist/output/json.js') as typeof import('../lib/output/json.js');
export const { compactLines } =
  require('../dist/lines/compact-lines.js') as typeof import('../lib/lines/compact-lines.js');
export const { jsonLines } = require('../dist/lines/json-lines.js') as typeof import('../lib/lines/json-lines.js');
export const { messageFrames } =
  require('../dist/lines/message-frames.js') as typeof import('../lib/lines/message-frames.js');
export const { newTally } = require('../dist/events/hook.js') as typeof import('../lib/events/hook.js');
export const { ProcessCache } = require('../dist/process/cache.js') as typeof import('../lib/process/cache.js');
export const { Clock } = require('../dist/process/clock.js') as typeof import('../lib/process/clock.js');
export const { getEvents } = require('../dist/cli/getevents.js') as typeof import('../lib/cli/getevents.js');
export const layout = require('../dist/wire/layout.gen.js') as typeof import('../lib/wire/layout.gen.js');
export const { EventEncoder } = require('../dist/protocol/index.js') as typeof import('../lib/protocol/index.js');
export const { EventHub } = require('../agent/dist/streams/hub.js') as typeof import('../agent/lib/streams/hub.js');
export const { EventCalls } =
  require('../agent/dist/grpc/get-events.js') as typeof import('../agent/lib/grpc/get-events.js');
export const { GrpcServer } = require('../agent/dist/grpc/server.js') as typeof import('../agent/lib/grpc/server.js');
export const { sensorsService } =
  require('../agent/dist/grpc/sensors.js') as typeof import('../agent/lib/grpc/sensors.js');
export const { ApiClient } =
  require('../agent/dist/kubernetes/client.js') as typeof import('../agent/lib/kubernetes/client.js');
export const { StatusWriter } =
  require('../agent/dist/kubernetes/status.js') as typeof import('../agent/lib/kubernetes/status.js');
export const { Watch } =
  require('../agent/dist/kubernetes/watch.js') as typeof import('../agent/lib/kubernetes/watch.js');
export const { openLog } = require('../agent/dist/log/log.js') as typeof import('../agent/lib/log/log.js');
