/** killed-agent.ts FOLDER SERVER...: an agent that is killed while events are only in its memory. */
import { setTimeout as wait } from 'node:timers/promises';
import { openNode } from '../support.js';

const [folder = '', ...servers] = process.argv.slice(2);

void (async () => {
  const node = await openNode('killed', folder, servers);
  node.add(1000);
  while (node.fleet.stats.sent < 1000) await wait(10);
  node.add(300);
  process.kill(process.pid, 'SIGKILL');
})();
