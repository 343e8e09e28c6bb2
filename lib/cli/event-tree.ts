/** `getevents -o tree`: a tree of processes with their events. Its size is bounded. */
import type { EventSummary, PlainEvent, PlainProcess } from '../../types/index.js';
import { quoteUnsafe } from '../output/escape.js';
import { truncateColumns } from './columns.js';
import type { PlainProcessEvent } from './plain-event.js';

/** Limit of the processes in the tree. Processes that have ended are removed first. */
const PROCESSES_MAX = 2000;
/** Limit of the event lines of a process. The first lines are kept, because they show how the process began. */
const EVENTS_MAX = 50;
/** Limit of the exec ids by which a process is found. A process can exec any number of times. */
const EXEC_IDS_MAX = 50;
/** Greatest indentation, in levels. */
const DEPTH_MAX = 40;

interface Node {
  readonly pid: number;
  /** The last exec ids of the process. */
  readonly execIds: string[];
  readonly children: Set<Node>;
  readonly lines: EventLine[];
  parent: Node | undefined;
  /** The last program, with its arguments. */
  title: string;
  /** True until the first exec of the process. */
  forked: boolean;
  /** Number of events that are not in `lines`. */
  more: number;
  ended: string | undefined;
  /** True if a policy has reported an event of this process or of a descendant. */
  matched: boolean;
}

interface EventLine {
  readonly text: string;
  times: number;
}

interface TreeOptions {
  /** Show only processes with an event of a policy, and their ancestors. */
  readonly matchedOnly: boolean;
  readonly formatArguments: (process: PlainProcess) => string;
}

export class EventTree {
  readonly #options: TreeOptions;
  readonly #nodes = new Map<string, Node>();
  readonly #ended = new Set<Node>();
  readonly #roots = new Set<Node>();
  /** Lines about no process of the tree. */
  readonly #notes: string[] = [];
  #count = 0;
  #removed = 0;

  constructor(options: TreeOptions) {
    this.#options = options;
  }

  add(event: PlainEvent, summary: () => EventSummary): void {
    switch (event.type) {
      case 'lost':
      case 'change':
      case 'process_throttle': // it is about a cgroup, not about one process
        this.#notes.push(formatNote(summary()));
        if (this.#notes.length > EVENTS_MAX) this.#notes.shift();
        return;
      case 'process_exec':
        this.#findOrCreateNode(event);
        break;
      case 'process_exit':
        this.#end(this.#findOrCreateNode(event), event.signal ?? String(event.status));
        break;
      case 'process_kprobe':
      case 'process_tracepoint':
      case 'process_uprobe':
      case 'process_usdt':
      case 'process_lsm':
      case 'process_loader':
        addLine(this.#findOrCreateNode(event), formatEventLine(summary()));
        break;
      default:
        event satisfies never;
    }
    while (this.#count > PROCESSES_MAX) this.#removeOne();
  }

  /** `width` is the width of the terminal. Without it, lines are not shortened. */
  format(width?: number): string {
    const lines: string[] = [];
    for (const root of this.#roots) this.#write(root, '', '', 0, lines);
    if (this.#removed > 0) lines.push(`(${this.#removed} earlier processes are left out)`);
    lines.push(...this.#notes);
    return lines.map((line) => `${width === undefined ? line : truncateColumns(line, width)}\n`).join('');
  }

  #write(node: Node, first: string, rest: string, depth: number, lines: string[]): void {
    const { matchedOnly } = this.#options;
    if (matchedOnly && !node.matched) return;
    lines.push(`${first}${node.title}${node.ended === undefined ? '' : ` 💥 ${node.ended}`}`);
    const children = [...node.children].filter((child) => !matchedOnly || child.matched);
    const bar = children.length > 0 ? '│  ' : '   ';
    for (const { text, times } of node.lines) lines.push(`${rest}${bar}${text}${times > 1 ? ` ×${times}` : ''}`);
    if (node.more > 0) lines.push(`${rest}${bar}… ${node.more} more events`);
    children.forEach((child, i) => {
      const isLast = i === children.length - 1;
      const indent = depth < DEPTH_MAX ? (isLast ? '   ' : '│  ') : '';
      this.#write(child, `${rest}${isLast ? '└─ ' : '├─ '}`, rest + indent, depth + 1, lines);
    });
  }

  #findOrCreateNode(event: PlainProcessEvent): Node {
    const { process, former, parent, ancestors } = event;
    const known = this.#nodes.get(process.execId) ?? this.#findSameProcess(process);
    const node = known ?? this.#create(process);
    this.#setProgram(node, process);
    if (node.parent === undefined) {
      const above = [former, parent, ...ancestors].filter((each) => each !== undefined);
      this.#attachToAncestors(node, above, process.parentExecId);
    }
    return node;
  }

  /**
   * Attaches the process to its ancestors. An exec with the same process id is an earlier exec of the process itself.
   */
  #attachToAncestors(node: Node, above: readonly PlainProcess[], parentExecId: string): void {
    let below = node;
    for (const exec of above) {
      if (exec.pid === below.pid) {
        this.#addExecId(below, exec.execId);
        continue;
      }
      const known = this.#nodes.get(exec.execId);
      const upper = known ?? this.#create(exec);
      if (known === undefined) this.#setProgram(upper, exec);
      this.#attach(below, upper);
      below = upper;
    }
    const upper = this.#nodes.get(parentExecId);
    if (node.parent === undefined && upper !== undefined) this.#attach(node, upper);
  }

  /**
   * Finds the process of a new exec id: the same process before the exec, or a forked process before its first exec.
   */
  #findSameProcess({ formerExecId, parentExecId, pid }: PlainProcess): Node | undefined {
    const parent = this.#nodes.get(parentExecId);
    const former = formerExecId === undefined ? undefined : this.#nodes.get(formerExecId);
    const same = [former, parent].find((node) => node?.pid === pid);
    if (same !== undefined || parent === undefined) return same;
    return [...parent.children].find((child) => child.pid === pid && child.forked && child.ended === undefined);
  }

  #create({ pid, forked }: PlainProcess): Node {
    const node: Node = {
      pid,
      execIds: [],
      children: new Set(),
      lines: [],
      parent: undefined,
      title: '',
      forked,
      more: 0,
      ended: undefined,
      matched: false,
    };
    this.#roots.add(node);
    this.#count += 1;
    return node;
  }

  #setProgram(node: Node, exec: PlainProcess): void {
    if (node.execIds.includes(exec.execId)) return;
    this.#addExecId(node, exec.execId);
    const { binary, pid, uid, forked } = exec;
    const program = binary === '' ? '(unknown)' : quoteUnsafe(binary);
    const argumentString = forked ? '' : this.#options.formatArguments(exec);
    node.title = `${argumentString === '' ? program : `${program} ${argumentString}`} (pid ${pid}, uid ${uid})`;
    node.forked = forked;
  }

  #addExecId(node: Node, execId: string): void {
    if (execId === '' || this.#nodes.has(execId)) return;
    this.#nodes.set(execId, node);
    node.execIds.push(execId);
    const oldest = node.execIds.length > EXEC_IDS_MAX ? node.execIds.shift() : undefined;
    if (oldest !== undefined) this.#nodes.delete(oldest);
  }

  #attach(node: Node, parent: Node): void {
    if (node.parent !== undefined) return;
    for (let upper: Node | undefined = parent; upper !== undefined; upper = upper.parent) if (upper === node) return;
    this.#roots.delete(node);
    node.parent = parent;
    parent.children.add(node);
    if (node.matched) markMatched(parent);
  }

  #end(node: Node, how: string): void {
    node.ended = how;
    this.#ended.add(node);
  }

  /** Removes a process without children: the process that ended first, or else the oldest one. */
  #removeOne(): void {
    const isLeaf = ({ children }: Node): boolean => children.size === 0;
    const node =
      findFirst(this.#ended, isLeaf) ?? findFirst(this.#nodes.values(), isLeaf) ?? findFirst(this.#roots, isLeaf);
    this.#count -= 1;
    this.#removed += 1;
    if (node === undefined) return;
    for (const id of node.execIds) this.#nodes.delete(id);
    this.#ended.delete(node);
    this.#roots.delete(node);
    node.parent?.children.delete(node);
  }
}

function findFirst(nodes: Iterable<Node>, isWanted: (node: Node) => boolean): Node | undefined {
  for (const node of nodes) if (isWanted(node)) return node;
  return undefined;
}

function markMatched(node: Node): void {
  for (let each: Node | undefined = node; each !== undefined && !each.matched; each = each.parent) each.matched = true;
}

function addLine(node: Node, text: string): void {
  markMatched(node);
  const last = node.lines.at(-1);
  if (last?.text === text && node.more === 0) last.times += 1;
  else if (node.lines.length < EVENTS_MAX) node.lines.push({ text, times: 1 });
  else node.more += 1;
}

function formatNote({ emoji, label, detail }: EventSummary): string {
  return `${emoji}  ${label}: ${detail}`;
}

function formatEventLine({ emoji, label, detail, actions, reason }: EventSummary): string {
  return [emoji, label, detail, reason === '' ? '' : `# ${reason}`, actions].filter((part) => part !== '').join(' ');
}
