/** The bytes of a process and its parent in lines. Their place in the arena is cached with the process. */
import type { PlainProcess } from '../../types/events.js';
import type { RelatedProcess, ViewedProcess } from '../process/view.js';
import type { LineArena, ProcessText } from './line-arena.js';

/**
 * Formats the two texts of a process: JSON before and after the thread id, a compact line before and after the values, and
 * in a message the process and its parent.
 */
export type FormatProcess = (
  process: ViewedProcess,
  related: RelatedProcess | undefined,
) => readonly [ProcessText, ProcessText];

class ProcessTexts {
  /** Offset in the arena. */
  readonly at: number;
  /** The batch in which the texts were checked. Nothing changes within a batch. */
  checkedIn = -1;
  readonly #arena: LineArena;
  readonly #generation: number;
  readonly #container: PlainProcess['container'];
  readonly #pod: PlainProcess['pod'];
  readonly #isInTree: boolean;
  readonly #parent: RelatedProcess | undefined;
  readonly #related: RelatedProcess | undefined;
  readonly #relatedContainer: PlainProcess['container'];
  readonly #relatedPod: PlainProcess['pod'];
  readonly #isRelatedInTree: boolean | undefined;

  constructor(process: ViewedProcess, format: FormatProcess, arena: LineArena) {
    const related = relatedProcess(process);
    this.#arena = arena;
    this.#generation = arena.generation;
    this.#container = process.container;
    this.#pod = process.pod;
    this.#isInTree = process.inInitTree;
    this.#parent = process.parentProcess;
    this.#related = related;
    this.#relatedContainer = related?.container;
    this.#relatedPod = related?.pod;
    this.#isRelatedInTree = related?.inInitTree;
    this.at = arena.addTexts(...format(process, related));
  }

  belongsTo(arena: LineArena): boolean {
    return this.#arena === arena;
  }

  /** Containers and pods can become known later, and a process that has ended long ago is forgotten by its children. */
  isCurrent(process: ViewedProcess): boolean {
    const related = relatedProcess(process);
    return (
      this.#generation === this.#arena.generation &&
      related === this.#related &&
      process.parentProcess === this.#parent &&
      process.container === this.#container &&
      process.pod === this.#pod &&
      process.inInitTree === this.#isInTree &&
      related?.container === this.#relatedContainer &&
      related?.pod === this.#relatedPod &&
      related?.inInitTree === this.#isRelatedInTree
    );
  }
}

/** The process that the export calls the parent: after a second exec, the process itself before that exec. */
function relatedProcess(process: ViewedProcess): RelatedProcess | undefined {
  return process.formerExecId === undefined ? process.parentProcess : process.formerProcess;
}

/** A process is formatted with few different options. The oldest are forgotten. */
const OPTIONS_MAX = 4;

/** Returns the offset of the texts of a process in the arena. `batch` is the number of the current batch. */
export function placeProcess(process: ViewedProcess, format: FormatProcess, arena: LineArena, batch: number): number {
  const list = (process.lineFragments ??= []) as ProcessTexts[];
  for (let i = 0; i < list.length; i++) {
    const texts = list[i] as ProcessTexts;
    if (!texts.belongsTo(arena)) continue;
    if (texts.checkedIn === batch) return texts.at;
    const current = texts.isCurrent(process) ? texts : (list[i] = new ProcessTexts(process, format, arena));
    current.checkedIn = batch;
    return current.at;
  }
  const texts = new ProcessTexts(process, format, arena);
  texts.checkedIn = batch;
  if (list.unshift(texts) > OPTIONS_MAX) list.pop();
  return texts.at;
}
