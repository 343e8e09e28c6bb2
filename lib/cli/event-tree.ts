/** `getevents -o tree`: processes under their parents, each with its events. The tree is bounded. */
import type { EventSummary, PlainEvent, PlainProcess } from '../../types/index.js';
import { quoteUnsafe } from '../output/escape.js';
import { cut } from './columns.js';

type ProcessEvent = Exclude<PlainEvent, { readonly type: 'lost' }>;

/** Processes that the tree keeps. Those that ended are forgotten first. */
const PROCESSES_MAX = 2000;
/** Lines of events of a process. The first ones are kept: they say how it began. */
const EVENTS_MAX = 50;
/** Programs by which a process is found. A process may execute one after another without end. */
const IDS_MAX = 50;
/** Deeper processes are not indented any further. */
const DEPTH_MAX = 40;

interface Node {
  readonly pid: number;
  /** The `execId` of the last programs that the process has run. */
  readonly ids: string[];
  readonly children: Set<Node>;
  readonly lines: Line[];
  parent: Node | undefined;
  /** The last program, with its arguments. */
  title: string;
  /** It has not executed a program of its own yet. */
  forked: boolean;
  /** Events that are not in `lines`. */
  more: number;
  ended: string | undefined;
  /** A policy has reported something of it, or of a process below it. */
  matched: boolean;
}

interface Line {
  readonly text: string;
  times: number;
}

interface TreeOptions {
  /** Only processes that an event of a policy is about, and those above them. */
  readonly matchedOnly: boolean;
  /** The arguments of a process as they are shown. */
  readonly argumentsOf: (process: PlainProcess) => string;
}

export class EventTree {
  readonly #options: TreeOptions;
  readonly #nodes = new Map<string, Node>();
  readonly #ended = new Set<Node>();
  readonly #roots = new Set<Node>();
  readonly #lost: string[] = [];
  #count = 0;
  #forgotten = 0;

  constructor(options: TreeOptions) {
    this.#options = options;
  }

  add(event: PlainEvent, summary: () => EventSummary): void {
    if (event.type === 'lost') {
      this.#lost.push(summary().detail);
      if (this.#lost.length > EVENTS_MAX) this.#lost.shift();
      return;
    }
    const node = this.#nodeOf(event);
    if (event.type === 'process_exit') this.#end(node, event.signal ?? String(event.status));
    else if (event.type !== 'process_exec') addLine(node, lineOf(summary()));
    while (this.#count > PROCESSES_MAX) this.#forgetOne();
  }

  /** `width` is that of the terminal; undefined cuts nothing. */
  text(width?: number): string {
    const lines: string[] = [];
    for (const root of this.#roots) this.#write(root, '', '', 0, lines);
    if (this.#forgotten > 0) lines.push(`(${this.#forgotten} earlier processes are left out)`);
    for (const lost of this.#lost) lines.push(`⚠️  lost: ${lost}`);
    return lines.map((line) => `${width === undefined ? line : cut(line, width)}\n`).join('');
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

  #nodeOf(event: ProcessEvent): Node {
    const { process, former, parent, ancestors } = event;
    const known = this.#nodes.get(process.execId) ?? this.#continued(process);
    const node = known ?? this.#create(process);
    this.#learn(node, process);
    if (node.parent === undefined) {
      const above = [former, parent, ...ancestors].filter((each) => each !== undefined);
      this.#place(node, above, process.parentExecId);
    }
    return node;
  }

  /** Puts the process under its ancestors. An image of the same process id is an earlier program of the process itself. */
  #place(node: Node, above: readonly PlainProcess[], parentExecId: string): void {
    let below = node;
    for (const image of above) {
      if (image.pid === below.pid) {
        this.#identify(below, image.execId);
        continue;
      }
      const known = this.#nodes.get(image.execId);
      const upper = known ?? this.#create(image);
      if (known === undefined) this.#learn(upper, image);
      this.#attach(below, upper);
      below = upper;
    }
    const upper = this.#nodes.get(parentExecId);
    if (node.parent === undefined && upper !== undefined) this.#attach(node, upper);
  }

  /** The process that executes another program, or that was forked and executes its first one. */
  #continued({ formerExecId, parentExecId, pid }: PlainProcess): Node | undefined {
    const parent = this.#nodes.get(parentExecId);
    const former = formerExecId === undefined ? undefined : this.#nodes.get(formerExecId);
    const same = [former, parent].find((node) => node?.pid === pid);
    if (same !== undefined || parent === undefined) return same;
    return [...parent.children].find((child) => child.pid === pid && child.forked && child.ended === undefined);
  }

  #create({ pid, forked }: PlainProcess): Node {
    const node: Node = {
      pid,
      ids: [],
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

  #learn(node: Node, image: PlainProcess): void {
    if (node.ids.includes(image.execId)) return;
    this.#identify(node, image.execId);
    const { binary, pid, uid, forked } = image;
    const program = binary === '' ? '(unknown)' : quoteUnsafe(binary);
    const words = forked ? '' : this.#options.argumentsOf(image);
    node.title = `${words === '' ? program : `${program} ${words}`} (pid ${pid}, uid ${uid})`;
    node.forked = forked;
  }

  #identify(node: Node, execId: string): void {
    if (execId === '' || this.#nodes.has(execId)) return;
    this.#nodes.set(execId, node);
    node.ids.push(execId);
    const oldest = node.ids.length > IDS_MAX ? node.ids.shift() : undefined;
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

  /** Forgets a process without children: the one that ended first, or else the oldest. Its parent may end later. */
  #forgetOne(): void {
    const isLeaf = ({ children }: Node): boolean => children.size === 0;
    const node = firstOf(this.#ended, isLeaf) ?? firstOf(this.#nodes.values(), isLeaf) ?? firstOf(this.#roots, isLeaf);
    this.#count -= 1;
    this.#forgotten += 1;
    if (node === undefined) return;
    for (const id of node.ids) this.#nodes.delete(id);
    this.#ended.delete(node);
    this.#roots.delete(node);
    node.parent?.children.delete(node);
  }
}

function firstOf(nodes: Iterable<Node>, wanted: (node: Node) => boolean): Node | undefined {
  for (const node of nodes) if (wanted(node)) return node;
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

function lineOf({ emoji, label, detail, actions, reason }: EventSummary): string {
  return [emoji, label, detail, reason === '' ? '' : `# ${reason}`, actions].filter((part) => part !== '').join(' ');
}
