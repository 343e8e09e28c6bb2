/** Turns the events of a run into behaviors. */
import type {
  BehaviorKind,
  HookArgument,
  Process,
  ProcessExecEvent,
  ProcessKprobeEvent,
  ProcessTracepointEvent,
  TracerEvent,
} from '../../types/index.js';
import { formatEndpoint } from '../names/endpoint.js';
import { signalName } from '../names/signals.js';
import { RecentMap } from '../rules/recent-map.js';
import { Origins, type OwnOrigin } from './attribution.js';
import { Behaviors } from './behaviors.js';
import { describeCall } from './calls.js';
import { parseDns, udpPayload } from './dns.js';
import { ENFORCEMENT_POLICY } from './enforcement-policy.js';
import { FUNCTION_POLICY } from './function-policy.js';
import { describeFunction, type DescribedFunction } from './functions.js';
import {
  generalizeAddress,
  generalizeHost,
  generalizePair,
  generalizePath,
  isInside,
  resolvePath,
  type Places,
} from '../generalize/paths.js';
import {
  AT_FDCWD,
  COMPAT_BIT,
  OPEN_CALLS,
  otherCallName,
  PAIR_AT_CALLS,
  PAIR_CALLS,
  PATH_AT_CALLS,
  PATH_CALLS,
} from './observed-calls.js';
import { HOOK, POLICY_NAME, WRITE_FLAGS } from './policy.js';
import { readNumber, readPath, readText } from './values.js';
import { isOwnSetting, isSecret } from '../generalize/secrets.js';

export interface ObserverOptions {
  readonly places: Places;
  /** Facts are as the events have them: whoever reads them replaces names. */
  readonly isExact?: boolean;
  /** Process id of the command. */
  readonly pid: number;
  /** Files in the working folder are reported, too: it is a home or the root. */
  readonly everywhere: boolean;
  readonly own: OwnOrigin;
  readonly ancestors: (process: Process) => readonly Process[];
  readonly findProcess: (pid: number) => Process | undefined;
}

/** Limit of the addresses whose host name is known. */
const NAMES_MAX = 10_000;
/** Executed programs of the machine that are known as descendants, or as others. */
const DESCENDANTS_MAX = 16_384;
const TREE_MAX = 12;
const DNS_PORT = 53;
const TLS_DNS_PORT = 853;
const LISTEN = 10;

/** The policies of a run. Their hooks are about the command and its descendants only. */
const OWN_POLICIES: readonly string[] = [POLICY_NAME, FUNCTION_POLICY, ENFORCEMENT_POLICY];

/** Folders of programs and data of the system, whose reads are not worth a line. */
const SYSTEM = /^\/(usr|lib|lib32|lib64|bin|sbin|nix\/store|dev|sys|proc)\//;
const INTERPRETER = /\/(sh|bash|dash|zsh|env|node|nodejs|python[\d.]*|perl|ruby|php)$/;

/** The path that a call got with a descriptor of a folder. Undefined if the folder is not known, as when it was closed meanwhile. */
function resolveAt(
  path: HookArgument | undefined,
  folder: HookArgument | undefined,
  working: HookArgument | undefined,
): string | undefined {
  const isWorkingFolder = folder?.type === 'fd' && folder.fd === AT_FDCWD;
  return resolvePath(readText(path), readPath(isWorkingFolder ? working : folder));
}

export class Observer {
  readonly behaviors = new Behaviors();
  readonly #options: ObserverOptions;
  readonly #origins: Origins;
  readonly #descendants = new RecentMap<string, boolean>(DESCENDANTS_MAX);
  readonly #names = new Map<string, string>();
  /** Processes whose exit was not added yet. A tracer reads ahead, so it may have forgotten them already. */
  #running = new RecentMap<number, Process>(DESCENDANTS_MAX);
  execs = 0;
  lost = 0;

  constructor(options: ObserverOptions) {
    this.#options = options;
    this.#origins = new Origins(options.own);
  }

  /** True for events of the command and its descendants. */
  isOwn(event: TracerEvent): boolean {
    if (event.type === 'lost') return true;
    // the kernel has decided
    if ('policyName' in event && OWN_POLICIES.includes(event.policyName)) return true;
    return 'process' in event && this.isDescendant(event.process);
  }

  isDescendant(process: Process): boolean {
    const known = this.#descendants.get(process.execId);
    if (known !== undefined) return known;
    const result = process.pid === this.#options.pid || this.#hasDescendantAbove(process);
    this.#descendants.set(process.execId, result);
    return result;
  }

  #hasDescendantAbove(process: Process): boolean {
    const { formerExecId } = process;
    if (formerExecId !== undefined && this.#descendants.get(formerExecId) === true) return true;
    const parent = this.#descendants.get(process.parentExecId);
    if (parent !== undefined) {
      // a process that still has children is not forgotten
      this.#descendants.set(process.parentExecId, parent);
      return parent;
    }
    return this.#options.ancestors(process).some(({ pid }) => pid === this.#options.pid);
  }

  add(event: TracerEvent): void {
    if ('process' in event) this.#follow(event.process, event.type === 'process_exit');
    if (event.type === 'lost') this.#addLost(event.count);
    else if (event.type === 'process_exec') this.#addExec(event);
    else if (event.type === 'process_tracepoint' && event.policyName === POLICY_NAME) this.#addCall(event);
    else if (event.type === 'process_tracepoint' && event.policyName === ENFORCEMENT_POLICY) this.#addKill(event);
    else if (event.type === 'process_kprobe') this.#addFunction(event);
  }

  #follow(process: Process, hasEnded: boolean): void {
    if (hasEnded) this.#running.delete(process.pid);
    else if (this.#running.get(process.pid) !== process) this.#running.set(process.pid, process);
  }

  #addLost(count: number): void {
    this.lost += count;
    // exits may be among them
    this.#running = new RecentMap(DESCENDANTS_MAX);
  }

  #findTarget(pid: number): { readonly binary: string; readonly isOwn: boolean } {
    const target = this.#running.get(pid) ?? this.#options.findProcess(pid);
    return { binary: target?.binary ?? 'unknown', isOwn: target !== undefined && this.isDescendant(target) };
  }

  #see(process: Process, kind: BehaviorKind, subject: string, fact = subject, refused = false) {
    const origin = this.#origins.find(process);
    return this.behaviors.add({ kind, subject, fact, origin, refused, process: () => this.#tree(process) });
  }

  #seePath(process: Process, kind: BehaviorKind, path: string, note = '', refused = false): void {
    const { isExact = false, places } = this.#options;
    this.#see(process, kind, path + note, isExact ? path + note : generalizePath(path, places) + note, refused);
  }

  /** A process was killed. The other policy reports the call that was the reason. */
  #addKill({ process }: ProcessTracepointEvent): void {
    this.#see(
      process,
      'killed',
      `${process.binary} (pid ${process.pid})`,
      generalizePath(process.binary, this.#options.places),
      true,
    );
  }

  /** A call that was refused, or one that came by io_uring or with 32 bits. */
  #addFunction({ process, functionName, args, policyName }: ProcessKprobeEvent): void {
    if (!OWN_POLICIES.includes(policyName)) return;
    const call = describeFunction(functionName, args);
    if (call !== undefined) this.#seeFunction(process, call, policyName === ENFORCEMENT_POLICY);
  }

  #seeFunction(process: Process, call: DescribedFunction, refused: boolean): void {
    const { places } = this.#options;
    switch (call.what) {
      case 'open':
        this.#seeOpen(process, call, refused);
        return;
      case 'path':
        this.#seePath(process, call.kind, call.path, call.note, refused);
        return;
      case 'pair': {
        const { first, second, word } = call;
        const [one, two] = generalizePair(first, second, places);
        this.#see(process, 'rename', `${first} ${word} ${second}`, `${one} ${word} ${two}`, refused);
        return;
      }
      case 'endpoint':
        if (call.kind === 'connect') this.#connect(process, call.address, call.port, refused);
        else this.#listen(process, call.address, call.port, refused);
        return;
      case 'other':
        this.#see(process, call.kind, call.text, call.text, refused);
        return;
      case 'memory': {
        const { binary, isOwn } = this.#findTarget(call.pid);
        const whose = isOwn ? '' : ' outside of the run';
        const what = call.isAttach ? 'control' : 'read of /proc/PID';
        const fact = `${what} of ${generalizePath(binary, places)}${whose}`;
        this.#see(process, 'memory', `${what} of ${binary} (pid ${call.pid})${whose}`, fact, refused);
      }
    }
  }

  /** The process and its ancestors up to the command. */
  #tree(process: Process): string[] {
    const above = process.pid === this.#options.pid ? [] : this.#options.ancestors(process);
    const last = above.findIndex(({ pid }) => pid === this.#options.pid);
    const all = [process, ...above.slice(0, last < 0 ? 0 : last + 1)];
    return all
      .slice(0, TREE_MAX)
      .map(({ binary, arguments: words, pid }) => `${binary} ${words}`.trim().slice(0, 200) + ` (pid ${pid})`);
  }

  #addExec({ process, environment = [] }: ProcessExecEvent): void {
    this.#origins.add(process, environment);
    this.execs++;
    this.#seePath(process, 'exec', process.binary);
    const script = INTERPRETER.test(process.binary) ? process.argv.find((word) => !word.startsWith('-')) : undefined;
    if (script === undefined || !/[./]/.test(script) || /\s/.test(script)) return;
    const path = resolvePath(script, process.cwd);
    if (path !== undefined && path !== process.binary) this.#seePath(process, 'exec', path);
  }

  /**
   * The file that the kernel executes: the target of a link, or the interpreter of a script. Outside of the folder, these are the
   * same on a machine, and found when a lock file is enforced, unless the name differs in each run.
   */
  #addProgram({ process, args: [program] }: ProcessTracepointEvent): void {
    const path = readPath(program);
    if (path === undefined || path === process.binary) return;
    const isOwn = (name: string): boolean =>
      this.#isOrdinary(name) || generalizePath(name, this.#options.places).includes('*');
    if (isOwn(path) || isOwn(process.binary)) this.#seePath(process, 'exec', path);
  }

  #addCall(event: ProcessTracepointEvent): void {
    const { message } = event;
    if (message === HOOK.program) this.#addProgram(event);
    else if (message === HOOK.open) this.#addOpen(event);
    else if (message === HOOK.path || message === HOOK.pair) this.#addPaths(event);
    else if (message === HOOK.pathAt) this.#addPathAt(event);
    else if (message === HOOK.pairAt) this.#addPairAt(event);
    else if (message === HOOK.call) this.#addOther(event);
    else if (message === HOOK.state) this.#addSocket(event);
    else if (message === HOOK.sent || message === HOOK.received) this.#addBytes(event, message);
    else if (message === HOOK.packet) this.#addPacket(event);
    else if (message === HOOK.answer) this.#addAnswer(event);
  }

  #addOpen({ process, args }: ProcessTracepointEvent): void {
    const [number, file, second, third, how] = args;
    if (file?.type !== 'fd' || file.path === '') return;
    const { path } = file;
    const call = readNumber(number);
    const flags =
      call === OPEN_CALLS.creat
        ? WRITE_FLAGS
        : call === OPEN_CALLS.open
          ? readNumber(second)
          : call === OPEN_CALLS.openat2
            ? readText(how).charCodeAt(0) & 0xff
            : readNumber(third);
    const isWrite = (flags & WRITE_FLAGS) !== 0;
    this.#seeOpen(process, { path, isWrite, isRegular: file.permission.startsWith('-') });
  }

  #seeOpen(
    process: Process,
    { path, isWrite, isRegular }: Pick<DescribedFunction & { what: 'open' }, 'path' | 'isWrite' | 'isRegular'>,
    refused = false,
  ): void {
    const owner = /^\/proc\/(\d+)\/(?:task\/\d+\/)?(environ|mem)$/.exec(path);
    if (owner !== null && !refused) {
      if (Number(owner[1]) !== process.pid)
        this.#seeProcess(process, 'memory', `${isWrite ? 'write' : 'read'} /proc/`, owner);
      return;
    }
    if (path.startsWith('/proc/') && !isWrite) return;
    // what was refused is worth a line in any case
    if (isSecret(path) && (refused || !(isOwnSetting(path) && this.#origins.find(process) === undefined))) {
      this.#seePath(process, 'secret', path, isWrite ? ' (written)' : '', refused);
      return;
    }
    if (isWrite) {
      if (refused || !this.#isOrdinary(path)) this.#seePath(process, 'write', path, '', refused);
    } else if (isRegular && !SYSTEM.test(path) && !this.#isOrdinary(path)) {
      this.#seePath(process, 'read', path, '', refused);
    }
  }

  #seeProcess(process: Process, kind: 'memory', before: string, [, pid, file]: readonly string[]): void {
    const { binary, isOwn } = this.#findTarget(Number(pid));
    const whose = isOwn ? '' : ' outside of the run';
    this.#see(
      process,
      kind,
      `${before}${pid}/${file} of ${binary}${whose}`,
      `${before}PID/${file} of ${generalizePath(binary, this.#options.places)}${whose}`,
    );
  }

  /** True for files in the working folder. */
  #isOrdinary(path: string): boolean {
    return !this.#options.everywhere && isInside(path, this.#options.places.folder);
  }

  #addPaths({ process, args }: ProcessTracepointEvent): void {
    const [number, , first, second, mode, folder] = args;
    const call = readNumber(number);
    const at = readPath(folder);
    const one = resolvePath(readText(first), at);
    const two = resolvePath(readText(second), at);
    this.#change(process, call, one, two, readNumber(mode));
  }

  #addPathAt({ process, args }: ProcessTracepointEvent): void {
    const [number, , , folder, path, mode, , working] = args;
    this.#change(process, readNumber(number), resolveAt(path, folder, working), undefined, readNumber(mode));
  }

  #addPairAt({ process, args }: ProcessTracepointEvent): void {
    const [number, , folder, first, newFolder, second, working] = args;
    const [one, two] = [resolveAt(first, folder, working), resolveAt(second, newFolder, working)];
    this.#change(process, readNumber(number), one, two);
  }

  #change(process: Process, call: number, first = '(unknown)', second = '(unknown)', mode = 0): void {
    const { unlink, rmdir, chmod, mkdir, mknod, truncate } = PATH_CALLS;
    const { rename, link, symlink } = PAIR_CALLS;
    const { unlinkat, fchmodat, fchmodat2, mkdirat, mknodat } = PATH_AT_CALLS;
    const { renameat, renameat2, linkat } = PAIR_AT_CALLS;
    const is = (...calls: readonly number[]): boolean => calls.includes(call);
    const isOutside = (path: string): boolean => !this.#isOrdinary(path);
    const pair = (word: string): [string, string] => {
      const [one, two] = generalizePair(first, second, this.#options.places);
      return [`${first} ${word} ${second}`, `${one} ${word} ${two}`];
    };
    if (is(rename, renameat, renameat2)) {
      if (isOutside(first) || isOutside(second)) this.#see(process, 'rename', ...pair('→'));
    } else if (is(link, linkat)) {
      if (isOutside(first) || isOutside(second)) this.#see(process, 'rename', ...pair('linked as'));
    } else if (is(symlink)) {
      if (isOutside(second)) this.#seePath(process, 'write', second, ' (link)');
    } else if (!isOutside(first)) {
      return;
    } else if (is(unlink, rmdir, unlinkat)) this.#seePath(process, 'remove', first);
    else if (is(mkdir, mkdirat)) this.#seePath(process, 'write', first, ' (folder)');
    else if (is(mknod, mknodat, truncate)) this.#seePath(process, 'write', first);
    else if (is(chmod, fchmodat, fchmodat2)) {
      const special = (mode & 0o6000) !== 0 ? ' (setuid)' : (mode & 0o111) !== 0 ? ' (executable)' : '';
      this.#seePath(process, 'mode', first, special);
    } else this.#seePath(process, 'mode', first, ' (owner)');
  }

  #addOther({ process, args }: ProcessTracepointEvent): void {
    const [number, result, one, two, three, first, second, third] = args;
    const call = readNumber(number);
    if (call >= COMPAT_BIT) {
      this.#see(process, 'unseen', 'system calls of 32 bits');
      return;
    }
    const name = otherCallName(call);
    if (name === undefined) return;
    const described = describeCall(name, {
      result: readNumber(result),
      numbers: [readNumber(one), readNumber(two), readNumber(three)],
      texts: [readText(first), readText(second), readText(third)],
      pid: process.pid,
      uid: process.uid,
      signalName,
      describeProcess: (pid) => this.#findTarget(pid),
    });
    if (described === undefined) return;
    if (described.path !== undefined) {
      const path = resolvePath(described.path, process.cwd);
      if (path !== undefined && !this.#isOrdinary(path)) this.#seePath(process, described.kind, path, described.text);
      return;
    }
    this.#see(process, described.kind, described.text, described.fact ?? described.text);
  }

  #addSocket({ process, args }: ProcessTracepointEvent): void {
    const [socket, , state] = args;
    if (socket?.type !== 'sock') return;
    if (readNumber(state) === LISTEN) {
      this.#listen(process, socket.sourceAddress, socket.sourcePort);
      return;
    }
    this.#connect(process, socket.destinationAddress, socket.destinationPort);
  }

  #listen(process: Process, address: string, port: number, refused = false): void {
    this.#see(process, 'listen', formatEndpoint(address, port), generalizeAddress(address, port), refused);
  }

  #connect(process: Process, address: string, port: number, refused = false) {
    const name = this.#names.get(address);
    const what = refused
      ? ''
      : port === TLS_DNS_PORT
        ? ' (DNS over TLS: names are not seen)'
        : port === DNS_PORT
          ? ' (DNS over TCP: names are not seen)'
          : '';
    const subject = `${name === undefined ? '' : `${name} `}${formatEndpoint(address, port)}${what}`;
    return this.#see(
      process,
      'connect',
      subject,
      generalizeAddress(address, port, name === undefined ? undefined : generalizeHost(name)) + what,
      refused,
    );
  }

  #addBytes({ process, args }: ProcessTracepointEvent, direction: 'sent' | 'received'): void {
    const [socket, size] = args;
    if (socket?.type !== 'sock' || socket.destinationPort === 0 || socket.state === 'TCP_LISTEN') return;
    if (socket.destinationPort === DNS_PORT && socket.protocol !== 'IPPROTO_TCP') return;
    const name = this.#names.get(socket.destinationAddress);
    const fact = generalizeAddress(
      socket.destinationAddress,
      socket.destinationPort,
      name === undefined ? undefined : generalizeHost(name),
    );
    const seen =
      this.#known(process, fact) ??
      (socket.protocol === 'IPPROTO_UDP'
        ? this.#connect(process, socket.destinationAddress, socket.destinationPort)
        : undefined);
    if (seen !== undefined) seen[direction] = (seen[direction] ?? 0) + readNumber(size);
  }

  #known(process: Process, fact: string) {
    return this.behaviors.find('connect', this.#origins.find(process), fact);
  }

  #addPacket({ process, args }: ProcessTracepointEvent): void {
    const [packet, bytes] = args;
    if (packet?.type !== 'skb' || bytes?.type !== 'char_buf') return;
    const payload = udpPayload(bytes.value);
    const message = payload === undefined ? undefined : parseDns(payload);
    if (message === undefined) {
      this.#see(process, 'dns', `no question of DNS, to ${formatEndpoint(packet.destinationAddress, DNS_PORT)}`);
      return;
    }
    this.#see(process, 'dns', message.name === '' ? '.' : message.name, generalizeHost(message.name));
  }

  #addAnswer({ args }: ProcessTracepointEvent): void {
    const [, , bytes] = args;
    const message = bytes?.type === 'char_buf' ? parseDns(bytes.value) : undefined;
    if (message === undefined || !message.isAnswer) return;
    for (const address of message.addresses) {
      if (this.#names.size < NAMES_MAX) this.#names.set(address, message.name);
    }
  }
}
