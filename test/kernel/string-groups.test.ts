/** Policies on several strings or paths that share a program report the same calls as with programs of their own. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import type { HookStatus, PolicySource, ProcessKprobeEvent } from '../../types/index.js';
import { NIGHTLY } from '../nightly.js';
import { randomPick } from '../random.js';
import { argumentValue, kprobePolicy, onKernelWithGroups, Recording } from './support.js';

/** On the root's file system: the mount of a dentry is a guess. */
const FOLDER = '/srv/string-groups';
/** Longer than the strings of the hash table, and than the bytes in which a program keeps a path. */
const DEEP = 'deep/'.repeat(16);
const ENDLESS = `${'endless'.repeat(30)}/`.repeat(22);
const POLICIES = NIGHTLY ? 24 : 12;

/** The policies are the same in each run. */
const SEED = 11;
type Pick = ReturnType<typeof randomPick>;

interface Kind {
  readonly title: string;
  readonly call: string;
  readonly args: string;
  /** The indexes of the strings that are filtered. */
  readonly slots: readonly number[];
  readonly values: Readonly<Record<string, readonly string[]>>;
  readonly workload: () => void;
}

const FILES = ['a', 'b', 'cc.txt', 'sub/a', 'sub/d.txt', `${DEEP}a`];

/** By another process, as the calls of the tracer are not reported. */
function runPerl(script: string, ...args: readonly string[]): void {
  execFileSync('perl', ['-e', script, ...args], { cwd: FOLDER });
}

function renameAll(): void {
  for (const folder of [`${FOLDER}/sub`, `${FOLDER}/${DEEP}`]) mkdirSync(folder, { recursive: true });
  const pairs = FILES.flatMap((from) => FILES.filter((to) => to !== from).map((to) => [from, to] as const));
  const rename =
    'while (@ARGV) { my ($from, $to) = splice(@ARGV, 0, 2); open(F, ">$from"); rename($from, $to) or die; }';
  runPerl(rename, ...pairs.flat());
  // the kernel takes no path as long as this one, so the program goes down step by step
  const script = 'for (@ARGV) { mkdir $_; chdir $_ or die; } open(F, ">a") or die; rename("a", "b") or die;';
  const steps = ENDLESS.split('/').slice(0, -1);
  runPerl(script, ...steps);
  execFileSync('rm', ['-r', `${FOLDER}/${steps[0]}`]);
}

/** By mount(2): the command of util-linux uses other system calls. */
function mountAll(): void {
  mkdirSync(`${FOLDER}/sub`, { recursive: true });
  for (const [source, target, type] of [
    ['one', FOLDER, 'tmpfs'],
    ['two', `${FOLDER}/sub`, 'tmpfs'],
    ['proc', `${FOLDER}/sub`, 'proc'],
    ['none', `${FOLDER}/sub`, 'no-such-type'],
  ] as const) {
    mkdirSync(target, { recursive: true });
    const { status } = spawnSync('busybox', ['mount', '-t', type, source, target], { stdio: 'ignore' });
    if (status === 0) execFileSync('umount', [target]);
  }
}

const RENAMES = {
  Equal: [`${FOLDER}/a`, `${FOLDER}/b`, `${FOLDER}/sub/a`, `${FOLDER}/${DEEP}a`],
  Prefix: [`${FOLDER}/`, `${FOLDER}/sub`, `${FOLDER}/c`, `${FOLDER}/endless`, `${FOLDER}/${DEEP}`],
  Postfix: ['.txt', '/a', '/sub/a', 'b'],
};

const KINDS: readonly Kind[] = [
  {
    title: 'the old and the new path of a rename',
    call: 'security_path_rename',
    args: '[{index: 1, type: dentry}, {index: 3, type: dentry}]',
    slots: [1, 3],
    values: RENAMES,
    workload: renameAll,
  },
  {
    title: 'the folders and the paths of a rename',
    call: 'security_path_rename',
    args: '[{index: 0, type: path}, {index: 1, type: dentry}, {index: 2, type: path}, {index: 3, type: dentry}]',
    slots: [0, 1, 2, 3],
    values: {
      Equal: [FOLDER, `${FOLDER}/a`, `${FOLDER}/sub`, `${FOLDER}/sub/a`],
      Prefix: ['/srv', `${FOLDER}/`, `${FOLDER}/sub`, `${FOLDER}/endless`],
      Postfix: ['.txt', '/a', 'sub', 's'],
    },
    workload: renameAll,
  },
  {
    title: 'the new path of a rename alone',
    call: 'security_path_rename',
    args: '[{index: 1, type: dentry}, {index: 3, type: dentry}]',
    slots: [3],
    values: RENAMES,
    workload: renameAll,
  },
  {
    title: 'the path and the type of a mount',
    call: 'security_sb_mount',
    args: '[{index: 0, type: string}, {index: 1, type: path}, {index: 2, type: string}]',
    slots: [1, 2],
    values: {
      Equal: [FOLDER, 'tmpfs', `${FOLDER}/sub`],
      Prefix: ['/srv/', 't', 'proc', FOLDER],
      Postfix: ['fs', '/sub', 'c'],
    },
    workload: mountAll,
  },
];

function randomFilter(pick: Pick, kind: Kind, index: number): string {
  const operator = pick(['Equal', 'Prefix', 'Postfix', 'Equal', 'Prefix', 'NotEqual', 'NotPrefix', 'NotPostfix']);
  const choices = kind.values[operator.replace('Not', '')] ?? [];
  const values = [...new Set([pick(choices), pick(choices)])];
  return `{index: ${index}, operator: ${operator}, values: ${JSON.stringify(values)}}`;
}

/** Each selector needs a value: one without filters, or with negated ones only, has another group. */
function randomPolicies(kind: Kind, count: number): PolicySource[] {
  const pick = randomPick(SEED);
  return Array.from({ length: count }, (_, i) => {
    const selectors = Array.from({ length: pick([1, 1, 2, 3]) }, () => {
      const filters = Array.from({ length: pick([0, 1, 2]) }, () => randomFilter(pick, kind, pick(kind.slots)));
      const operator = pick(['Equal', 'Prefix', 'Postfix']);
      const values = JSON.stringify([pick(kind.values[operator] ?? [])]);
      const leading = `{index: ${pick(kind.slots)}, operator: ${operator}, values: ${values}}`;
      return `- matchArgs: [${[leading, ...filters].join(', ')}]`;
    });
    // each hook names each of the strings, so that all of them are of one kind
    const last = kind.slots.map((slot) => `{index: ${slot}, operator: Equal, values: [/none/${i}]}`);
    const all = [...selectors, `- matchArgs: [${last.join(', ')}]`];
    const hook = `call: ${kind.call}
syscall: false
args: ${kind.args}
selectors:
${all.join('\n')}`;
    return { yaml: kprobePolicy(`random-${i}`, hook) };
  });
}

function describeEvent({ policyName, selector, process, args }: ProcessKprobeEvent): string {
  const values = args.map((arg) => (arg.type === 'dentry' || arg.type === 'path' ? arg.path : argumentValue(arg)));
  return [policyName, selector, process.binary, ...values].join(' ');
}

interface Run {
  readonly hooks: readonly HookStatus[];
  readonly events: readonly string[];
}

async function run(kind: Kind, policies: readonly PolicySource[], groupPolicies: boolean): Promise<Run> {
  const recording = await Recording.open(undefined, { groupPolicies });
  try {
    for (const policy of policies) await recording.tracer.addPolicy(policy);
    const events = await recording.hooksDuring(kind.workload);
    return { hooks: recording.tracer.policies().flatMap((policy) => policy.hooks), events: events.map(describeEvent) };
  } finally {
    await recording.close();
  }
}

const describeWithGroups = onKernelWithGroups() ? describe : (): void => {};

describeWithGroups('policies on several strings that share a program', function () {
  afterEach(() => {
    execFileSync('rm', ['-rf', FOLDER]);
  });

  for (const kind of KINDS) {
    it(`${kind.title}: random policies report the same calls as with programs of their own`, async () => {
      const policies = randomPolicies(kind, POLICIES);
      const grouped = await run(kind, policies, true);
      const separate = await run(kind, policies, false);
      for (const hook of grouped.hooks) assert.equal(hook.grouped, true, hook.separate);
      for (const hook of separate.hooks) assert.notEqual(hook.grouped, true);
      assert.deepEqual([...grouped.events].sort(), [...separate.events].sort());
      const reporting = new Set(grouped.events.map((event) => event.split(' ')[0]));
      assert.ok(reporting.size > POLICIES / 3, `${reporting.size} policies reported calls`);
      assert.ok(grouped.events.length > POLICIES / 2, `${grouped.events.length} events`);
    });
  }
});
