/** The event loop while policies come and go: nothing that waits for the kernel runs on the main thread. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { needsRoot, runScript } from './support.js';

/** Longest time that the event loop may stand still. */
const STANDSTILL_MS = 20;
const POLICIES = 20;

/** Asks a server on the port in argv again and again, eight requests at a time. */
const CLIENT = `const http = require('node:http');
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
const ask = () => http.get({ port: Number(process.argv[1]), agent }, (response) => response.resume().on('end', ask)).on('error', () => process.exit());
for (let i = 0; i < 8; i++) ask();`;

/** The longest time between two turns of the event loop. */
const WATCH = `const watch = { worst: 0, turns: 0 };
let last = performance.now();
(function turn() {
  const now = performance.now();
  watch.worst = Math.max(watch.worst, now - last);
  watch.turns++;
  last = now;
  setTimeout(turn, 1).unref();
})();`;

/** Other processes may take the processor for longer at any time, but not in every round. */
const ROUNDS = 4;

describe('standstill', function () {
  this.timeout(180_000);
  before(needsRoot);
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-standstill-'));
  const program = join(folder, 'numbered');
  before(() => void execFileSync('cc', ['-O1', '-o', program, join(__dirname, 'programs', 'numbered.c')]));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it(`at most ${STANDSTILL_MS} ms while ${POLICIES} policies are added and removed beside a server under load`, async () => {
    const { status, stdout, stderr } = await runScript(
      `${WATCH}
       const policy = (i) => ({ yaml: \`apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: p\${i} }
spec:
  uprobes:
    - path: ${program}
      symbols: [act]
      args: [{ index: 0, type: int64 }]
      selectors: [{ matchBinaries: [{ operator: In, values: [/srv/p\${i}] }] }]
  tracepoints:
    - subsystem: sched
      event: sched_process_exit
      raw: true
      args: [{ index: 0, type: nop }]
      selectors: [{ matchBinaries: [{ operator: In, values: [/srv/q\${i}] }] }]\` });
       let served = 0;
       const server = require('node:http').createServer((_, response) => { served++; response.end('hello'); });
       await new Promise((resolve) => server.listen(0, resolve));
       const client = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(CLIENT)}, String(server.address().port)]);
       const tracer = await polytrace.openTracer({ bufferSize: 1 << 20 });
       void (async () => { for await (const event of tracer); })();
       // what is compiled by V8 once is not measured
       await tracer.addPolicy(policy('warm'));
       await tracer.removePolicy('pwarm');
       while (served < 1000) await new Promise((resolve) => setImmediate(resolve));
       const servedBefore = served;
       const rounds = [];
       for (let round = 0; round < ${ROUNDS} && !(Math.min(...rounds) < ${STANDSTILL_MS}); round++) {
         watch.worst = 0;
         for (let i = 0; i < ${POLICIES}; i++) await tracer.addPolicy(policy(i));
         for (let i = 0; i < ${POLICIES}; i++) await tracer.removePolicy('p' + i);
         rounds.push(watch.worst);
       }
       await tracer.close();
       client.kill();
       server.closeAllConnections();
       server.close();
       out([rounds, watch.turns, served - servedBefore]);`,
      { timeout: 170_000, command: ['nice', '-n', '-19'] },
    );
    assert.deepEqual([status, stderr], [0, '']);
    const [rounds, turns, served] = JSON.parse(stdout) as [number[], number, number];
    assert.ok(turns > 100 && served > 100, `${turns} turns, ${served} requests served`);
    assert.ok(Math.min(...rounds) < STANDSTILL_MS, `${rounds.map((worst) => worst.toFixed(1)).join(', ')} ms`);
  });
});
