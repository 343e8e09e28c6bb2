/** What the command `polytrace` uses of this package. */
export { runAgent, type AgentHost } from './main/run.js';
