import type { PodInfo } from './containers.js';

/**
 * One event of the stream: a union that is discriminated by `type`. Its members are getters, which decode the kernel's
 * record. Therefore `{ ...event }` has only the process, and `structuredClone` and `postMessage` throw a
 * `DataCloneError`. Copy the event with `toObject` first. The same is true for its processes. Only `lost` and
 * `change` events have their members as own properties.
 *
 * An event that a program keeps retains its processes and less than 4 KB, or its record if that is longer. Until the
 * next garbage collection, it retains a record buffer of 256 KiB. Iterators share events.
 *
 * The classes of this file are types: the package does not export them, and `instanceof` does not work.
 */
export type TracerEvent =
  | ProcessExecEvent
  | ProcessExitEvent
  | ProcessKprobeEvent
  | ProcessTracepointEvent
  | ProcessUprobeEvent
  | ProcessUsdtEvent
  | ProcessLsmEvent
  | ProcessLoaderEvent
  | ProcessThrottleEvent
  | LostEvent;

/** One event of an agent (`connect`): an event of its tracer, or a change of the agent itself. */
export type AgentEvent = TracerEvent | ChangeEvent;

/** The `type` of an event. */
export type EventType = AgentEvent['type'];

/** The events of these types: `EventOf<'process_exec'>` is `ProcessExecEvent`. */
export type EventOf<T extends EventType> = Extract<AgentEvent, { readonly type: T }>;

/**
 * An event as plain data, without methods. `toObject` returns it, and so do iterators with the option `plain`.
 * It survives `structuredClone`, `postMessage` and `{ ...event }`.
 */
export type PlainEvent = PlainOf<AgentEvent>;

/** A process as plain data. */
export type PlainProcess = Omit<Process, 'toObject' | 'toJSON'>;

/** The plain form of this kind of event. */
export type PlainOf<E> = E extends { readonly process: Process }
  ? Omit<E, 'toObject' | 'toJSON' | 'process' | 'parent' | 'former' | 'ancestors'> & PlainProcesses
  : Omit<E, 'toObject' | 'toJSON'>;

interface PlainProcesses {
  readonly process: PlainProcess;
  readonly parent?: PlainProcess;
  readonly former?: PlainProcess;
  readonly ancestors: readonly PlainProcess[];
}

/** The JSON form of plain data: a bigint becomes its decimal digits as a string, and bytes become base64. */
export type JsonOf<T> = T extends bigint | Uint8Array
  ? string
  : T extends object
    ? { readonly [K in keyof T]: JsonOf<T[K]> }
    : T;

/** A process between two execs. Each exec gives the process a new object with a new `execId`. */
export declare abstract class Process {
  /** Id of the exec: base64 of `node:start_ns:pid`. Each exec of a process has its own. */
  get execId(): string;
  /** `execId` of the parent, which is the process that started this one; empty when the parent is not known. */
  get parentExecId(): string;
  /**
   * `execId` of the same process before its last exec. Absent for the first exec after a fork. The JSON export has it
   * as `parent_exec_id`, in place of `parentExecId`.
   */
  readonly formerExecId?: string | undefined;
  /** The process was forked and has not called exec. Except for the ids, its other fields are those of its parent. */
  get forked(): boolean;
  /** Thread group id, in the initial pid namespace. */
  get pid(): number;
  /** Real user id at the time of the exec. `uid` of the JSON export is the effective one: `credentials.euid`. */
  get uid(): number;
  /**
   * Name of the effective user in the host's /etc/passwd. Absent when there is none, or when the process has a user or
   * mount namespace of its own.
   */
  readonly user?: string | undefined;
  /** Login user id; 4294967295 when it is not set. */
  get auid(): number;
  /** Path that was passed to execve, made absolute. For a script, this is the path of the script itself. */
  get binary(): string;
  /** Path of the file that runs, with symbolic links resolved. For a script, this is the interpreter. */
  get executable(): string;
  /**
   * The executable may be another file than the one that `executable` names on the host. The kernel saw its path from
   * another root than the host's, or through a mount of another mount namespace, as in a container. Such a process is
   * never exempt from a policy by its path.
   */
  get binaryUntrusted(): boolean;
  /** Unusual properties of the executable. Absent for an ordinary executable, or when the exec was not seen. */
  readonly binaryProperties?: BinaryProperties | undefined;
  /** Arguments without argv[0]. They are complete unless `flags` contains `truncArgs`. */
  get argv(): readonly string[];
  /** `argv` joined by spaces. An argument that is empty or contains a space is in double quotes (Tetragon's form). */
  get arguments(): string;
  /** Absolute path of the working directory at the time of the exec. */
  get cwd(): string;
  /**
   * Flags, separated by spaces: `execve`, `clone`, `procFS`, `rootcwd`, `truncArgs`, `errorArgs`, `truncFilename`,
   * `errorFilename`, `truncEnvironment`, `errorEnvironment`, `unknown`.
   */
  get flags(): string;
  /**
   * Time of the last exec, or of the fork if there was no exec since: RFC 3339, UTC, with nanoseconds. With the flag
   * `procFS`: start of the process.
   */
  get startTime(): string;
  /** The same time: nanoseconds since 1970-01-01T00:00:00Z. */
  get startTimeNs(): bigint;
  /** Capability sets at the time of the exec. */
  get capabilities(): Capabilities;
  /** Namespaces at the time of the exec. */
  get namespaces(): Namespaces;
  /** User and group ids at the time of the exec. */
  get credentials(): Credentials;
  /**
   * The process is pid 1 of a pid namespace other than the initial one, or a descendant of it. False for a process that
   * entered the namespace from outside (`docker exec`, `nsenter`), and for processes of the host.
   */
  get inInitTree(): boolean;
  /** Id of the cgroup v2 directory, which is its inode number; 0n when it is unknown. */
  get cgroupId(): bigint;
  /** Container of the process. Absent if the process is in no container, or if its cgroup is not known. */
  readonly container?: Container | undefined;
  /**
   * Pod of the process. Absent outside of pods, and if no source (`containers` of `openTracer`) knows the container.
   */
  readonly pod?: Pod | undefined;
  /** Returns a copy as plain data. It retains no memory of the tracer. It is frozen. */
  readonly toObject: () => PlainProcess;
  /** Returns the copy in the form that JSON can express. `JSON.stringify` calls it. */
  toJSON(): JsonOf<PlainProcess>;
}

/**
 * A container. Its id comes from the name that the runtime gave to the cgroup. `name`, `image`, `labels`, `startTime`
 * and `privileged` come from a source (`containers` of `openTracer`), and are those at the time of the exec. If
 * containers are nested, it is the outermost one. The cgroup is that at the time of the exec: a process that is moved
 * later keeps its container until it executes another program.
 */
export interface Container {
  /** 64 hexadecimal digits; for `systemd-nspawn` and `lxc`, the name of the container. */
  readonly id: string;
  /** Absent if the name of the cgroup does not show it. More runtimes may be added. */
  readonly runtime?: 'docker' | 'containerd' | 'cri-o' | 'podman' | 'systemd-nspawn' | 'lxc' | (string & {});
  /** The pod's uid, in a pod of Kubernetes. */
  readonly podUid?: string;
  /**
   * User id. Present for a container of a user without root (rootless Podman or Docker). This user chooses the names of
   * these cgroups and can give them any id.
   */
  readonly owner?: number;
  /** Name of the container. In a pod, its name in the pod. */
  readonly name?: string;
  readonly image?: ContainerImage;
  readonly labels?: Readonly<Record<string, string>>;
  /** Start of the container: RFC 3339. */
  readonly startTime?: string;
  /** The container has the privileges of the host. Absent if no source knows it. */
  readonly privileged?: boolean;
}

/** The image of a container. */
export interface ContainerImage {
  /** Digest, or `NAME@DIGEST`. */
  readonly id?: string;
  /** Name that the container was started with. */
  readonly name?: string;
}

/** Unusual properties of an executable. A member that does not apply is absent. */
export interface BinaryProperties {
  /** Effective user id after the exec. Present if the file has set-user-id. */
  readonly setuid?: number;
  /** Effective group id after the exec. Present if the file has set-group-id. */
  readonly setgid?: number;
  /** Causes of raised privileges: capabilities of the file, or set-user-id or set-group-id to root. */
  readonly privilegesRaised: readonly ('fileCapabilities' | 'setuid' | 'setgid')[];
  /** The file has no name: it was deleted, or never had one (memfd, O_TMPFILE). `links` is 0. */
  readonly file?: { readonly inode: bigint; readonly links: number; readonly path: string };
}

/** A Kubernetes pod, and the container of the process in it. */
export interface Pod extends PodInfo {
  /** The same as `process.container`. The sandbox of the pod has no name. */
  readonly container?: Omit<Container, 'labels' | 'owner' | 'podUid'> & {
    /**
     * The process has the command of an exec probe of the container: kubelet may have started it. Any process that can
     * execute the same command in the container looks like a probe. Absent for other commands, and if no source knows
     * the probes.
     */
    readonly maybeExecProbe?: true;
  };
}

/** Capability sets. Each set is a bit mask: bit n is capability n of linux/capability.h. */
export interface Capabilities {
  readonly permitted: bigint;
  readonly effective: bigint;
  readonly inheritable: bigint;
}

/** Namespaces of a process. Each number is an inode number as in `readlink /proc/PID/ns/*`; 0 when it is unknown. */
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

/** User and group ids, in the initial user namespace. */
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

declare abstract class ProcessEvent {
  /** Time of the event: RFC 3339, UTC, with nanoseconds. */
  get time(): string;
  /** Time of the event: nanoseconds since 1970-01-01T00:00:00Z. */
  get timeNs(): bigint;
  /** Name of the machine: `nodeName` of the tracer's options. */
  get nodeName(): string;
  /** Process that caused the event. */
  readonly process: Process;
  /** Parent of the process, which started it. Absent when it is not known. */
  readonly parent?: Process;
  /**
   * The same process before its last exec. Absent for the first exec after a fork. The JSON export has it as `parent`,
   * in place of the parent.
   */
  readonly former?: Process;
  /** Ancestors of the process, without the parent. The nearest comes first. */
  get ancestors(): readonly Process[];
  /** Id of the thread that caused the event, in the initial pid namespace. */
  get tid(): number;
}

/** A variable of the environment. A process can pass the same name twice, and text without `=`: its value is empty. */
export interface EnvironmentVariable {
  readonly name: string;
  readonly value: string;
}

/** A process called execve successfully. */
export declare abstract class ProcessExecEvent extends ProcessEvent {
  get type(): 'process_exec';
  /**
   * The environment, as execve received it. Absent unless the tracer was opened with the option `environment`. It is
   * complete unless the `flags` of the process contain `truncEnvironment` (more than 32,768 bytes) or
   * `errorEnvironment`. Its values often are secrets.
   */
  readonly environment?: readonly EnvironmentVariable[] | undefined;
  /** Returns a copy as plain data. It retains no memory of the tracer. The processes in it are frozen. */
  toObject(): PlainOf<ProcessExecEvent>;
  /** Returns the copy in the form that JSON can express. `JSON.stringify` calls it. */
  toJSON(): JsonOf<PlainOf<ProcessExecEvent>>;
}

/** The last thread of a process ended. */
export declare abstract class ProcessExitEvent extends ProcessEvent {
  get type(): 'process_exit';
  /** Exit status: 0 to 255; 0 when a signal ended the process. */
  get status(): number;
  /** Name of the signal that ended the process, such as `SIGKILL`. */
  readonly signal?: string;
  /** The kernel wrote a core file. */
  get coreDumped(): boolean;
  /** Returns a copy as plain data. It retains no memory of the tracer. The processes in it are frozen. */
  toObject(): PlainOf<ProcessExitEvent>;
  /** Returns the copy in the form that JSON can express. `JSON.stringify` calls it. */
  toJSON(): JsonOf<PlainOf<ProcessExitEvent>>;
}

/** A hook of a policy matched. */
declare abstract class HookEvent extends ProcessEvent {
  /** `metadata.name` of the policy. */
  get policyName(): string;
  /** Values of the arguments, in the order of the policy's `args`. Arguments of type `nop` are left out. */
  get args(): readonly HookArgument[];
  /**
   * The last of `actions` that changed something, or would have changed something in mode `monitor`. `post` when there
   * is none.
   */
  get action(): PerformedAction['action'];
  /** Actions that the selector performed, or would have performed in mode `monitor`, in the order of the policy. */
  get actions(): readonly PerformedAction[];
  /**
   * Mode of the policy. Present when the selector signals processes, overrides functions, changes programs, notifies
   * enforcers or makes requests.
   */
  readonly policyMode?: 'enforce' | 'monitor';
  /**
   * `process` and `tid` are those of the owner of a socket among the arguments, and not those of the process that
   * called the hook. The policy tracks the socket with TrackSock.
   */
  get ofSocketOwner(): boolean;
  /** Number of equal events that the rate limit has suppressed since the last event. */
  get suppressed(): number;
  /** Stack trace of the kernel, innermost frame first. Present when the policy asks for it. */
  readonly kernelStack?: readonly StackFrame[];
  /** Stack trace of the process, innermost frame first. Present when the policy asks for it. */
  readonly userStack?: readonly StackFrame[];
  /**
   * Marks of the process, or of its container, that the selector's `matchMarks` names with `In`, each with its cause:
   * at most four. Present when there is one.
   */
  readonly marks?: readonly MarkCause[];
  /** `message` of the hook in the policy. */
  readonly message?: string;
  /** `tags` of the hook in the policy. */
  get tags(): readonly string[];
  /** Index of the selector that matched, from 0; 0 when the hook has no selectors. */
  get selector(): number;
}

/** A mark that was set when the hook was called, and the event that had set it. */
export interface MarkCause {
  /** Name of the mark. */
  readonly mark: string;
  /** `container`: the mark belongs to the container of the process. */
  readonly scope: 'process' | 'container';
  /** The cause of the mark. Absent when the kernel had no memory for it. */
  readonly cause?: {
    /** Time of the event that set the mark: RFC 3339, UTC, with nanoseconds. */
    readonly time: string;
    /** The same time in nanoseconds since 1970. */
    readonly timeNs: bigint;
    /** Nanoseconds from that event to this one. */
    readonly ageNs: bigint;
    /**
     * `execId` of the process that set the mark: this process, an ancestor, or what one of them executed before. Absent
     * when the tracer does not know it any more.
     */
    readonly execId?: string;
    /** Process id of that process. */
    readonly pid: number;
    /** Name of the thread that set the mark, as in `/proc/PID/comm`. */
    readonly command: string;
    /** What was hooked: a function, tracepoint, symbol or LSM hook. At most 48 bytes are kept. */
    readonly functionName: string;
    /**
     * The first argument of that event, as compact output shows it. Texts of more than 128 bytes are cut, and end in
     * `…`. Absent when the hook reads no argument.
     */
    readonly argument?: string;
  };
}

/**
 * An action that a selector performed, or would have performed. `onReturn` is true for an action of matchReturnActions,
 * which runs when the function returns.
 */
export type PerformedAction =
  | { readonly action: 'post'; readonly onReturn?: true }
  /** A signal was sent to the process. `signal` is its number. */
  | {
      readonly action: 'signal' | 'sigkill';
      readonly signal: number;
      readonly outcome: ActionOutcome;
      readonly onReturn?: true;
    }
  | PerformedOverride
  /** The argument `index` of a static probe got the value `value`. */
  | {
      readonly action: 'set';
      readonly index: number;
      readonly value: number;
      readonly outcome: ActionOutcome;
      readonly onReturn?: true;
    }
  /**
   * The policy's enforcers were notified. When the thread reaches one of them, the enforcer sends `signal`, and the
   * function returns `value`.
   */
  | {
      readonly action: 'notifyEnforcer';
      readonly signal?: number;
      readonly value?: number;
      readonly outcome: ActionOutcome;
      readonly onReturn?: true;
    }
  | { readonly action: 'cleanupEnforcerNotification'; readonly onReturn?: true }
  /** The tracer stored, or deleted, the owner of a socket. */
  | { readonly action: 'trackSock' | 'untrackSock'; readonly onReturn?: true }
  /** The mark `mark` was set or removed. */
  | { readonly action: 'mark' | 'unmark'; readonly mark: string; readonly onReturn?: true }
  /** The tracer started the request when it read the event. Results are counted in `PolicyStatus.requests`. */
  | {
      readonly action: 'getUrl';
      readonly url: string;
      readonly outcome: RequestOutcome;
      readonly onReturn?: true;
    }
  | {
      readonly action: 'dnsLookup';
      readonly name: string;
      readonly outcome: RequestOutcome;
      readonly onReturn?: true;
    };

/**
 * Outcome of a request:
 * - `started`: the tracer started it.
 * - `dropped`: too many requests were waiting.
 * - `monitored`: the policy is in mode `monitor`.
 */
export type RequestOutcome = 'started' | 'dropped' | 'monitored';

/** A function was overridden. */
export interface PerformedOverride {
  readonly action: 'override';
  /** Value that the function returned instead of running. */
  readonly value?: number;
  /** Registers that were set, as written in the policy. Only for functions of programs. */
  readonly registers?: readonly string[];
  /** Function or address where the call continued, as written in the policy. Only for functions of programs. */
  readonly target?: string;
  readonly outcome: ActionOutcome;
  readonly onReturn?: true;
}

/**
 * Outcome of an action that can fail:
 * - `done`: the action was performed.
 * - `monitored`: the policy is in mode `monitor`, so the action was not performed.
 * - `protected`: the process is the tracer, an ancestor of the tracer, or pid 1.
 * - `failed`: the kernel did not send the signal, could not store the notification, or could not read or write memory of
 *   the program.
 */
export type ActionOutcome = 'done' | 'monitored' | 'protected' | 'failed';

/** One frame of a stack trace. A member that is not known is absent. */
export interface StackFrame {
  /** Name of the function in the kernel, the program or a library. */
  readonly symbol?: string;
  /** Frame of the kernel: the kernel module. Frame of a process: path of the file that is mapped there. */
  readonly module?: string;
  /** Bytes from the start of the function. When a process's function is not known: bytes from the start of the file. */
  readonly offset?: bigint;
  /** Bytes from the start of the file. Only for frames of a process. */
  readonly fileOffset?: bigint;
  /** Build id of the file, which the linker wrote: hexadecimal digits. Only for frames of a process. */
  readonly buildId?: string;
  /** Address of the instruction. Present with the tracer's option `stackAddresses`. */
  readonly address?: bigint;
}

/** An event of a hook on a function. */
declare abstract class FunctionEvent extends HookEvent {
  /** Values of the policy's `data`, in its order; empty when the policy has none. */
  get data(): readonly HookArgument[];
  /** Return value of the function. Present when the policy has `return: true`. */
  readonly return?: HookArgument;
  /**
   * The last action of matchReturnActions or returnArgAction that changed something; `post` when none did. Present
   * when the hook reads the return value.
   */
  readonly returnAction?: PerformedAction['action'];
}

/** A kernel function that a policy hooks by `kprobes` or `fentries` was called. */
export declare abstract class ProcessKprobeEvent extends FunctionEvent {
  get type(): 'process_kprobe';
  /** Name of the function in the kernel: for a policy's `sys_read`, this is `__x64_sys_read`. */
  get functionName(): string;
  /** Returns a copy as plain data. It retains no memory of the tracer. The processes in it are frozen. */
  toObject(): PlainOf<ProcessKprobeEvent>;
  /** Returns the copy in the form that JSON can express. `JSON.stringify` calls it. */
  toJSON(): JsonOf<PlainOf<ProcessKprobeEvent>>;
}

/** A tracepoint of a policy was reached: a raw one, or one with a format. */
export declare abstract class ProcessTracepointEvent extends HookEvent {
  get type(): 'process_tracepoint';
  /** Group of the tracepoint, such as `sched`. */
  get subsystem(): string;
  /** Name of the tracepoint, such as `sched_process_exec`. */
  get event(): string;
  /** Returns a copy as plain data. It retains no memory of the tracer. The processes in it are frozen. */
  toObject(): PlainOf<ProcessTracepointEvent>;
  /** Returns the copy in the form that JSON can express. `JSON.stringify` calls it. */
  toJSON(): JsonOf<PlainOf<ProcessTracepointEvent>>;
}

/** A hook of the Linux security modules was called. */
export declare abstract class ProcessLsmEvent extends HookEvent {
  get type(): 'process_lsm';
  /** Name of the hook, such as `file_open`. */
  get functionName(): string;
  /**
   * Hash of the hook's first file: ALGORITHM:HEX, such as `sha256:e3b0…`. Present when the policy asks for it and the
   * kernel could read the file.
   */
  readonly imaHash?: string;
  /** Returns a copy as plain data. It retains no memory of the tracer. The processes in it are frozen. */
  toObject(): PlainOf<ProcessLsmEvent>;
  /** Returns the copy in the form that JSON can express. `JSON.stringify` calls it. */
  toJSON(): JsonOf<PlainOf<ProcessLsmEvent>>;
}

/** An attach point in a program or library was reached. */
export declare abstract class ProcessUprobeEvent extends FunctionEvent {
  get type(): 'process_uprobe';
  /** Path of the file, as written in the policy. */
  get path(): string;
  /** Function in the file; empty when the policy names an offset or an address. */
  get symbol(): string;
  /** Bytes from the symbol. Without a symbol: bytes from the start of the file. */
  get offset(): bigint;
  /** Virtual address in the file. Present when the policy names an address. */
  readonly address?: bigint;
  /**
   * File offset of the reference counter that the program reads to know whether it is traced; 0n when there is none.
   */
  get refCtrOffset(): bigint;
  /** Returns a copy as plain data. It retains no memory of the tracer. The processes in it are frozen. */
  toObject(): PlainOf<ProcessUprobeEvent>;
  /** Returns the copy in the form that JSON can express. `JSON.stringify` calls it. */
  toJSON(): JsonOf<PlainOf<ProcessUprobeEvent>>;
}

/** A static probe of a program or library was reached. */
export declare abstract class ProcessUsdtEvent extends HookEvent {
  get type(): 'process_usdt';
  /** Path of the file, as written in the policy. */
  get path(): string;
  /** Provider of the probe. */
  get provider(): string;
  /** Name of the probe. */
  get name(): string;
  /** Returns a copy as plain data. It retains no memory of the tracer. The processes in it are frozen. */
  toObject(): PlainOf<ProcessUsdtEvent>;
  /** Returns the copy in the form that JSON can express. `JSON.stringify` calls it. */
  toJSON(): JsonOf<PlainOf<ProcessUsdtEvent>>;
}

/**
 * A file was mapped as code: a program, its loader or a library. Files that execve itself maps are reported before the
 * event of that exec. Their `process` is the process before the exec.
 */
export declare abstract class ProcessLoaderEvent extends ProcessEvent {
  get type(): 'process_loader';
  /** `metadata.name` of the policy. */
  get policyName(): string;
  /** Absolute path in the process's root. */
  get path(): string;
  /**
   * Build id of the file: hexadecimal digits. Absent when the file has no build id, when the file was replaced, or when
   * its file system is not local, cannot identify the file, or does not answer in time.
   */
  readonly buildId?: string;
  /** Inode number of the file. */
  get inode(): bigint;
  /** Device of the file's file system. */
  get device(): Device;
  /** Returns a copy as plain data. It retains no memory of the tracer. The processes in it are frozen. */
  toObject(): PlainOf<ProcessLoaderEvent>;
  /** Returns the copy in the form that JSON can express. `JSON.stringify` calls it. */
  toJSON(): JsonOf<PlainOf<ProcessLoaderEvent>>;
}

/**
 * From this event on, exec and exit events of a cgroup are not reported, or they are reported again: see the option
 * `cgroupRate`. The events in between are counted in `lost` events with the reason `throttled`.
 */
export declare abstract class ProcessThrottleEvent extends ProcessEvent {
  get type(): 'process_throttle';
  /**
   * The process whose exec or exit was the first above the rate. Its exec is not reported, so it may be unknown: its
   * `flags` contain `unknown` then.
   */
  readonly process: Process;
  /** `start`: events are not reported from now on. `stop`: they are reported again. */
  get throttle(): 'start' | 'stop';
  /** Name of the cgroup: the last part of its path. */
  get cgroup(): string;
  /** Id of the cgroup: `cgroupId` of its processes. */
  get cgroupId(): bigint;
  /** Returns a copy as plain data. It retains no memory of the tracer. The processes in it are frozen. */
  toObject(): PlainOf<ProcessThrottleEvent>;
  /** Returns the copy in the form that JSON can express. `JSON.stringify` calls it. */
  toJSON(): JsonOf<PlainOf<ProcessThrottleEvent>>;
}

/**
 * The policies or the settings of an agent changed. Only agents report it (`connect`, exports), and they report each change
 * once. A tracer of one's own has no such event, because its program makes all changes.
 */
export declare abstract class ChangeEvent {
  /** Time of the event: RFC 3339, UTC, with nanoseconds. */
  readonly time: string;
  /** Time of the event: nanoseconds since 1970-01-01T00:00:00Z. */
  readonly timeNs: bigint;
  /** Name of the machine, as in other events. */
  readonly nodeName: string;
  readonly type: 'change';
  /** The kind of the change. */
  readonly operation: ChangeOperation;
  /** `metadata.name` of the policy. Empty when the change is of no policy. */
  readonly policyName: string;
  /** `metadata.namespace` of the policy; empty without one. */
  readonly policyNamespace: string;
  /** Name of the setting. Present for `setting_change`. */
  readonly setting?: string;
  /**
   * SHA-256 of the text before the change, as `sha256sum` prints it: the text of the policy, or the content of the
   * setting's file. For the setting `log-level`, the level itself. Absent when there was none.
   */
  readonly before?: string;
  /** The same after the change. Absent when there is none. For `agent_start`: that of the output of
   * `polytrace agent --check` with the same settings. */
  readonly after?: string;
  /** The policy is enabled from now on, or disabled. Present when this changed. */
  readonly enabled?: boolean;
  /** Mode of the policy from now on. Present when somebody set it. */
  readonly mode?: 'enforce' | 'monitor';
  /** The way by which the change came. */
  readonly way: ChangeWay;
  /** The file, or the resource of the cluster. Empty when it is neither. */
  readonly source: string;
  /** The client that asked for the change. Present for the way `client`. */
  readonly client?: ChangeClient;
  /** Returns a copy as plain data. */
  toObject(): PlainOf<ChangeEvent>;
  /** Returns the copy in the form that JSON can express. `JSON.stringify` calls it. */
  toJSON(): JsonOf<PlainOf<ChangeEvent>>;
}

/**
 * The kind of a change:
 * - `policy_add`: a policy was loaded.
 * - `policy_replace`: another version took the place of a policy.
 * - `policy_move`: another source has the policy from now on. The text is the same.
 * - `policy_remove`: a policy was removed.
 * - `policy_configure`: a policy got another mode, or was enabled or disabled.
 * - `setting_change`: a setting changed while the agent was running.
 * - `agent_start`, `agent_stop`: the agent started, or began to stop. When it stops, its policies end, unless they are
 *   kept.
 */
export type ChangeOperation =
  | 'policy_add'
  | 'policy_replace'
  | 'policy_move'
  | 'policy_remove'
  | 'policy_configure'
  | 'setting_change'
  | 'agent_start'
  | 'agent_stop';

/**
 * The way by which a change came:
 * - `file`: a file on the machine.
 * - `kubernetes`: a resource of the cluster, or the labels of the node.
 * - `fleet`: a signed policy of the fleet.
 * - `client`: a call of a client.
 * - `restore`: the agent started and loaded a policy again that a client of an earlier agent had added.
 * - `agent`: the agent itself, or the person who started or stopped it.
 */
export type ChangeWay = 'file' | 'kubernetes' | 'fleet' | 'client' | 'restore' | 'agent';

/** A client of an agent, at the time of its call. */
export interface ChangeClient {
  /** `unix` for a Unix socket, or the address and port of the client. */
  readonly address: string;
  /** Process that opened the Unix socket (SO_PEERCRED). */
  readonly pid?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** `execId` of that process, if the agent's tracer knows it. */
  readonly execId?: string;
  readonly binary?: string;
  /** Name in the client's certificate: the common name, or else the first alternative name. */
  readonly certificate?: string;
}

/** Records that were lost. Every lost record is counted once. */
export declare abstract class LostEvent {
  /** Time of the event: RFC 3339, UTC, with nanoseconds. */
  readonly time: string;
  /** Time of the event: nanoseconds since 1970-01-01T00:00:00Z. */
  readonly timeNs: bigint;
  /** Name of the machine: `nodeName` of the tracer's options. */
  readonly nodeName: string;
  readonly type: 'lost';
  /**
   * Name of the hook, as in `HookStatus.functionName`. For the base sensor: `process_exec`, `process_exit`,
   * `process_fork`, `binary_sets` or `socket_owners`.
   */
  readonly hook: string;
  /** `metadata.name` of the policy; empty for the base sensor. */
  readonly policyName: string;
  /** Reason of the loss. */
  readonly reason: LossReason;
  /** Number of records that were lost since the last `lost` event of this hook and reason. 0 for `disconnected`. */
  readonly count: number;
  /** Returns a copy as plain data. It retains no memory of the tracer. The processes in it are frozen. */
  toObject(): PlainOf<LostEvent>;
  /** Returns the copy in the form that JSON can express. `JSON.stringify` calls it. */
  toJSON(): JsonOf<PlainOf<LostEvent>>;
}

/**
 * Reason why records were lost:
 * - `ring_full`: the kernel's ring buffer was full.
 * - `pending_full`: the values read at a function's entry could not be stored until its return.
 * - `missed`: the kernel skipped the program, or a kretprobe had no free instance for another call.
 * - `slow_consumer`: this iterator was too far behind another one.
 * - `process_table_full`: data about a process that filters need could not be stored.
 * - `socket_table_full`: the owner of a socket could not be stored.
 * - `mark_table_full`: a mark could not be stored.
 * - `throttled`: the cgroup of the processes was above its rate (option `cgroupRate`).
 * - `no_reader`: policies were active after their tracer had died (option `persist`), and the events found no room in
 *   the ring buffer until the next tracer read it.
 * - `disconnected`: the connection to the agent ended (`connect`). `count` is 0, because nobody knows it.
 *
 * Events that an agent has lost on their way to a fleet have the hook `fleet` and one of these reasons:
 * - `agent_ended`: the agent was killed, or the disk failed, before they were on its disk.
 * - `queue_full`: they came faster than the disk took them.
 * - `spool_full`: the folder of the events that wait for the fleet was full.
 * - `spool_removed`: somebody has removed them from this folder, or they were damaged.
 * - `disk`: the disk did not take them.
 * - `refused`: the fleet never takes them, because they are too large.
 */
export type LossReason =
  | 'ring_full'
  | 'pending_full'
  | 'missed'
  | 'slow_consumer'
  | 'process_table_full'
  | 'socket_table_full'
  | 'mark_table_full'
  | 'throttled'
  | 'no_reader'
  | 'disconnected'
  | 'agent_ended'
  | 'queue_full'
  | 'spool_full'
  | 'spool_removed'
  | 'disk'
  | 'refused';

/**
 * One value of a hook. The `type` is the type in the policy, or the one that the kernel says for `auto`. Values of type
 * `nop` are not reported. The union has a member for each type, so a test of `type` narrows it, and `ArgumentOf<'sock'>` is its member.
 */
export type HookArgument = OfEachType<
  | NumberArgument
  | LongNumberArgument
  | StringArgument
  | AlgorithmAddressArgument
  | BufferArgument
  | FileArgument
  | SocketArgument
  | PacketArgument
  | SocketAddressArgument
  | CapabilityArgument
  | CapabilitySetArgument
  | SystemCallArgument
  | CredentialsArgument
  | UserNamespaceArgument
  | BpfCommandArgument
  | BpfProgramArgument
  | BpfMapArgument
  | PerfEventArgument
  | ModuleArgument
>;

type OfEachType<A extends { readonly type: string }> = A extends unknown
  ? { [T in A['type']]: A & { readonly type: T } }[A['type']]
  : never;

/** The values of these types: `ArgumentOf<'sock' | 'socket'>`. */
export type ArgumentOf<T extends HookArgument['type']> = Extract<HookArgument, { readonly type: T }>;

interface ArgumentBase {
  /**
   * Position of the value: the parameter of the function or the field of the tracepoint, from 0. For a return value:
   * 0.
   */
  readonly index: number;
  /** `label` of the value in the policy. */
  readonly label?: string;
}

/** A value that the kernel reads from memory. */
interface ReadArgument extends ArgumentBase {
  /** The pointer was null, or the memory could not be read. The value is then empty, zero or incomplete. */
  readonly unreadable?: true;
}

/** A number of at most 32 bits. */
export interface NumberArgument extends ArgumentBase {
  readonly type: 'int' | 'int8' | 'sint8' | 'int16' | 'sint16' | 'int32' | 'sint32' | 'uint8' | 'uint16' | 'uint32';
  /** The number, in the range of the type. */
  readonly value: number;
}

/** A number of 64 bits. */
export interface LongNumberArgument extends ArgumentBase {
  readonly type: 'int64' | 'sint64' | 'long' | 'uint64' | 'ulong' | 'size_t';
  /** The number, in the range of the type. */
  readonly value: bigint;
}

/** A string. */
export interface StringArgument extends ReadArgument {
  /**
   * Type in the policy. The value of a `net_device` is its name. The value of a `sockaddr_un` is its path, or `@` and
   * the name of an abstract socket.
   */
  readonly type: 'string' | 'data_loc' | 'filename' | 'net_device' | 'sockaddr_un';
  /** The string, at most 4,095 bytes. A byte that is not valid UTF-8 becomes a lone surrogate, U+DC80 to U+DCFF. */
  readonly value: string;
  /** The original string is longer. */
  readonly truncated: boolean;
}

/** The address of an algorithm of the kernel (AF_ALG). */
export interface AlgorithmAddressArgument extends ReadArgument {
  /** Type in the policy. */
  readonly type: 'sockaddr_alg';
  /** Type of the algorithm, a slash, and its name: `hash/sha256`. */
  readonly value: string;
  /** The flags that the process wants the algorithm to have: `salg_feat`. */
  readonly features: number;
  /** The flags that the process asks about: `salg_mask`. */
  readonly mask: number;
  /** Always false: the kernel accepts no longer address. */
  readonly truncated: false;
}

/** Bytes of a buffer. */
export interface BufferArgument extends ReadArgument {
  readonly type: 'char_buf' | 'const_buf' | 'char_iovec' | 'iov_iter';
  /**
   * Copy of the bytes: at most 4,095, with `maxData` at most 32,767. For `char_iovec` and `iov_iter`: at most half of
   * that.
   */
  readonly value: Uint8Array;
  /** Size of the original in bytes: 0 to 4294967295. For `char_iovec` and `iov_iter`: size of the first 16 segments. */
  readonly size: number;
  /** The original is longer than `value`. */
  readonly truncated: boolean;
}

/**
 * A path and the file that it leads to. `linux_binprm` is the file that is executed; `kiocb` is the file that is read
 * or written.
 */
export interface FileArgument extends ArgumentBase {
  readonly type: 'file' | 'path' | 'fd' | 'dentry' | 'linux_binprm' | 'kiocb';
  /**
   * Absolute path in the process's root. A file without a path has `pipe:[N]`, `socket:[N]`, `anon_inode:…` or
   * `/memfd:…`. A byte that is not valid UTF-8 becomes a lone surrogate, U+DC80 to U+DCFF.
   */
  readonly path: string;
  /** Properties of the path: any of `truncated`, `deleted`, `unreachable`, `pseudo`, `fault`, `unknown`. */
  readonly flags: readonly PathFlag[];
  /** Type and permissions as `ls -l` shows them, such as `-rw-r-----`; empty when they are unknown. */
  readonly permission: string;
  /** Inode number of the file. */
  readonly inode: bigint;
  /** Device of the file system. Together with `inode`, it identifies the file under all its names. */
  readonly device: Device;
  /** Number of hard links to the file. */
  readonly links: number;
  /** File descriptor. Present for type `fd`. */
  readonly fd?: number;
}

/** A device number. */
export interface Device {
  /** Major number: 12 bits. */
  readonly major: number;
  /** Minor number: 20 bits. */
  readonly minor: number;
}

/** Source and destination of a socket or packet. */
interface NetworkArgument extends ReadArgument {
  /** Address family, such as `AF_INET`. A number without a name is shown as decimal digits. */
  readonly family: string;
  /** Protocol, such as `IPPROTO_TCP`. A number without a name is shown as decimal digits. */
  readonly protocol: string;
  /**
   * Source address: IPv4 as `192.0.2.1`, IPv6 as in RFC 5952, IPv4 in IPv6 as `::ffff:192.0.2.1`. Empty for other
   * families.
   */
  readonly sourceAddress: string;
  /** Destination address, in the same form as `sourceAddress`. */
  readonly destinationAddress: string;
  /** Source port: 0 to 65535; 0 when there is none. */
  readonly sourcePort: number;
  /** Destination port: 0 to 65535; 0 when there is none. */
  readonly destinationPort: number;
  /** Mark (SO_MARK), which routing and packet filters use. */
  readonly mark: number;
  /** Priority (SO_PRIORITY). */
  readonly priority: number;
}

/** A socket. */
export interface SocketArgument extends NetworkArgument {
  readonly type: 'sock' | 'socket';
  /** Type of the socket, such as `SOCK_STREAM`. A number without a name is shown as decimal digits. */
  readonly socketType: string;
  /**
   * State, such as `TCP_ESTABLISHED`. The kernel uses these names for other protocols, too. A number without a name
   * is shown as decimal digits.
   */
  readonly state: string;
  /** Cookie that identifies the socket in the kernel; 0n when the kernel has not assigned one yet. */
  readonly cookie: bigint;
  /**
   * Address of the kernel's struct sock; 0n when there is none. It is the same in all events of a socket. After the
   * kernel has freed the socket, another one can get the address. The JSON export has it as `cookie`.
   */
  readonly address: bigint;
}

/** A network packet. */
export interface PacketArgument extends NetworkArgument {
  readonly type: 'skb';
  /** Number of the protocol: 0 to 255. */
  readonly protocolNumber: number;
  /** Hash of the flow; 0 when the kernel has not computed it. */
  readonly hash: number;
  /** Length in bytes. */
  readonly length: number;
  /** Number of IPsec transformations that were applied to the packet. */
  readonly secPathLength: number;
  /** Number of IPsec transformations that a device performed. */
  readonly secPathOffloads: number;
}

/** A socket address. */
export interface SocketAddressArgument extends ReadArgument {
  readonly type: 'sockaddr';
  /** Address family, such as `AF_INET`. A number without a name is shown as decimal digits. */
  readonly family: string;
  /** Address, in the same form as `sourceAddress` of a socket. Empty unless the family is IPv4 or IPv6. */
  readonly address: string;
  /** Port: 0 to 65535; 0 when there is none. */
  readonly port: number;
}

/** A capability. */
export interface CapabilityArgument extends ArgumentBase {
  readonly type: 'capability';
  /** Number of the capability. */
  readonly value: number;
  /** Name, such as `CAP_SYS_ADMIN`; absent when the number has no name. */
  readonly name?: string;
}

/** A set of capabilities. */
export interface CapabilitySetArgument extends ArgumentBase {
  readonly type: 'kernel_cap_t' | 'cap_inheritable' | 'cap_permitted' | 'cap_effective';
  /** Bit mask: bit n is capability n of linux/capability.h. */
  readonly value: bigint;
  /** Names of the capabilities in the set, lowest bit first. Bits without a name are left out. */
  readonly names: readonly string[];
}

/** A system call. */
export interface SystemCallArgument extends ArgumentBase {
  readonly type: 'syscall64';
  /** Number of the system call. */
  readonly value: bigint;
  /** Name, such as `openat`; absent when the number has no name. */
  readonly name?: string;
  /** Table of system calls that the number belongs to: the machine's own, or the one for 32-bit programs. */
  readonly abi: 'x64' | 'i386' | 'arm64' | 'arm32';
}

/** A `struct cred`. */
export interface CredentialsArgument extends ReadArgument, Credentials {
  readonly type: 'cred';
  /** Capability sets of the credentials. */
  readonly capabilities: Capabilities;
  /** Bit mask of the securebits of linux/securebits.h. */
  readonly securebits: number;
  /** User namespace of the credentials. */
  readonly userNamespace: UserNamespace;
}

/** A user namespace as an argument. */
export interface UserNamespaceArgument extends ReadArgument, UserNamespace {
  readonly type: 'user_namespace';
}

/** A user namespace. */
export interface UserNamespace {
  /** Depth below the initial user namespace, which has level 0. */
  readonly level: number;
  /** Id of the user who created the namespace, in the initial user namespace. */
  readonly owner: number;
  /** Id of the group that created the namespace, in the initial user namespace. */
  readonly group: number;
  /** Inode number, as in `readlink /proc/PID/ns/user`. */
  readonly inode: number;
}

/** A command of the system call bpf. */
export interface BpfCommandArgument extends ArgumentBase {
  readonly type: 'bpf_cmd';
  /** Number of the command. */
  readonly value: number;
  /** Name, such as `BPF_PROG_LOAD`; absent when the number has no name. */
  readonly name?: string;
}

/**
 * A BPF program. `bpf_attr` is read in the layout of BPF_PROG_LOAD, so its values have no meaning for other commands.
 */
export interface BpfProgramArgument extends ReadArgument {
  readonly type: 'bpf_attr' | 'bpf_prog';
  /** Type of the program, such as `BPF_PROG_TYPE_KPROBE`. A number without a name is shown as decimal digits. */
  readonly programType: string;
  /** Number of instructions. */
  readonly instructions: number;
  /** Name of the program, at most 15 bytes. */
  readonly name: string;
}

/** A BPF map. */
export interface BpfMapArgument extends ReadArgument {
  readonly type: 'bpf_map';
  /** Type of the map, such as `BPF_MAP_TYPE_HASH`. A number without a name is shown as decimal digits. */
  readonly mapType: string;
  /** Size of a key in bytes. */
  readonly keySize: number;
  /** Size of a value in bytes. */
  readonly valueSize: number;
  /** Maximum number of entries. */
  readonly maxEntries: number;
  /** Name of the map, at most 15 bytes. */
  readonly name: string;
}

/** A perf event. */
export interface PerfEventArgument extends ReadArgument {
  readonly type: 'perf_event';
  /**
   * Type of the event, such as `PERF_TYPE_TRACEPOINT`. A number without a name, such as a device's own type, is shown
   * as decimal digits.
   */
  readonly eventType: string;
  /** `config` of `struct perf_event_attr`. */
  readonly config: bigint;
  /** Function that a kprobe is attached to, at most 63 bytes. Empty for other events. */
  readonly function: string;
  /** Bytes from the start of that function. For events that are not kprobes, this is another number of the event. */
  readonly probeOffset: bigint;
}

/** A kernel module. */
export interface ModuleArgument extends ReadArgument {
  readonly type: 'module' | 'load_info';
  /** Name of the module, at most 55 bytes. */
  readonly name: string;
  /** The signature of the module is valid. Absent when the kernel does not report it. */
  readonly signatureValid?: boolean;
  /** Bit mask of the TAINT_ values of linux/panic.h; 0n for `load_info`. */
  readonly taints: bigint;
}

/**
 * Property of a path:
 * - `truncated`: the path is longer than the part that was read.
 * - `deleted`: the file has been deleted.
 * - `unreachable`: the path is outside the process's root.
 * - `pseudo`: the file has no path in a file system.
 * - `fault`: the path could not be read.
 * - `unknown`: the kernel does not know the path, or knows only its end.
 */
export type PathFlag = 'truncated' | 'deleted' | 'unreachable' | 'pseudo' | 'fault' | 'unknown';
