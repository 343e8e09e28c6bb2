/** What each policy of the package and both file monitoring policies report of ways around them. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { policyLibrary } from '../../lib/index.js';
import type { ProcessKprobeEvent, TracerStats } from '../../types/index.js';
import { NIGHTLY } from '../nightly.js';
import {
  COLD_FOLDER,
  COMPARED,
  DISK,
  DISK_FOLDER,
  DISK_PROGRAM,
  EMPTY,
  FAKE,
  FOLDER,
  JOB,
  JOBS,
  MODULE,
  PUBLIC_ADDRESS,
  SECRET,
  SHELL,
  TARGET,
  TEMPORARY,
  UPSTREAM,
  type Attack,
} from './policy-evasion-rows.js';
import { WAYS } from './policy-evasion-ways.js';
import { checkout, copyProgram, corpus, kernel, kprobeEvents, needsFile, Recording } from './support.js';

/** It is not in a file system in memory, whose programs the policy `memory-files` reports. */
const PROGRAM = '/run/vm/policy-evasion';
/** A mount namespace in which our program is at the path of a shell. */
const NAMESPACES = '/run/policy-evasion-namespaces';
const UPSTREAM_FILE = join(corpus, 'quickstart__file_monitoring.yaml');
const POLICIES: readonly { readonly name: string; readonly file: string }[] = [
  { name: UPSTREAM, file: UPSTREAM_FILE },
  ...policyLibrary().filter(({ name }) => COMPARED.includes(name)),
];

/** Several rows execute the same program, which a policy may report once in an hour. */
const withoutRates = (file: string): string =>
  readFileSync(file, 'utf8').replaceAll(/, rateLimit: \w+, rateLimitScope: \w+/g, '');
const ATTACKS = WAYS.flatMap(({ attacks }) => attacks);

/** Unpacks a module of the running kernel, from Debian's package on the machine or from test/vm/kernels.mjs. */
function unpackModule(): void {
  const release = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  const installed = `/lib/modules/${release}/kernel/drivers/net/dummy.ko.xz`;
  const kept = join(checkout, '.cache/kernels', kernel, 'dummy.ko');
  if (existsSync(installed)) writeFileSync(MODULE, execFileSync('xz', ['-dc', installed]));
  else if (existsSync(kept)) copyFileSync(kept, MODULE);
}

function prepareFiles(): void {
  for (const folder of [EMPTY, TARGET, JOBS, DISK_FOLDER, dirname(COLD_FOLDER)]) mkdirSync(folder, { recursive: true });
  for (const path of [SECRET, JOB, FAKE]) writeFileSync(path, 'x', { mode: 0o644 });
  copyFileSync('/usr/bin/true', TEMPORARY);
  chmodSync(FAKE, 0o755);
  execFileSync('mount', ['-t', 'cgroup2', 'none', dirname(COLD_FOLDER)]);
  mkdirSync(COLD_FOLDER);
  execFileSync('ip', ['address', 'add', `${PUBLIC_ADDRESS}/32`, 'dev', 'lo']);
  unpackModule();
  if (kernel === '6.12') prepareDisk();
}

/** The guests of other kernels have no modules. */
function prepareDisk(): void {
  const [image, content] = [`${FOLDER}/image`, `${FOLDER}/content`];
  mkdirSync(content);
  copyFileSync(PROGRAM, join(content, DISK_PROGRAM));
  execFileSync('modprobe', ['-a', 'ext4', 'loop', 'overlay']);
  execFileSync('mkfs.ext4', ['-q', '-d', content, image, '8M']);
  execFileSync('losetup', [DISK, image]);
}

/** unshare(1) keeps the namespace by a mount on a file, which must be on a private mount. */
function prepareShell(): void {
  mkdirSync(NAMESPACES);
  execFileSync('mount', ['--bind', '--make-private', NAMESPACES, NAMESPACES]);
  writeFileSync(`${NAMESPACES}/mnt`, '');
  execFileSync('unshare', [`--mount=${NAMESPACES}/mnt`, 'mount', '--bind', PROGRAM, SHELL]);
}

interface Outcome {
  readonly processes: ReadonlySet<number>;
  /** What the attack printed if it failed. */
  readonly failure: string | undefined;
}

/** Our program, or the same at the path of a shell. */
const command = (isShell = false): string[] => (isShell ? ['nsenter', `--mount=${NAMESPACES}/mnt`, SHELL] : [PROGRAM]);

/** A late attack, which waits for the policies. */
class WaitingAttack {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<unknown[]>;
  #output = '';
  #errors = '';

  constructor(readonly attack: Attack) {
    const [program, ...before] = command(attack.shell);
    this.#child = spawn(program as string, [...before, 'run', '0', ...attack.action.map(String)]);
    this.#child.stdout.on('data', (text: Buffer) => (this.#output += text.toString()));
    this.#child.stderr.on('data', (text: Buffer) => (this.#errors += text.toString()));
    this.#ended = once(this.#child, 'close');
  }

  /** Resolves when the attack waits, or has failed. */
  async untilReady(): Promise<void> {
    let isRunning = true;
    const ended = this.#ended.then(() => (isRunning = false));
    while (isRunning && !/^ready$/m.test(this.#output)) await Promise.race([once(this.#child.stdout, 'data'), ended]);
  }

  /** Lets the attack act. */
  async finish(): Promise<Outcome> {
    this.#child.stdin.end();
    const [status] = await this.#ended;
    const processes = new Set([...this.#output.matchAll(/^0 (\d+)$/gm)].map(([, pid]) => Number(pid)));
    return { processes, failure: status === 0 ? undefined : this.#errors.trim() };
  }
}

/** Performs attacks one after the other. The program prints the row and the pid of each process, and of each failure. */
function runBatch(attacks: readonly Attack[], outcomes: Map<Attack, Outcome>): void {
  const [program, ...before] = command(attacks[0]?.shell);
  const input = attacks.map(({ action }, i) => `${[i, ...action].join('\t')}\0`).join('');
  const { stdout, stderr } = spawnSync(program as string, before, { input, encoding: 'utf8' });
  const pids = [...stdout.matchAll(/^(\d+) (\d+)$/gm)];
  const failures = [...stderr.matchAll(/([^]*?)^(\d+) .*: status \d+\n/gm)];
  for (const [i, attack] of attacks.entries()) {
    const own = pids.filter(([, row]) => Number(row) === i);
    const failure = failures.find(([, , row]) => Number(row) === i)?.[1]?.trim();
    outcomes.set(attack, { processes: new Set(own.map(([, , pid]) => Number(pid))), failure });
  }
}

/** Performs all attacks. The late ones are prepared before `loadPolicies`. */
async function runAttacks(loadPolicies: () => Promise<void>): Promise<Map<Attack, Outcome>> {
  const late = ATTACKS.filter((attack) => attack.late).map((attack) => new WaitingAttack(attack));
  for (const waiting of late) await waiting.untilReady();
  await loadPolicies();
  const outcomes = new Map<Attack, Outcome>();
  for (const waiting of late) outcomes.set(waiting.attack, await waiting.finish());
  const others = ATTACKS.filter((attack) => !attack.late);
  for (const isShell of [false, true]) runBatch(others.filter(({ shell = false }) => shell === isShell), outcomes); // prettier-ignore
  return outcomes;
}

describe(`ways around policies on ${kernel}`, function () {
  let events: ProcessKprobeEvent[] = [];
  /** At night, the attacks are also made without policies. */
  let alone: Map<Attack, Outcome> | undefined;
  let watched = new Map<Attack, Outcome>();
  let recording: Recording | undefined;

  before(async function () {
    needsFile(this, UPSTREAM_FILE);
    copyProgram('evasion', PROGRAM);
    prepareFiles();
    prepareShell();
    if (NIGHTLY) alone = await runAttacks(() => Promise.resolve());
    const own = (recording = await Recording.open(undefined));
    let lostWhileLoading: TracerStats['lostByHook'] = [];
    const seen = await own.eventsDuring(async () => {
      watched = await runAttacks(async () => {
        for (const { file } of POLICIES) await own.tracer.addPolicy({ yaml: withoutRates(file) });
        // While a tracer changes a map, a preemptible kernel skips kprobes on its CPU, and counts them as missed.
        lostWhileLoading = own.tracer.stats().lostByHook;
      });
    });
    events = kprobeEvents(seen);
    assert.deepEqual(own.tracer.stats().lostByHook, lostWhileLoading);
    const unexpected = lostWhileLoading.filter(({ reason }) => kernel !== 'newest' || reason !== 'missed');
    assert.deepEqual(unexpected, []);
  });
  after(async () => {
    spawnSync('ip', ['address', 'del', `${PUBLIC_ADDRESS}/32`, 'dev', 'lo']);
    await recording?.close();
  });

  /** The functions of the policy's events about the attack. */
  const listFunctions = (attack: Attack, policy: string): string[] => {
    const processes = watched.get(attack)?.processes ?? new Set();
    const own = events.filter((event) => event.policyName === policy && processes.has(event.process.pid));
    return [...new Set(own.map((event) => event.functionName))].sort();
  };

  for (const { name: way, attacks } of WAYS) {
    describe(way, () => {
      for (const attack of attacks) {
        const { title, reports = {}, open = {} } = attack;
        const lack = attack.lacks?.[kernel];
        // An attack that fails would prove nothing. The policies of the table stop none.
        it(`${title}: ${lack === undefined ? 'succeeds' : `this kernel cannot: ${lack}`}`, () => {
          for (const outcomes of alone === undefined ? [watched] : [alone, watched]) {
            assert.notEqual(outcomes.get(attack)?.processes.size, 0);
            assert.equal(outcomes.get(attack)?.failure, lack);
          }
        });
        if (lack !== undefined) continue;
        for (const { name } of POLICIES) {
          const expected = [...(reports[name] ?? [])].sort();
          const what = open[name] === undefined ? 'nothing' : `nothing. ${open[name]}`;
          it(`${title}: ${name} reports ${expected.join(', ') || what}`, () => {
            assert.deepEqual(listFunctions(attack, name), expected);
          });
        }
      }
    });
  }
});
