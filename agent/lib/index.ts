/** What the command `polytrace` uses of this package. */
export { AgentClient, AgentError } from './client/client.js';
export { celFilter } from './client/cel-filter.js';
export { recordedEvents } from './client/recorded.js';
export { runAgent } from './main/run.js';
