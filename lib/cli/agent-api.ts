/** The part of the package polytrace-agent that the command uses. A test compares these types with the package. */
import type { Writable } from 'node:stream';
import type { JsonOptions, PlainEvent, Redactor, TracerEvent } from '../../types/index.js';

export interface AgentPackage {
  runAgent(args: readonly string[], host: AgentHost): Promise<number>;
  readonly AgentClient: new (options: AgentAddress) => AgentClient;
  readonly AgentError: abstract new (...args: never[]) => AgentError;
  /** Returns a predicate: true if one of the CEL expressions is true for an event. */
  readonly celFilter: (expressions: readonly string[], options: JsonOptions) => (event: TracerEvent) => boolean;
  /** Returns a parser for lines of the JSON export. Its result is undefined for an event that the filters exclude. */
  recordedEvents(request: EventsRequest): (line: string) => ClientEvent | undefined;
  readonly ReportRows: new (options: ReportRowsOptions) => ReportRows;
  readonly ReportFile: new (target: string | Writable) => ReportFile;
  readonly LiveReport: {
    open(options: { readonly port: number; readonly onMissed: () => void }): Promise<LiveReport>;
  };
}

interface ReportRowsOptions {
  readonly limit?: number;
  readonly repeatAfter?: number;
  readonly redact?: Redactor | undefined;
}

/** Formats events as rows of a report. */
export interface ReportRows {
  readonly shown: number;
  readonly leftOut: number;
  forget(): void;
  text(events: readonly PlainEvent[]): string;
  end(sources: readonly string[], version: string, invalidLines: number): string;
}

/** A report that is written to a file. */
export interface ReportFile {
  write(rows: string): Promise<void>;
  finish(): Promise<void>;
  abandon(): Promise<void>;
}

/** A report that a browser shows while events arrive. */
export interface LiveReport {
  readonly url: string;
  readonly missed: number;
  write(rows: string): void;
  close(): Promise<void>;
}

interface AgentHost {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly signals: NodeJS.EventEmitter;
}

export interface AgentAddress {
  readonly address: string;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

interface AgentError extends Error {
  /** The connection failed, or was lost. */
  readonly isUnavailable: boolean;
}

/** Filters. Patterns are regular expressions of RE2. */
export interface EventsRequest {
  readonly types?: readonly string[] | undefined;
  readonly policyNames?: readonly string[] | undefined;
  readonly binaries?: readonly string[] | undefined;
  readonly namespaces?: readonly string[] | undefined;
  readonly namespacePatterns?: readonly string[] | undefined;
  readonly pods?: readonly string[] | undefined;
  readonly containers?: readonly string[] | undefined;
  readonly labels?: readonly string[] | undefined;
  readonly expressions?: readonly string[] | undefined;
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
}

export interface ClientEvent {
  readonly view: PlainEvent | undefined;
  readonly json: () => string;
}

export interface PolicyRow {
  readonly id: number;
  readonly name: string;
  readonly namespace: string;
  readonly state: string;
  readonly mode: string;
  readonly file: string;
  readonly error: string;
  readonly memory: number;
  readonly matched: number;
  readonly posted: number;
  readonly enforced: number;
  readonly suppressed: number;
  readonly lost: number;
  readonly hooks: readonly HookRow[];
}

interface HookRow {
  readonly name: string;
  readonly attach: string;
  readonly matched: number;
  readonly posted: number;
  readonly lost: number;
}

interface AgentInfo {
  readonly version: string;
  readonly nodeName: string;
  readonly kernel: string;
  readonly events: number;
  readonly lost: number;
  readonly processes: number;
  readonly streams: number;
  readonly bufferSize: number;
  readonly bufferUsed: number;
  readonly configuration: Readonly<Record<string, string>>;
}

export interface AgentClient {
  events(request: EventsRequest, signal: AbortSignal, onOpen: () => void): AsyncIterable<readonly ClientEvent[]>;
  policies(): Promise<PolicyRow[]>;
  addPolicy(yaml: string): Promise<void>;
  deletePolicy(name: string, namespace: string): Promise<void>;
  configurePolicy(
    name: string,
    namespace: string,
    change: { readonly enable?: boolean; readonly mode?: 'enforce' | 'monitor' },
  ): Promise<void>;
  health(): Promise<string>;
  info(): Promise<AgentInfo>;
  close(): void;
}
