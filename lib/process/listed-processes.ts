/** Decodes the running processes that the kernel's iterator over tasks has listed: structs running_process. */
import type { Capabilities, Credentials, Namespaces } from '../../types/events.js';
import { RunningFlag, RunningProcess as Layout } from '../wire/layout.gen.js';
import { RecordChunk } from '../wire/record-chunk.js';
import { hostNamespaces } from './host-namespaces.js';
import { decodeBytes } from './proc-files.js';
import type { ProcessFacts } from './process.js';
import { NS_PER_TICK, type RunningProcess } from './running-process.js';

/** The list of the kernel: see ProcessList of lib/native/binding.ts. */
export interface KernelList {
  readonly records: Buffer;
  readonly texts: Buffer;
  readonly ends: Uint32Array;
  readonly threads: Uint32Array;
  readonly missing: Uint8Array;
}

/** Texts from the files of a process, as the addon reads them. What the list has is empty. */
export interface ProcessTexts {
  /** The target of the link to the executable. The name of a kernel thread. */
  readonly executable: Buffer;
  readonly cwd: Buffer;
  readonly commandLine: Buffer;
  readonly runsHostFile: boolean;
  /** The root of the process is that of this process. Known if its executable was removed. */
  readonly hasHostRoot: boolean;
}

const NO_BYTES = Buffer.alloc(0);

/** The parts of a list to which all its processes refer. */
class SharedList {
  readonly records: RecordChunk;
  readonly #texts: Buffer;
  readonly #ends: Uint32Array;

  constructor({ records, texts, ends }: KernelList) {
    this.records = RecordChunk.from(records);
    this.#texts = texts;
    this.#ends = ends;
  }

  /** The bytes of a text of the list. 0 has none. */
  bytes(number: number): Buffer {
    if (number === 0) return NO_BYTES;
    return this.#texts.subarray(this.#ends[number - 2] ?? 0, this.#ends[number - 1]);
  }
}

/** A process of the list. It refers to the list, and decodes most fields when they are read. */
export class ListedProcess implements RunningProcess {
  readonly #list: SharedList;
  readonly #records: RecordChunk;
  readonly #at: number;
  readonly pid: number;
  #texts: ProcessTexts | undefined;
  facts: ProcessFacts | undefined;
  readonly isKnown = true;

  constructor(list: SharedList, at: number) {
    this.#list = list;
    this.#records = list.records;
    this.#at = at;
    this.pid = this.#records.u32(at + Layout.keyTgid);
  }

  /** Undefined: the process did not answer in time. */
  setTexts(texts: ProcessTexts | undefined): void {
    if (texts === undefined) return;
    const { executable, cwd, commandLine, runsHostFile, hasHostRoot } = texts;
    // otherwise only the command line was read
    if (executable.length > 0 || cwd.length > 0 || hasHostRoot) this.#texts = texts;
    if (this.isKernelThread || (this.#executableNumber === 0 && executable.length === 0)) return;
    this.facts = { commandLine, runsHostFile };
  }

  get #executableNumber(): number {
    return this.#records.u32(this.#at + Layout.executable);
  }

  get parentPid(): number {
    return this.#records.u32(this.#at + Layout.parentTgid);
  }

  get livingThread(): number {
    return this.#records.u32(this.#at + Layout.keyTid);
  }

  get startLow(): number {
    return this.#records.u32(this.#at + Layout.keyStartTime);
  }

  get startHigh(): number {
    return this.#records.u32(this.#at + Layout.keyStartTime + 4);
  }

  get execCount(): number {
    return this.#records.u32(this.#at + Layout.keyExecCount);
  }

  get startTicks(): bigint {
    return this.#records.u64(this.#at + Layout.keyStartTime) / NS_PER_TICK;
  }

  get isKernelThread(): boolean {
    return this.#hasFlag(RunningFlag.RUNNING_KERNEL_THREAD);
  }

  get isNamespaceInit(): boolean {
    return this.#hasFlag(RunningFlag.RUNNING_NAMESPACE_INIT);
  }

  #hasFlag(flag: number): boolean {
    return (this.#records.u32(this.#at + Layout.flags) & flag) !== 0;
  }

  get name(): string {
    return this.isKernelThread ? (this.#texts?.executable.toString('latin1') ?? '') : '';
  }

  get executable(): Buffer {
    if (this.isKernelThread) return NO_BYTES;
    const number = this.#executableNumber;
    return number === 0 ? (this.#texts?.executable ?? NO_BYTES) : this.#list.bytes(number);
  }

  get cwd(): string {
    const number = this.#records.u32(this.#at + Layout.cwd);
    return decodeBytes(number === 0 ? (this.#texts?.cwd ?? NO_BYTES) : this.#list.bytes(number));
  }

  get hasHostRoot(): boolean {
    return this.#texts?.hasHostRoot === true && hostNamespaces().mnt.includes(this.namespaces.mnt);
  }

  get auid(): number {
    return this.#records.u32(this.#at + Layout.auid);
  }

  get cgroupId(): bigint {
    return this.#records.u64(this.#at + Layout.cgroupId);
  }

  get capabilities(): Capabilities {
    return {
      permitted: this.#records.u64(this.#at + Layout.credsCapPermitted),
      effective: this.#records.u64(this.#at + Layout.credsCapEffective),
      inheritable: this.#records.u64(this.#at + Layout.credsCapInheritable),
    };
  }

  get credentials(): Credentials {
    const read = (field: number): number => this.#records.u32(this.#at + field);
    return {
      uid: read(Layout.credsUid),
      gid: read(Layout.credsGid),
      euid: read(Layout.credsEuid),
      egid: read(Layout.credsEgid),
      suid: read(Layout.credsSuid),
      sgid: read(Layout.credsSgid),
      fsuid: read(Layout.credsFsuid),
      fsgid: read(Layout.credsFsgid),
    };
  }

  get namespaces(): Namespaces {
    const read = (field: number): number => this.#records.u32(this.#at + field);
    return {
      uts: read(Layout.nsUts),
      ipc: read(Layout.nsIpc),
      mnt: read(Layout.nsMnt),
      pid: read(Layout.nsPid),
      pidForChildren: read(Layout.nsPidForChildren),
      net: read(Layout.nsNet),
      time: read(Layout.nsTime),
      timeForChildren: read(Layout.nsTimeForChildren),
      cgroup: read(Layout.nsCgroup),
      user: read(Layout.nsUser),
    };
  }
}

/** In the order of the list: parents are before their children if possible. */
export function* decodeList(list: KernelList): Generator<ListedProcess> {
  const shared = new SharedList(list);
  for (let at = 0; at + Layout.sizeof <= list.records.length; at += Layout.sizeof) yield new ListedProcess(shared, at);
}
