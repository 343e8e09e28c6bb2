/** What the kernel reported, as a discriminated union on `type`. */
export type TracerEvent =
  | ProcessExecEvent
  | ProcessExitEvent
  | ProcessKprobeEvent
  | ProcessTracepointEvent
  | ProcessUprobeEvent
  | ProcessUsdtEvent
  | ProcessLsmEvent
  | ProcessLoaderEvent
  | LostEvent;

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

/** A hook of a policy matched. */
interface HookEvent extends ProcessEvent {
  readonly policyName: string;
  /** In the order of the policy's `args`; `nop` arguments are left out. */
  readonly args: readonly HookArgument[];
  /** The last of `actions` that changed something, else `post`. */
  readonly action: PerformedAction['action'];
  /** What the selector did, or would have done, in the order of the policy. */
  readonly actions: readonly PerformedAction[];
  /** Of a selector that signals processes, overrides functions, changes programs or notifies enforcers: its policy's mode. */
  readonly policyMode?: 'enforce' | 'monitor';
  /**
   * `process` and `tid` are not who ran when the hook was called, but the owner of a socket among the arguments, which the policy tracks
   * (TrackSock).
   */
  readonly ofSocketOwner: boolean;
  /** Events like this one that its rate limit has held back since the last one. */
  readonly suppressed: number;
  /** Innermost first, where the policy asks for it. */
  readonly kernelStack?: readonly StackFrame[];
  readonly userStack?: readonly StackFrame[];
  readonly message?: string;
  readonly tags: readonly string[];
  /** Index of the selector that matched; 0 when the hook has none. */
  readonly selector: number;
}

export type PerformedAction =
  | { readonly action: 'post'; readonly onReturn?: true }
  /** `onReturn`: of matchReturnActions, done when the function returned. */
  | {
      readonly action: 'signal' | 'sigkill';
      readonly signal: number;
      readonly outcome: ActionOutcome;
      readonly onReturn?: true;
    }
  | PerformedOverride
  /** The argument `index` of a static probe was given `value`. */
  | {
      readonly action: 'set';
      readonly index: number;
      readonly value: number;
      readonly outcome: ActionOutcome;
      readonly onReturn?: true;
    }
  /** `signal`, `value`: what an enforcer sends, and the function returns, when the thread comes to one of the policy's enforcers. */
  | {
      readonly action: 'notifyEnforcer';
      readonly signal?: number;
      readonly value?: number;
      readonly outcome: ActionOutcome;
      readonly onReturn?: true;
    }
  | { readonly action: 'cleanupEnforcerNotification'; readonly onReturn?: true }
  /** The tracer keeps in mind, or no longer does, whose the socket is. */
  | { readonly action: 'trackSock' | 'untrackSock'; readonly onReturn?: true }
  /** Asked for by the tracer when it read the event; what came of it is in `PolicyStatus.requests`. */
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

/** `dropped`: too many were under way. `monitored`: the policy is in monitor mode. */
export type RequestOutcome = 'started' | 'dropped' | 'monitored';

export interface PerformedOverride {
  readonly action: 'override';
  /** What the function returned instead of running. */
  readonly value?: number;
  /** Of a function of a program: the registers that were set, as the policy has them. */
  readonly registers?: readonly string[];
  /** Of a function of a program: where the call went on, as the policy has it. */
  readonly target?: string;
  readonly outcome: ActionOutcome;
  readonly onReturn?: true;
}

/**
 * `monitored`: the policy is in monitor mode. `protected`: the process is the tracer, one that it descends from, or pid 1.
 * `failed`: the kernel did not send the signal, had no room for the notification, or memory of the program could not be read or written.
 */
export type ActionOutcome = 'done' | 'monitored' | 'protected' | 'failed';

/** What is not known is absent. */
export interface StackFrame {
  /** Function of the kernel, of the program or of a library. */
  readonly symbol?: string;
  /** Module of the kernel; of a process the path of the file that is mapped there. */
  readonly module?: string;
  /** Bytes from the start of the function; of a process, where the function is not known, from the start of the file. */
  readonly offset?: bigint;
  /** Of a process: bytes from the start of the file. */
  readonly fileOffset?: bigint;
  /** Of the file, as the linker noted it: hexadecimal digits. */
  readonly buildId?: string;
  /** With the tracer's option `stackAddresses`. */
  readonly address?: bigint;
}

/** What hooks of functions have. */
interface FunctionEvent extends HookEvent {
  /** In the order of the policy's `data`; empty when it has none. */
  readonly data: readonly HookArgument[];
  readonly return?: HookArgument;
  /** Of hooks that read the return value: the last of matchReturnActions, or returnArgAction, that changed something, else `post`. */
  readonly returnAction?: PerformedAction['action'];
}

export interface ProcessKprobeEvent extends FunctionEvent {
  readonly type: 'process_kprobe';
  /** As resolved in the kernel: a policy's `sys_read` is `__x64_sys_read` here. */
  readonly functionName: string;
}

/** Of a tracepoint, raw or by format. */
export interface ProcessTracepointEvent extends HookEvent {
  readonly type: 'process_tracepoint';
  readonly subsystem: string;
  readonly event: string;
}

/** Of a hook of the Linux security modules. */
export interface ProcessLsmEvent extends HookEvent {
  readonly type: 'process_lsm';
  /** The hook, such as `file_open`. */
  readonly functionName: string;
  /** Of the hook's first file, where the policy asks for it and the kernel could read it: ALGORITHM:HEX, such as `sha256:e3b0…`. */
  readonly imaHash?: string;
}

/** Of a place in a program or library. */
export interface ProcessUprobeEvent extends FunctionEvent {
  readonly type: 'process_uprobe';
  /** As written in the policy. */
  readonly path: string;
  /** Empty where the policy names an offset or address. */
  readonly symbol: string;
  /** Bytes from the symbol; without one, from the start of the file. */
  readonly offset: bigint;
  /** Virtual, as the file has it, where the policy names it. */
  readonly address?: bigint;
  /** In the file, of the counter that says whether somebody is tracing; 0n: none. */
  readonly refCtrOffset: bigint;
}

/** Of a static probe of a program or library. */
export interface ProcessUsdtEvent extends HookEvent {
  readonly type: 'process_usdt';
  /** As written in the policy. */
  readonly path: string;
  readonly provider: string;
  readonly name: string;
}

/**
 * A file was mapped as code: a program, its loader, a library. What is mapped for an exec itself comes before the event of that exec, and
 * names the process as it was.
 */
export interface ProcessLoaderEvent extends ProcessEvent {
  readonly type: 'process_loader';
  readonly policyName: string;
  /** Absolute in the process's root. */
  readonly path: string;
  /**
   * In hex, read from the file when it is first asked for. Absent where the file has none, or it is no longer certain which file it was: it was
   * replaced, or its file system does not tell.
   */
  readonly buildId?: string;
  readonly inode: bigint;
  readonly device: Device;
}

/** Records that could not be delivered; every one is counted once. */
export interface LostEvent extends EventBase {
  readonly type: 'lost';
  /** Name of the hook, as `HookStatus.functionName`; `process_exec`, `process_exit`, `process_fork` for the base sensor. */
  readonly hook: string;
  /** Empty for the base sensor. */
  readonly policyName: string;
  /**
   * `ring_full`: the kernel's ring buffer had no room. `pending_full`: an entry could not be kept until its return.
   * `missed`: the kernel skipped the program, or had no
   * place for one more call of the function between entry and return (kretprobe). `slow_consumer`: this iterator fell behind another.
   * `process_table_full`: what filters must know of a process could not be kept. `socket_table_full`: whose a socket is could not be kept.
   */
  readonly reason: LossReason;
  /** Since the last `lost` event of this hook and reason. */
  readonly count: number;
}

export type LossReason =
  'ring_full' | 'pending_full' | 'missed' | 'slow_consumer' | 'process_table_full' | 'socket_table_full' | 'no_reader';

/** One value of a hook, by the type that the policy gives it. `nop` is not told, `auto` cannot be loaded. */
export type HookArgument =
  | NumberArgument
  | LongNumberArgument
  | TextArgument
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
  | ModuleArgument;

interface ArgumentBase {
  /** The function's parameter number, from 0; of a tracepoint the field's; of a return value, 0. */
  readonly index: number;
  /** As the policy sets it. */
  readonly label?: string;
}

/** What the kernel had to read from memory. */
interface ReadArgument extends ArgumentBase {
  /** The pointer was null, or the memory could not be read: what is told is empty, zero, or not all. */
  readonly unreadable?: true;
}

/** Numbers of at most 32 bits. */
export interface NumberArgument extends ArgumentBase {
  readonly type: 'int' | 'int8' | 'sint8' | 'int16' | 'sint16' | 'int32' | 'sint32' | 'uint8' | 'uint16' | 'uint32';
  /** In the range of the type. */
  readonly value: number;
}

/** Numbers of 64 bits. */
export interface LongNumberArgument extends ArgumentBase {
  readonly type: 'int64' | 'sint64' | 'long' | 'uint64' | 'ulong' | 'size_t';
  /** In the range of the type. */
  readonly value: bigint;
}

export interface TextArgument extends ReadArgument {
  /** Of `net_device` the name; of `sockaddr_un` the path, or an `@` and an abstract name. */
  readonly type: 'string' | 'data_loc' | 'filename' | 'net_device' | 'sockaddr_un';
  /** UTF-8; bytes that are not are U+FFFD. At most 4,095 bytes. */
  readonly value: string;
  /** The text goes on. */
  readonly truncated: boolean;
}

export interface BufferArgument extends ReadArgument {
  readonly type: 'char_buf' | 'const_buf' | 'char_iovec' | 'iov_iter';
  /** A copy. At most 4,095 bytes, with `maxData` 32,767; of `char_iovec` and `iov_iter` half as many. */
  readonly value: Uint8Array;
  /** Bytes of the original: 0 to 4294967295. Of `char_iovec` and `iov_iter`, of the first 16 pieces. */
  readonly size: number;
  /** The original goes on. */
  readonly truncated: boolean;
}

/** A path and the file that it leads to. `linux_binprm`: the file that is executed; `kiocb`: that which is read or written. */
export interface FileArgument extends ArgumentBase {
  readonly type: 'file' | 'path' | 'fd' | 'dentry' | 'linux_binprm' | 'kiocb';
  /** Absolute in the process's root; `pipe:[N]`, `socket:[N]`, `anon_inode:…`, `/memfd:…` when it has none. */
  readonly path: string;
  /** `truncated`, `deleted`, `unreachable`, `pseudo`, `fault`. */
  readonly flags: readonly PathFlag[];
  /** As `ls -l` shows it, such as `-rw-r-----`; empty when unknown. */
  readonly permission: string;
  readonly inode: bigint;
  /** Of the file system. With `inode`, which file it is, whatever its names. */
  readonly device: Device;
  /** Names (hard links) that the file has. */
  readonly links: number;
  /** The descriptor, for `fd`. */
  readonly fd?: number;
}

/** A device number: 12 and 20 bits. */
export interface Device {
  readonly major: number;
  readonly minor: number;
}

/** Where a socket or packet comes from and goes to. */
interface NetworkArgument extends ReadArgument {
  /** As `AF_INET`; a number without a name as decimal digits. */
  readonly family: string;
  /** As `IPPROTO_TCP`; a number without a name as decimal digits. */
  readonly protocol: string;
  /** IPv4 as `192.0.2.1`, IPv6 as RFC 5952 says, IPv4 in IPv6 as `::ffff:192.0.2.1`. Empty of other families. */
  readonly sourceAddress: string;
  readonly destinationAddress: string;
  /** 0 to 65535; 0 when there is none. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly mark: number;
  readonly priority: number;
}

export interface SocketArgument extends NetworkArgument {
  readonly type: 'sock' | 'socket';
  /** As `SOCK_STREAM`; a number without a name as decimal digits. */
  readonly socketType: string;
  /** As `TCP_ESTABLISHED`, which the kernel uses for other protocols, too; a number without a name as decimal digits. */
  readonly state: string;
  /** What the kernel calls the socket; 0n: it has given it none yet. */
  readonly cookie: bigint;
}

export interface PacketArgument extends NetworkArgument {
  readonly type: 'skb';
  /** Number of the protocol: 0 to 255. */
  readonly protocolNumber: number;
  /** Of the flow; 0: not worked out. */
  readonly hash: number;
  /** Bytes. */
  readonly length: number;
  /** IPsec transformations that it went through, and those that a device did. */
  readonly secPathLength: number;
  readonly secPathOffloads: number;
}

export interface SocketAddressArgument extends ReadArgument {
  readonly type: 'sockaddr';
  /** As `AF_INET`; a number without a name as decimal digits. */
  readonly family: string;
  /** As `sourceAddress` of a socket: empty unless IPv4 or IPv6. */
  readonly address: string;
  /** 0 to 65535; 0 when there is none. */
  readonly port: number;
}

export interface CapabilityArgument extends ArgumentBase {
  readonly type: 'capability';
  readonly value: number;
  /** As `CAP_SYS_ADMIN`; absent when the number has none. */
  readonly name?: string;
}

export interface CapabilitySetArgument extends ArgumentBase {
  readonly type: 'kernel_cap_t' | 'cap_inheritable' | 'cap_permitted' | 'cap_effective';
  /** Bit n is capability n of linux/capability.h. */
  readonly value: bigint;
  /** Of the bits that have one, lowest first. */
  readonly names: readonly string[];
}

export interface SystemCallArgument extends ArgumentBase {
  readonly type: 'syscall64';
  readonly value: bigint;
  /** As `openat`; absent when the number has none. */
  readonly name?: string;
  /** Whose numbers these are: those of the machine, or of 32-bit programs on it. */
  readonly abi: 'x64' | 'i386' | 'arm64' | 'arm32';
}

/** Of a `struct cred`. */
export interface CredentialsArgument extends ReadArgument, Credentials {
  readonly type: 'cred';
  readonly capabilities: Capabilities;
  /** Bits of linux/securebits.h. */
  readonly securebits: number;
  readonly userNamespace: UserNamespace;
}

export interface UserNamespaceArgument extends ReadArgument, UserNamespace {
  readonly type: 'user_namespace';
}

export interface UserNamespace {
  /** 0: the initial one. */
  readonly level: number;
  /** User and group that made it, as the initial user namespace numbers them. */
  readonly owner: number;
  readonly group: number;
  /** As `readlink /proc/PID/ns/user` shows it. */
  readonly inode: number;
}

export interface BpfCommandArgument extends ArgumentBase {
  readonly type: 'bpf_cmd';
  readonly value: number;
  /** As `BPF_PROG_LOAD`; absent when the number has none. */
  readonly name?: string;
}

/** A BPF program. `bpf_attr` is read as BPF_PROG_LOAD lays it out: of other commands it means nothing. */
export interface BpfProgramArgument extends ReadArgument {
  readonly type: 'bpf_attr' | 'bpf_prog';
  /** As `BPF_PROG_TYPE_KPROBE`; a number without a name as decimal digits. */
  readonly programType: string;
  readonly instructions: number;
  /** At most 15 bytes. */
  readonly name: string;
}

export interface BpfMapArgument extends ReadArgument {
  readonly type: 'bpf_map';
  /** As `BPF_MAP_TYPE_HASH`; a number without a name as decimal digits. */
  readonly mapType: string;
  /** Bytes. */
  readonly keySize: number;
  /** Bytes. */
  readonly valueSize: number;
  readonly maxEntries: number;
  /** At most 15 bytes. */
  readonly name: string;
}

export interface PerfEventArgument extends ReadArgument {
  readonly type: 'perf_event';
  /** As `PERF_TYPE_TRACEPOINT`; a number without a name, which devices have, as decimal digits. */
  readonly eventType: string;
  readonly config: bigint;
  /** The function that a kprobe is put on, at most 63 bytes; else empty. */
  readonly function: string;
  /** Bytes from its start; other kinds of events have other numbers here. */
  readonly probeOffset: bigint;
}

export interface ModuleArgument extends ReadArgument {
  readonly type: 'module' | 'load_info';
  /** At most 55 bytes. */
  readonly name: string;
  /** Absent where the kernel does not tell. */
  readonly signatureValid?: boolean;
  /** Bits of TAINT_ in linux/panic.h; of `load_info`, 0n. */
  readonly taints: bigint;
}

export type PathFlag = 'truncated' | 'deleted' | 'unreachable' | 'pseudo' | 'fault';
