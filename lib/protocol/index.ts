/**
 * Tetragon's protocol without a connection: its messages, filters of events, and conversions of events to messages and
 * back. The package polytrace-agent imports this file as `polytrace/protocol`, and other files of the library load it
 * when it is needed. It is internal: programs use `connect`.
 */
export * from '../chain/index.js';
export { EventEncoder, type LossFields } from '../encode/events.js';
export { makeAgentEvent } from '../events/made-events.js';
export type { EncodeOptions } from '../encode/options.js';
export type { ProcessEvent } from '../encode/process-encoder.js';
export { restoreRawBytes } from '../encode/raw-bytes.js';
export { Writer } from '../encode/writer.js';
export { compileFieldFilters } from '../filters/fields.js';
export { compileFilters, TYPE_NUMBERS, type EventTest, type FilteredEvent } from '../filters/filters.js';
export { FilterError, LIMITS } from '../filters/limits.js';
export {
  SEVERITIES,
  isRunbook,
  isSeverity,
  RUNBOOK_ANNOTATION,
  SEVERITY_ANNOTATION,
  SEVERITY_TAG,
  type Severity,
} from '../names/severity.js';
export { diffLines } from '../output/diff-lines.js';
export { parseLabelSelector } from '../output/labels.js';
export { escapeControls, formatJson, formatTable } from '../output/terminal-text.js';
export * from '../proto/grpc/health/v1/health.gen.js';
export * from '../proto/polytrace/alerts.gen.js';
export * from '../proto/polytrace/metrics.gen.js';
export * from '../proto/tetragon/eventlog.gen.js';
export * from '../proto/tetragon/events.gen.js';
export * from '../proto/tetragon/sensors.gen.js';
export * from '../proto/tetragon/tetragon.gen.js';
export { celFilter } from './cel-filter.js';
export { formatJsonLine, formatTimestamp, toJsonObject } from './json.js';
export { toMetricsMessages, toMetricsSample } from './metrics.js';
export { toPlainEvent } from './plain-event.js';
export { recordedEvents, recordingEvents, type ClientEvent } from './recorded-events.js';
export { omitServerAddress } from './server-name.js';
export { toGetEventsRequest, type EventsRequest } from './request.js';
