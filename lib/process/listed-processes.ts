/** Decodes the running processes that the kernel's iterator over tasks has listed: structs running_process. */
import type { Capabilities, Credentials, Namespaces } from '../../types/events.js';
import { RunningFlag, RunningProcess as Layout } from '../wire/layout.gen.js';
import { RecordChunk } from '../wire/record-chunk.js';
import { hostNamespaces } from './host-namespaces.js';
import { decodeBytes } from './proc-files.js';
import type { ProcessFacts } from './process.js';
import { NS_PER_TICK, type RunningProcess } from './running-process.js';

/** Texts from the files of a process, as the addon reads them. */
export interface ProcessTexts {
  /** The target of the link to the executable. The name of a kernel thread. */
  readonly executable: Buffer;
  readonly cwd: Buffer;
  /** Undefined without an answer in time, and for a process without an executable. */
  readonly facts: ProcessFacts | undefined;
  /** The root of the process is that of this process. */
  readonly hasHostRoot: boolean;
}

const NO_TEXTS: ProcessTexts = {
  executable: Buffer.alloc(0),
  cwd: Buffer.alloc(0),
  facts: undefined,
  hasHostRoot: false,
};

/** A process of the list. It refers to the list, and decodes most fields when they are read. */
export class ListedProcess implements RunningProcess {
  readonly #list: RecordChunk;
  readonly #at: number;
  readonly pid: number;
  #texts = NO_TEXTS;
  readonly isKnown = true;

  constructor(list: RecordChunk, at: number) {
    this.#list = list;
    this.#at = at;
    this.pid = list.u32(at + Layout.keyTgid);
  }

  set texts(texts: ProcessTexts) {
    this.#texts = texts;
  }

  get facts(): ProcessFacts | undefined {
    return this.#texts.facts;
  }

  get parentPid(): number {
    return this.#list.u32(this.#at + Layout.parentTgid);
  }

  get livingThread(): number {
    return this.#list.u32(this.#at + Layout.keyTid);
  }

  get startLow(): number {
    return this.#list.u32(this.#at + Layout.keyStartTime);
  }

  get startHigh(): number {
    return this.#list.u32(this.#at + Layout.keyStartTime + 4);
  }

  /** Nanoseconds since boot, good enough to sort. */
  get start(): number {
    return this.startHigh * 2 ** 32 + this.startLow;
  }

  get execCount(): number {
    return this.#list.u32(this.#at + Layout.keyExecCount);
  }

  get startTicks(): bigint {
    return this.#list.u64(this.#at + Layout.keyStartTime) / NS_PER_TICK;
  }

  get isKernelThread(): boolean {
    return this.#hasFlag(RunningFlag.RUNNING_KERNEL_THREAD);
  }

  get isNamespaceInit(): boolean {
    return this.#hasFlag(RunningFlag.RUNNING_NAMESPACE_INIT);
  }

  /** The executable may not be the one of the exec. */
  get isForged(): boolean {
    return this.#hasFlag(RunningFlag.RUNNING_FORGED);
  }

  #hasFlag(flag: number): boolean {
    return (this.#list.u32(this.#at + Layout.flags) & flag) !== 0;
  }

  get name(): string {
    return this.isKernelThread ? this.#texts.executable.toString('latin1') : '';
  }

  get executable(): Buffer {
    return this.isKernelThread ? NO_TEXTS.executable : this.#texts.executable;
  }

  get cwd(): string {
    return decodeBytes(this.#texts.cwd);
  }

  get hasHostRoot(): boolean {
    return this.#texts.hasHostRoot && hostNamespaces().mnt.includes(this.namespaces.mnt);
  }

  get auid(): number {
    return this.#list.u32(this.#at + Layout.auid);
  }

  get cgroupId(): bigint {
    return this.#list.u64(this.#at + Layout.cgroupId);
  }

  get capabilities(): Capabilities {
    return {
      permitted: this.#list.u64(this.#at + Layout.credsCapPermitted),
      effective: this.#list.u64(this.#at + Layout.credsCapEffective),
      inheritable: this.#list.u64(this.#at + Layout.credsCapInheritable),
    };
  }

  get credentials(): Credentials {
    const read = (field: number): number => this.#list.u32(this.#at + field);
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
    const read = (field: number): number => this.#list.u32(this.#at + field);
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

/** Parents are before their children if possible. */
export function decodeList(bytes: Buffer): ListedProcess[] {
  const list = RecordChunk.from(bytes);
  const all: ListedProcess[] = [];
  for (let at = 0; at + Layout.sizeof <= bytes.length; at += Layout.sizeof) all.push(new ListedProcess(list, at));
  return all.sort((a, b) => a.start - b.start || a.pid - b.pid);
}
