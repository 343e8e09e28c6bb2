/**
 * Policies, calls of a program, and the events that Tetragon reported for these calls. They are in a folder next to
 * the checkout, like the published policies.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toJson } from '../../lib/index.js';
import type { TracerEvent } from '../../types/index.js';
import { checkout, corpus } from './support.js';

const folder = join(corpus, '..', '..', 'facts', 'oracle');
const PROGRAMS = '/tmp/t';

interface OracleCase {
  readonly name: string;
  readonly steps: readonly string[];
  readonly exe?: string;
}

/** An event as the comparison sees it: the members that a policy decides about, without numbers of one boot. */
export type ComparedEvent = Readonly<Record<string, unknown>>;

export function readCases(): OracleCase[] {
  const file = join(folder, 'cases.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as OracleCase[]) : [];
}

/** `1234` in a policy is the process id of the program's parent. */
export function readOraclePolicy(name: string): string {
  return readFileSync(join(folder, 'policies', `${name}.yaml`), 'utf8').replace(/\b1234\b/g, String(process.pid));
}

/** Makes the programs and the files that their steps use. */
export function prepareOracle(): void {
  for (const path of [PROGRAMS, '/tmp/d/sub', '/tmp/d/mnt', '/tmp/x']) mkdirSync(path, { recursive: true });
  copyFileSync(join(__dirname, 'oracle-probes.h'), `${PROGRAMS}/sdt.h`);
  const options = ['-O1', '-w', '-no-pie', '-I', PROGRAMS, '-I', checkout];
  for (const name of ['ex', 'ex2', 'ex3']) {
    execFileSync('cc', [...options, '-o', `${PROGRAMS}/${name}`, join(folder, `${name}.c`)]);
  }
  execFileSync('cc', ['-m32', '-static', '-nostdlib', '-w', '-o', `${PROGRAMS}/ex32`, join(folder, 'ex32.c')]);
  for (const copy of ['exA', 'exB']) {
    copyFileSync(`${PROGRAMS}/ex`, `${PROGRAMS}/${copy}`);
    linkSync(`${PROGRAMS}/ex2`, `${PROGRAMS}/${copy}2`);
  }
  const files = { 'a.txt': 'content of a\n', 'sub/b.conf': 'b\n', 'sub/c.txt': 'c\n', r1: 'rename me', 'w.txt': '' };
  for (const [name, text] of Object.entries({ ...files, 'after-unshare': '', 'after-userns': '' })) {
    writeFileSync(`/tmp/d/${name}`, text);
  }
  symlinkSync('/tmp/d/a.txt', '/tmp/x/link');
}

export function runSteps({ exe = 'ex', steps }: OracleCase): void {
  spawnSync(`${PROGRAMS}/${exe}`, steps, { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The process id of the program's parent when Tetragon ran, as a value of an event. */
const PARENT = /\b19767\b/g;

/** The events that Tetragon reported for the program. */
export function readExpected(name: string): ComparedEvent[] {
  const text = readFileSync(join(folder, 'events', `${name}.jsonl`), 'utf8').replace(PARENT, String(process.pid));
  const lines = text.split('\n');
  const events = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as ComparedEvent);
  return events.filter(isOfProgram).map(normalise);
}

/** Tetragon may not know yet that the process has become the program; but only the program has its probes. */
function isOfProgram({ type, binary }: ComparedEvent): boolean {
  return type === 'process_uprobe' || type === 'process_usdt' || String(binary).startsWith(`${PROGRAMS}/`);
}

export function comparedEvents(events: readonly TracerEvent[]): ComparedEvent[] {
  const hookEvents = events.filter((event) => 'args' in event);
  const plain = hookEvents.map((event) => {
    const json = JSON.parse(toJson(event)) as Record<string, Record<string, unknown> | undefined>;
    const { process, ...members } = json[event.type] ?? {};
    const { binary, arguments: argv } = (process ?? {}) as Record<string, unknown>;
    return { type: event.type, ...members, binary, arguments: argv };
  });
  return plain.filter(isOfProgram).map(normalise);
}

/** The members that a policy decides about. */
const MEMBERS = [
  'type',
  'function_name',
  'path',
  'symbol',
  'provider',
  'name',
  'args',
  'return',
  'data',
  'action',
  'return_action',
  'message',
  'tags',
];

/**
 * Removes what differs from boot to boot (addresses, ports, inodes), and what only polytrace writes. Tetragon has the
 * return value of a uprobe only among the arguments.
 */
function normalise(event: ComparedEvent): ComparedEvent {
  const isKept = (key: string): boolean =>
    MEMBERS.includes(key) && !(key === 'return' && event['type'] === 'process_uprobe');
  return Object.fromEntries(Object.entries(event).filter(([key]) => isKept(key)).map(([key, value]) => [key, normaliseValue(value)])); // prettier-ignore
}

/** Addresses, numbers of one boot, the words of an error, and names of flags. */
const CHANGING = ['index', 'label', 'cookie', 'sport', 'inode', 'device', 'links', 'hash', 'Message', 'flags'];
/** Texts that Tetragon writes for an absent value. */
const NOTHING = ['invalid IP', '---------'];
/** The port that the kernel chose for a client. */
const EPHEMERAL = 30_000;
/** From this number on, the kernel counts up for each new namespace. Those of the first ones are constants below it. */
const NEW_NAMESPACE = 0xf0000000;

function normaliseValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normaliseValue);
  if (typeof value !== 'object' || value === null) return value;
  const { flags = '' } = value as { flags?: string };
  const isKept = ([key, each]: [string, unknown]): boolean =>
    !CHANGING.includes(key) &&
    !key.endsWith('_bytes') && // beside a text that is not UTF-8: only polytrace has it
    !NOTHING.includes(String(each)) &&
    !(key === 'dport' && Number(each) > EPHEMERAL) &&
    !(key === 'inum' && Number(each) >= NEW_NAMESPACE) &&
    !(key === 'path' && flags.includes('pseudo'));
  return Object.fromEntries(
    Object.entries(value).filter(isKept).map(([key, each]) => [key, normaliseMember(key, each)]), // prettier-ignore
  );
}

/** Both cut long values, but not at the same byte. */
function normaliseMember(key: string, value: unknown): unknown {
  if (key !== 'truncated_bytes_arg') return normaliseValue(value);
  return (value as { bytes_arg: string }).bytes_arg.slice(0, 100);
}
