/** Writes processes in the JSON export. */
import type { BinaryProperties, Namespaces, PlainProcess, Pod } from '../../types/events.js';
import type { JsonOptions, Redactor } from '../../types/output.js';
import { NAMESPACE_NAMES } from '../names/namespaces.js';
import { machineNamespaces } from '../process/host-namespaces.js';
import { capabilitiesJson, listField, longField, message, stringField } from './json-fields.js';
import { safeJson } from './escape.js';
import { flat } from './kept-texts.js';
import { hide } from './redact.js';

/** Tetragon keeps 31 characters of the id. */
const DOCKER_CHARACTERS = 31;

/** All of the text but the thread id and what follows it. */
interface Parts {
  /** Both can become known later, and one without the other. */
  readonly container: PlainProcess['container'];
  readonly pod: PlainProcess['pod'];
  readonly isInTree: boolean;
  readonly beforeTid: string;
  readonly afterTid: string;
  /** The process as that of an event of its main thread. */
  readonly ofMainThread: string;
  /** The same with its parent, as the parent was last written. */
  withParent: { readonly parent: Parts; readonly text: string } | undefined;
}

/** How processes are written. A process repeats in each of its events and in those of its children. */
export class ProcessWriter {
  readonly #credentials: boolean;
  readonly #namespaces: boolean;
  readonly #redact: Redactor | undefined;
  readonly #written = new WeakMap<PlainProcess, Parts>();

  constructor(credentials: boolean, namespaces: boolean, redact: Redactor | undefined) {
    this.#credentials = credentials;
    this.#namespaces = namespaces;
    this.#redact = redact;
  }

  /** The process of an event, and its parent. */
  members(process: PlainProcess, tid: number, parent: PlainProcess | undefined): string {
    const parts = this.#partsOf(process);
    const isMainThread = tid === process.pid;
    if (parent === undefined) return `"process":${isMainThread ? parts.ofMainThread : wholeText(parts, tid)}`;
    const ofParent = this.#partsOf(parent);
    if (!isMainThread) return `"process":${wholeText(parts, tid)},"parent":${this.other(parent)}`;
    if (parts.withParent?.parent !== ofParent) {
      const text = flat(`"process":${parts.ofMainThread},"parent":${this.other(parent)}`);
      parts.withParent = { parent: ofParent, text };
    }
    return parts.withParent.text;
  }

  /** A parent or ancestor. To save space, it says only when it is in the tree. */
  other(process: PlainProcess): string {
    const { beforeTid, afterTid } = this.#partsOf(process);
    return `${beforeTid}${process.pid}${afterTid}${process.inInitTree ? ',"in_init_tree":true}' : '}'}`;
  }

  #partsOf(process: PlainProcess): Parts {
    let parts = this.#written.get(process);
    const { container, pod, inInitTree: isInTree } = process;
    if (parts === undefined || parts.container !== container || parts.pod !== pod || parts.isInTree !== isInTree) {
      const texts = { beforeTid: this.#beforeTid(process), afterTid: this.#afterTid(process), isInTree };
      const ofMainThread = flat(wholeText(texts, process.pid));
      parts = { container, pod, ...texts, ofMainThread, withParent: undefined };
      this.#written.set(process, parts);
    }
    return parts;
  }

  #beforeTid(process: PlainProcess): string {
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

  #afterTid(process: PlainProcess): string {
    let text = '';
    const { user, binaryProperties } = process;
    if (this.#credentials) text += `,"process_credentials":${JSON.stringify(process.credentials)}`;
    if (binaryProperties !== undefined) text += `,"binary_properties":${propertiesJson(binaryProperties)}`;
    if (this.#credentials && user !== undefined) text += `,"user":${message(stringField('name', user))}`;
    return text;
  }

  #arguments(process: PlainProcess): string {
    const text = process.arguments;
    return this.#redact === undefined ? text : hide(text, this.#redact(text, process.binary));
  }
}

function wholeText(
  { beforeTid, afterTid, isInTree }: Pick<Parts, 'beforeTid' | 'afterTid' | 'isInTree'>,
  tid: number,
): string {
  return `${beforeTid}${tid}${afterTid},"in_init_tree":${isInTree}}`;
}

/** The writers without and with credentials and namespaces. */
type Writers = readonly ProcessWriter[];

function writers(redact?: Redactor): Writers {
  return [0, 1, 2, 3].map((bits) => new ProcessWriter((bits & 1) !== 0, (bits & 2) !== 0, redact));
}

const plain = writers();
const redacting = new WeakMap<Redactor, Writers>();

export function processWriter({ processCred, processNs, redact }: JsonOptions): ProcessWriter {
  let all: Writers | undefined = plain;
  if (redact !== undefined) {
    all = redacting.get(redact);
    if (all === undefined) redacting.set(redact, (all = writers(redact)));
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
    file === undefined ? '' : `,"file":${fileJson(file)}`,
  );
}

function fileJson({ inode, links, path }: NonNullable<BinaryProperties['file']>): string {
  const properties = message(longField('number', inode), `,"links":${links}`);
  return message(`,"inode":${properties}`, stringField('path', path));
}

function namespacesJson(namespaces: Namespaces): string {
  const inodes = machineNamespaces();
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

/** The id with its runtime, as in Kubernetes. */
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
  return text === '{}' ? '' : `,"${name}":${safeJson(text)}`;
}
