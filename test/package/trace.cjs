// Runs where the package was installed: prints one line when a tracer has reported the exec of /bin/true.
const assert = require('node:assert');
const { spawn } = require('node:child_process');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const polytrace = require('polytrace');

async function trace() {
  const tracer = await polytrace.openTracer();
  const events = tracer.events({ types: ['process_exec'] });
  const first = events.next();
  const child = spawn('/bin/true');
  const findExec = async () => {
    for (let result = await first; !result.done; result = await events.next()) {
      if (result.value.type === 'process_exec' && result.value.process.pid === child.pid)
        return result.value.process.binary;
    }
    throw new Error('the events ended');
  };
  const binary = await findExec();
  await tracer.close();
  return binary;
}

async function main() {
  assert.deepEqual(polytrace.validatePolicy('x: 1').filter(({ severity }) => severity === 'error').length > 0, true);
  const imported = await import('polytrace');
  assert.equal(imported.openTracer, polytrace.openTracer);
  const binary = await trace();
  const worker = new Worker(__filename, { workerData: 'trace' });
  const messages = [];
  worker.on('message', (message) => messages.push(message));
  const status = await new Promise((resolve, reject) => worker.on('error', reject).on('exit', resolve));
  assert.deepEqual({ status, messages }, { status: 0, messages: [binary] });
  console.log(`TRACED ${binary} Node.js ${process.versions.node}`);
}

if (isMainThread) void main();
else if (workerData === 'trace') void trace().then((binary) => parentPort.postMessage(binary));
