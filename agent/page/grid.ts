/** A grid for mouse and keyboard that creates elements only for visible rows. */
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from '@tanstack/virtual-core';
import { formatCell, h, setAttribute, setText } from './dom.js';

export interface Column<R> {
  readonly title: string;
  /** A size of CSS grid: `8rem`, `1fr`. */
  readonly width: string;
  readonly cell: (row: R) => string;
  readonly class?: string;
  /** Returns the value to sort by. Without it, the column cannot be sorted. */
  readonly sortKey?: (row: R) => string | number;
  /** Draws the cell when a string is not enough. */
  readonly draw?: (cell: HTMLElement, row: R) => void;
}

export interface Sort {
  readonly column: number;
  readonly isUp: boolean;
}

interface GridOptions<R> {
  readonly name: string;
  readonly label: string;
  readonly columns: readonly Column<R>[];
  readonly empty: string;
  /** Called for a click or Enter. */
  readonly onOpen: (row: R) => void;
  /** Called when the keyboard focus moves to a row. */
  readonly onMove?: (row: R) => void;
  /** For a tree: called for the arrows left and right. */
  readonly onFold?: (row: R, isOpen: boolean) => void;
  readonly onSort?: () => void;
  /** Rows are added at the end while the page is open. The grid shows the last row until the reader scrolls up. */
  readonly followsEnd?: boolean;
  readonly describe?: (element: HTMLElement, row: R) => void;
}

/** As in report.css. */
const ROW_PIXELS = 30;
const HEAD_PIXELS = 31;
/** Rows that are created above and below the visible ones. */
const OVERSCAN = 12;

export class Grid<R> {
  readonly element: HTMLElement;
  readonly #options: GridOptions<R>;
  readonly #spacer: HTMLElement;
  readonly #empty: HTMLElement;
  readonly #heads: HTMLElement[];
  readonly #virtualizer: Virtualizer<HTMLElement, HTMLElement>;
  readonly #elements = new Map<number, HTMLElement>();
  readonly #spare: HTMLElement[] = [];
  #rows: readonly R[] = [];
  #unsorted: readonly R[] = [];
  #sort: Sort | undefined;
  #isFollowing: boolean;
  #active = 0;

  constructor(options: GridOptions<R>) {
    this.#options = options;
    this.#isFollowing = options.followsEnd === true;
    const isTree = options.onFold !== undefined;
    this.#heads = options.columns.map((column, i) => this.#createHead(column, i));
    this.#spacer = h('div', { class: 'spacer', role: 'presentation' });
    const body = h('div', { class: 'body', role: 'rowgroup' }, this.#spacer);
    this.#empty = h('p', { class: 'empty', hidden: true }, options.empty);
    const head = h('div', { class: 'head', role: 'rowgroup' }, h('div', { class: 'row', role: 'row' }, ...this.#heads));
    this.element = h(
      'div',
      {
        class: 'grid',
        role: isTree ? 'treegrid' : 'grid',
        tabindex: 0,
        attributes: { 'aria-label': options.label, 'aria-colcount': options.columns.length },
        on: { keydown: (event: KeyboardEvent) => this.#onKey(event) },
      },
      head,
      body,
    );
    this.element.style.setProperty('--columns', options.columns.map(({ width }) => width).join(' '));
    this.element.append(this.#empty);
    this.#virtualizer = new Virtualizer<HTMLElement, HTMLElement>({
      count: 0,
      getScrollElement: () => this.element,
      estimateSize: () => ROW_PIXELS,
      overscan: OVERSCAN,
      // the column titles stay above the rows
      scrollMargin: HEAD_PIXELS,
      scrollPaddingStart: HEAD_PIXELS,
      scrollToFn: elementScroll,
      observeElementRect,
      observeElementOffset,
      onChange: () => this.#draw(),
    });
    this.#virtualizer._didMount();
  }

  /** Replaces the rows. The scroll position stays. */
  show(rows: readonly R[]): void {
    const isAtEnd = this.element.scrollTop + this.element.clientHeight >= this.element.scrollHeight - 2;
    if (this.#rows.length > 0) this.#isFollowing = isAtEnd && (this.#isFollowing || this.element.scrollTop > 0);
    this.#unsorted = rows;
    this.#rows = this.#sortRows(rows);
    this.#active = Math.min(this.#active, Math.max(rows.length - 1, 0));
    this.#empty.hidden = rows.length > 0;
    setAttribute(this.element, 'aria-rowcount', rows.length + 1);
    this.#virtualizer.setOptions({ ...this.#virtualizer.options, count: rows.length });
    this.#virtualizer._willUpdate();
    this.#virtualizer.measure();
    this.#draw();
    if (this.#isFollowing) this.element.scrollTop = this.element.scrollHeight;
  }

  /** Moves the keyboard focus to the row. */
  moveTo(index: number): void {
    if (this.#rows.length === 0) return;
    this.#active = Math.max(0, Math.min(index, this.#rows.length - 1));
    this.#virtualizer.scrollToIndex(this.#active, { align: 'auto' });
    this.#draw();
    const row = this.#rows[this.#active];
    if (row !== undefined) this.#options.onMove?.(row);
  }

  get active(): R | undefined {
    return this.#rows[this.#active];
  }

  #createHead({ title, sortKey, class: name = '' }: Column<R>, i: number): HTMLElement {
    const role = 'columnheader';
    if (sortKey === undefined) return h('div', { role, class: name }, title);
    const sort = (): void => this.#sortBy(i);
    return h(
      'div',
      { role, class: `${name} sorts`, attributes: { 'aria-sort': 'none' } },
      h('button', { type: 'button', tabindex: -1, on: { click: sort } }, title),
    );
  }

  get sort(): Sort | undefined {
    return this.#sort;
  }

  #sortBy(column: number): void {
    const before = this.#sort;
    if (before?.column === column && !before.isUp) this.setSort(undefined);
    else this.setSort({ column, isUp: before?.column !== column });
    this.#options.onSort?.();
  }

  setSort(sort: Sort | undefined): void {
    this.#sort = sort;
    this.#heads.forEach((head, i) => {
      if (this.#options.columns[i]?.sortKey === undefined) return;
      const order = this.#sort?.column !== i ? 'none' : this.#sort.isUp ? 'ascending' : 'descending';
      setAttribute(head, 'aria-sort', order);
    });
    this.show(this.#unsorted);
  }

  #sortRows(rows: readonly R[]): readonly R[] {
    const sortKey = this.#sort === undefined ? undefined : this.#options.columns[this.#sort.column]?.sortKey;
    if (sortKey === undefined) return rows;
    const up = this.#sort?.isUp === true ? 1 : -1;
    const keys = new Map(rows.map((row) => [row, sortKey(row)]));
    return [...rows].sort((a, b) => {
      const [x, y] = [keys.get(a) ?? '', keys.get(b) ?? ''];
      return x < y ? -up : x > y ? up : 0;
    });
  }

  #draw(): void {
    const items = this.#virtualizer.getVirtualItems();
    this.#spacer.style.height = `${this.#virtualizer.getTotalSize()}px`;
    const seen = new Set(items.map(({ index }) => index));
    for (const [index, element] of this.#elements) {
      if (seen.has(index)) continue;
      this.#elements.delete(index);
      this.#spare.push(element);
    }
    for (const { index, start } of items) this.#drawRow(index, start);
    for (const element of this.#spare) element.hidden = true;
    const isThere = this.#elements.has(this.#active) && this.#rows.length > 0;
    if (isThere) setAttribute(this.element, 'aria-activedescendant', this.#rowId(this.#active));
    else this.element.removeAttribute('aria-activedescendant');
  }

  #drawRow(index: number, start: number): void {
    const row = this.#rows[index];
    if (row === undefined) return;
    let element = this.#elements.get(index);
    if (element === undefined) {
      element = this.#spare.pop() ?? this.#createRow();
      this.#elements.set(index, element);
    }
    element.hidden = false;
    element.id = this.#rowId(index);
    element.dataset['index'] = String(index);
    element.style.transform = `translateY(${start - HEAD_PIXELS}px)`;
    element.classList.toggle('active', index === this.#active);
    setAttribute(element, 'aria-rowindex', index + 2);
    setAttribute(element, 'aria-selected', index === this.#active);
    this.#options.columns.forEach(({ cell, draw }, i) => {
      const cellElement = element.children[i] as HTMLElement;
      if (draw !== undefined) draw(cellElement, row);
      else setText(cellElement, formatCell(cell(row)));
    });
    this.#options.describe?.(element, row);
  }

  #createRow(): HTMLElement {
    const cells = this.#options.columns.map(({ class: name }) =>
      h('div', { role: 'gridcell', ...(name === undefined ? {} : { class: name }) }),
    );
    const element = h('div', { class: 'row', role: 'row' }, ...cells);
    element.addEventListener('click', () => {
      this.moveTo(Number(element.dataset['index']));
      this.#open();
    });
    this.#spacer.append(element);
    return element;
  }

  #open(): void {
    const row = this.active;
    if (row !== undefined) this.#options.onOpen(row);
  }

  #onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target instanceof HTMLButtonElement) return;
    const page = Math.max(Math.floor(this.element.clientHeight / ROW_PIXELS) - 1, 1);
    const moves: Readonly<Record<string, () => void>> = {
      ArrowDown: () => this.moveTo(this.#active + 1),
      ArrowUp: () => this.moveTo(this.#active - 1),
      j: () => this.moveTo(this.#active + 1),
      k: () => this.moveTo(this.#active - 1),
      PageDown: () => this.moveTo(this.#active + page),
      PageUp: () => this.moveTo(this.#active - page),
      Home: () => this.moveTo(0),
      End: () => this.moveTo(this.#rows.length - 1),
      Enter: () => this.#open(),
      ArrowLeft: () => this.#fold(false),
      ArrowRight: () => this.#fold(true),
    };
    const move = moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    move();
  }

  #fold(isOpen: boolean): void {
    const row = this.active;
    if (row !== undefined) this.#options.onFold?.(row, isOpen);
  }

  #rowId(index: number): string {
    return `${this.#options.name}-${index}`;
  }
}
