/** Processes below their parents, each with its events, as a list of lines. */
import type { EventRow, ProcessRow } from '../lib/report/row.js';
import type { Store } from './store.js';

export interface ProcessNode {
  /** Programs that the process has run, in order. */
  readonly programs: ProcessRow[];
  readonly children: ProcessNode[];
  readonly events: EventLine[];
  parent: ProcessNode | undefined;
  /** How it ended: a status, or the name of a signal. */
  ended: string | undefined;
  /** Events of policies of this process and of all below it. */
  count: number;
}

interface EventLine {
  readonly event: EventRow;
  times: number;
}

export type TreeLine = { readonly depth: number; readonly node: ProcessNode } & (
  | { readonly kind: 'process'; readonly isOpen: boolean }
  | { readonly kind: 'event'; readonly line: EventLine }
  /** Events that are shown when the reader asks for them. */
  | { readonly kind: 'more'; readonly count: number }
);

/** Events of one process that a tree shows when nobody has asked for more. */
const EVENTS_SHOWN = 200;

/** Builds the tree of these events. Only processes with events of policies, and those above them, are in it, if there are any. */
export function treeOf(store: Store, indexes: readonly number[]): ProcessNode[] {
  const nodes = new Map<string, ProcessNode>();
  const roots: ProcessNode[] = [];
  const nodeOf = (id: string): ProcessNode | undefined => {
    const chain: string[] = [];
    let at: string | undefined = id;
    while (at !== undefined && store.processes.has(at) && !nodes.has(at) && !chain.includes(at)) {
      chain.push(at);
      at = store.processes.get(at)?.parent;
    }
    for (const each of chain.reverse()) place(each, store, nodes, roots);
    return nodes.get(id);
  };
  for (const i of indexes) {
    const event = store.events[i];
    const node = event?.process === undefined ? undefined : nodeOf(event.process);
    if (event === undefined || node === undefined) continue;
    if (event.type === 'process_exit') node.ended = event.detail.slice(event.detail.lastIndexOf(' ') + 1);
    else if (event.type !== 'process_exec') addEvent(node, event);
  }
  return roots;
}

function place(id: string, store: Store, nodes: Map<string, ProcessNode>, roots: ProcessNode[]): void {
  const program = store.processes.get(id);
  if (program === undefined) return;
  const upper = nodes.get(program.parent);
  const same = upper === undefined ? undefined : sameProcess(upper, program);
  if (same !== undefined) {
    same.programs.push(program);
    nodes.set(id, same);
    return;
  }
  const node = { programs: [program], children: [], events: [], parent: upper, ended: undefined, count: 0 };
  nodes.set(id, node);
  (upper?.children ?? roots).push(node);
}

/** The process that executes another program, or that was forked and executes its first one. */
function sameProcess(upper: ProcessNode, { pid, forked }: ProcessRow): ProcessNode | undefined {
  if (upper.programs.at(-1)?.pid === pid) return upper;
  if (forked === true) return undefined;
  return upper.children.find(({ programs, ended }) => {
    const last = programs.at(-1);
    return last?.pid === pid && last.forked === true && ended === undefined;
  });
}

function addEvent(node: ProcessNode, event: EventRow): void {
  const last = node.events.at(-1);
  if (last !== undefined && isSame(last.event, event)) last.times += 1;
  else node.events.push({ event, times: 1 });
  for (let each: ProcessNode | undefined = node; each !== undefined; each = each.parent) each.count += 1;
}

function isSame(a: EventRow, b: EventRow): boolean {
  return a.label === b.label && a.detail === b.detail && a.policy === b.policy && a.actions === b.actions;
}

interface Folding {
  /** Processes that the reader has opened or closed. */
  readonly chosen: Map<string, boolean>;
  /** Also processes without an event of a policy. */
  readonly all: boolean;
}

/** The lines that are open. */
export function linesOf(roots: readonly ProcessNode[], { chosen, all }: Folding): TreeLine[] {
  const lines: TreeLine[] = [];
  const showsAll = all || roots.every(({ count }) => count === 0);
  const waiting = [...roots].reverse().map((node) => ({ node, depth: 0 }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, depth } = next;
    if (!showsAll && node.count === 0) continue;
    const isOpen = chosen.get(keyOf(node)) ?? true;
    lines.push({ kind: 'process', node, depth, isOpen });
    if (!isOpen) continue;
    const isAsked = chosen.get(keyOf(node)) === true;
    const shown = isAsked ? node.events : node.events.slice(0, EVENTS_SHOWN);
    for (const line of shown) lines.push({ kind: 'event', node, depth: depth + 1, line });
    const more = node.events.length - shown.length;
    if (more > 0) lines.push({ kind: 'more', node, depth: depth + 1, count: more });
    for (const child of [...node.children].reverse()) waiting.push({ node: child, depth: depth + 1 });
  }
  return lines;
}

/** The same for the process in every tree. */
export function keyOf({ programs }: ProcessNode): string {
  return programs[0]?.id ?? '';
}
