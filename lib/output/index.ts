export { formatCompact } from './compact.js';
export { eventFilter } from './filters.js';
export { toJson } from './json.js';
