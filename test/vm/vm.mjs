// Boots a kernel in QEMU with this machine's file system as its root, and runs one shell script in it.
import { spawn } from 'node:child_process';
import {
  accessSync,
  constants,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describeRoot } from './guest-root.mjs';
import { findKernel } from './kernels.mjs';

const here = dirname(fileURLToPath(import.meta.url));
export const checkout = dirname(dirname(here));
/** The published policies that some tests run. They are not part of the checkout, and not on every machine. */
export const corpus = process.env.POLYTRACE_CORPUS ?? join(checkout, '../shared/corpus/policies');

/** The virtual machine could not be started, hung, or died. It is not thrown for a failure of the script itself. */
export class VmError extends Error {
  name = 'VmError';
}

const programs = {
  'qemu-system-x86_64': 'qemu-system-x86',
  virtiofsd: 'virtiofsd',
  setpriv: 'util-linux',
};

function findProgram(name) {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), '/usr/libexec', '/usr/lib/qemu', '/usr/sbin']) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  return undefined;
}

/** The reason why no virtual machine can run here, with the Debian packages to install; undefined if it can. */
export function vmObstacle() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'the virtual machine runs on Linux x86-64 only';
  const missing = Object.keys(programs).filter((name) => !findProgram(name));
  if (missing.length === 0) return undefined;
  return `${missing.join(', ')} missing: apt-get install ${missing.map((name) => programs[name]).join(' ')}`;
}

/**
 * Runs `script` with bash as root in the checkout, in a guest with this machine's files. Changes stay in the guest's
 * memory (see init.sh). The guest's /run/vm is `folder` on the host, to exchange files. If no folder is given, a
 * temporary one is used.
 *
 * Resolves to {status, seconds}. Output goes to `stdout` and `stderr` as it comes. Rejects with VmError if the guest
 * gave no exit status within `timeoutMs`, or printed nothing for `quietMs` (no limit if not given).
 */
export async function runInVm(options) {
  const obstacle = vmObstacle();
  if (obstacle) throw new VmError(obstacle);
  const kernel = findKernel(options.kernel ?? '6.12');
  const work = mkdtempSync(join(tmpdir(), 'polytrace-vm-'));
  const folder = options.folder ?? join(work, 'share');
  const guest = new Guest(kernel, work, folder, options);
  const stop = () => guest.kill();
  const onSignal = (signal) => {
    guest.kill();
    rmSync(work, { recursive: true, force: true });
    process.exit(128 + { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 }[signal]);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  process.on('exit', stop);
  signals.forEach((signal) => process.on(signal, onSignal));
  try {
    return await guest.run();
  } finally {
    guest.kill();
    process.off('exit', stop);
    signals.forEach((signal) => process.off(signal, onSignal));
    rmSync(work, { recursive: true, force: true });
  }
}

const defaults = {
  timeoutMs: 300_000,
  quietMs: Infinity,
  cpus: 1,
  memoryMb: 2048,
  icount: false,
  append: '',
  env: {},
};

class Guest {
  #children = [];

  constructor(kernel, work, folder, options) {
    this.kernel = kernel;
    this.work = work;
    this.folder = folder;
    this.options = { ...defaults, ...options };
  }

  async run() {
    const started = Date.now();
    this.#prepare();
    await Promise.all([
      this.#share('rootfs', '/', '--readonly'), //
      this.#share('out', this.folder),
    ]);
    const qemu = this.#spawn('qemu-system-x86_64', this.#qemuArguments());
    const ended = new Promise((resolve) => qemu.once('exit', (code) => resolve(code ?? 1)));
    const streams = ['stdout', 'stderr'].map(
      (name) => new Follower(join(this.folder, name), this.options[name] ?? process[name]),
    );
    const waiting = new AbortController();
    const outcome = await Promise.race([ended, this.#limitReached(streams, waiting.signal)]);
    waiting.abort();
    this.kill();
    await Promise.all(streams.map((stream) => stream.end()));
    return this.#result(outcome, (Date.now() - started) / 1000);
  }

  /** Resolves to the name of the limit that was reached. */
  async #limitReached(streams, signal) {
    const { timeoutMs, quietMs } = this.options;
    const started = Date.now();
    while (!signal.aborted) {
      await delay(200, undefined, { signal }).catch(() => undefined);
      const silence = Date.now() - Math.max(started, ...streams.map((stream) => stream.lastOutput));
      if (Date.now() - started > timeoutMs) return `the time limit of ${timeoutMs / 1000} s was reached`;
      if (silence > quietMs) return `it printed nothing for ${quietMs / 1000} s`;
    }
    return undefined;
  }

  /** `outcome` is the exit status of QEMU, or the limit that was reached. */
  #result(outcome, seconds) {
    if (typeof outcome === 'string') {
      const stage = existsSync(join(this.folder, 'ready')) ? 'its script did not end' : 'it did not finish booting';
      throw this.#failure(`${outcome}: ${stage}`);
    }
    const status = Number.parseInt(this.#read(join(this.folder, 'status')), 10);
    if (Number.isNaN(status)) throw this.#failure(`it ended without an exit status (QEMU's: ${outcome})`);
    return { status, seconds };
  }

  #failure(reason) {
    const console = this.#read(join(this.work, 'console')).trimEnd().split(/\r?\n/).slice(-30).join('\n  ');
    const log = this.#read(join(this.work, 'log')).trimEnd();
    return new VmError(
      `virtual machine (${this.kernel.image}): ${reason}\n${log ? `  ${log}\n` : ''}` +
        (console ? `  the end of its console:\n  ${console}` : '  its console is empty'),
    );
  }

  #read(path) {
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  #prepare() {
    const { env, script } = this.options;
    mkdirSync(this.folder, { recursive: true });
    for (const name of ['ready', 'status', 'stdout', 'stderr']) rmSync(join(this.folder, name), { force: true });
    writeFileSync(join(this.work, 'log'), '');
    const node = dirname(process.execPath);
    const lines = Object.entries(env).map(([name, value]) => `export ${name}=${quote(value)}`);
    writeFileSync(
      join(this.folder, 'command'),
      [`export PATH=${quote(node)}:$PATH`, ...lines, `cd ${quote(checkout)} || exit 125`, script, ''].join('\n'),
    );
    describeRoot(this.folder, [checkout, dirname(node), ...(existsSync(corpus) ? [corpus] : [])]);
  }

  /** Starts virtiofsd for one folder and waits until it listens. */
  async #share(tag, folder, ...more) {
    const socket = join(this.work, `${tag}.sock`);
    const daemon = this.#spawn('virtiofsd', [
      `--shared-dir=${folder}`,
      `--socket-path=${socket}`,
      '--sandbox=none',
      '--log-level=error',
      ...more,
    ]);
    while (!existsSync(socket)) {
      if (daemon.exitCode !== null) throw this.#failure(`virtiofsd for ${folder} ended with status ${daemon.exitCode}`);
      await delay(10);
    }
  }

  #qemuArguments() {
    const { cpus, memoryMb, icount, append } = this.options;
    const init = join(here, 'init.sh');
    const accelerator = icount
      ? ['-accel', 'tcg,thread=single', '-smp', '1', '-icount', 'shift=0,sleep=off']
      : ['-accel', 'tcg,thread=multi', '-smp', String(cpus)];
    const devices = ['rootfs', 'out'].flatMap((tag) => [
      ...['-chardev', `socket,id=${tag},path=${join(this.work, `${tag}.sock`)}`],
      ...['-device', `vhost-user-fs-pci,chardev=${tag},tag=${tag}`],
    ]);
    const parameters = [
      // no_timer_check: on a busy machine the emulated timer is late, and the kernel would stop booting.
      'console=ttyS0 root=rootfs rootfstype=virtiofs ro panic=-1 loglevel=4 no_timer_check',
      'lsm=landlock,lockdown,yama,bpf',
      `init=${init} vm.init=${init}`,
      // The emulator does not notice when virtiofsd writes into the guest's memory, and would continue to run the old
      // code.
      // If the guest clears a page first, its code is translated again. Debian's kernels do this by default, others do
      // not.
      'init_on_alloc=1',
      append,
    ];
    return [
      ...accelerator,
      // Without "enhanced rep movsb", which the emulator performs byte by byte, everything is twice as fast.
      ...['-cpu', 'max,erms=off,fsrm=off', '-m', `${memoryMb}M`],
      ...['-object', `memory-backend-memfd,id=mem,size=${memoryMb}M,share=on`, '-numa', 'node,memdev=mem'],
      ...devices,
      ...['-nodefaults', '-no-user-config', '-nographic', '-no-reboot'],
      ...['-serial', `file:${join(this.work, 'console')}`],
      ...['-kernel', this.kernel.image],
      ...(this.kernel.initramfs ? ['-initrd', this.kernel.initramfs] : []),
      ...['-append', parameters.join(' ').trim()],
    ];
  }

  /** Starts a child that dies with this process, even if this process is killed. */
  #spawn(name, args) {
    const child = spawn(findProgram('setpriv'), ['--pdeathsig', 'KILL', findProgram(name), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const log = (data) => writeFileSync(join(this.work, 'log'), data, { flag: 'a' });
    child.stdout.on('data', log);
    child.stderr.on('data', log);
    this.#children.push(child);
    return child;
  }

  kill() {
    for (const child of this.#children) if (child.exitCode === null) child.kill('SIGKILL');
  }
}

/** Copies the bytes that another process appends to a file. */
class Follower {
  lastOutput = 0;
  #position = 0;
  #ended = false;
  #loop;

  constructor(path, target) {
    this.path = path;
    this.target = target;
    this.#loop = this.#follow();
  }

  async #follow() {
    while (!this.#ended) {
      await this.#copy();
      await delay(50);
    }
    await this.#copy();
  }

  async #copy() {
    const size = existsSync(this.path) ? statSync(this.path).size : 0;
    if (size <= this.#position) return;
    for await (const chunk of createReadStream(this.path, { start: this.#position, end: size - 1 }))
      this.target.write(chunk);
    this.#position = size;
    this.lastOutput = Date.now();
  }

  end() {
    this.#ended = true;
    return this.#loop;
  }
}

function quote(text) {
  return `'${String(text).replaceAll("'", `'\\''`)}'`;
}
