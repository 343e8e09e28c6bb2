/** The bytes of a process and its parent in JSON lines, cached with the process. */
import type { PlainProcess } from '../../types/events.js';
import type { JsonOptions } from '../../types/output.js';
import type { RelatedProcess, ViewedProcess } from '../process/view.js';
import { selectWriter } from '../output/process-json.js';

export class ProcessFragments {
  /** The beginning of a line up to the thread id, by the text before the process. */
  head = '';
  before: Uint8Array = Buffer.alloc(0);
  readonly after: Uint8Array;
  /** From the process up to the thread id. */
  readonly beforeText: string;
  readonly #of: object;
  readonly #container: PlainProcess['container'];
  readonly #pod: PlainProcess['pod'];
  readonly #isInTree: boolean;
  readonly #related: RelatedProcess | undefined;
  readonly #relatedContainer: PlainProcess['container'];
  readonly #relatedPod: PlainProcess['pod'];
  readonly #isRelatedInTree: boolean | undefined;

  constructor(process: ViewedProcess, options: JsonOptions, of: object) {
    this.#of = of;
    this.#container = process.container;
    this.#pod = process.pod;
    this.#isInTree = process.inInitTree;
    const related = relatedProcess(process);
    this.#related = related;
    this.#relatedContainer = related?.container;
    this.#relatedPod = related?.pod;
    this.#isRelatedInTree = related?.inInitTree;
    const [before, after] = selectWriter(options).splitMembers(process.view, related?.view);
    this.beforeText = before;
    this.after = Buffer.from(after);
  }

  belongsTo(of: object): boolean {
    return this.#of === of;
  }

  /** Containers and pods can become known later, and a process that has ended long ago is forgotten by its children. */
  isCurrent(process: ViewedProcess): boolean {
    const related = relatedProcess(process);
    return (
      related === this.#related &&
      process.container === this.#container &&
      process.pod === this.#pod &&
      process.inInitTree === this.#isInTree &&
      related?.container === this.#relatedContainer &&
      related?.pod === this.#relatedPod &&
      related?.inInitTree === this.#isRelatedInTree
    );
  }

  useHead(head: string): void {
    this.before = Buffer.from(head + this.beforeText);
    this.head = head;
  }
}

/** The process that the export calls the parent: after a second exec, the process itself before that exec. */
function relatedProcess(process: ViewedProcess): RelatedProcess | undefined {
  return process.formerExecId === undefined ? process.parentProcess : process.formerProcess;
}

/** A process is formatted with few different options. The oldest are forgotten. */
const OPTIONS_MAX = 4;

/** Returns the fragments of a process for `of`, which stands for the options. */
export function findProcessFragments(process: ViewedProcess, options: JsonOptions, of: object): ProcessFragments {
  const list = (process.lineFragments ??= []) as ProcessFragments[];
  for (let i = 0; i < list.length; i++) {
    const fragments = list[i] as ProcessFragments;
    if (!fragments.belongsTo(of)) continue;
    return fragments.isCurrent(process) ? fragments : (list[i] = new ProcessFragments(process, options, of));
  }
  const fragments = new ProcessFragments(process, options, of);
  if (list.unshift(fragments) > OPTIONS_MAX) list.pop();
  return fragments;
}
