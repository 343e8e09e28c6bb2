/** The public interface; types/index.d.ts describes it. */
export * from './policies.js';
export { connect } from './client/connect.js';
export {
  findArgument,
  eventFilter,
  fieldFilter,
  formatCompact,
  isFile,
  eventPath,
  redactor,
  summarizeEvent,
  toJson,
} from './output/index.js';
export { compactLines } from './lines/compact-lines.js';
export { jsonLines } from './lines/json-lines.js';
export { messageFrames } from './lines/message-frames.js';
export { recorder } from './recording/recorder.js';
export { readEvents } from './recording/read-events.js';
export { recordingReader } from './recording/reader.js';
export { replayer } from './recording/replay.js';
export { defineRule } from './rules/define.js';
export { detect, ruleEngine } from './rules/engine.js';
export { fromPolicy, ofType } from './rules/steps.js';
export { preflight } from './native/preflight.js';
export { peerCredentials } from './native/peer.js';
export { notifyService, sendDatagram } from './native/service.js';
export { hostGaps } from './tracer/host-gaps.js';
export { makeEvent } from './testing/make-event.js';
export { run } from './run/run.js';
export { compareLocks, formatLock, parseLock } from './run/lock.js';
export { lockPolicy } from './run/lock-policy.js';
export { formatRunSummary } from './run/summary.js';
export { checkExceptions, learnExceptions } from './learn/learn-exceptions.js';
export { learnService, servicePolicy } from './learn/learn-service.js';
export { openTracer, removePersisted } from './tracer/tracer.js';
export { tryTracing } from './tracer/try-tracing.js';
