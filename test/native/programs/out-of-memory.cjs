// Lets calls for memory, mappings, threads, bpf(2) and perf_event_open(2) fail, one after the other, while a tracer is opened, changed
// and closed: out-of-memory.cjs OPERATION once|from STRIDE PROGRAM. It prints what came of each as JSON.
'use strict';
const { readdirSync, readlinkSync } = require('node:fs');
const polytrace = require('../../..');
const { ALL, Faults } = require('./faults.cjs');

const [operation, how, stride, program] = process.argv.slice(2);
const faults = new Faults(process.env.FAULTS_FILE);
delete process.env.LD_PRELOAD;

const POLICY = {
  yaml: `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: both }
spec:
  uprobes: [{ path: ${program}, symbols: [act], args: [{ index: 0, type: int64 }] }]
  tracepoints:
    - subsystem: sched
      event: sched_process_exit
      raw: true
      args: [{ index: 0, type: nop }]
      selectors: [{ matchBinaries: [{ operator: In, values: [/srv/one], followChildren: true }] }]`,
};

const open = () => polytrace.openTracer({ bufferSize: 131072 });
const openWithPolicy = () => polytrace.openTracer({ bufferSize: 131072, policies: [POLICY] });

/** `again` follows a failure, with the same state. `end` leaves nothing behind. */
const OPERATIONS = {
  open: {
    prepare: () => ({}),
    run: async (state) => void (state.tracer = await open()),
    end: ({ tracer }) => tracer.close(),
  },
  addPolicy: {
    prepare: async () => ({ tracer: await open() }),
    run: ({ tracer }) => tracer.addPolicy(POLICY),
    end: async ({ tracer }) => {
      await tracer.removePolicy('both');
      await tracer.close();
    },
  },
  removePolicy: {
    prepare: async () => ({ tracer: await openWithPolicy() }),
    run: ({ tracer }) => tracer.removePolicy('both'),
    end: async ({ tracer }) => {
      await tracer.addPolicy(POLICY);
      await tracer.close();
    },
  },
  close: {
    prepare: async () => ({ tracer: await openWithPolicy() }),
    run: ({ tracer }) => tracer.close(),
    end: () => undefined,
  },
};

/** What each descriptor refers to, without the one that lists them. */
function descriptors() {
  const targets = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
  return targets.map((target) => target.replace(/\d+/g, 'N')).sort();
}

async function recordSites({ prepare, run, end }) {
  const state = await prepare();
  faults.record(ALL);
  await run(state);
  faults.off();
  const { sites } = faults;
  await end(state);
  return sites;
}

async function attempt(site, { prepare, run, end }) {
  const before = descriptors();
  const state = await prepare();
  let error;
  if (how === 'once') faults.failOnce(site);
  else faults.failFrom(site);
  try {
    await run(state);
  } catch (caught) {
    error = caught;
  }
  const { hits } = faults;
  faults.off();
  if (error !== undefined) await run(state);
  await end(state);
  const after = descriptors();
  const leaked = after.filter((each, i) => after.indexOf(each) === i && count(after, each) > count(before, each));
  return { outcome: toOutcome(error), hits, leaked };
}

function toOutcome(error) {
  if (error === undefined) return 'works';
  const isLimit = error instanceof polytrace.PolytraceError && error.code.startsWith('LIMIT_');
  return isLimit ? error.code : `${error.code} ${error.errno}: ${error.stack}`;
}

const count = (list, value) => list.filter((each) => each === value).length;

async function main() {
  const each = OPERATIONS[operation];
  // what is done once for the whole process is done
  await recordSites(each);
  const sites = await recordSites(each);
  const results = [];
  for (let i = 0; i < sites.length; i += Number(stride)) {
    if (process.env.FAULTS_SHOW !== undefined) console.error(`---- ${i}`);
    results.push(await attempt(sites[i], each));
  }
  console.log(JSON.stringify({ sites: sites.length, results }));
}

main().catch((error) => {
  console.error(error);
  process.exit(9);
});
