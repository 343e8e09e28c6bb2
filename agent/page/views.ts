/** The five views of the events, in tabs. */
import type { EventRow, ProcessRow } from '../../lib/report/row.js';
import type { Colors } from './colors.js';
import { formatCell, h, setAttribute, setText } from './dom.js';
import { Grid, type Column, type Sort } from './grid.js';
import { createNameColumns, countNames, type NameRow } from './names.js';
import { eventGroup, STARTS, type Criteria, type Store } from './store.js';
import { formatClock } from './format-time.js';
import { nodeKey, listLines, buildTree, type ProcessNode, type TreeLine } from './tree.js';

interface ViewsOptions {
  readonly store: Store;
  readonly colors: Colors;
  readonly onEvent: (event: EventRow) => void;
  readonly onProcess: (process: ProcessRow) => void;
  readonly onFilter: (change: Partial<Criteria>) => void;
  /** Called when another view, order or folding is chosen. */
  readonly onChange: () => void;
  readonly isLive: boolean;
}

interface View {
  readonly title: string;
  readonly panel: HTMLElement;
  readonly grid: Grid<never>;
  /** Shows the events and returns the number of rows. */
  readonly show: (indexes: readonly number[]) => number;
  /** The events view: whether it shows starts and ends of processes. */
  readonly starts?: { isShown: () => boolean; set: (isShown: boolean) => void };
}

export class Views {
  readonly element: HTMLElement;
  readonly #views: readonly View[];
  readonly #tabs: HTMLButtonElement[];
  #chosen = 0;
  #indexes: readonly number[] = [];
  readonly #onChange: () => void;

  constructor(options: ViewsOptions) {
    this.#onChange = options.onChange;
    this.#views = [
      createEventsView({
        ...options,
        onChange: () => {
          this.#showChosen();
          options.onChange();
        },
      }),
      createProcessesView(options),
      createNamesView(
        options,
        'Files',
        'File',
        (event) => event.files ?? [],
        (file) => ({ file }),
      ),
      createNamesView(
        options,
        'Addresses',
        'Address',
        (event) => event.addresses ?? [],
        (address) => ({ address }),
      ),
      createNamesView(
        options,
        'Binaries',
        'Binary',
        (event) => eventBinaries(options.store, event),
        (binary) => ({ binary }),
      ),
    ];
    this.#tabs = this.#views.map(({ title }, i) => {
      const attributes = { 'aria-selected': i === 0, 'aria-controls': `panel-${i}` };
      const on = { click: () => this.choose(i) };
      return h(
        'button',
        { type: 'button', role: 'tab', id: `tab-${i}`, tabindex: i === 0 ? 0 : -1, attributes, on },
        title,
      );
    });
    const list = h(
      'div',
      {
        class: 'tabs',
        role: 'tablist',
        attributes: { 'aria-label': 'Views of the events' },
        on: { keydown: (event: KeyboardEvent) => this.#onKey(event) },
      },
      ...this.#tabs,
    );
    this.#views.forEach(({ panel }, i) => {
      panel.id = `panel-${i}`;
      panel.setAttribute('role', 'tabpanel');
      panel.setAttribute('aria-labelledby', `tab-${i}`);
      panel.hidden = i > 0;
    });
    this.element = h('section', { class: 'card views', attributes: { 'aria-label': 'Events' } }, list);
    this.element.append(...this.#views.map(({ panel }) => panel));
  }

  show(indexes: readonly number[]): void {
    this.#indexes = indexes;
    this.#showChosen();
  }

  get chosen(): number {
    return this.#chosen;
  }

  get sort(): Sort | undefined {
    return this.#views[this.#chosen]?.grid.sort;
  }

  get showsStarts(): boolean {
    return this.#views[0]?.starts?.isShown() === true;
  }

  /** Restores what a link says. */
  restore(view: number, sort: Sort | undefined, starts: boolean): void {
    this.#views[0]?.starts?.set(starts);
    this.#views[view]?.grid.setSort(sort);
    if (view !== this.#chosen) this.choose(view);
  }

  choose(i: number): void {
    this.#chosen = i;
    this.#views.forEach(({ panel }, at) => {
      panel.hidden = at !== i;
      setAttribute(this.#tabs[at] as HTMLElement, 'aria-selected', at === i);
      setAttribute(this.#tabs[at] as HTMLElement, 'tabindex', at === i ? 0 : -1);
    });
    this.#showChosen();
    this.#onChange();
  }

  /** Moves the keyboard focus to the rows. */
  focusRows(): void {
    this.#views[this.#chosen]?.grid.element.focus();
  }

  /** Draws only the visible view. */
  #showChosen(): void {
    const view = this.#views[this.#chosen];
    const tab = this.#tabs[this.#chosen];
    if (view === undefined || tab === undefined) return;
    const count = view.show(this.#indexes);
    this.#views.forEach(({ title }, i) => setText(this.#tabs[i] as HTMLElement, title));
    tab.replaceChildren(view.title, ' ', h('span', { class: 'count' }, count.toLocaleString('en')));
  }

  #onKey(event: KeyboardEvent): void {
    const last = this.#tabs.length - 1;
    const next = {
      ArrowRight: this.#chosen === last ? 0 : this.#chosen + 1,
      ArrowLeft: this.#chosen === 0 ? last : this.#chosen - 1,
      Home: 0,
      End: last,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    this.choose(next);
    this.#tabs[next]?.focus();
  }
}

function createEventsView({ store, colors, onEvent, onChange, isLive }: ViewsOptions): View {
  const findProcess = (event: EventRow): ProcessRow | undefined => store.findProcess(event);
  const columns: Column<EventRow>[] = [
    {
      title: 'Time',
      width: '7.5rem',
      cell: ({ time }) => formatClock(time),
      class: 'code',
      sortKey: ({ time }) => time,
    },
    {
      title: 'Event',
      width: '8rem',
      cell: ({ label }) => label,
      sortKey: ({ label }) => label,
      draw: (cell, event) => drawLabel(cell, event, colors),
    },
    {
      title: 'Process',
      width: 'minmax(8rem, 0.5fr)',
      cell: (event) => findProcess(event)?.binary ?? '',
      class: 'code process',
      sortKey: (event) => findProcess(event)?.binary ?? '',
    },
    {
      title: 'Pid',
      width: '5rem',
      cell: (event) => String(findProcess(event)?.pid ?? ''),
      class: 'number',
      sortKey: (event) => findProcess(event)?.pid ?? 0,
    },
    {
      title: 'Detail',
      width: 'minmax(10rem, 1fr)',
      cell: ({ detail }) => detail,
      class: 'code',
      sortKey: ({ detail }) => detail,
      draw: drawDetail,
    },
    {
      title: 'Message',
      width: 'minmax(8rem, 0.5fr)',
      cell: ({ message }) => message ?? '',
      class: 'wide',
      sortKey: ({ message }) => message ?? '',
    },
    {
      title: 'Policy',
      width: 'minmax(7rem, 0.3fr)',
      cell: ({ policy }) => policy ?? '',
      class: 'wide',
      sortKey: ({ policy }) => policy ?? '',
    },
  ];
  const grid = new Grid<EventRow>({
    name: 'event',
    label: 'Events',
    columns,
    empty: 'No event matches the filters.',
    onOpen: onEvent,
    onSort: onChange,
    followsEnd: isLive,
  });
  let areStartsShown = false;
  const toggle = h('button', { type: 'button', attributes: { 'aria-pressed': false } }, 'Starts and ends of processes');
  const setStarts = (isShown: boolean): void => {
    areStartsShown = isShown;
    setAttribute(toggle, 'aria-pressed', isShown);
  };
  const show = (indexes: readonly number[]): number => {
    const all = indexes.map((i) => store.events[i]).filter((event) => event !== undefined);
    const others = areStartsShown ? all : all.filter((event) => eventGroup(event) !== STARTS);
    // Where there is nothing else, they are what the reader looks for.
    const rows = others.length === 0 ? all : others;
    const folded = all.length - rows.length;
    setText(
      toggle,
      folded === 0
        ? 'Starts and ends of processes'
        : `Starts and ends of processes: ${folded.toLocaleString('en')} folded`,
    );
    grid.show(rows);
    return rows.length;
  };
  toggle.addEventListener('click', () => {
    setStarts(!areStartsShown);
    onChange();
  });
  return {
    title: 'Events',
    grid: grid as unknown as Grid<never>,
    panel: h('div', { class: 'panel' }, h('div', { class: 'panel-tools' }, toggle), grid.element),
    show,
    starts: { isShown: () => areStartsShown, set: setStarts },
  };
}

function drawLabel(cell: HTMLElement, event: EventRow, colors: Colors): void {
  if (cell.childElementCount === 0) cell.append(h('span', { class: 'dot' }), h('span'));
  const [dot, text] = cell.children;
  (dot as HTMLElement).style.background = colors.groupColor(eventGroup(event));
  setText(text as HTMLElement, formatCell(event.label));
}

function drawDetail(cell: HTMLElement, { actions, detail }: EventRow): void {
  setText(cell, formatCell(actions === undefined ? detail : `${detail} ${actions}`));
  cell.classList.toggle('acted', actions !== undefined);
}

function createProcessesView({ store, colors, onEvent, onProcess }: ViewsOptions): View {
  const chosen = new Map<string, boolean>();
  let all = false;
  let roots: readonly ProcessNode[] = [];
  const draw = (): number => {
    const lines = listLines(roots, { chosen, all });
    grid.show(lines);
    return lines.filter(({ kind }) => kind === 'process').length;
  };
  const fold = (line: TreeLine, isOpen: boolean): void => {
    chosen.set(nodeKey(line.node), isOpen);
    draw();
  };
  const toggle = h(
    'button',
    { type: 'button', attributes: { 'aria-pressed': false } },
    'Processes without events, too',
  );
  toggle.addEventListener('click', () => {
    all = !all;
    setAttribute(toggle, 'aria-pressed', all);
    draw();
  });
  const grid = new Grid<TreeLine>({
    name: 'process',
    label: 'Processes',
    columns: [
      { title: 'Process', width: '1fr', cell: () => '', draw: (cell, line) => drawLine(cell, line, { fold, colors }) },
    ],
    empty: 'No process matches the filters.',
    onOpen: (line) => {
      if (line.kind === 'event') onEvent(line.line.event);
      else if (line.kind === 'more') fold(line, true);
      else if (line.node.programs.length > 0) onProcess(line.node.programs.at(-1) as ProcessRow);
    },
    onFold: (line, isOpen) => {
      if (line.kind === 'more' ? isOpen : line.kind === 'process' && line.isOpen !== isOpen) fold(line, isOpen);
    },
    describe: (element, line) => {
      setAttribute(element, 'aria-level', line.depth + 1);
      if (line.kind === 'process') setAttribute(element, 'aria-expanded', line.isOpen);
      else element.removeAttribute('aria-expanded');
    },
  });
  return {
    title: 'Processes',
    grid: grid as unknown as Grid<never>,
    panel: h('div', { class: 'panel' }, h('div', { class: 'panel-tools' }, toggle), grid.element),
    show: (indexes) => {
      roots = buildTree(store, indexes);
      return draw();
    },
  };
}

const DEPTH_MAX = 24;

interface LineTools {
  readonly fold: (line: TreeLine, isOpen: boolean) => void;
  readonly colors: Colors;
}

function drawLine(cell: HTMLElement, line: TreeLine, { fold, colors }: LineTools): void {
  cell.style.paddingLeft = `${0.5 + Math.min(line.depth, DEPTH_MAX) * 1.25}rem`;
  if (line.kind === 'more') {
    cell.className = 'tree-event muted';
    setText(cell, `… ${line.count.toLocaleString('en')} more events: Enter shows them`);
    return;
  }
  if (line.kind === 'event') {
    const { event, times } = line.line;
    const what = [event.label, event.detail, event.actions ?? ''].filter((part) => part !== '').join(' ');
    const why = event.message ?? event.policy ?? '';
    const dot = h('span', { class: 'dot' });
    dot.style.background = colors.groupColor(eventGroup(event));
    const parts = [
      dot,
      h('span', { class: 'muted code' }, formatClock(event.time)),
      h('span', { class: 'code' }, ` ${formatCell(what)}`),
    ];
    cell.className = 'tree-event';
    cell.replaceChildren(...parts, h('span', { class: 'muted' }, formatCell(why === '' ? '' : ` # ${why}`)));
    if (times > 1) cell.append(h('span', { class: 'times' }, `×${times.toLocaleString('en')}`));
    return;
  }
  const { node, isOpen } = line;
  const last = node.programs.at(-1);
  const folds = node.children.length + node.events.length > 0;
  const click = (event: MouseEvent): void => {
    event.stopPropagation();
    fold(line, !isOpen);
  };
  const arrow = h(
    'span',
    { class: 'arrow', attributes: { 'aria-hidden': true }, on: { click } },
    folds ? (isOpen ? '▾' : '▸') : '·',
  );
  cell.className = 'tree-process';
  cell.replaceChildren(
    arrow,
    h('strong', { class: 'code' }, formatCell(last?.binary || '(unknown)')),
    h('span', { class: 'code' }, ` ${formatCell(last?.arguments ?? '')}`),
    h('span', { class: 'muted' }, ` pid ${last?.pid ?? '?'}, ${formatCell(last?.user ?? `uid ${last?.uid ?? '?'}`)}`),
  );
  if (node.exit !== undefined)
    cell.append(
      h('span', { class: 'muted' }, ` ${/^\d+$/.test(node.exit) ? 'exit' : 'ended by'} ${formatCell(node.exit)}`),
    );
  if (node.count > 0 && !isOpen) cell.append(h('span', { class: 'times' }, node.count.toLocaleString('en')));
}

function createNamesView(
  { store, onFilter }: ViewsOptions,
  title: string,
  column: string,
  namesIn: (event: EventRow) => readonly string[],
  filter: (name: string) => Partial<Criteria>,
): View {
  const grid = new Grid<NameRow>({
    name: title.toLowerCase(),
    label: title,
    columns: createNameColumns(column),
    empty: `No ${title.toLowerCase()} in the events that the filters leave.`,
    onOpen: ({ name }) => onFilter(filter(name)),
  });
  return {
    title,
    grid: grid as unknown as Grid<never>,
    panel: h('div', { class: 'panel' }, grid.element),
    show: (indexes) => {
      const rows = countNames(store, indexes, namesIn);
      grid.show(rows);
      return rows.length;
    },
  };
}

function eventBinaries(store: Store, event: EventRow): string[] {
  const binary = store.findProcess(event)?.binary ?? '';
  return binary === '' ? [] : [binary];
}
