/** Two policies report many techniques to reach a file. The table is printed at the end. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatCompact } from '../../lib/index.js';
import type { ProcessKprobeEvent } from '../../types/index.js';
import {
  EMPTY,
  FAKE,
  FOLDER,
  HOME_KEYS,
  SECRETS,
  SYSTEM_FILES,
  TARGET,
  TECHNIQUES,
  type Technique,
} from './evasion-techniques.js';
import { checkout, copyProgram, corpus, kprobeEvents, kernel, needsFile, Recording } from './support.js';

const PROGRAM = '/tmp/evasion';
const NODE = 'guest';
const UPSTREAM = join(corpus, 'quickstart__file_monitoring.yaml');
const POLICIES = {
  example: { file: join(checkout, 'policies/file-monitoring.yaml'), name: 'file-monitoring' },
  upstream: { file: UPSTREAM, name: 'file-monitoring-filtered' },
} as const;
type PolicyKey = keyof typeof POLICIES;

/** Characters of a path that stand for bytes which TypeScript cannot write in a name. */
const encodePath = (path: string): Buffer =>
  Buffer.from(path.replace('\\n', '\n').replace('\\xff', '\u00ff'), path.includes('\\xff') ? 'latin1' : 'utf8');

function prepareFiles(): void {
  copyProgram('evasion', PROGRAM);
  if (kernel === '6.12') execFileSync('modprobe', ['-a', 'overlay', 'loop']);
  for (const folder of [EMPTY, TARGET, HOME_KEYS, '/root/.ssh']) mkdirSync(folder, { recursive: true });
  const beside = ['exchange', 'race', 'over'].map((name) => join(FOLDER, name));
  const page = 'x'.repeat(8192);
  for (const path of [...SYSTEM_FILES, FAKE, ...beside, join(HOME_KEYS, 'id_rsa')]) writeFileSync(path, page);
  for (const path of [...SECRETS, '/etc/shadow-folder', '/etc/shadow-own']) {
    writeFileSync(encodePath(path), page, { mode: 0o700 });
  }
  chownSync('/etc/shadow-own', 1000, 1000);
  symlinkSync('/etc/shadow-symlink', join(FOLDER, 'symlink'));
}

/** Performs all techniques. Returns the processes of each. */
function runTechniques(): Map<Technique, Set<number>> {
  const lines = TECHNIQUES.map(({ action }, i) => encodePath(`${[i, ...action].join('\t')}\0`));
  const { status, stdout, stderr } = spawnSync(PROGRAM, { input: Buffer.concat(lines), encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const processes = new Map<Technique, Set<number>>(TECHNIQUES.map((technique) => [technique, new Set()]));
  for (const line of stdout.trim().split('\n')) {
    const [technique, pid] = line.split(' ').map(Number);
    const own = TECHNIQUES[technique ?? -1];
    assert.ok(own !== undefined && pid !== undefined, line);
    processes.get(own)?.add(pid);
  }
  return processes;
}

/** The label and the detail of the compact line. Numbers of inodes and long paths have placeholders. */
function formatLine(event: ProcessKprobeEvent): string {
  const [before = '', detail = ''] = formatCompact(event).split(` ${event.process.binary} `);
  const label = before.split(' ').filter((word) => word !== '' && word !== NODE)[1] ?? '';
  return `${label} ${detail.replace(/#\d+/, '#N').replace(/\S{1000,}/, '(long)')}`;
}

describe(`techniques to reach a file on ${kernel}`, function () {
  const seen: Record<PolicyKey, Map<Technique, string[]>> = { example: new Map(), upstream: new Map() };
  let recording: Recording | undefined;

  before(async function () {
    needsFile(this, UPSTREAM);
    prepareFiles();
    recording = await Recording.open(undefined, { nodeName: NODE });
    for (const { file } of Object.values(POLICIES)) await recording.tracer.addPolicy(file);
    let processes = new Map<Technique, Set<number>>();
    const events = kprobeEvents(await recording.eventsDuring(() => void (processes = runTechniques())));
    assert.equal(recording.tracer.stats().lost, 0);
    for (const [key, { name }] of Object.entries(POLICIES) as [PolicyKey, { name: string }][]) {
      for (const [technique, pids] of processes) {
        const own = events.filter((event) => event.policyName === name && pids.has(event.process.pid));
        seen[key].set(technique, [...new Set(own.map(formatLine))].sort());
      }
    }
  });
  after(async () => {
    await recording?.close();
    for (const technique of TECHNIQUES) {
      const [ours, theirs] = [seen.example.get(technique) ?? [], seen.upstream.get(technique) ?? []];
      const labels = (lines: string[]): string => lines.map((line) => line.split(' ')[0]).join(', ') || '-';
      console.log(`      ${technique.title.padEnd(52)} ${labels(ours).padEnd(14)} ${labels(theirs)}`);
    }
  });

  for (const technique of TECHNIQUES) {
    for (const key of ['example', 'upstream'] as const) {
      it(`${technique.title}: ${key} reports ${technique[key].map((line) => line.split(' ')[0]).join(', ') || 'nothing'}`, () => {
        assert.deepEqual(seen[key].get(technique), [...technique[key]].sort());
      });
    }
  }
});
