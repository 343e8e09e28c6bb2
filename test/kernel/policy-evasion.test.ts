/** What each policy of the package and both file monitoring policies report of ways around them. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { policyLibrary } from '../../lib/index.js';
import type { ProcessKprobeEvent } from '../../types/index.js';
import {
  COLD_FOLDER,
  COLD_NAME,
  COVERED,
  DEVICE,
  EXAMPLE,
  FOLDER,
  MOUNT_POINT,
  OWN_SECRET,
  ROWS,
  SECRET,
  SHELL,
  UPSTREAM,
  type EvasionRow,
} from './policy-evasion-rows.js';
import { checkout, corpus, kernel, kprobeEvents, needsFile, Recording } from './support.js';

const PROGRAM = '/tmp/policy-evasion';
const LATE_PROGRAM = '/tmp/policy-evasion-late';
const UPSTREAM_FILE = join(corpus, 'quickstart__file_monitoring.yaml');
const POLICIES: readonly { readonly name: string; readonly file: string }[] = [
  { name: EXAMPLE, file: join(checkout, 'examples/file-monitoring.yaml') },
  { name: UPSTREAM, file: UPSTREAM_FILE },
  ...policyLibrary(),
];

function compilePrograms(): void {
  const compile = (program: string, ...names: readonly string[]): void =>
    void execFileSync('cc', ['-O1', '-Wall', '-Wextra', '-mno-red-zone', '-o', program, ...names.map((name) => join(__dirname, name))]); // prettier-ignore
  compile(PROGRAM, 'evasion.c', 'evasion-calls.c', 'evasion-names.c', 'evasion-entries.c');
  compile(LATE_PROGRAM, 'evasion-late.c');
}

function prepareFiles(): void {
  for (const folder of [FOLDER, MOUNT_POINT]) mkdirSync(folder, { recursive: true });
  for (const path of [SECRET, OWN_SECRET, COVERED, `${FOLDER}/fake`]) writeFileSync(path, 'x', { mode: 0o700 });
  chownSync(OWN_SECRET, 1000, 1000);
  if (kernel !== '6.12') return;
  const [image, content] = [`${FOLDER}/image`, `${FOLDER}/content`];
  mkdirSync(content);
  mkdirSync(COLD_FOLDER);
  writeFileSync(join(content, COLD_NAME), 'x');
  execFileSync('modprobe', ['-a', 'loop', 'ext4']);
  execFileSync('mkfs.ext4', ['-q', '-d', content, image, '8M']);
  execFileSync('losetup', [DEVICE, image]);
}

/** A process that has prepared a way before the policies are loaded. */
interface LateProcess {
  readonly pid: number;
  /** Lets the process act, and waits for its end. */
  readonly finish: () => Promise<void>;
}

/** Without a file, the leader is that of a program which a policy names. */
const lateCommand = ({ action }: EvasionRow): string[] =>
  action[0] === 'leader' && action.length === 2
    ? ['unshare', '-m', 'bash', '-c', `mount --bind ${LATE_PROGRAM} ${SHELL} && exec ${SHELL} ${action.join(' ')}`]
    : [LATE_PROGRAM, ...action.map(String)];

async function startLate(row: EvasionRow): Promise<LateProcess> {
  const [program = '', ...words] = lateCommand(row);
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    pid: Number(line.toString()),
    finish: async () => {
      const ended = once(child, 'exit');
      child.stdin.end();
      assert.deepEqual(await ended, [0, null]);
    },
  };
}

/** Performs the rows that need no preparation. Returns the processes of each. */
function runRows(rows: readonly EvasionRow[]): Map<EvasionRow, Set<number>> {
  const input = rows.map(({ action }, i) => `${[i, ...action].join('\t')}\0`).join('');
  const { status, stdout, stderr } = spawnSync(PROGRAM, { input, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const processes = new Map<EvasionRow, Set<number>>(rows.map((row) => [row, new Set()]));
  for (const [, row, pid] of stdout.matchAll(/^(\d+) (\d+)$/gm)) {
    processes.get(rows[Number(row)] as EvasionRow)?.add(Number(pid));
  }
  return processes;
}

describe(`ways around policies on ${kernel}`, function () {
  let events: ProcessKprobeEvent[] = [];
  let processes = new Map<EvasionRow, Set<number>>();
  let recording: Recording | undefined;

  before(async function () {
    needsFile(this, UPSTREAM_FILE);
    compilePrograms();
    prepareFiles();
    const late = new Map<EvasionRow, LateProcess>();
    for (const row of ROWS) if (row.late) late.set(row, await startLate(row));
    recording = await Recording.open(undefined);
    for (const { file } of POLICIES) await recording.tracer.addPolicy(file);
    const seen = await recording.eventsDuring(async () => {
      processes = runRows(ROWS.filter((row) => row.late !== true));
      for (const [row, { pid, finish }] of late) {
        processes.set(row, new Set([pid]));
        await finish();
      }
    });
    events = kprobeEvents(seen);
    assert.equal(recording.tracer.stats().lost, 0);
  });
  after(() => recording?.close());

  for (const row of ROWS) {
    for (const { name } of POLICIES) {
      const expected = row.reports[name] ?? [];
      it(`${row.title}: ${name} reports ${expected.join(', ') || 'nothing'}`, () => {
        const own = events.filter((event) => event.policyName === name && processes.get(row)?.has(event.process.pid));
        assert.deepEqual([...new Set(own.map((event) => event.functionName))].sort(), [...expected].sort());
      });
    }
  }
});
