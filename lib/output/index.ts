export { formatCompact, summarizeEvent } from './compact.js';
export { fieldFilter } from './field-filter.js';
export { eventFilter } from './filters.js';
export { toJson } from './json.js';
export { redactor } from './redact.js';
export { findArgument, isFile, eventPath } from './event-values.js';
