/** What the kernel reported, as a discriminated union on `type`. */
export type TracerEvent = ProcessExecEvent | ProcessExitEvent | ProcessKprobeEvent | LostEvent;

export type EventType = TracerEvent['type'];

/** One process image: a new one begins at every exec. */
export interface Process {
  /** base64 of `node:start_ns:pid`; unique for each exec. */
  readonly execId: string;
  readonly parentExecId: string;
  /** Thread group id, in the initial pid namespace. */
  readonly pid: number;
  readonly uid: number;
  /** Login uid; 4294967295 when unset. */
  readonly auid: number;
  /** Absolute path as given to execve (a script's own path), made absolute. */
  readonly binary: string;
  /** Path of the file that runs, symbolic links resolved; the interpreter of a script. */
  readonly executable: string;
  /** Without argv[0]; whole, unless `flags` has `truncArgs`. */
  readonly argv: readonly string[];
  /** `argv` joined by spaces; an argument that is empty or has a space is in double quotes (Tetragon's form). */
  readonly arguments: string;
  readonly cwd: string;
  /** Space-separated: `execve`, `clone`, `procFS`, `rootcwd`, `truncArgs`, `errorArgs`, `truncFilename`, `unknown`. */
  readonly flags: string;
  /** RFC 3339, UTC, nanoseconds. */
  readonly startTime: string;
  /** Nanoseconds since 1970-01-01T00:00:00Z. */
  readonly startTimeNs: bigint;
  readonly capabilities: Capabilities;
  readonly namespaces: Namespaces;
  readonly credentials: Credentials;
  /** Id of the cgroup v2 directory (its inode number); 0n when unknown. */
  readonly cgroupId: bigint;
  /** Container and pod, when known. */
  readonly pod?: Pod;
}

export interface Pod {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly workload?: string;
  readonly workloadKind?: string;
  readonly container?: {
    readonly id: string;
    readonly name?: string;
    readonly image?: { readonly id?: string; readonly name?: string };
  };
}

/** Bit masks: bit n is capability n of linux/capability.h. */
export interface Capabilities {
  readonly permitted: bigint;
  readonly effective: bigint;
  readonly inheritable: bigint;
}

/** Inode numbers, as `readlink /proc/PID/ns/*` shows; 0 when unknown. */
export interface Namespaces {
  readonly uts: number;
  readonly ipc: number;
  readonly mnt: number;
  readonly pid: number;
  readonly pidForChildren: number;
  readonly net: number;
  readonly time: number;
  readonly timeForChildren: number;
  readonly cgroup: number;
  readonly user: number;
}

export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  readonly euid: number;
  readonly egid: number;
  readonly suid: number;
  readonly sgid: number;
  readonly fsuid: number;
  readonly fsgid: number;
}

interface EventBase {
  /** RFC 3339, UTC, nanoseconds. */
  readonly time: string;
  /** Nanoseconds since 1970-01-01T00:00:00Z. */
  readonly timeNs: bigint;
  readonly nodeName: string;
}

interface ProcessEvent extends EventBase {
  readonly process: Process;
  readonly parent?: Process;
  /** Nearest first, the parent not included. */
  readonly ancestors: readonly Process[];
  /** Thread that caused the event. */
  readonly tid: number;
}

export interface ProcessExecEvent extends ProcessEvent {
  readonly type: 'process_exec';
}

export interface ProcessExitEvent extends ProcessEvent {
  readonly type: 'process_exit';
  /** Exit status 0-255; 0 when a signal ended it. */
  readonly status: number;
  /** Name of the signal that ended it, such as `SIGKILL`. */
  readonly signal?: string;
  readonly coreDumped: boolean;
}

export interface ProcessKprobeEvent extends ProcessEvent {
  readonly type: 'process_kprobe';
  readonly policyName: string;
  /** As resolved in the kernel: a policy's `sys_read` is `__x64_sys_read` here. */
  readonly functionName: string;
  /** In the order of the policy's `args`; `nop` arguments are left out. */
  readonly args: readonly HookArgument[];
  readonly return?: HookArgument;
  readonly action: 'post';
  readonly returnAction?: 'post';
  readonly message?: string;
  readonly tags: readonly string[];
  /** Index of the selector that matched; 0 when the hook has none. */
  readonly selector: number;
}

/** Records that could not be delivered; every one is counted once. */
export interface LostEvent extends EventBase {
  readonly type: 'lost';
  /** Function name of the hook; `process_exec`, `process_exit`, `process_fork` for the base sensor. */
  readonly hook: string;
  /** Empty for the base sensor. */
  readonly policyName: string;
  /**
   * `ring_full`: the kernel's ring buffer had no room. `pending_full`: an entry could not be kept until its return.
   * `missed`: the kernel skipped the program, or had no
   * place for one more call of the function between entry and return (kretprobe). `slow_consumer`: this iterator fell behind another.
   * `process_table_full`: the binaries of a process could not be kept.
   */
  readonly reason: LossReason;
  /** Since the last `lost` event of this hook and reason. */
  readonly count: number;
}

export type LossReason = 'ring_full' | 'pending_full' | 'missed' | 'slow_consumer' | 'process_table_full';

/** One value of a hook, by the type that the policy gives it. */
export type HookArgument =
  | { readonly type: 'int' | 'uint32'; readonly index: number; readonly label?: string; readonly value: number }
  | { readonly type: 'size_t'; readonly index: number; readonly label?: string; readonly value: bigint }
  | {
      readonly type: 'string' | 'filename';
      readonly index: number;
      readonly label?: string;
      readonly value: string;
      readonly truncated: boolean;
      /** The memory could not be read; `value` is empty. */
      readonly unreadable?: true;
    }
  | FileArgument;

export interface FileArgument {
  readonly type: 'file' | 'path' | 'fd';
  readonly index: number;
  readonly label?: string;
  /** Absolute in the process's root; `pipe:[N]`, `socket:[N]`, `anon_inode:…`, `/memfd:…` when it has none. */
  readonly path: string;
  /** `truncated`, `deleted`, `unreachable`, `pseudo`, `fault`. */
  readonly flags: readonly PathFlag[];
  /** As `ls -l` shows it, such as `-rw-r-----`. */
  readonly permission: string;
  readonly inode: bigint;
  /** The descriptor, for `fd`. */
  readonly fd?: number;
}

export type PathFlag = 'truncated' | 'deleted' | 'unreachable' | 'pseudo' | 'fault';
