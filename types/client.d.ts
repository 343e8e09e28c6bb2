import type { StopSignal } from './compatibility.js';
import type { AgentEvent } from './events.js';
import type { EventIterators, PolicyStatus, Tracer, TracerStats } from './tracer.js';

/** Files with PEM texts, for a connection with TLS. */
export interface TlsFiles {
  /** Certificates of who signed the certificate of the agent. Default: those that Node.js trusts. */
  readonly ca?: string;
  /** Certificate of this client. An agent that checks its clients needs it. Default: none. */
  readonly cert?: string;
  /** Key of `cert`. */
  readonly key?: string;
}

/** Options for `connect`. */
export interface ConnectOptions {
  /** Encrypts the connection. `true`: with the certificates that Node.js trusts. Default false. */
  readonly tls?: boolean | TlsFiles;
  /**
   * Token for an agent with `--server-token-file`: one line of that file. It is sent only encrypted, or to this machine.
   * Default: none.
   */
  readonly token?: string;
  /**
   * Iterators connect again when the agent ends or the connection fails, after 0.1 seconds at first and after at most 10. A
   * `lost` event with the reason `disconnected` says so. With false, such an iterator rejects. Default true.
   */
  readonly reconnect?: boolean;
  /**
   * Stops the connecting when it is aborted: `connect` rejects with an `AbortError`, as functions of Node.js do. It has no effect on
   * a connection. Default: none.
   */
  readonly signal?: StopSignal;
}

/**
 * Connects to an agent (`polytrace agent`). This process needs no privileges and no addon: the agent opens the socket for its
 * group, and the host does not have to be Linux. `address` is `unix:///PATH` or `HOST:PORT`.
 * Rejects with a PolytraceError: AGENT_UNAVAILABLE if no agent answers, or BAD_OPTION.
 */
export function connect(address: string, options?: ConnectOptions): Promise<AgentConnection>;

/**
 * A connection to an agent. It has the events of the agent's tracer, with the same types as in a tracer of this process, and
 * `change` events: what changed in the agent, and who changed it. The protocol does not have all members:
 * - `selector` of hooks, `coreDumped`, `inode` and `device` of files, and `cgroupId` are 0 or false.
 * - `data` and `former` are missing; values that the agent could not read have only `unreadable`.
 * - Namespaces, capabilities and credentials of processes are 0 unless the agent sends them (`--enable-process-ns`,
 *   `--enable-process-cred`).
 * - `executable` is the same as `binary`.
 * - `container` has only the id and, in a pod, the name.
 *
 * `metrics` has the counts of all policies of the agent, also of those that others have loaded. An iteration of
 * `metricsEvery` rejects when the agent ends.
 */
export interface AgentConnection
  extends
    EventIterators<AgentEvent>,
    AsyncDisposable,
    Pick<
      Tracer,
      | 'addPolicy'
      | 'removePolicy'
      | 'replacePolicy'
      | 'enablePolicy'
      | 'disablePolicy'
      | 'setPolicyMode'
      | 'metrics'
      | 'metricsEvery'
    > {
  /** Returns all policies of the agent, also those of other clients, and those that could not be loaded. */
  policies(): Promise<AgentPolicy[]>;
  /** Returns the state of the agent. */
  status(): Promise<AgentStatus>;
  /** Ends every iteration and the connection. The agent and its policies go on. */
  close(): Promise<void>;
}

/** A policy of an agent. */
export interface AgentPolicy {
  /** `metadata.name`; with a namespace NAMESPACE/NAME. Empty for a file that is not a policy. */
  readonly name: string;
  /** File of the policy on the machine of the agent. Absent for a policy of a client. */
  readonly file?: string;
  /** Reason why the policy, or a newer version of its file, is not loaded. */
  readonly error?: string;
  /** Status of the policy. Absent if nothing is loaded. */
  readonly status?: PolicyStatus;
}

/** State of an agent. */
export interface AgentStatus {
  /** Version of polytrace-agent. */
  readonly version: string;
  /** Name of the machine, as in events. */
  readonly nodeName: string;
  /** Release of the kernel. */
  readonly kernel: string;
  /** Time when the agent started: RFC 3339, UTC. */
  readonly startTime: string;
  /** One line on the state: `running`, and what is wrong. */
  readonly health: string;
  /** Counters of the agent's tracer. */
  readonly stats: Pick<TracerStats, 'events' | 'lost' | 'lostByHook' | 'processes' | 'bufferSize' | 'bufferUsed'> & {
    /** Clients that receive events. */
    readonly streams: number;
  };
  /** Effective settings, without secrets. */
  readonly configuration: Readonly<Record<string, string>>;
}
