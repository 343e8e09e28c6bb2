import type { ArgumentOf, EventType, FileArgument, HookArgument, PlainEvent, PlainProcess } from './events.js';

/** Options for `formatCompact`. */
export interface CompactOptions {
  /** Uses ANSI colours. Default false. */
  readonly color?: boolean;
  /** Starts the line with the time (RFC 3339). Default false. */
  readonly timestamps?: boolean;
  /** Shows `🛑 CAP_SYS_ADMIN` at column 120 when the process has that capability. Default false. */
  readonly capabilities?: boolean;
  /**
   * Format of hooks whose function has no format of its own in Tetragon. `detailed` (the default) shows the first
   * values, and after `#` the message of the hook or the name of the policy. `tetragon` shows the same as Tetragon: only
   * names, such as `❓ syscall` and the function. All other lines are the same in both styles.
   */
  readonly style?: 'detailed' | 'tetragon';
  /**
   * Ends the line with the process id, the user id and the parent's program: `(pid 4242, uid 0, bash)`. Default false.
   */
  readonly who?: boolean;
  /** Hides parts of the arguments. Default: nothing is hidden. */
  readonly redact?: Redactor | undefined;
}

/**
 * Formats an event as one line without a final newline. A file's hash and stack traces follow on lines of their own.
 * Strings from traced processes are escaped.
 */
export function formatCompact(event: PlainEvent, options?: CompactOptions): string;

/** Formats events as lines in UTF-8. The bytes are valid until the next call. */
export type LineFormatter = (events: Iterable<PlainEvent>) => Uint8Array;

/**
 * Returns a function that formats events as compact lines in UTF-8: the bytes of `formatCompact(event, options)` and a
 * newline for each event, in their order. Events of a tracer are written straight from the kernel's records, in less than
 * half the time of `formatCompact`. The bytes are valid until the function is called again: copy them, or write them
 * before.
 */
export function compactLines(options?: CompactOptions): LineFormatter;

/** The parts of an event's line. All strings are escaped and fit in one line. */
export interface EventSummary {
  /** Symbol of the kind of event: 🚀 for the start of a program. */
  readonly emoji: string;
  /** The kind of event in one word: `process`, `exit`, `lost`, `read`, `kprobe`. */
  readonly label: string;
  /** The arguments of the program, or the values that the hook read. Empty if there are none. */
  readonly detail: string;
  /** The actions and their outcomes, each in brackets: `[sigkill] [override: monitored]`. Empty if there are none. */
  readonly actions: string;
  /** The message of the hook or, if it has none, the name of the policy. Empty for events of the base sensor. */
  readonly reason: string;
}

/** Returns the parts of which `formatCompact` makes its line, for programs that have an output format of their own. */
export function summarizeEvent(event: PlainEvent, options?: Pick<CompactOptions, 'redact'>): EventSummary;

/** Options for `toJson`. They change only the JSON: the event itself has all members. */
export interface JsonOptions {
  /** Adds `ancestors`: to all events, or to those of the types in the list. Default false. */
  readonly ancestors?: boolean | readonly EventType[];
  /** Adds `cap` and `process_credentials` to processes. Default false. */
  readonly processCred?: boolean;
  /** Adds `ns`, the namespaces, to processes. Default false. */
  readonly processNs?: boolean;
  /** Leaves fields out; see `fieldFilter`. Default: all fields. */
  readonly fields?: FieldFilter | undefined;
  /** Hides parts of the arguments; see `redactor`. Default: nothing is hidden. */
  readonly redact?: Redactor | undefined;
}

/**
 * Formats an event as the JSON of Tetragon's export: snake_case, with the same names and nesting. The result is one
 * line without a newline.
 */
export function toJson(event: PlainEvent, options?: JsonOptions): string;

/**
 * Returns a function that formats events as JSON lines in UTF-8: the bytes of `toJson(event, options)` and a newline for
 * each event, in their order. Events of a tracer are written straight from the kernel's records, in less than half the
 * time of `toJson`. The bytes are valid until the function is called again: copy them, or write them before.
 */
export function jsonLines(options?: JsonOptions): LineFormatter;

/** A message of the JSON export, as JSON.parse returns it. */
export type JsonFields = Readonly<Record<string, unknown>>;

/** Takes the fields of an event in the JSON export, and returns those that are written. */
export type FieldFilter = (fields: JsonFields) => JsonFields;

/**
 * Options for `fieldFilter`. A path is a field of the event's message in the JSON export, or a field below it with
 * dots: `process.binary`. Below a list, a path selects its field in each item: `args.file_arg.path`.
 */
export interface FieldFilterOptions {
  /** Writes only these fields. Default: all fields. */
  readonly include?: readonly string[];
  /** Leaves these fields out, also if `include` contains them. Default: none. */
  readonly exclude?: readonly string[];
}

/**
 * Makes a filter for `toJson`. `node_name`, `time` and `lost` events are always written. Throws a PolytraceError
 * (`FIELD_UNKNOWN`) for a path that no event has.
 */
export function fieldFilter(options: FieldFilterOptions): FieldFilter;

/** A range of a text: from `start` up to, but not including, `end`. Both count UTF-16 code units. */
export type TextRange = readonly [start: number, end: number];

/**
 * Finds the parts of a process's arguments to hide. `text` is `arguments` and `binary` is `binary` of the process.
 * Returns the ranges in order, without overlap. It must always return the same ranges for the same process.
 */
export type Redactor = (text: string, binary: string) => readonly TextRange[];

/** One filter for `redactor`. Its patterns are regular expressions of RE2, which need time linear in the text. */
export interface RedactionFilter {
  /**
   * Patterns for `arguments`. Each pattern has at least one group. The text that a group matches is shown as `*****`.
   */
  readonly redact: readonly string[];
  /** Patterns for `binary`: the filter applies if one of them matches. Default: all processes. */
  readonly binaryRegex?: readonly string[];
}

/**
 * Makes a redactor for `toJson` and `formatCompact`. Throws a PolytraceError `REDACTION_INVALID` for a pattern that RE2
 * does not have or that has no group.
 */
export function redactor(filters: readonly RedactionFilter[]): Redactor;

/** A name, or a pattern that matches anywhere in the name. */
export type NamePattern = string | RegExp;

/**
 * Conditions on the container and the pod of an event's process. All given conditions must hold. A list holds if one of
 * its entries matches. If no source knows the container of a process, the process has no names: it can match only
 * `host: true` or the namespace `''`.
 */
export interface ContainerFilter {
  /** Names of pods. */
  readonly pods?: readonly NamePattern[];
  /**
   * Namespaces of pods. `''` matches each process outside of pods: of the host, or of a container without Kubernetes.
   */
  readonly namespaces?: readonly NamePattern[];
  /** Names of containers. */
  readonly containers?: readonly NamePattern[];
  /**
   * Label selectors in the syntax of Kubernetes, such as `app=web,tier!=db`. They are applied to the labels of the pod;
   * outside of pods, to those of the container. Processes of the host do not match.
   */
  readonly labels?: readonly string[];
  /** Processes that are in no container. With `namespaces`, one of the two conditions must hold. Default false. */
  readonly host?: boolean;
}

/** Options for `eventFilter`. */
export interface EventFilterOptions extends ContainerFilter {
  /** Types of events. Default: all types. */
  readonly types?: readonly EventType[];
  /** Names of policies. Events of the base sensor match, too. Default: all policies. */
  readonly policyNames?: readonly string[];
  /** Patterns for the binary of the process. An event matches if any of them matches. Default: all binaries. */
  readonly binaries?: readonly RegExp[];
}

/** Returns a function that tests an event: it returns true when all options hold. `lost` events always pass. */
export function eventFilter(options: EventFilterOptions): (event: PlainEvent) => boolean;

/** Tests whether the value is a file, so that it has a `path`. */
export function isFile(argument: HookArgument): argument is ArgumentOf<FileArgument['type']>;

/**
 * Returns the value of an event that has this `label` in the policy: the first one in `args`, then `data`, then the
 * return value. Returns undefined if there is none.
 */
export function findArgument(event: PlainEvent, label: string): HookArgument | undefined;

/**
 * Returns the path of the file that an event is about: that of the first value that is a file (`isFile`), in `args`,
 * then `data`, then the return value. For `process_exec`, it is `executable` of the process. For `process_loader`, it
 * is `path`. Returns undefined if there is none.
 */
export function eventPath(event: PlainEvent): string | undefined;

/** Encodes events as messages in protobuf, for `messageFrames`. Results are valid until the next call. */
export interface MessageEncoder {
  /** Returns the message of an event. */
  encodeMessage(event: PlainEvent): Uint8Array;
  /** Returns the fields of the process in its events, but its thread, and the complete field of its parent. */
  encodeProcesses(
    process: PlainProcess,
    parent: PlainProcess | undefined,
    nodeName: string,
  ): readonly [process: Uint8Array, parent: Uint8Array];
  /** Returns the message of a value at this position; undefined if only the whole event can be encoded. */
  encodeArgument(argument: HookArgument, position: number): Uint8Array | undefined;
  /** True if events of this type have their ancestors, which no two events share. */
  hasAncestors(type: EventType): boolean;
}

/**
 * Returns a function that encodes events in protobuf, each with the header of a message in gRPC: a zero, and the length as
 * four bytes, the highest first. The messages are those of the encoder, and those of a tracer's events are written straight
 * from the kernel's records. The bytes are valid until the function is called again. It is for the package polytrace-agent,
 * which has the encoder.
 */
export function messageFrames(encoder: MessageEncoder): LineFormatter;
