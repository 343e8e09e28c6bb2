import type { EventType, PlainEvent } from 'polytrace';

/** Runs the agent until a signal, and returns the exit status of the command `polytrace agent`. */
export function runAgent(
  args: readonly string[],
  host: {
    readonly stdout: NodeJS.WritableStream;
    readonly stderr: NodeJS.WritableStream;
    readonly signals: NodeJS.EventEmitter;
    readonly env?: NodeJS.ProcessEnv;
  },
): Promise<number>;

/** Options for `openFleet`. The files are read again for each connection. */
export interface OpenFleetOptions {
  /** File with a JWT and its seed (`.creds`), or with the seed of an NKey. Default: no credentials. */
  readonly credentials?: string;
  /** Files with PEM texts: certificates of who signed those of the servers; certificate and key of this client. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Milliseconds until opening fails without a server. Default 10,000. */
  readonly waitMs?: number;
}

/** Which events of a fleet are read. */
export interface FleetEventsOptions {
  /** Time of the first event: a Date, or milliseconds since 1970. Default: now. */
  readonly since?: Date | number;
  /** Go on with the events that come. Default: true without `since`. */
  readonly follow?: boolean;
  /** Name of the cluster. Default: all. */
  readonly cluster?: string;
  /** Names of nodes. Default: all. */
  readonly nodes?: readonly string[];
  /** Labels that nodes must have, such as `role=web,zone!=a`. */
  readonly labels?: string;
  readonly types?: readonly EventType[];
  readonly policyNames?: readonly string[];
  /** Milliseconds that a line waits for earlier ones of other nodes. Default 1,000. */
  readonly windowMs?: number;
  readonly signal?: AbortSignal;
  /** Called with what is wrong with messages of the stream. They are left out. */
  readonly onProblem?: (text: string) => void;
}

/** The events of all nodes of a fleet. */
export interface Fleet extends AsyncDisposable {
  /** The events of all nodes, by time. */
  events(options?: FleetEventsOptions): AsyncGenerator<PlainEvent, void, undefined>;
  /** The same events, several at a time. */
  batches(options?: FleetEventsOptions): AsyncGenerator<readonly PlainEvent[], void, undefined>;
  /** The JSON lines of all nodes, by time, several at a time. They can begin a minute before `since`. */
  lines(options?: FleetEventsOptions): AsyncGenerator<readonly { readonly text: string }[], void, undefined>;
  /** Ends the connection. */
  close(): Promise<void>;
}

/**
 * Connects to the NATS servers of a fleet: `tls://HOST:PORT`, one or several. Rejects with a PolytraceError:
 * FLEET_UNAVAILABLE, FLEET_REFUSED, FLEET_CREDENTIALS, FLEET_TLS or BAD_OPTION.
 */
export function openFleet(servers: string | readonly string[], options?: OpenFleetOptions): Promise<Fleet>;
