/** The API that the command `polytrace` uses. */
export { AgentClient, AgentError } from './client/client.js';
export { celFilter } from './client/cel-filter.js';
export { recordedEvents } from './client/recorded-events.js';
export { runAgent } from './main/run.js';
export { ReportFile } from './report/file.js';
export { LiveReport } from './report/live.js';
export { ReportRows } from './report/rows.js';
