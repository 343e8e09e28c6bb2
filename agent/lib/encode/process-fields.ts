/** A process in protobuf: tetragon.Process, with the members that the JSON export has. */
import type { BinaryProperties, Pod, Process } from 'polytrace';
import { ProcessPrivilegesChanged } from '../proto/tetragon/capabilities.gen.js';
import {
  BinaryPropertiesSchema,
  ContainerSchema,
  FilePropertiesSchema,
  ImageSchema,
  InodePropertiesSchema,
  PodSchema,
  ProcessSchema,
  SecurityContextSchema,
} from '../proto/tetragon/tetragon.gen.js';
import { splitArguments } from './arguments-text.js';
import { tagsOf } from './tags.js';
import { TEXT_VALUE, VALUE, type Writer } from './writer.js';

const PROCESS = tagsOf(ProcessSchema);
const POD = tagsOf(PodSchema);
const CONTAINER = tagsOf(ContainerSchema);
const IMAGE = tagsOf(ImageSchema);
const SECURITY = tagsOf(SecurityContextSchema);
const PROPERTIES = tagsOf(BinaryPropertiesSchema);
const FILE = tagsOf(FilePropertiesSchema);
const INODE = tagsOf(InodePropertiesSchema);

/** As many characters of a container's id as the field `docker` has. */
export const DOCKER_CHARACTERS = 31;

const SECOND = 1_000_000_000n;

/** The fields of a process that only some events have. */
export interface RareFields {
  /** Fields that are protobuf already. */
  readonly bytes: Uint8Array;
  /** The arguments with their hidden parts. */
  readonly hidden: string | undefined;
}

/** The process of an event, without its thread. */
export function writeProcess(w: Writer, process: Process, rare: RareFields | undefined): void {
  writeFields(w, process, rare, () => {
    w.wrapped(PROCESS.inInitTree, process.inInitTree ? 1 : 0);
  });
}

/** A parent or ancestor. To save space, it says only when it is in the tree. */
export function writeOther(w: Writer, process: Process, rare: RareFields | undefined): void {
  writeFields(w, process, rare, () => {
    if (process.inInitTree) w.wrapped(PROCESS.inInitTree, 1);
    w.wrapped(PROCESS.tid, process.pid);
  });
}

function writeFields(w: Writer, process: Process, rare: RareFields | undefined, writeOwn: () => void): void {
  const { argv, binaryProperties, container, pod } = process;
  if (rare !== undefined) w.raw(rare.bytes);
  const text = rare?.hidden ?? process.arguments;
  // A client splits the text. The list is sent when that would give another one, and nothing is hidden.
  if (rare?.hidden === undefined && !sameTexts(splitArguments(text), argv)) w.texts(PROCESS.argv, argv);
  w.bool(PROCESS.binaryUntrusted, process.binaryUntrusted);
  writeOwn();
  if (binaryProperties !== undefined) writeProperties(w, binaryProperties);
  w.text(PROCESS.parentExecId, process.formerExecId ?? process.parentExecId);
  if (container !== undefined) w.text(PROCESS.docker, container.id.slice(0, DOCKER_CHARACTERS));
  if (pod !== undefined) writePod(w, pod);
  w.wrapped(PROCESS.auid, process.auid);
  writeTime(w, PROCESS.startTime, process.startTimeNs);
  w.text(PROCESS.flags, process.flags);
  w.text(PROCESS.arguments, text);
  w.text(PROCESS.binary, process.binary);
  w.text(PROCESS.cwd, process.cwd);
  w.wrapped(PROCESS.uid, process.credentials.euid);
  w.wrapped(PROCESS.pid, process.pid);
  w.text(PROCESS.execId, process.execId);
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
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
    w.text(FILE.path, file.path);
    const inode = w.length;
    w.wrapped(INODE.links, file.links);
    w.ulong(INODE.number, file.inode);
    w.message(FILE.inode, inode);
    w.message(PROPERTIES.file, end);
  }
  if (privilegesRaised.length > 0) {
    const list = w.length;
    for (const how of [...privilegesRaised].reverse()) w.varint(PRIVILEGES[how]);
    w.message(PROPERTIES.privilegesChanged, list);
  }
  if (setgid !== undefined) w.wrapped(PROPERTIES.setgid, setgid);
  if (setuid !== undefined) w.wrapped(PROPERTIES.setuid, setuid);
  w.message(PROCESS.binaryProperties, end);
}

function writePod(
  w: Writer,
  { namespace, name, uid, container, labels, workload, workloadKind, annotations }: Pod,
): void {
  const end = w.length;
  writePairs(w, POD.podAnnotations, annotations);
  w.text(POD.workloadKind, workloadKind ?? '');
  w.text(POD.workload, workload ?? '');
  writePairs(w, POD.podLabels, labels);
  if (container !== undefined) writeContainer(w, container);
  w.text(POD.uid, uid ?? '');
  w.text(POD.name, name);
  w.text(POD.namespace, namespace);
  w.message(PROCESS.pod, end);
}

/** The id with its runtime, as in Kubernetes. */
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
  const started = startTime === undefined ? undefined : nanosecondsOf(startTime);
  if (started !== undefined) writeTime(w, CONTAINER.startTime, started);
  if (image !== undefined) {
    const before = w.length;
    w.text(IMAGE.name, image.name ?? '');
    w.text(IMAGE.id, image.id ?? '');
    w.message(CONTAINER.image, before);
  }
  w.text(CONTAINER.name, name ?? '');
  w.text(CONTAINER.id, runtime === undefined ? id : `${runtime}://${id}`);
  w.message(POD.container, end);
}

/** Key and value are fields 1 and 2 of an entry. */
const PAIR_KEY = TEXT_VALUE;
const PAIR_VALUE = TEXT_VALUE + 8;

function writePairs(w: Writer, tag: number, pairs: Readonly<Record<string, string>> | undefined): void {
  if (pairs === undefined) return;
  for (const [key, value] of Object.entries(pairs).reverse()) {
    const end = w.length;
    w.textAlways(PAIR_VALUE, value);
    w.textAlways(PAIR_KEY, key);
    w.message(tag, end);
  }
}

/** The time of a runtime's text (RFC 3339); undefined if it is none. */
function nanosecondsOf(text: string): bigint | undefined {
  const [, date = '', fraction = '', zone = ''] = /^(.+T[\d:]{8})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  const ms = Date.parse(`${date}${zone}`);
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

/** Field 2 of google.protobuf.Timestamp. */
const NANOS = 16;

/** The nanoseconds are not negative, also before 1970. */
function writeTime(w: Writer, tag: number, epochNs: bigint): void {
  const end = w.length;
  const seconds = epochNs >= 0n ? epochNs / SECOND : (epochNs - SECOND + 1n) / SECOND;
  w.ulong(NANOS, epochNs - seconds * SECOND);
  w.ulong(VALUE, seconds);
  w.message(tag, end);
}
