/** What the command `polytrace` uses of this package. */
export { AgentClient, AgentError } from './client/client.js';
export { celFilter } from './client/cel-filter.js';
export { recordedEvents } from './client/recorded.js';
export { runAgent } from './main/run.js';
export { ReportFile } from './report/file.js';
export { LiveReport } from './report/live.js';
export { ReportRows } from './report/rows.js';
