/** The package polytrace-agent: the server. The command `polytrace agent` runs it. */
export { runAgent } from './main/run.js';
