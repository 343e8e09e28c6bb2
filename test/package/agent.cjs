// Runs where both packages were installed: prints one line when a client of the agent has received the exec of /bin/true.
const { spawn } = require('node:child_process');
const { dirname, join } = require('node:path');
const { createInterface } = require('node:readline');
const polytrace = require('polytrace');

/** Starts the agent, and resolves when it is ready. */
async function startAgent(address) {
  const command = join(dirname(require.resolve('polytrace/package.json')), 'dist/cli/main.js');
  const args = [command, 'agent', '--log-format', 'json', '--server-address', address];
  const agent = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'pipe'] });
  await new Promise((resolve, reject) => {
    createInterface({ input: agent.stderr }).on('line', (line) => {
      console.log(line);
      if (line.includes('"msg":"ready"')) resolve();
    });
    agent.once('exit', (status) => reject(new Error(`the agent ended with status ${status}`)));
  });
  return agent;
}

async function main() {
  const address = `unix://${process.cwd()}/agent.sock`;
  const agent = await startAgent(address);
  const connection = await polytrace.connect(address);
  const started = new Set();
  // the agent sends what happens after it has the request
  const timer = setInterval(() => started.add(spawn('/bin/true').pid), 200);
  for await (const event of connection.events({ types: ['process_exec'] })) {
    if (event.type !== 'process_exec' || !started.has(event.process.pid)) continue;
    console.log(`TRACED ${event.process.binary} Node.js ${process.versions.node}`);
    break;
  }
  clearInterval(timer);
  await connection.close();
  agent.kill();
}

void main();
