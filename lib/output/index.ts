export { formatCompact, summaryOf } from './compact.js';
export { fieldFilter } from './field-filter.js';
export { eventFilter } from './filters.js';
export { toJson } from './json.js';
export { redactor } from './redact.js';
export { argOf, isFile, pathOf } from './event-values.js';
