/** Reports: pages for a browser with events, in a file or live. */
export { ReportFile } from './file.js';
export { LiveReport } from './live.js';
export { ReportRows } from './rows.js';
