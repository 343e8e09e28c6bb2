// Records as a machine at work makes them: 50 processes with parents read 1,000 files, a few of them much more often
// than the others, and no two records have the same time. One record of 64 is an exec. Or shells start short programs
// one after the other, as a build does: each is an exec and an exit.
import { execRecord, exitRecord, fileRecord, type Executed, type RecordOrigin } from './records.mjs';

/** Number of records: half a second of a busy machine. A longer reading would see the same processes start again. */
export const REALISTIC_RECORDS = 65_536;
const PROCESSES = 50;
const PATHS = 1000;
const EXEC_EVERY = 64;
const SHELLS = 5;

/** Repeats the same numbers in each run: a linear congruential generator, with the constants of `drand48`. */
class Random {
  #state = 0x1234_abcd_330en;

  /** A number from 0 to 1. */
  next(): number {
    this.#state = (this.#state * 0x5_deec_e66dn + 11n) & 0xffff_ffff_ffffn;
    return Number(this.#state >> 16n) / 2 ** 32;
  }
}

/** Chooses from 0 to `count - 1`: number n is chosen in proportion to 1 / (n + 1). */
function zipf(count: number, random: Random): () => number {
  const sums: number[] = [];
  let sum = 0;
  for (let rank = 1; rank <= count; rank++) sums.push((sum += 1 / rank));
  return () => {
    const wanted = random.next() * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] as number) < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

const FOLDERS = [
  '/etc',
  '/usr/lib/x86_64-linux-gnu',
  '/var/lib/app/data',
  '/home/user/project/src',
  '/proc/self',
  '/tmp',
];
const WORDS = ['config', 'index', 'cache', 'session', 'module', 'libservice', 'report', 'users'];
const ENDINGS = ['.conf', '.so.6', '.json', '.ts', '', '.log'];

function path(number: number): string {
  const pick = (from: readonly string[], step: number): string =>
    from[Math.floor(number / step) % from.length] as string;
  return `${pick(FOLDERS, 1)}/${pick(WORDS, 6)}-${number}${pick(ENDINGS, 7)}`;
}

const PROGRAMS: readonly Omit<Executed, 'parent'>[] = [
  { binary: '/usr/bin/cat', cwd: '/root', argv: ['cat', '/etc/hosts'] },
  { binary: '/usr/bin/python3.11', cwd: '/var/lib/app', argv: ['python3', '-m', 'service', '--port', '8080'] },
  { binary: '/usr/sbin/nginx', cwd: '/', argv: ['nginx', '-c', '/etc/nginx/nginx.conf'] },
  { binary: '/usr/bin/gcc', cwd: '/home/user/project', argv: ['gcc', '-O2', '-c', 'src/main.c', '-o', 'build/main.o'] },
  { binary: '/usr/bin/node', cwd: '/home/user/project', argv: ['node', 'server.js'] },
  { binary: '/usr/lib/postgresql/15/bin/postgres', cwd: '/var/lib/postgresql', argv: ['postgres', '-D', 'main'] },
];

type StartProgram = (pid: number, executed: Executed) => RecordOrigin;

function addExec(records: Buffer[], timeNs: bigint, pid: number, executed: Executed): RecordOrigin {
  const origin = { pid, startedNs: timeNs - 250_000n, timeNs };
  records.push(execRecord(executed, origin));
  return origin;
}

/** Shells, each started by init. */
function startShells(start: StartProgram): readonly RecordOrigin[] {
  const init = start(1, { binary: '/usr/lib/systemd/systemd', cwd: '/', argv: ['systemd', '--system'] });
  return Array.from({ length: SHELLS }, (_, i) =>
    start(800 + i, { binary: '/usr/bin/bash', cwd: '/root', argv: ['bash', '-l'], parent: init }),
  );
}

/** The process ids of short programs: each is used again after so many others. */
const SHORT_PIDS = 30_000;

/** Execs and exits of short programs. */
export function shortProgramRecords(): readonly Buffer[] {
  const records: Buffer[] = [];
  let timeNs = 93_784_000_000_000n;
  const start: StartProgram = (pid, executed) => addExec(records, timeNs, pid, executed);
  const shells = startShells(start);
  for (let number = 0; records.length < REALISTIC_RECORDS; number++) {
    timeNs += 350_000n;
    const program = PROGRAMS[number % PROGRAMS.length] as Omit<Executed, 'parent'>;
    const origin = start(2000 + (number % SHORT_PIDS), { ...program, parent: shells[number % SHELLS] });
    if (records.length < REALISTIC_RECORDS) records.push(exitRecord({ ...origin, timeNs: timeNs + 1_200_000n }));
  }
  return records;
}

/** `hook` and `values` are those of the hook that reports the files. */
export function realisticRecords(hook: number, values: number): readonly Buffer[] {
  const random = new Random();
  const [choosePath, chooseProcess] = [zipf(PATHS, random), zipf(PROCESSES, random)];
  const paths = Array.from({ length: PATHS }, (_, number) => path(number));
  const records: Buffer[] = [];
  let timeNs = 93_784_000_000_000n;
  const start: StartProgram = (pid, executed) => addExec(records, timeNs, pid, executed);
  const advance = (): void => void (timeNs += BigInt(1 + Math.floor(random.next() * 15_000)));

  const shells = startShells(start);
  const run = (slot: number): RecordOrigin => {
    const program = PROGRAMS[slot % PROGRAMS.length] as Omit<Executed, 'parent'>;
    return start(4001 + slot, { ...program, parent: shells[slot % SHELLS] });
  };
  const processes = Array.from({ length: PROCESSES }, (_, slot) => run(slot));
  while (records.length < REALISTIC_RECORDS) {
    advance();
    const slot = chooseProcess();
    if (records.length % EXEC_EVERY === 0) {
      processes[slot] = run(slot);
    } else {
      const origin = { ...(processes[slot] as RecordOrigin), timeNs };
      records.push(fileRecord(hook, values, paths[choosePath()], origin));
    }
  }
  return records;
}
