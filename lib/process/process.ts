/**
 * The processes in events. One object is a process between two execs, and has one exec id. Each class keeps its source
 * (a record, a /proc entry, or the parent) and decodes a field only when it is read, because most fields are never
 * read.
 */
import path from 'node:path';
import type {
  BinaryProperties,
  Capabilities,
  Container,
  Credentials,
  Namespaces,
  Pod,
  Process,
} from '../../types/events.js';
import type { Cgroups } from '../containers/cgroups.js';
import type { ContainerNames } from '../containers/container-names.js';
import { EventExec, EventFlag, EventFork, EventType, ProcessFlag, StringFlag } from '../wire/layout.gen.js';
import type { RecordChunk } from '../wire/record-chunk.js';
import { formatTime, type Clock } from './clock.js';
import { readBinaryProperties } from './binary-properties.js';
import { findUserName } from './users.js';
import { ProcessView } from './view.js';
import { ProcessContainer } from './process-container.js';

/** Data that all processes of one tracer share. */
export interface ProcessContext {
  readonly nodeName: string;
  readonly clock: Clock;
  readonly cgroups: Cgroups;
  /** Undefined: only the ids of containers are known. */
  readonly names?: ContainerNames | undefined;
  /**
   * Reads what a process from /proc has chosen, without waiting for it on this thread; undefined if it does not answer in
   * time. `executable` is the target of /proc/PID/exe.
   */
  readonly readFacts?: (pid: number, executable: Buffer) => Promise<ProcessFacts | undefined>;
  /** The names of variables in exec events; empty for all. Undefined: they have none. */
  readonly environment?: ReadonlySet<string> | undefined;
  /** Called with work that the next events wait for. */
  readonly onLateWork?: (work: Promise<void>) => void;
}

export interface ProcessFacts {
  /** The strings of the command line, each with a NUL. */
  readonly commandLine: Buffer;
  /** The executable is the host's file of its path. */
  readonly runsHostFile: boolean;
}

/**
 * Number of ended ancestors that are retained, so that a chain of processes that fork and end does not grow without
 * limit. Running processes retain their parents: their number is limited by the kernel.
 */
const ENDED_ANCESTORS_MAX = 64;
/** Limits for a process that calls exec again and again: number and approximate bytes of its retained former execs. */
const FORMERS_MAX = 8;
const FORMERS_BYTES = 64 * 1024;

export abstract class TrackedProcess implements Omit<Process, 'toObject' | 'toJSON'> {
  /** Start time of the process from the kernel, in two halves. Together with the process id it identifies a process. */
  startLow = 0;
  startHigh = 0;
  /** Low half of the kernel's count of execs of this process; -1 if not known yet. */
  execCount = -1;
  /** True after the exit of the process was reported. */
  exited = false;
  /** True when the process has ended or has executed another program. */
  ended = false;
  /** See ProcessCache.onDrained. */
  epoch = 0;
  /** The cache of the formats of lines, for this process. */
  lineFragments: object | undefined;
  /** The cache of the JSON, for this process. */
  jsonParts: object | undefined;

  #execId: string | undefined;
  #view: ProcessView | undefined;

  constructor(
    readonly context: ProcessContext,
    readonly pid: number,
    public parentProcess: TrackedProcess | undefined,
    /** True in the tree of pid 1 of a pid namespace other than the initial one. */
    readonly inInitTree: boolean,
    /** The same process before its last exec. Undefined for the first exec after a fork. */
    public formerProcess?: TrackedProcess,
  ) {
    this.formerExecId = formerProcess?.execId;
    trimAncestors(this);
    trimFormers(this);
  }

  readonly formerExecId: string | undefined;

  /** True between the fork and the exec. */
  get forked(): boolean {
    return false;
  }

  /** Approximate number of bytes that this object itself uses. */
  get ownBytes(): number {
    return 256;
  }

  /** The same, including its former execs. */
  get totalBytes(): number {
    let bytes = this.ownBytes;
    for (let at = this.formerProcess; at !== undefined; at = at.formerProcess) bytes += at.ownBytes;
    return bytes;
  }

  abstract readonly uid: number;
  abstract readonly auid: number;
  abstract readonly binary: string;
  abstract readonly executable: string;
  abstract readonly binaryUntrusted: boolean;
  abstract readonly argv: readonly string[];
  abstract readonly cwd: string;
  abstract readonly flags: string;
  abstract readonly capabilities: Capabilities;
  abstract readonly namespaces: Namespaces;
  abstract readonly credentials: Credentials;
  abstract readonly cgroupId: bigint;
  abstract readonly container: Container | undefined;
  abstract readonly pod: Pod | undefined;
  abstract readonly binaryProperties: BinaryProperties | undefined;
  /** CLOCK_BOOTTIME of the exec or fork. For a process from /proc, of the start of the process. */
  abstract readonly bootTimeNs: bigint;

  get execId(): string {
    return (this.#execId ??= encodeBase64(`${this.context.nodeName}:${this.bootTimeNs}:${this.pid}`));
  }

  get parentExecId(): string {
    return this.parentProcess?.execId ?? '';
  }

  get arguments(): string {
    return joinArguments(this.argv);
  }

  get user(): string | undefined {
    return findUserName(this.credentials.euid, this.namespaces);
  }

  get startTimeNs(): bigint {
    return this.context.clock.toEpoch(this.bootTimeNs);
  }

  get startTime(): string {
    return formatTime(this.startTimeNs);
  }

  /** A record from which the process can be made again; undefined if it was not made from one. */
  toRecord(): Buffer | undefined {
    return undefined;
  }

  /** True if a record with this process id and start time belongs to this process. */
  hasStartTime(startLow: number, startHigh: number): boolean {
    return this.startLow === startLow && this.startHigh === startHigh;
  }

  /** Drops the texts that are made again when they are needed. */
  forgetTexts(): void {
    this.lineFragments = undefined;
    this.jsonParts = undefined;
  }

  /** The public view of the process, which events have. It is always the same object. */
  get view(): ProcessView {
    this.#view ??= new ProcessView(this);
    return this.#view;
  }

  get ancestors(): readonly Process[] {
    const result: Process[] = [];
    for (let at = this.parentProcess?.parentProcess; at !== undefined; at = at.parentProcess) result.push(at.view);
    return result;
  }
}

/** A process after an exec. */
export class ExecProcess extends TrackedProcess {
  readonly #record: RecordChunk;
  /** True if a fork made the process. False if the process executed another program before. */
  readonly #cloned: boolean;
  #argv: readonly string[] | undefined;
  #binary: string | undefined;
  #executable: string | undefined;
  /** It is looked up in the constructor, because the cgroup can be removed later. */
  readonly #container: ProcessContainer | undefined;

  constructor(
    context: ProcessContext,
    pid: number,
    parent: TrackedProcess | undefined,
    /** Contains exactly the record. */
    record: RecordChunk,
    /** The process before the exec, if it is known. */
    before: TrackedProcess | undefined,
  ) {
    const cloned = before === undefined || before.forked;
    const isInit = (record.u16(EventExec.headerFlags) & ProcessFlag.PROCESS_NAMESPACE_INIT) !== 0;
    super(context, pid, parent, isInit || (before ?? parent)?.inInitTree === true, cloned ? undefined : before);
    this.#record = record;
    this.#cloned = cloned;
    const container = context.cgroups.findContainer(this.cgroupId);
    if (container !== undefined) {
      const { names, clock } = context;
      const named = names?.findOrAwait(container, this.bootTimeNs, (time) => Number(clock.toEpoch(time) / 1_000_000n));
      this.#container = new ProcessContainer(container, names, named);
    }
  }

  get container(): Container | undefined {
    return this.#container?.container;
  }

  get pod(): Pod | undefined {
    return this.#container?.resolvePod(this);
  }

  override get ownBytes(): number {
    return 256 + this.#record.length;
  }

  /** Copies the record into a buffer of its own. */
  ownRecord(): void {
    this.#record.detach();
  }

  override get user(): string | undefined {
    const r = this.#record;
    return findUserName(r.u32(EventExec.credsEuid), { user: r.u32(EventExec.nsUser), mnt: r.u32(EventExec.nsMnt) });
  }

  get bootTimeNs(): bigint {
    return this.#record.u64(EventExec.headerTime);
  }

  get uid(): number {
    return this.#record.u32(EventExec.credsUid);
  }

  get auid(): number {
    return this.#record.u32(EventExec.auid);
  }

  get binary(): string {
    this.#binary ??= this.#absoluteBinary();
    return this.#binary;
  }

  /** The path that execve received, made absolute. If execve received a descriptor, the path of the executable. */
  #absoluteBinary(): string {
    const filename = this.#string(EventExec.filename);
    if (filename.startsWith('/') && !filename.startsWith('/dev/fd/')) return filename;
    if (filename === '' || filename.startsWith('/')) return this.executable;
    return path.posix.resolve(this.cwd === '' ? '/' : this.cwd, filename);
  }

  get executable(): string {
    this.#executable ??= this.#executablePath();
    return this.#executable;
  }

  /** The path of the executable. A memfd has a name but no path: it gets the form of /proc/PID/exe. */
  #executablePath(): string {
    const text = this.#string(EventExec.executable);
    const flags = this.#record.u16(EventExec.executableFlags);
    return (flags & StringFlag.STRING_PSEUDO) !== 0 && !text.startsWith('/') ? `/${text}` : text;
  }

  get binaryUntrusted(): boolean {
    return (this.#record.u16(EventExec.executableFlags) & StringFlag.STRING_UNTRUSTED) !== 0;
  }

  get cwd(): string {
    return this.#string(EventExec.cwd);
  }

  get argv(): readonly string[] {
    return (this.#argv ??= splitArgv(this.#argumentArea()));
  }

  override get arguments(): string {
    return joinArea(this.#argumentArea());
  }

  #argumentArea(): string {
    return this.#slice(this.#record.u32(EventExec.argvOffset), this.#record.u32(EventExec.argvLength));
  }

  get flags(): string {
    let flags = this.#cloned ? 'execve clone' : 'execve';
    const header = this.#record.u16(EventExec.headerFlags);
    if (this.cwd === '/') flags += ' rootcwd';
    if ((header & EventFlag.EVENT_ARGV_TRUNCATED) !== 0) flags += ' truncArgs';
    if ((header & EventFlag.EVENT_ARGV_UNREADABLE) !== 0) flags += ' errorArgs';
    if ((header & ProcessFlag.PROCESS_ENVIRONMENT_TRUNCATED) !== 0) flags += ' truncEnvironment';
    if ((header & ProcessFlag.PROCESS_ENVIRONMENT_UNREADABLE) !== 0) flags += ' errorEnvironment';
    const file = this.#record.u16(EventExec.filenameFlags) | this.#record.u16(EventExec.executableFlags);
    if ((file & (StringFlag.STRING_TRUNCATED | StringFlag.STRING_FAULT)) !== 0) flags += ' truncFilename';
    if ((file & StringFlag.STRING_UNKNOWN) !== 0) flags += ' errorFilename';
    return flags;
  }

  get capabilities(): Capabilities {
    return {
      permitted: this.#record.u64(EventExec.credsCapPermitted),
      effective: this.#record.u64(EventExec.credsCapEffective),
      inheritable: this.#record.u64(EventExec.credsCapInheritable),
    };
  }

  get namespaces(): Namespaces {
    const r = this.#record;
    return {
      uts: r.u32(EventExec.nsUts),
      ipc: r.u32(EventExec.nsIpc),
      mnt: r.u32(EventExec.nsMnt),
      pid: r.u32(EventExec.nsPid),
      pidForChildren: r.u32(EventExec.nsPidForChildren),
      net: r.u32(EventExec.nsNet),
      time: r.u32(EventExec.nsTime),
      timeForChildren: r.u32(EventExec.nsTimeForChildren),
      cgroup: r.u32(EventExec.nsCgroup),
      user: r.u32(EventExec.nsUser),
    };
  }

  get credentials(): Credentials {
    const r = this.#record;
    return {
      uid: r.u32(EventExec.credsUid),
      gid: r.u32(EventExec.credsGid),
      euid: r.u32(EventExec.credsEuid),
      egid: r.u32(EventExec.credsEgid),
      suid: r.u32(EventExec.credsSuid),
      sgid: r.u32(EventExec.credsSgid),
      fsuid: r.u32(EventExec.credsFsuid),
      fsgid: r.u32(EventExec.credsFsgid),
    };
  }

  get cgroupId(): bigint {
    return this.#record.u64(EventExec.cgroupId);
  }

  get binaryProperties(): BinaryProperties | undefined {
    return readBinaryProperties(this.#record, this);
  }

  override toRecord(): Buffer {
    const bytes = this.#record.copyBytes();
    bytes.writeUInt32LE(this.#record.length, EventExec.headerSize);
    bytes.writeUInt32LE(0, EventExec.environmentLength);
    if (this.inInitTree) setInitFlag(bytes);
    return padRecord(bytes);
  }

  #string(ref: number): string {
    return this.#slice(this.#record.u32(ref), this.#record.u16(ref + 4));
  }

  #slice(offset: number, length: number): string {
    return offset + length <= this.#record.length ? this.#record.readString(offset, length) : '';
  }
}

/** A process between its fork and its first exec. Except for the ids, its fields are those of its parent. */
export class ForkProcess extends TrackedProcess {
  readonly #source: TrackedProcess;
  readonly bootTimeNs: bigint;

  constructor(context: ProcessContext, pid: number, parent: TrackedProcess, record: RecordChunk, offset: number) {
    const isInit = (record.u16(offset + EventFork.headerFlags) & ProcessFlag.PROCESS_NAMESPACE_INIT) !== 0;
    super(context, pid, parent, isInit || parent.inInitTree);
    // A chain of forks shares one source: the last process that is not a fork.
    this.#source = parent instanceof ForkProcess ? parent.#source : parent;
    this.bootTimeNs = record.u64(offset + EventFork.headerTime);
  }

  override toRecord(): Buffer {
    const bytes = Buffer.alloc(EventFork.sizeof);
    bytes.writeUInt32LE(bytes.length, EventFork.headerSize);
    bytes.writeUInt16LE(EventType.EVENT_FORK, EventFork.headerType);
    bytes.writeBigUInt64LE(this.bootTimeNs, EventFork.headerTime);
    bytes.writeUInt32LE(this.pid, EventFork.keyTgid);
    bytes.writeUInt32LE(this.startLow, EventFork.keyStartTime);
    bytes.writeUInt32LE(this.startHigh, EventFork.keyStartTime + 4);
    bytes.writeUInt32LE(this.execCount >>> 0, EventFork.keyExecCount);
    bytes.writeUInt32LE(this.parentProcess?.pid ?? 0, EventFork.parentTgid);
    bytes.writeUInt32LE(this.parentProcess?.startLow ?? 0, EventFork.parentStartTime);
    bytes.writeUInt32LE(this.parentProcess?.startHigh ?? 0, EventFork.parentStartTime + 4);
    if (this.inInitTree) setInitFlag(bytes);
    return padRecord(bytes);
  }

  get uid(): number {
    return this.#source.uid;
  }
  get auid(): number {
    return this.#source.auid;
  }
  get binary(): string {
    return this.#source.binary;
  }
  get executable(): string {
    return this.#source.executable;
  }
  get binaryUntrusted(): boolean {
    return this.#source.binaryUntrusted;
  }
  get argv(): readonly string[] {
    return this.#source.argv;
  }
  get cwd(): string {
    return this.#source.cwd;
  }
  get flags(): string {
    return this.#source.flags;
  }
  override get forked(): boolean {
    return true;
  }
  get capabilities(): Capabilities {
    return this.#source.capabilities;
  }
  get namespaces(): Namespaces {
    return this.#source.namespaces;
  }
  get credentials(): Credentials {
    return this.#source.credentials;
  }
  get cgroupId(): bigint {
    return this.#source.cgroupId;
  }
  get container(): Container | undefined {
    return this.#source.container;
  }
  get pod(): Pod | undefined {
    return this.#source.pod;
  }
  get binaryProperties(): BinaryProperties | undefined {
    return this.#source.binaryProperties;
  }
}

const scratch = Buffer.allocUnsafeSlow(512);

/** A buffer for each short text would cost as much as the rest. */
function encodeBase64(text: string): string {
  // a UTF-16 code unit has at most three bytes
  if (3 * text.length > scratch.length) return Buffer.from(text).toString('base64');
  return scratch.toString('base64', 0, scratch.write(text));
}

function setInitFlag(record: Buffer): void {
  const flags = record.readUInt16LE(EventExec.headerFlags);
  record.writeUInt16LE(flags | ProcessFlag.PROCESS_NAMESPACE_INIT, EventExec.headerFlags);
}

/** Appends zeros, because records begin at multiples of 8. */
function padRecord(record: Buffer): Buffer {
  return Buffer.concat([record], (record.length + 7) & ~7);
}

function trimAncestors(process: TrackedProcess): void {
  let at: TrackedProcess | undefined = process;
  for (let depth = 0; at !== undefined && depth < ENDED_ANCESTORS_MAX; depth++) at = at.parentProcess;
  while (at !== undefined && !at.ended) at = at.parentProcess;
  if (at !== undefined) at.parentProcess = undefined;
}

function trimFormers(process: TrackedProcess): void {
  let at = process.formerProcess;
  let bytes = 0;
  for (let count = 1; at !== undefined; count++) {
    bytes += at.ownBytes;
    if (count >= FORMERS_MAX || bytes > FORMERS_BYTES) at.formerProcess = undefined;
    at = at.formerProcess;
  }
}

/** Returns argv without argv[0]. In the area, each string ends with a NUL. */
export function splitArgv(area: string): string[] {
  const all = area.split('\0');
  if (all.at(-1) === '') all.pop();
  return all.slice(1);
}

/** Joins arguments with spaces, as Tetragon does. An argument that is empty or contains a space is in double quotes. */
export function joinArguments(argv: readonly string[]): string {
  return argv.map((arg) => (needsQuotes(arg) ? `"${arg}"` : arg)).join(' ');
}

/** The same, from the area of argv. Most areas have no argument that needs quotes. */
export function joinArea(area: string): string {
  const start = area.indexOf('\0') + 1;
  const end = area.endsWith('\0') ? area.length - 1 : area.length;
  const joined = area.slice(start, end);
  if (start === 0 || joined === '' || NEEDS_QUOTES.test(joined)) return joinArguments(splitArgv(area));
  return joined.replaceAll('\0', ' ');
}

/** An argument with a space, or an empty one. */
const NEEDS_QUOTES = /\s|^\0|\0\0|\0$/;

/** True if joinArguments() puts the argument in quotes. */
export function needsQuotes(argument: string): boolean {
  return argument === '' || /\s/.test(argument);
}
