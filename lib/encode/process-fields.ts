/** Encodes a process as tetragon.Process, with the members that the JSON export has. */
import type { BinaryProperties, Container, Pod, Process } from '../../types/index.js';
import { ProcessPrivilegesChanged } from '../proto/tetragon/capabilities.gen.js';
import {
  BinaryPropertiesSchema,
  ContainerSchema,
  FilePropertiesSchema,
  ImageSchema,
  InodePropertiesSchema,
  PodSchema,
  ProcessContainerSchema,
  ProcessSchema,
  SecurityContextSchema,
} from '../proto/tetragon/tetragon.gen.js';
import { splitArguments } from './split-arguments.js';
import { fieldTags } from './tags.js';
import { STRING_VALUE, WRAPPER_VALUE, type Writer } from './writer.js';

const PROCESS = fieldTags(ProcessSchema);
const POD = fieldTags(PodSchema);
const CONTAINER = fieldTags(ContainerSchema);
const PROCESS_CONTAINER = fieldTags(ProcessContainerSchema);
const IMAGE = fieldTags(ImageSchema);
const SECURITY = fieldTags(SecurityContextSchema);
const PROPERTIES = fieldTags(BinaryPropertiesSchema);
const FILE = fieldTags(FilePropertiesSchema);
const INODE = fieldTags(InodePropertiesSchema);

/** Characters of a container id in the field `docker`. */
export const DOCKER_CHARACTERS = 31;

const SECOND = 1_000_000_000n;

/** Process fields that are off by default. */
export interface RareFields {
  /** Encoded fields. */
  readonly bytes: Uint8Array;
  /** The redacted arguments. */
  readonly hidden: string | undefined;
}

/** Writes the process of an event, without its thread. */
export function writeProcess(w: Writer, process: Process, rare: RareFields | undefined): void {
  writeFields(w, process, rare, () => {
    w.wrapper(PROCESS.inInitTree, process.inInitTree ? 1 : 0);
  });
}

/** Writes a parent or ancestor. To save space, `inInitTree` is written only when it is true. */
export function writeAncestor(w: Writer, process: Process, rare: RareFields | undefined): void {
  writeFields(w, process, rare, () => {
    if (process.inInitTree) w.wrapper(PROCESS.inInitTree, 1);
    w.wrapper(PROCESS.tid, process.pid);
  });
}

function writeFields(w: Writer, process: Process, rare: RareFields | undefined, writeTreeFields: () => void): void {
  const { argv, binaryProperties, container, pod } = process;
  if (rare !== undefined) w.raw(rare.bytes);
  const text = rare?.hidden ?? process.arguments;
  // A client splits the string. The list is sent only if the split would differ and nothing is redacted.
  if (rare?.hidden === undefined && !canSplit(text, argv)) w.strings(PROCESS.argv, argv);
  w.bool(PROCESS.binaryUntrusted, process.binaryUntrusted);
  writeTreeFields();
  if (binaryProperties !== undefined) writeProperties(w, binaryProperties);
  w.string(PROCESS.parentExecId, process.formerExecId ?? process.parentExecId);
  if (container !== undefined) writeProcessContainer(w, container);
  if (pod !== undefined) writePod(w, pod);
  w.wrapper(PROCESS.auid, process.auid);
  writeTime(w, PROCESS.startTime, process.startTimeNs);
  w.string(PROCESS.flags, process.flags);
  w.string(PROCESS.arguments, text);
  w.string(PROCESS.binary, process.binary);
  w.string(PROCESS.cwd, process.cwd);
  w.wrapper(PROCESS.uid, process.credentials.euid);
  w.wrapper(PROCESS.pid, process.pid);
  w.string(PROCESS.execId, process.execId);
}

const QUOTED = /[ "]|^$/;

/** True if a client gets the list by splitting the text. */
function canSplit(text: string, argv: readonly string[]): boolean {
  const isPlain = argv.length > 0 && !argv.some((each) => QUOTED.test(each)) && argv.join(' ') === text;
  return isPlain || hasSameStrings(splitArguments(text), argv);
}

function hasSameStrings(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}

const PRIVILEGES: Readonly<Record<BinaryProperties['privilegesRaised'][number], ProcessPrivilegesChanged>> = {
  fileCapabilities: ProcessPrivilegesChanged.PRIVILEGES_RAISED_EXEC_FILE_CAP,
  setuid: ProcessPrivilegesChanged.PRIVILEGES_RAISED_EXEC_FILE_SETUID,
  setgid: ProcessPrivilegesChanged.PRIVILEGES_RAISED_EXEC_FILE_SETGID,
};

function writeProperties(w: Writer, { setuid, setgid, privilegesRaised, file }: BinaryProperties): void {
  const end = w.length;
  if (file !== undefined) {
    w.string(FILE.path, file.path);
    const inode = w.length;
    w.wrapper(INODE.links, file.links);
    w.ulong(INODE.number, file.inode);
    w.message(FILE.inode, inode);
    w.message(PROPERTIES.file, end);
  }
  if (privilegesRaised.length > 0) {
    const list = w.length;
    for (const how of [...privilegesRaised].reverse()) w.varint(PRIVILEGES[how]);
    w.message(PROPERTIES.privilegesChanged, list);
  }
  if (setgid !== undefined) w.wrapper(PROPERTIES.setgid, setgid);
  if (setuid !== undefined) w.wrapper(PROPERTIES.setuid, setuid);
  w.message(PROCESS.binaryProperties, end);
}

function writePod(
  w: Writer,
  { namespace, name, uid, container, labels, workload, workloadKind, annotations }: Pod,
): void {
  const end = w.length;
  writePairs(w, POD.podAnnotations, annotations);
  w.string(POD.workloadKind, workloadKind ?? '');
  w.string(POD.workload, workload ?? '');
  writePairs(w, POD.podLabels, labels);
  if (container !== undefined) writeContainer(w, container);
  w.string(POD.uid, uid ?? '');
  w.string(POD.name, name);
  w.string(POD.namespace, namespace);
  w.message(PROCESS.pod, end);
}

/** The id has its runtime as a prefix, as in Kubernetes. */
function writeContainer(
  w: Writer,
  { id, runtime, name, image, startTime, privileged, maybeExecProbe }: NonNullable<Pod['container']>,
): void {
  const end = w.length;
  if (privileged === true) {
    w.bool(SECURITY.privileged, true);
    w.message(CONTAINER.securityContext, end);
  }
  w.bool(CONTAINER.maybeExecProbe, maybeExecProbe === true);
  const started = startTime === undefined ? undefined : parseNanoseconds(startTime);
  if (started !== undefined) writeTime(w, CONTAINER.startTime, started);
  if (image !== undefined) writeImage(w, CONTAINER.image, image);
  w.string(CONTAINER.name, name ?? '');
  w.string(CONTAINER.id, runtime === undefined ? id : `${runtime}://${id}`);
  w.message(POD.container, end);
}

/** Tetragon's clients know only the first characters of the id. */
function writeProcessContainer(
  w: Writer,
  { id, runtime, podUid, owner, name, image, labels, startTime, privileged }: Container,
): void {
  const end = w.length;
  if (privileged !== undefined) w.wrapper(PROCESS_CONTAINER.privileged, privileged ? 1 : 0);
  w.string(PROCESS_CONTAINER.startTime, startTime ?? '');
  writePairs(w, PROCESS_CONTAINER.labels, labels);
  if (image !== undefined) writeImage(w, PROCESS_CONTAINER.image, image);
  w.string(PROCESS_CONTAINER.name, name ?? '');
  if (owner !== undefined) w.wrapper(PROCESS_CONTAINER.owner, owner);
  w.string(PROCESS_CONTAINER.podUid, podUid ?? '');
  w.string(PROCESS_CONTAINER.runtime, runtime ?? '');
  w.string(PROCESS_CONTAINER.id, id);
  w.message(PROCESS.container, end);
  w.string(PROCESS.docker, id.slice(0, DOCKER_CHARACTERS));
}

function writeImage(w: Writer, tag: number, { id, name }: NonNullable<Container['image']>): void {
  const end = w.length;
  w.string(IMAGE.name, name ?? '');
  w.string(IMAGE.id, id ?? '');
  w.message(tag, end);
}

/** Key and value are fields 1 and 2 of an entry. */
const PAIR_KEY = STRING_VALUE;
const PAIR_VALUE = STRING_VALUE + 8;

function writePairs(w: Writer, tag: number, pairs: Readonly<Record<string, string>> | undefined): void {
  if (pairs === undefined) return;
  for (const [key, value] of Object.entries(pairs).reverse()) {
    const end = w.length;
    w.stringAlways(PAIR_VALUE, value);
    w.stringAlways(PAIR_KEY, key);
    w.message(tag, end);
  }
}

/** Parses RFC 3339 as container runtimes write it. Returns undefined for another format. */
function parseNanoseconds(text: string): bigint | undefined {
  const [, date = '', fraction = '', zone = ''] = /^(.+T[\d:]{8})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  const ms = Date.parse(`${date}${zone}`);
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

/** Field 2 of google.protobuf.Timestamp. */
const NANOS = 16;

/** Nanoseconds are never negative, even before 1970. */
function writeTime(w: Writer, tag: number, epochNs: bigint): void {
  const end = w.length;
  if (epochNs >= 0n) {
    const seconds = epochNs / SECOND;
    w.uint(NANOS, Number(epochNs - seconds * SECOND));
    w.uint(WRAPPER_VALUE, Number(seconds));
  } else {
    const seconds = (epochNs - SECOND + 1n) / SECOND;
    w.ulong(NANOS, epochNs - seconds * SECOND);
    w.ulong(WRAPPER_VALUE, seconds);
  }
  w.message(tag, end);
}
