/** Formats processes for the JSON export. */
import type { BinaryProperties, Namespaces, PlainProcess, Pod } from '../../types/events.js';
import type { JsonOptions, Redactor } from '../../types/output.js';
import { NAMESPACE_NAMES } from '../names/namespaces.js';
import { hostNamespaces } from '../process/host-namespaces.js';
import { getTrackedProcess, ProcessView, type ViewedProcess } from '../process/view.js';
import { capabilitiesJson, listField, longField, message, stringField } from './json-fields.js';
import { escapeUnsafeJson } from './escape.js';
import { flattenString } from './memoize.js';
import { hideRanges } from './redact.js';

/** Tetragon keeps 31 characters of the id. */
const DOCKER_CHARACTERS = 31;

/** The JSON of a process in two parts: the thread id stands between them. */
interface ProcessParts {
  /** Container and pod can become known later than the process, and at different times. */
  readonly container: PlainProcess['container'];
  readonly pod: PlainProcess['pod'];
  readonly isInTree: boolean;
  readonly beforeTid: string;
  readonly afterTid: string;
  /** The complete JSON for events of the main thread, once it was needed. */
  mainThreadText: string | undefined;
  /** The JSON as a parent or ancestor, once it was needed. */
  relativeText: string | undefined;
  /** The same, followed by the parent as it was formatted last. */
  withParent: { readonly parent: ProcessParts; readonly text: string } | undefined;
}

/**
 * Formats processes with these options, and caches them: a process repeats in each of its events and in those of its
 * children.
 */
export class ProcessWriter {
  readonly #credentials: boolean;
  readonly #namespaces: boolean;
  readonly #redact: Redactor | undefined;
  readonly #cache = new WeakMap<PlainProcess, ProcessParts>();

  constructor(credentials: boolean, namespaces: boolean, redact: Redactor | undefined) {
    this.#credentials = credentials;
    this.#namespaces = namespaces;
    this.#redact = redact;
  }

  /** Formats the process of an event, and its parent. `more`: further members of the process, each after a comma. */
  writeMembers(process: PlainProcess, tid: number, parent: PlainProcess | undefined, more = ''): string {
    const parts = this.#cachedParts(process);
    if (more !== '') {
      const text = `"process":${joinParts(parts, tid).slice(0, -1)}${more}}`;
      return parent === undefined ? text : `${text},"parent":${this.writeRelative(parent)}`;
    }
    const isMainThread = tid === process.pid;
    if (parent === undefined)
      return `"process":${isMainThread ? mainThreadText(parts, process.pid) : joinParts(parts, tid)}`;
    const parentParts = this.#cachedParts(parent);
    if (!isMainThread) return `"process":${joinParts(parts, tid)},"parent":${this.writeRelative(parent)}`;
    if (parts.withParent?.parent !== parentParts) {
      const own = mainThreadText(parts, process.pid);
      const text = flattenString(`"process":${own},"parent":${this.writeRelative(parent)}`);
      parts.withParent = { parent: parentParts, text };
    }
    return parts.withParent.text;
  }

  /** Returns what stands before and after the thread id in the result of writeMembers(). */
  splitMembers(process: PlainProcess, parent: PlainProcess | undefined): readonly [before: string, after: string] {
    const { beforeTid, afterTid, isInTree } = this.#cachedParts(process);
    const end = parent === undefined ? '' : `,"parent":${this.writeRelative(parent)}`;
    return [`"process":${beforeTid}`, `${afterTid}${treeEnd(isInTree)}${end}`];
  }

  /** Formats a parent or ancestor. To save space, `in_init_tree` is omitted if it is false. */
  writeRelative(process: PlainProcess): string {
    const parts = this.#cachedParts(process);
    const { beforeTid, afterTid, isInTree } = parts;
    return (parts.relativeText ??= flattenString(
      `${beforeTid}${process.pid}${afterTid}${isInTree ? ',"in_init_tree":true}' : '}'}`,
    ));
  }

  #cachedParts(process: PlainProcess): ProcessParts {
    const tracked = process instanceof ProcessView ? getTrackedProcess(process) : undefined;
    let parts = tracked === undefined ? this.#cache.get(process) : findParts(tracked, this);
    const source = tracked ?? process;
    const { container, pod, inInitTree: isInTree } = source;
    if (parts === undefined || parts.container !== container || parts.pod !== pod || parts.isInTree !== isInTree) {
      parts = {
        container,
        pod,
        isInTree,
        beforeTid: this.#jsonBeforeTid(source),
        afterTid: this.#jsonAfterTid(source),
        mainThreadText: undefined,
        relativeText: undefined,
        withParent: undefined,
      };
      if (tracked === undefined) this.#cache.set(process, parts);
      else keepParts(tracked, this, parts);
    }
    return parts;
  }

  #jsonBeforeTid(process: PlainProcess): string {
    let text = `{"exec_id":"${process.execId}","pid":${process.pid},"uid":${process.credentials.euid}`;
    text += stringField('cwd', process.cwd);
    text += stringField('binary', process.binary);
    if (process.binaryUntrusted) text += ',"binary_untrusted":true';
    text += stringField('arguments', this.#arguments(process));
    text += stringField('flags', process.flags);
    text += `,"start_time":"${process.startTime}","auid":${process.auid}`;
    if (process.pod !== undefined) text += `,"pod":${podJson(process.pod)}`;
    text += stringField('docker', process.container?.id.slice(0, DOCKER_CHARACTERS) ?? '');
    text += stringField('parent_exec_id', process.formerExecId ?? process.parentExecId);
    if (this.#credentials) text += `,"cap":${capabilitiesJson(process.capabilities)}`;
    if (this.#namespaces) text += `,"ns":${namespacesJson(process.namespaces)}`;
    return `${text},"tid":`;
  }

  #jsonAfterTid(process: PlainProcess): string {
    let text = '';
    const { user, binaryProperties } = process;
    if (this.#credentials) text += `,"process_credentials":${JSON.stringify(process.credentials)}`;
    if (binaryProperties !== undefined) text += `,"binary_properties":${propertiesJson(binaryProperties)}`;
    if (this.#credentials && user !== undefined) text += `,"user":${message(stringField('name', user))}`;
    return text;
  }

  #arguments(process: PlainProcess): string {
    const text = process.arguments;
    return this.#redact === undefined ? text : hideRanges(text, this.#redact(text, process.binary));
  }
}

/** The parts are kept with the process: a weak map costs each garbage collection. */
interface KeptParts {
  readonly writer: ProcessWriter;
  parts: ProcessParts;
}

/** A process is formatted with few different options. The oldest are forgotten. */
const OPTIONS_MAX = 4;

function findParts({ jsonParts }: ViewedProcess, writer: ProcessWriter): ProcessParts | undefined {
  if (jsonParts === undefined) return undefined;
  for (const kept of jsonParts as KeptParts[]) if (kept.writer === writer) return kept.parts;
  return undefined;
}

function keepParts(tracked: ViewedProcess, writer: ProcessWriter, parts: ProcessParts): void {
  const list = (tracked.jsonParts ??= []) as KeptParts[];
  const known = list.find((kept) => kept.writer === writer);
  if (known !== undefined) known.parts = parts;
  else if (list.unshift({ writer, parts }) > OPTIONS_MAX) list.pop();
}

function mainThreadText(parts: ProcessParts, pid: number): string {
  return (parts.mainThreadText ??= flattenString(joinParts(parts, pid)));
}

function joinParts(
  { beforeTid, afterTid, isInTree }: Pick<ProcessParts, 'beforeTid' | 'afterTid' | 'isInTree'>,
  tid: number,
): string {
  return `${beforeTid}${tid}${afterTid}${treeEnd(isInTree)}`;
}

function treeEnd(isInTree: boolean): string {
  return `,"in_init_tree":${isInTree}}`;
}

/** The writers for each combination of credentials (bit 0 of the index) and namespaces (bit 1). */
type Writers = readonly ProcessWriter[];

function createWriters(redact?: Redactor): Writers {
  return [0, 1, 2, 3].map((bits) => new ProcessWriter((bits & 1) !== 0, (bits & 2) !== 0, redact));
}

const plainWriters = createWriters();
const redactingWriters = new WeakMap<Redactor, Writers>();

export function selectWriter({ processCred, processNs, redact }: JsonOptions): ProcessWriter {
  let all: Writers | undefined = plainWriters;
  if (redact !== undefined) {
    all = redactingWriters.get(redact);
    if (all === undefined) redactingWriters.set(redact, (all = createWriters(redact)));
  }
  return all[(processCred === true ? 1 : 0) + (processNs === true ? 2 : 0)] as ProcessWriter;
}

const PRIVILEGES = {
  fileCapabilities: 'PRIVILEGES_RAISED_EXEC_FILE_CAP',
  setuid: 'PRIVILEGES_RAISED_EXEC_FILE_SETUID',
  setgid: 'PRIVILEGES_RAISED_EXEC_FILE_SETGID',
} as const satisfies Readonly<Record<BinaryProperties['privilegesRaised'][number], string>>;

function propertiesJson({ setuid, setgid, privilegesRaised, file }: BinaryProperties): string {
  return message(
    setuid === undefined ? '' : `,"setuid":${setuid}`,
    setgid === undefined ? '' : `,"setgid":${setgid}`,
    listField(
      'privileges_changed',
      privilegesRaised.map((how) => PRIVILEGES[how]),
    ),
    file === undefined ? '' : `,"file":${binaryFileJson(file)}`,
  );
}

function binaryFileJson({ inode, links, path }: NonNullable<BinaryProperties['file']>): string {
  const properties = message(longField('number', inode), `,"links":${links}`);
  return message(`,"inode":${properties}`, stringField('path', path));
}

function namespacesJson(namespaces: Namespaces): string {
  const inodes = hostNamespaces();
  const fields = NAMESPACE_NAMES.filter(({ key }) => namespaces[key] !== 0).map(({ key, file }) => {
    const isHost = inodes[key].includes(namespaces[key]) ? ',"is_host":true' : '';
    return `"${file}":{"inum":${namespaces[key]}${isHost}}`;
  });
  return `{${fields.join(',')}}`;
}

function podJson(pod: Pod): string {
  const { container } = pod;
  return message(
    stringField('namespace', pod.namespace),
    stringField('name', pod.name),
    stringField('uid', pod.uid ?? ''),
    container === undefined ? '' : `,"container":${containerJson(container)}`,
    pairsField('pod_labels', pod.labels),
    stringField('workload', pod.workload ?? ''),
    stringField('workload_kind', pod.workloadKind ?? ''),
    pairsField('pod_annotations', pod.annotations),
  );
}

/** The id has the form of Kubernetes: RUNTIME://ID. */
function containerJson(container: NonNullable<Pod['container']>): string {
  const { id, runtime, name, image, startTime, privileged, maybeExecProbe } = container;
  return message(
    stringField('id', runtime === undefined ? id : `${runtime}://${id}`),
    stringField('name', name ?? ''),
    image === undefined
      ? ''
      : `,"image":${message(stringField('id', image.id ?? ''), stringField('name', image.name ?? ''))}`,
    stringField('start_time', startTime ?? ''),
    maybeExecProbe === true ? ',"maybe_exec_probe":true' : '',
    privileged === true ? ',"security_context":{"privileged":true}' : '',
  );
}

/** Protobuf's JSON omits an empty map. */
function pairsField(name: string, pairs: Readonly<Record<string, string>> | undefined): string {
  const text = JSON.stringify(pairs ?? {});
  return text === '{}' ? '' : `,"${name}":${escapeUnsafeJson(text)}`;
}
