/** Builds the process tree: each process below its parent, with its events, as a list of lines. */
import type { EventRow, ProcessRow } from '../../lib/report/row.js';
import type { Store } from './store.js';

export interface ProcessNode {
  /** The execs of the process, in order. */
  readonly programs: ProcessRow[];
  readonly children: ProcessNode[];
  readonly events: EventLine[];
  parent: ProcessNode | undefined;
  /** The exit status, or the name of a signal. */
  exit: string | undefined;
  /** Number of policy events of this process and its descendants. */
  count: number;
}

interface EventLine {
  readonly event: EventRow;
  times: number;
}

export type TreeLine = { readonly depth: number; readonly node: ProcessNode } & (
  | { readonly kind: 'process'; readonly isOpen: boolean }
  | { readonly kind: 'event'; readonly line: EventLine }
  /** The number of events that are hidden until the reader asks for them. */
  | { readonly kind: 'more'; readonly count: number }
);

/** Maximum of events of a process that are shown at first. */
const EVENTS_SHOWN = 200;

/** Builds the tree of these events. */
export function buildTree(store: Store, indexes: readonly number[]): ProcessNode[] {
  const nodes = new Map<string, ProcessNode>();
  const roots: ProcessNode[] = [];
  const findNode = (id: string): ProcessNode | undefined => {
    const chain: string[] = [];
    let at: string | undefined = id;
    while (at !== undefined && store.processes.has(at) && !nodes.has(at) && !chain.includes(at)) {
      chain.push(at);
      at = store.processes.get(at)?.parent;
    }
    for (const each of chain.reverse()) addProgram(each, store, nodes, roots);
    return nodes.get(id);
  };
  for (const i of indexes) {
    const event = store.events[i];
    const node = event?.process === undefined ? undefined : findNode(event.process);
    if (event === undefined || node === undefined) continue;
    if (event.type === 'process_exit') node.exit = event.detail.slice(event.detail.lastIndexOf(' ') + 1);
    else if (event.type !== 'process_exec') addEvent(node, event);
  }
  return roots;
}

function addProgram(id: string, store: Store, nodes: Map<string, ProcessNode>, roots: ProcessNode[]): void {
  const program = store.processes.get(id);
  if (program === undefined) return;
  const upper = nodes.get(program.parent);
  const same = upper === undefined ? undefined : findSameProcess(upper, program);
  if (same !== undefined) {
    same.programs.push(program);
    nodes.set(id, same);
    return;
  }
  const node = { programs: [program], children: [], events: [], parent: upper, exit: undefined, count: 0 };
  nodes.set(id, node);
  (upper?.children ?? roots).push(node);
}

/** Returns the process that executes another program, or the forked process that executes its first one. */
function findSameProcess(upper: ProcessNode, { pid, forked }: ProcessRow): ProcessNode | undefined {
  if (upper.programs.at(-1)?.pid === pid) return upper;
  if (forked === true) return undefined;
  return upper.children.find(({ programs, exit }) => {
    const last = programs.at(-1);
    return last?.pid === pid && last.forked === true && exit === undefined;
  });
}

function addEvent(node: ProcessNode, event: EventRow): void {
  const last = node.events.at(-1);
  if (last !== undefined && isSameEvent(last.event, event)) last.times += 1;
  else node.events.push({ event, times: 1 });
  for (let each: ProcessNode | undefined = node; each !== undefined; each = each.parent) each.count += 1;
}

function isSameEvent(a: EventRow, b: EventRow): boolean {
  return a.label === b.label && a.detail === b.detail && a.policy === b.policy && a.actions === b.actions;
}

interface Folding {
  /** Processes that the reader has opened or closed, by key. */
  readonly chosen: Map<string, boolean>;
  /** Show processes without policy events too. */
  readonly all: boolean;
}

/**
 * Returns the visible lines. Without `all`, processes need a policy event in their subtree, unless there is none at
 * all.
 */
export function listLines(roots: readonly ProcessNode[], { chosen, all }: Folding): TreeLine[] {
  const lines: TreeLine[] = [];
  const showsAll = all || roots.every(({ count }) => count === 0);
  const waiting = [...roots].reverse().map((node) => ({ node, depth: 0 }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, depth } = next;
    if (!showsAll && node.count === 0) continue;
    const isOpen = chosen.get(nodeKey(node)) ?? true;
    lines.push({ kind: 'process', node, depth, isOpen });
    if (!isOpen) continue;
    const isAsked = chosen.get(nodeKey(node)) === true;
    const shown = isAsked ? node.events : node.events.slice(0, EVENTS_SHOWN);
    for (const line of shown) lines.push({ kind: 'event', node, depth: depth + 1, line });
    const more = node.events.length - shown.length;
    if (more > 0) lines.push({ kind: 'more', node, depth: depth + 1, count: more });
    for (const child of [...node.children].reverse()) waiting.push({ node: child, depth: depth + 1 });
  }
  return lines;
}

/** Returns a key of the process that is the same in every tree. */
export function nodeKey({ programs }: ProcessNode): string {
  return programs[0]?.id ?? '';
}
