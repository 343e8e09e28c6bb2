/** `run`: starts a command, follows it and its descendants, and says what they did. */
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { readFile, realpath, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Process, Tracer, TracerEvent, TracerIterator } from '../../types/index.js';
import type { Behavior, LockFact, RunHandle, RunOptions, RunSummary } from '../../types/run.js';
import { KernelError, PolytraceError } from '../errors.js';
import { hostGaps } from '../tracer/host-gaps.js';
import { loadBinding } from '../native/binding.js';
import { openPolledTracer, readNow } from '../tracer/tracer.js';
import { ORIGIN_VARIABLES, type OwnOrigin } from './attribution.js';
import { RunCgroup } from './cgroup.js';
import { Child, findRunUser, type ChildEnd, type ChildUser } from './child.js';
import { ENFORCEMENT_POLICY, isPackageFolder } from './enforcement-policy.js';
import { checkEnforce, loadEnforcement, prepareEnforcement, findRules, type Allowed } from './enforce.js';
import { functionPolicy } from './function-policy.js';
import type { Places } from '../generalize/paths.js';
import { findViolations, formatLock, parseLock } from './lock.js';
import { Observer } from './observer.js';
import { openAsUser } from './output-files.js';
import { followProcess, runPolicy } from './policy.js';

/** The operations that are not seen without a tracepoint. */
const UNSEEN_WITHOUT: Readonly<Record<string, string>> = {
  'sock/inet_sock_set_state': 'connections and listeners',
  'sock/sock_send_length': 'bytes that connections send',
  'sock/sock_recv_length': 'bytes that connections receive',
  'net/net_dev_queue': 'host names that are asked for',
  'raw_syscalls/sys_exit': 'files and calls',
};

const SIGTERM = 15;
const SIGKILL = 9;
/** Longest wait for the event of the command's end, which may be lost. */
const END_MS = 2000;
/** Passes over the processes that are to be killed: each may start another one meanwhile. */
const KILL_PASSES = 20;
/**
 * Longest interval of the reads; the buffer limits it to 32 ms. Nobody waits for a single event, and to wake the reader
 * costs the command time.
 */
const COALESCE_MS = 50;
/** Room for about 50,000 events. A tracer's usual buffer counts as 128 MB of memory of this process. */
const BUFFER_BYTES = 8 * 1024 * 1024;

export async function run(command: readonly string[], options: RunOptions = {}): Promise<RunHandle> {
  if (command.length === 0 || command[0] === '')
    throw new PolytraceError('RUN_FAILED', 'there is no command', 'name a program');
  if (hostGaps().some(({ name }) => name === 'pid_namespace')) {
    throw new PolytraceError(
      'RUN_FAILED',
      'this process has a pid namespace of its own, so the command cannot be told from others',
      'start the container with --pid=host',
    );
  }
  const env = options.env ?? process.env;
  const user = findRunUser(options.user, env);
  const lock = await readLock(options);
  checkEnforce(options, lock !== undefined);
  const folder = await realpath(options.cwd ?? process.cwd());
  const places = await findPlaces(folder, env, user);
  const allowed = await prepareEnforcement({ options, lock, places, everywhere: isEverywhere(places), env });
  const child = new Child(command, env, folder, user, options.foreground);
  const cgroup = RunCgroup.create();
  const joining = cgroup?.add(child.pid);
  let opened: OpenedTracer;
  try {
    opened = await openRunTracer(child.pid, places, options, allowed);
  } catch (error) {
    child.kill(SIGKILL);
    await child.waitForEnd();
    await joining;
    cgroup?.remove();
    throw explainRefusal(error);
  }
  const { tracer } = opened;
  const skipped = tracer.policies().flatMap((policy) => policy.skipped.map((hook) => ({ policy: policy.name, hook })));
  return new Run({
    command,
    options,
    env,
    user,
    lock,
    places,
    child,
    cgroup: (await joining) === true ? cgroup : undefined,
    skipped,
    allowed,
    ...opened,
  });
}

/** BPF is refused to a command that runs in another run. */
function explainRefusal(error: unknown): unknown {
  if (!(error instanceof KernelError) || error.code !== 'NOT_PERMITTED' || !RunCgroup.isInside()) return error;
  const hint = 'the command is in another `polytrace run`, whose --enforce refuses BPF: enforce in one of them only';
  return new KernelError('NOT_PERMITTED', error.message, hint, error);
}

interface OpenedTracer {
  readonly tracer: Tracer;
  /** False if this kernel cannot hook functions. */
  readonly seesFunctions: boolean;
  readonly enforcement: 'refuse' | 'kill' | undefined;
}

async function openRunTracer(
  pid: number,
  places: Places,
  { btf }: RunOptions,
  allowed: Allowed | undefined,
): Promise<OpenedTracer> {
  const policy = {
    who: followProcess(pid),
    folder: isEverywhere(places) ? undefined : places.folder,
    programs: [`${dirname(dirname(realpathSync(process.execPath)))}/`].filter((path) => path !== '//'),
  };
  const kernel = await probeKernel(btf);
  const { seesFunctions } = kernel;
  const policies = [runPolicy(policy), ...(seesFunctions ? [functionPolicy(policy)] : [])];
  let tracer: Tracer;
  try {
    tracer = await openPolledTracer({
      policies: policies.map((yaml) => ({ yaml, file: 'the policy of run' })),
      environment: ORIGIN_VARIABLES,
      coalesceMs: COALESCE_MS,
      bufferSize: BUFFER_BYTES,
      // no second policy comes, and a group takes longer to load than a program for one hook
      groupPolicies: false,
      // what a kernel misses is counted, and the summary says so
      ...(allowed === undefined ? {} : { enforcement: true, allowMissedCalls: true }),
      ...(btf === undefined ? {} : { btf }),
    });
  } finally {
    await kernel.release();
  }
  try {
    const enforcement = allowed === undefined ? undefined : await loadEnforcement(tracer, pid, allowed);
    return { tracer, seesFunctions, enforcement };
  } catch (error) {
    await tracer.close();
    throw error;
  }
}

/** Until `release`, the types of the kernel stay in memory: the tracer needs them, too. openTracer() explains errors. */
async function probeKernel(btf = ''): Promise<{ readonly seesFunctions: boolean; release(): Promise<void> }> {
  const session = loadBinding().createSession();
  const release = (): Promise<void> => session.close();
  try {
    await session.useKernelBtf(btf);
    const types = await session.loadKernelBtf();
    const { fentry, kprobe } = await session.probeFeatures();
    return {
      seesFunctions: fentry.available || kprobe.available,
      release: () => {
        session.releaseKernelBtf(types);
        return release();
      },
    };
  } catch {
    return { seesFunctions: false, release };
  }
}

/** In a home, or above it, files of the folder are not the command's own. */
function isEverywhere({ folder, home }: Places): boolean {
  return folder === '/' || folder === home || home.startsWith(`${folder}/`);
}

async function findPlaces(
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
  user: ChildUser | undefined,
): Promise<Places> {
  const home = await resolveFolder(user?.home ?? env['HOME'] ?? '/');
  const named = [env['npm_config_cache'], env['YARN_CACHE_FOLDER'], env['PIP_CACHE_DIR'], env['XDG_CACHE_HOME']];
  const usual = ['.npm', '.cache', '.cargo/registry', '.cargo/git', '.local/share/pnpm/store', '.yarn/berry'].map(
    (name) => join(home, name),
  );
  return {
    folder,
    home,
    temporary: await resolveFolder(env['TMPDIR'] ?? '/tmp'),
    caches: [...named.filter((name) => name !== undefined && name.startsWith('/')).map(String), ...usual],
  };
}

function findOwnOrigin(folder: string, env: Readonly<Record<string, string | undefined>>): OwnOrigin {
  const { npm_package_json: caller, CARGO_PKG_NAME: cargoPackage } = env;
  const packageFiles = [join(folder, 'package.json'), ...(caller === undefined ? [] : [caller])];
  return { packageFiles, cargoPackage, isPackage: isPackageFolder(folder) };
}

async function resolveFolder(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    return path;
  }
}

/** Undefined if there is no lock file, or if it is to be written anew. */
async function readLock({ lock, updateLock }: RunOptions): Promise<LockFact[] | undefined> {
  if (lock === undefined || updateLock === true) return undefined;
  try {
    return parseLock(await readFile(lock, 'utf8'), lock);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    if (error instanceof PolytraceError) throw error;
    throw new PolytraceError(
      'LOCK_INVALID',
      `cannot read ${lock}: ${(error as Error).message}`,
      'check its path and its owner',
    );
  }
}

interface RunParts extends OpenedTracer {
  readonly command: readonly string[];
  readonly options: RunOptions;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly user: ChildUser | undefined;
  readonly lock: readonly LockFact[] | undefined;
  readonly places: Places;
  readonly child: Child;
  readonly cgroup: RunCgroup | undefined;
  /** Hooks that this kernel does not have, with the name of their policy. */
  readonly skipped: readonly { readonly policy: string; readonly hook: string }[];
  readonly allowed: Allowed | undefined;
}

class Run implements RunHandle {
  readonly #parts: RunParts;
  readonly #observer: Observer;
  readonly #started = performance.now();
  #sawEnd: (() => void) | undefined;
  #hasEnded = false;
  readonly pid: number;
  readonly writesLock: boolean;
  readonly enforcement?: 'refuse' | 'kill';
  readonly warnings: readonly string[];
  readonly summary: Promise<RunSummary>;
  readonly exitCode: Promise<number>;
  readonly violations: Promise<readonly Behavior[]>;

  constructor(parts: RunParts) {
    const { child, env, tracer, places, options, lock, enforcement, allowed } = parts;
    this.#parts = parts;
    this.pid = child.pid;
    this.writesLock = options.lock !== undefined && lock === undefined;
    if (enforcement !== undefined) this.enforcement = enforcement;
    this.warnings = allowed?.warnings ?? [];
    this.#observer = new Observer({
      places,
      pid: child.pid,
      own: findOwnOrigin(places.folder, env),
      everywhere: isEverywhere(places),
      ancestors: (process) => tracer.ancestors(process),
      findProcess: (pid) => tracer.process(pid),
    });
    this.summary = this.#follow();
    this.exitCode = this.summary.then(({ exitCode }) => exitCode);
    this.violations = this.summary.then(({ behaviors }) => (lock === undefined ? [] : findViolations(behaviors, lock)));
    // a caller may wait for only one of them
    for (const each of [this.exitCode, this.violations]) each.catch(() => undefined);
  }

  kill(signal: number): void {
    this.#parts.child.kill(signal);
  }

  openFile(path: string): Promise<FileHandle> {
    return openAsUser(this.#parts.user, path);
  }

  endBySignal(signal: number): void {
    loadBinding().endBySignal(signal);
  }

  async #writeLock(path: string, { behaviors }: RunSummary): Promise<void> {
    const file = await this.openFile(path);
    try {
      await file.writeFile(formatLock(behaviors));
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code ?? String(error);
      throw new PolytraceError('RUN_FAILED', `cannot write ${path}: ${reason}`, 'the file is not complete: remove it');
    } finally {
      await file.close();
    }
  }

  events(): TracerIterator<TracerEvent> {
    const all = this.#parts.tracer.events();
    const observer = this.#observer;
    const next = async (): Promise<IteratorResult<TracerEvent, undefined>> => {
      for (;;) {
        const result = await all.next();
        if (result.done === true || observer.isOwn(result.value)) return result;
      }
    };
    const end = (): Promise<IteratorResult<TracerEvent, undefined>> => all.return();
    return {
      next,
      return: end,
      [Symbol.asyncIterator]() {
        return this;
      },
      [Symbol.asyncDispose]: async () => void (await end()),
    };
  }

  [Symbol.asyncIterator](): TracerIterator<TracerEvent> {
    return this.events();
  }

  async #follow(): Promise<RunSummary> {
    const { child, tracer, options, cgroup } = this.#parts;
    const reading = this.#read();
    reading.catch(() => undefined);
    const abort = (): void => child.kill(SIGTERM);
    try {
      // whoever called `run` can ask for events first
      await new Promise((resolve) => setImmediate(resolve));
      // before the release, because an exec can take any time
      if (options.foreground !== undefined) loadBinding().forwardSignals(child.pid);
      options.signal?.addEventListener('abort', abort);
      if (options.signal?.aborted === true) abort();
      const errno = await child.release();
      if (errno !== 0) {
        await child.waitForEnd();
        const { status, message } = child.explainFailure(errno);
        throw Object.assign(new PolytraceError('RUN_FAILED', message, 'check the name of the program and PATH'), {
          status,
        });
      }
      const end = await child.waitForEnd();
      const durationMs = performance.now() - this.#started;
      await this.#waitForLastEvent();
      const remaining = this.#endRemaining();
      await tracer.close();
      await reading;
      const summary = this.#summarize(end, durationMs, remaining);
      if (this.writesLock) await this.#writeLock(options.lock ?? '', summary);
      return summary;
    } finally {
      if (options.foreground !== undefined) loadBinding().forwardSignals(0);
      options.signal?.removeEventListener('abort', abort);
      await tracer.close();
      cgroup?.remove();
    }
  }

  async #read(): Promise<void> {
    const { tracer, options, child } = this.#parts;
    const observer = this.#observer;
    for await (const batch of tracer.batches()) {
      const own = batch.filter((event) => observer.isOwn(event));
      for (const event of own) {
        observer.add(event);
        if (event.type !== 'process_exit' || event.process.pid !== child.pid) continue;
        this.#hasEnded = true;
        this.#sawEnd?.();
      }
      if (own.length > 0) await options.onEvents?.(own);
    }
  }

  #waitForLastEvent(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, END_MS);
      this.#sawEnd = () => {
        clearTimeout(timer);
        resolve();
      };
      // it may have been read already
      if (this.#hasEnded) this.#sawEnd();
      else readNow(this.#parts.tracer);
    });
  }

  /** The processes that outlive the command; they are killed if that is wanted. */
  #endRemaining(): RunSummary['remaining'] {
    const { options } = this.#parts;
    const killed = options.killRemaining === true || findRules(options) !== undefined;
    const found = this.#findRemaining();
    const all = new Map(found.map(({ pid, binary }) => [pid, { pid, binary, killed }]));
    for (let pass = 0, left = found; killed && left.length > 0 && pass < KILL_PASSES; pass++) {
      for (const { pid, binary } of left) {
        all.set(pid, { pid, binary, killed });
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // it has ended
        }
      }
      left = this.#findRemaining();
    }
    return [...all.values()];
  }

  #findRemaining(): { readonly pid: number; readonly binary: string }[] {
    const { tracer, cgroup, child } = this.#parts;
    const inCgroup = new Set(cgroup?.processes());
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .flatMap((pid) => {
        if (pid === child.pid) return [];
        const known: Process | undefined = tracer.process(pid);
        const isOwn = inCgroup.has(pid) || (known !== undefined && this.#observer.isDescendant(known));
        return isOwn && !isZombie(pid) ? [{ pid, binary: known?.binary ?? 'unknown' }] : [];
      });
  }

  #summarize({ status, signal }: ChildEnd, durationMs: number, remaining: RunSummary['remaining']): RunSummary {
    const { command } = this.#parts;
    const { behaviors, execs, lost } = this.#observer;
    return {
      command,
      exitCode: signal > 0 ? 128 + signal : Math.max(0, status),
      ...(signal > 0 ? { signal } : {}),
      durationMs: Math.round(durationMs),
      execs,
      behaviors: behaviors.sorted(),
      moreBehaviors: behaviors.more,
      remaining,
      unseen: this.#unseen(),
      lost,
    };
  }

  #unseen(): string[] {
    const { cgroup, seesFunctions, enforcement, skipped } = this.#parts;
    return [
      ...(seesFunctions
        ? []
        : [
            'what reaches files without a system call of its own: io_uring, and calls of 32-bit programs (their use is reported)',
          ]),
      ...(enforcement === 'kill'
        ? ['what a process did before it was killed: this kernel cannot refuse calls, so they have happened']
        : []),
      ...(cgroup === undefined
        ? ['nothing is missing, but the command has no cgroup of its own (no cgroup v2, or no right to it)']
        : []),
      ...skipped.map(({ policy, hook }) =>
        policy === ENFORCEMENT_POLICY
          ? `${hook} cannot be refused (this kernel has no such function)`
          : `${UNSEEN_WITHOUT[hook] ?? hook} (this kernel has no ${hook})`,
      ),
    ];
  }
}

function isZombie(pid: number): boolean {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return true;
  }
}
